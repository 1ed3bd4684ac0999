"""The rotation function that a new stack starts with: a frame to put your own service into.

Secrets Manager calls lambda_handler once for each step. createSecret and finishSecret work for any secret whose value
is a password; setSecret and testSecret are yours to write, and until they are written every rotation fails.
"""

import os

import boto3


def lambda_handler(event, context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    client = boto3.client("secretsmanager", endpoint_url=os.environ["SECRETS_MANAGER_ENDPOINT"])

    description = client.describe_secret(SecretId=secret)
    if not description.get("RotationEnabled"):
        raise ValueError(f"rotation is not enabled for {secret}")
    stages = description.get("VersionIdsToStages", {})
    if token not in stages:
        raise ValueError(f"{token} is not a version of {secret}")
    if "AWSCURRENT" in stages[token]:
        print(f"{token} is current already, nothing to do")
        return
    if "AWSPENDING" not in stages[token]:
        raise ValueError(f"{token} is not the pending version of {secret}")

    steps = {
        "createSecret": create_secret,
        "setSecret": set_secret,
        "testSecret": test_secret,
        "finishSecret": finish_secret,
    }
    if step not in steps:
        raise ValueError(f"{step} is not a step of a rotation")
    steps[step](client, secret, token)


def create_secret(client, secret, token):
    """Gives the pending version a value, unless an earlier attempt did."""
    client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
    try:
        client.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
    except client.exceptions.ResourceNotFoundException:
        password = client.get_random_password(ExcludeCharacters=os.environ.get("EXCLUDE_CHARACTERS", ":/@\"'\\"))
        client.put_secret_value(
            SecretId=secret,
            ClientRequestToken=token,
            SecretString=password["RandomPassword"],
            VersionStages=["AWSPENDING"],
        )


def set_secret(client, secret, token):
    """Makes the service accept the pending value."""
    raise NotImplementedError("write setSecret: make the service accept the pending value")


def test_secret(client, secret, token):
    """Signs in to the service with the pending value."""
    raise NotImplementedError("write testSecret: sign in to the service with the pending value")


def finish_secret(client, secret, token):
    """Makes the pending version the current one."""
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next((version for version, labels in stages.items() if "AWSCURRENT" in labels), None)
    if current == token:
        return
    arguments = {"RemoveFromVersionId": current} if current else {}
    client.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, **arguments
    )
