"""AWS's CLI and boto3 as people use them: waiters and paginators included."""


def test_the_caller_is_the_account_of_the_key(sandbox):
    """Without it, state would be kept for another account than the one that the client names."""
    assert sandbox.aws("sts", "get-caller-identity")["Account"] == sandbox.client("sts").get_caller_identity()["Account"]


def test_list_secrets_gives_each_secret_once(sandbox):
    """Without it, a paginator could miss secrets, or go round for ever."""
    client = sandbox.client("secretsmanager", region="eu-west-1")
    names = [f"paged/{n:03}" for n in range(30)]
    for name in names:
        client.create_secret(Name=name, SecretString="x")
    pages = client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 7})
    assert sorted(secret["Name"] for page in pages for secret in page["SecretList"]) == names
