"""What AWS was recorded to answer, by others who called it (LocalStack's and moto's suites, issue trackers): the sandbox says the same.

Codes and members are what was recorded. The words of a message are, too, where the recordings show them whole; of some (limits of
numbers, layers, event sources) they are put together from parts, so that a real account may say it otherwise.

`recorded.json` has the answers that need no course of calls: a request, and the error or the members that AWS answered with. Names in
braces are of resources that this suite makes.
"""

import json
import re
import uuid
from pathlib import Path

import botocore.exceptions
import pytest
from conftest import until, zipped
from rotating import DAILY, permit
from stacks import QUICK, Stack

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text())
CODE = "def handler(event, context):\n    return 1\n"
ZIP = zipped({"index.py": CODE})


def make(client, name, code=CODE, **more):
    """A function, once it is active; the answer that it was made with."""
    wanted = {"Runtime": "python3.12", "Role": "arn:aws:iam::123456789012:role/x", "Handler": "index.handler"}
    made = client.create_function(FunctionName=name, Code={"ZipFile": zipped({"index.py": code})}, **wanted, **more)
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=QUICK)
    return made


@pytest.fixture(scope="module")
def names(sandbox):
    """The resources that recorded requests name."""
    secrets, functions = sandbox.client("secretsmanager"), sandbox.client("lambda")
    token = str(uuid.uuid4())
    secret = secrets.create_secret(Name="recorded", SecretString="1", ClientRequestToken=token)
    regions = [{"Region": "eu-west-1"}, {"Region": "ap-south-1"}]
    replicated = secrets.create_secret(Name="replicated", SecretString="1", AddReplicaRegions=regions)
    arn = make(functions, "recorded")["FunctionArn"]
    make(functions, "other")
    functions.add_permission(
        FunctionName="recorded", StatementId="a", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    stack, deleted = Stack(sandbox, "recorded"), Stack(sandbox, "deleted")
    stack.create()
    deleted_id = deleted.create()
    deleted.delete()
    return {
        "secret": "recorded",
        "secret_arn": secret["ARN"],
        "token": token,
        "replicated": "replicated",
        "replicated_arn": replicated["ARN"],
        "function": "recorded",
        "function_arn": arn,
        "other": "other",
        "stack": stack.name,
        "deleted": deleted.name,
        "deleted_id": deleted_id,
    }


def filled(value, names):
    if isinstance(value, dict):
        return {key: filled(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, names) for each in value]
    if value == "{zip}":
        return ZIP
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], found[0]), value)
    return value


def called(client, operation, request):
    """The answer of a call, or its error."""
    method = {wire: python for python, wire in client.meta.method_to_api_mapping.items()}[operation]
    try:
        return getattr(client, method)(**request), None
    except botocore.exceptions.ClientError as error:
        return None, error.response


@pytest.mark.parametrize("call", RECORDED, ids=lambda call: f"{call['service']}.{call['operation']}: {call['what']}")
def test_answers_are_as_recorded(sandbox, names, call):
    """Without it, what clients do about an error would be tried here on an error that AWS doesn't give."""
    client = sandbox.client(call["service"], region=call.get("region", "us-east-1"))
    answer, error = called(client, call["operation"], filled(call["request"], names))
    if "answer" in call:
        assert error is None, error
        expected = filled(call["answer"], names)
        assert {key: answer[key] for key in expected} == expected
        return
    assert error is not None, f"it succeeded: {answer}"
    expected = filled(call["error"], names)
    assert (error["Error"]["Code"], error["Error"]["Message"]) == (expected["code"], expected["message"])
    if "members" in expected:
        assert sorted(key for key in error if key not in ("Error", "ResponseMetadata")) == expected["members"]


def test_a_rotation_that_was_finished_by_hand_leaves_nothing_pending(sandbox):
    """Without it, a secret that somebody helped by hand would be stuck here, and rotate on AWS."""
    secrets, name = sandbox.client("secretsmanager"), "by-hand"
    first = secrets.create_secret(Name=name, SecretString="1")["VersionId"]
    made = secrets.put_secret_value(SecretId=name, SecretString="2", VersionStages=["AWSPENDING"])["VersionId"]
    secrets.update_secret_version_stage(
        SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=made, RemoveFromVersionId=first
    )
    secrets.put_secret_value(SecretId=name, SecretString="3")
    assert secrets.describe_secret(SecretId=name)["VersionIdsToStages"][made] == ["AWSPREVIOUS"]


def test_tags_that_are_gone_are_an_empty_list(sandbox):
    """Without it, a client could take a secret whose tags were removed for one that never had any."""
    secrets, name = sandbox.client("secretsmanager"), "untagged"
    secrets.create_secret(Name=name, SecretString="1")
    assert "Tags" not in secrets.describe_secret(SecretId=name)
    secrets.tag_resource(SecretId=name, Tags=[{"Key": "a", "Value": "b"}])
    secrets.untag_resource(SecretId=name, TagKeys=["a"])
    assert secrets.describe_secret(SecretId=name)["Tags"] == []


def test_secrets_are_found_by_words(sandbox):
    """Without it, a filter that finds nothing on AWS could find something here, or the other way round."""
    secrets = sandbox.client("secretsmanager", region="eu-north-1")
    for name, description in (("foo", "one two"), ("bar", "one and two"), ("an", "an secret"), ("SecretOne", ""),
                              ("Thirdsecret", ""), ("prod+App+", "")):
        secrets.create_secret(Name=name, SecretString="s", Description=description)

    def found(key, value):
        filters = [{"Key": key, "Values": [value]}]
        return sorted(each["Name"] for each in secrets.list_secrets(Filters=filters)["SecretList"])

    assert found("description", "one two") == ["bar", "foo"]
    assert found("description", "a secret") == ["an"]
    assert found("description", "a") == ["an", "bar"]
    assert found("all", "Secret") == ["SecretOne", "an"]
    assert found("all", "+") == []
    assert found("name", "Secret") == ["SecretOne"]


def test_the_token_is_looked_for_before_the_secret(sandbox):
    """Without it, a raw client's mistake would be named by its second cause."""
    secrets = sandbox.client("secretsmanager")
    secrets.meta.events.register("before-call.secretsmanager.RotateSecret", without_token, unique_id="without-token")
    try:
        _, error = called(secrets, "RotateSecret", {"SecretId": "nowhere"})
    finally:
        secrets.meta.events.unregister("before-call.secretsmanager.RotateSecret", unique_id="without-token")
    assert error["Error"] == {
        "Code": "InvalidParameterException",
        "Message": "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
    }


def without_token(params, **_):
    body = json.loads(params["body"])
    body.pop("ClientRequestToken", None)
    params["body"] = json.dumps(body).encode()


def test_a_stuck_rotation_is_tried_again_when_asked_for(start):
    """Without it, the answer "that rotation will be reattempted" would promise what never comes."""
    sandbox = start("--time-scale", "0")
    functions = sandbox.client("lambda")
    arn = make(functions, "again", "def handler(event, context):\n    raise Exception('no')\n")["FunctionArn"]
    permit(functions, "again")
    secrets = sandbox.client("secretsmanager")
    secrets.create_secret(Name="again", SecretString="1")
    secrets.rotate_secret(SecretId="again", RotationLambdaARN=arn, RotationRules=DAILY)

    def invocations():
        logs, group = sandbox.client("logs"), "/aws/lambda/again"
        try:
            events = logs.filter_log_events(logGroupName=group, filterPattern="START")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return 0
        return len(events)

    until("all tries", lambda: invocations() >= 4)
    tried = invocations()
    _, error = called(secrets, "RotateSecret", {"SecretId": "again"})
    message = "A previous rotation isn't complete. That rotation will be reattempted."
    assert (error["Error"]["Code"], error["Error"]["Message"]) == ("InvalidRequestException", message)
    until("another try", lambda: invocations() > tried)


def test_functions_and_versions_are_shown_as_recorded(sandbox):
    """Without it, clients that compare what they sent with what they read would see changes that AWS doesn't show."""
    client = sandbox.client("lambda")
    made = make(client, "published", Publish=True)
    assert (made["FunctionArn"].rsplit(":", 1)[1], made["Version"]) == ("published", "1")
    assert make(client, "no-variables", Environment={"Variables": {}})["Environment"] == {"Variables": {}}
    assert "Environment" not in make(client, "unsaid")

    def configuration():
        return client.get_function(FunctionName="published")["Configuration"]

    def described(text):
        client.update_function_configuration(FunctionName="published", Description=text)
        client.get_waiter("function_updated_v2").wait(FunctionName="published", WaiterConfig=QUICK)
        return client.publish_version(FunctionName="published")

    versions = [described("one"), described("two")]
    assert [version["Version"] for version in versions] == ["2", "3"]
    # A description of the version alone is no change of the function.
    assert client.publish_version(FunctionName="published", Description="its own")["Version"] == "3"
    assert versions[1]["RevisionId"] != configuration()["RevisionId"]

    before = configuration()["RevisionId"]
    client.tag_resource(Resource=made["FunctionArn"], Tags={"a": "b"})
    tagged = configuration()["RevisionId"]
    client.add_permission(
        FunctionName="published", StatementId="a", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    permitted = configuration()["RevisionId"]
    assert len({before, tagged, permitted}) == 3
    assert client.get_policy(FunctionName="published")["RevisionId"] == permitted


def test_reserved_concurrency_is_taken_from_the_accounts(sandbox):
    """Without it, a function could reserve here what AWS doesn't have."""
    client = sandbox.client("lambda", region="eu-central-1")
    for name in ("greedy", "modest"):
        make(client, name)
    client.put_function_concurrency(FunctionName="greedy", ReservedConcurrentExecutions=800)
    _, error = called(client, "PutFunctionConcurrency", {"FunctionName": "modest", "ReservedConcurrentExecutions": 101})
    assert error["Error"]["Code"] == "InvalidParameterValueException"
    # What the function itself has is free for its new share.
    client.put_function_concurrency(FunctionName="greedy", ReservedConcurrentExecutions=900)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 100


@pytest.mark.parametrize(
    "service, operation, request_",
    [
        ("iam", "ListRoles", {}),
        ("s3", "ListBuckets", {}),
        ("ec2", "DescribeRegions", {}),
        ("route53", "ListHostedZones", {}),
        ("sns", "ListTopics", {}),
        ("sqs", "ListQueues", {}),
        ("dynamodb", "ListTables", {}),
        ("cloudwatch", "ListMetrics", {}),
        ("apigateway", "GetRestApis", {}),
    ],
)
def test_services_that_are_not_served_say_so_in_their_own_protocol(sandbox, service, operation, request_):
    """Without it, a function's or a tool's client would say that the answer can't be read, and nobody would know why."""
    _, error = called(sandbox.client(service), operation, request_)
    assert error["Error"]["Code"] == "UnknownOperationException"
    assert "The sandbox doesn't serve" in error["Error"]["Message"]


def test_a_stand_in_for_a_service_that_is_not_served_is_kept(sandbox):
    """Without it, a function that speaks to a local stand-in of another service couldn't be rehearsed, or would go astray unsaid."""
    code = "import os\n\ndef handler(event, context):\n    return {name: value for name, value in os.environ.items() if 'ENDPOINT_URL_' in name}\n"
    client = sandbox.client("lambda")
    make(
        client,
        "stand-in",
        code,
        Environment={
            "Variables": {
                "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000",
                "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
                "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:8000",
            }
        },
    )
    answer = json.load(client.invoke(FunctionName="stand-in")["Payload"])
    assert answer == {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000"}
    events = sandbox.client("logs").filter_log_events(logGroupName="/aws/lambda/stand-in")["events"]
    said = [event["message"] for event in events if event["message"].startswith("[sandbox]")]
    assert len(said) == 1 and "AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL_STS" in said[0] and "example.com" not in said[0]


@pytest.mark.skipif(Path("/etc/pki/tls/cert.pem").exists(), reason="this machine has Amazon Linux's certificates")
def test_a_log_says_which_certificates_aws_has(sandbox):
    """Without it, whoever rehearses one of AWS's published functions would look for a mistake that it hasn't."""
    code = (
        "import ssl\n\nCA = '/etc/pki/tls/cert.pem'\n\n"
        "def handler(event, context):\n    return str(ssl.create_default_context(cafile=CA))\n"
    )
    make(sandbox.client("lambda"), "certificates", code)
    sandbox.client("lambda").invoke(FunctionName="certificates")
    events = sandbox.client("logs").filter_log_events(logGroupName="/aws/lambda/certificates")["events"]
    said = [event["message"] for event in events if event["message"].startswith("[sandbox]")]
    assert len(said) == 1 and "/etc/pki/tls/cert.pem" in said[0] and "on AWS" in said[0]
