"""Rotation by functions, as AWS does it: asynchronous, in four steps, with its labels, its refusals and its retries."""

import json
import uuid

import pytest
from conftest import ACCOUNT, OTHER_ACCOUNT, REGION, until
from rotating import BUSY, DAILY, STEPS, Secret, function, lines, permit, refused


@pytest.fixture(scope="module")
def recorder(sandbox):
    return function(sandbox, "SecretsManagerRecorder")


def test_a_rotation_answers_at_once_and_runs_four_steps_in_order(sandbox, recorder):
    """Without it, programs that watch a rotation by its version would see labels that AWS never shows, or miss those it does."""
    secret = Secret(sandbox, "four-steps", hold="createSecret")
    before = secret.describe()
    token = str(uuid.uuid4())
    answer = secret.rotate(ClientRequestToken=token, RotationLambdaARN=recorder, RotationRules=DAILY)
    assert (answer["ARN"], answer["Name"], answer["VersionId"]) == (secret.arn, "four-steps", token)

    secret.held("createSecret")
    assert secret.labels(token) == ["AWSPENDING"]
    assert secret.labels(secret.first) == ["AWSCURRENT"]
    pending = {"SecretId": secret.name, "VersionStage": "AWSPENDING"}
    message = refused(lambda: secret.client.get_secret_value(**pending), "ResourceNotFoundException")
    assert message == "Secrets Manager can't find the specified secret value for staging label: AWSPENDING"
    assert secret.client.get_secret_value(SecretId=secret.name)["SecretString"] == "first"

    # The same request again is the same rotation; another one has to wait.
    during = secret.describe()
    assert secret.rotate(ClientRequestToken=token)["VersionId"] == token
    assert refused(secret.rotate, "InvalidRequestException") == BUSY
    assert secret.describe() == during
    assert "LastRotatedDate" not in during

    secret.release()
    secret.rotated(token)
    after = secret.describe()
    assert after["VersionIdsToStages"] == {token: ["AWSCURRENT"], secret.first: ["AWSPREVIOUS"]}
    assert after["LastRotatedDate"] >= before["CreatedDate"]
    assert after["LastChangedDate"] > before["LastChangedDate"]
    assert after["NextRotationDate"] > after["LastRotatedDate"]
    assert secret.client.get_secret_value(SecretId=secret.name)["VersionId"] == token
    previous = secret.client.get_secret_value(SecretId=secret.name, VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "first"

    events = secret.events()
    assert [event["Step"] for event in events] == STEPS
    assert {event["SecretId"] for event in events} == {secret.arn}
    assert {event["ClientRequestToken"] for event in events} == {token}
    assert len({event["RotationToken"] for event in events}) == 1
    # A token whose rotation is over names its version still, and starts nothing.
    assert secret.rotate(ClientRequestToken=token)["VersionId"] == token
    assert secret.describe() == after


def test_the_log_is_read_by_stream_too(sandbox, recorder):
    """Without it, people who follow one stream would find nothing of what their function said."""
    secret = Secret(sandbox, "streams")
    token = secret.rotate(RotationLambdaARN=recorder)["VersionId"]
    secret.rotated(token)
    logs = sandbox.client("logs")
    group = "/aws/lambda/SecretsManagerRecorder"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    messages = [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)[
            "events"
        ]
    ]
    assert sum(f"DONE finishSecret {token}" in message for message in messages) == 1
    assert any(message.startswith("START RequestId: ") for message in messages)


def test_rotate_later_tests_the_function_and_leaves_nothing(sandbox, recorder):
    """Without it, `RotateImmediately=false` could rotate, or its test version could block the next rotation."""
    secret = Secret(sandbox, "later", hold="testSecret")
    token = secret.rotate(RotationLambdaARN=recorder, RotationRules=DAILY, RotateImmediately=False)["VersionId"]
    secret.held("testSecret")
    assert secret.labels(token) == ["AWSPENDING"]
    secret.release()
    until("the end of the test", lambda: token not in secret.stages())
    described = secret.describe()
    assert described["VersionIdsToStages"] == {secret.first: ["AWSCURRENT"]}
    assert described["RotationEnabled"] is True
    assert "LastRotatedDate" not in described
    assert described["NextRotationDate"]
    versions = secret.client.list_secret_version_ids(SecretId=secret.name, IncludeDeprecated=True)["Versions"]
    assert [version["VersionId"] for version in versions] == [secret.first]
    assert [event["Step"] for event in secret.events()] == ["testSecret"]
    # Nothing is in the way of a rotation now.
    secret.rotated(secret.rotate()["VersionId"])


@pytest.mark.parametrize("step", STEPS)
def test_a_failed_step_is_tried_again_then_given_up(sandbox, recorder, step):
    """Without it, a broken function would look like a slow one, or be tried for ever."""
    secret = Secret(sandbox, f"fails-{step}", fail=step)
    token = secret.rotate(RotationLambdaARN=recorder, RotationRules=DAILY)["VersionId"]
    upto = STEPS[: STEPS.index(step) + 1]
    until("all tries", lambda: len(secret.events()) == 4 * len(upto))
    assert [event["Step"] for event in secret.events()] == 4 * upto
    assert len({event["RotationToken"] for event in secret.events()}) == 4, "each try has a token of its own"
    assert secret.stages() == {token: ["AWSPENDING"], secret.first: ["AWSCURRENT"]}
    described = secret.describe()
    assert described["RotationEnabled"] is True
    assert "LastRotatedDate" not in described
    assert refused(secret.rotate, "InvalidRequestException") == BUSY
    assert secret.describe() == described

    secret.unstick(token)


def test_a_rotation_that_is_cancelled_ends_after_its_step(sandbox, recorder):
    """Without it, a rotation that somebody stops would go on, or the schedule of before would be lost."""
    secret = Secret(sandbox, "cancelled", hold="setSecret")
    token = secret.rotate(RotationLambdaARN=recorder, RotationRules=DAILY)["VersionId"]
    secret.held("setSecret")
    assert secret.client.cancel_rotate_secret(SecretId=secret.name)["VersionId"] == token
    secret.release()
    until("the end of the step", lambda: any(line.endswith(token) for line in lines(sandbox, "DONE setSecret")))
    described = secret.describe()
    assert described["VersionIdsToStages"][token] == ["AWSPENDING"]
    assert (described["RotationEnabled"], described["RotationLambdaARN"]) == (False, recorder)
    assert described["RotationRules"]["ScheduleExpression"] == DAILY["ScheduleExpression"]
    assert "NextRotationDate" not in described
    assert "LastRotatedDate" not in described
    assert refused(secret.rotate, "InvalidRequestException") == BUSY

    secret.unstick(token)
    described = secret.describe()
    assert (described["RotationEnabled"], described["RotationRules"]["Duration"]) == (True, "3h")
    steps = [event["Step"] for event in secret.events() if event["ClientRequestToken"] == token]
    assert steps == STEPS[:2]


def test_what_cannot_rotate_is_refused_and_stays_as_it_was(sandbox, recorder):
    """Without it, a refused request could leave half a configuration behind, or say something that clients don't know."""
    functions = sandbox.client("lambda")
    unpermitted = function(sandbox, "SecretsManagerUnpermitted", permitted=False)
    foreign = function(sandbox, "SecretsManagerForeign", permitted=False)
    permit(functions, "SecretsManagerForeign", account=OTHER_ACCOUNT)
    elsewhere = function(sandbox, "SecretsManagerElsewhere", region="eu-west-1")
    missing = recorder.replace("Recorder", "Missing")
    cannot = (
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to "
        "the principal secretsmanager.amazonaws.com."
    )
    secret = Secret(sandbox, "refused")
    before = secret.describe()
    assert "RotationEnabled" not in before
    for arn in (unpermitted, foreign, elsewhere, missing):
        for now in (True, False):
            request = {"RotationLambdaARN": arn, "RotationRules": DAILY, "RotateImmediately": now}
            assert refused(lambda: secret.rotate(**request), "AccessDeniedException") == cannot
    assert (
        refused(lambda: secret.rotate(RotationRules=DAILY), "InvalidRequestException")
        == "No Lambda rotation function ARN is associated with this secret."
    )
    refused(lambda: secret.rotate(RotationLambdaARN="SecretsManagerRecorder"), "InvalidParameterException")
    both = {"AutomaticallyAfterDays": 3, "ScheduleExpression": "rate(3 days)"}
    refused(lambda: secret.rotate(RotationLambdaARN=recorder, RotationRules=both), "InvalidParameterException")
    assert secret.describe() == before
    refused(lambda: secret.client.cancel_rotate_secret(SecretId=secret.name), "InvalidRequestException")

    # A configured one keeps what it has.
    secret.rotated(secret.rotate(RotationLambdaARN=recorder, RotationRules=DAILY)["VersionId"])
    before = secret.describe()
    request = {"RotationLambdaARN": missing, "RotationRules": {"AutomaticallyAfterDays": 1}}
    assert refused(lambda: secret.rotate(**request), "AccessDeniedException") == cannot
    assert secret.describe() == before

    # So does one whose function lost its permission, or is gone.
    gone = function(sandbox, "SecretsManagerGone")
    secret.rotated(secret.rotate(RotationLambdaARN=gone)["VersionId"])
    before = secret.describe()
    functions.remove_permission(FunctionName="SecretsManagerGone", StatementId="SecretsManagerAccess")
    assert refused(secret.rotate, "AccessDeniedException") == cannot
    functions.delete_function(FunctionName="SecretsManagerGone")
    assert refused(secret.rotate, "AccessDeniedException") == cannot
    assert secret.describe() == before

    secret.client.delete_secret(SecretId=secret.name)
    before = secret.describe()
    message = refused(lambda: secret.rotate(RotationLambdaARN=recorder), "InvalidRequestException")
    assert message == "You can't perform this operation on the secret because it was marked for deletion."
    assert secret.describe() == before
    message = refused(lambda: secret.client.rotate_secret(SecretId="nowhere"), "ResourceNotFoundException")
    assert message == "Secrets Manager can't find the specified secret."


def test_a_token_answers_only_for_the_rotation_that_it_asked_for(sandbox, recorder):
    """Without it, a request whose token was used for anything else would be answered as done, and its configuration lost."""
    secret = Secret(sandbox, "used-token")
    ask = {"RotationLambdaARN": recorder, "RotationRules": DAILY}
    before = secret.describe()
    message = refused(lambda: secret.rotate(ClientRequestToken=secret.first, **ask), "InvalidRequestException")
    assert secret.first in message
    assert secret.describe() == before

    token = secret.rotate(**ask)["VersionId"]
    secret.rotated(token)
    before = secret.describe()
    assert secret.rotate(ClientRequestToken=token, **ask)["VersionId"] == token
    assert secret.rotate(ClientRequestToken=token)["VersionId"] == token
    other = {**ask, "RotationRules": {"AutomaticallyAfterDays": 7}}
    refused(lambda: secret.rotate(ClientRequestToken=token, **other), "InvalidRequestException")
    assert secret.describe() == before

    # Nor does it turn a rotation on again that was cancelled since.
    secret.client.cancel_rotate_secret(SecretId=secret.name)
    refused(lambda: secret.rotate(ClientRequestToken=token, **ask), "InvalidRequestException")
    assert secret.describe()["RotationEnabled"] is False


def test_a_replica_rotates_in_its_primary_alone(sandbox, recorder):
    """Without it, a plan that rotates a replica would pass here; or readers of a replica would keep the old value."""
    secret = Secret(sandbox, "replicated")
    secret.client.replicate_secret_to_regions(SecretId=secret.name, AddReplicaRegions=[{"Region": "eu-central-1"}])
    replica = sandbox.client("secretsmanager", region="eu-central-1")
    before = replica.describe_secret(SecretId=secret.name)
    arn = recorder.replace(REGION, "eu-central-1")
    message = refused(
        lambda: replica.rotate_secret(SecretId=secret.name, RotationLambdaARN=arn), "InvalidParameterException"
    )
    assert message == "Operation not permitted on a replica secret. Call must be made in primary secret's region."
    after = replica.describe_secret(SecretId=secret.name)
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}
    assert after["PrimaryRegion"] == REGION

    token = secret.rotate(RotationLambdaARN=recorder, RotationRules=DAILY)["VersionId"]
    secret.rotated(token)
    read = replica.get_secret_value(SecretId=secret.name)
    assert (read["VersionId"], read["SecretString"]) == (
        token,
        secret.client.get_secret_value(SecretId=secret.name)["SecretString"],
    )
    secret.client.put_secret_value(SecretId=secret.name, SecretString="by hand")
    assert replica.get_secret_value(SecretId=secret.name)["SecretString"] == "by hand"
    assert replica.describe_secret(SecretId=secret.name)["RotationEnabled"] is True


def test_an_owned_secret_rotates_without_a_function(sandbox, recorder):
    """Without it, a manifest that gives a function to a managed secret would pass here and be refused on AWS."""
    sandbox.control("POST", "secrets", {"name": "rds!owned", "owning_service": "rds"})
    client = sandbox.client("secretsmanager")
    before = client.describe_secret(SecretId="rds!owned")
    assert before["OwningService"] == "rds"
    refused(
        lambda: client.rotate_secret(SecretId="rds!owned", RotationLambdaARN=recorder, RotationRules=DAILY),
        "InvalidRequestException",
    )
    after = client.describe_secret(SecretId="rds!owned")
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}
    token = client.rotate_secret(SecretId="rds!owned", RotationRules=DAILY)["VersionId"]
    until(
        "the managed rotation",
        lambda: client.describe_secret(SecretId="rds!owned")["VersionIdsToStages"].get(token) == ["AWSCURRENT"],
    )
    assert "RotationLambdaARN" not in client.describe_secret(SecretId="rds!owned")


def test_days_are_shown_beside_an_expression_everywhere(sandbox, recorder):
    """Without it, the perpetual difference that AWS's computed days cause couldn't be met here."""
    secret = Secret(sandbox, "computed-days")
    shown = {"rate(10 days)": 10, "cron(0 2 ? * SUN *)": 7, "cron(0 0 1 * ? *)": 31, "rate(12 hours)": 1}
    for expression, days in shown.items():
        secret.rotate_once_free(
            RotationLambdaARN=recorder, RotationRules={"ScheduleExpression": expression}, RotateImmediately=False
        )
        rules = secret.describe()["RotationRules"]
        assert rules["ScheduleExpression"] == expression
        # A month has 28 to 31 days, whichever is next.
        assert rules["AutomaticallyAfterDays"] == days or (days == 31 and 28 <= rules["AutomaticallyAfterDays"] <= 31)
        listed = secret.client.list_secrets(Filters=[{"Key": "name", "Values": ["computed-days"]}])["SecretList"]
        assert listed[0]["RotationRules"] == rules
    # Given days take the place of an expression, its window included.
    secret.rotate_once_free(RotationRules={"AutomaticallyAfterDays": 5}, RotateImmediately=False)
    assert secret.describe()["RotationRules"] == {"AutomaticallyAfterDays": 5}


def test_versions_and_labels_obey_their_rules(sandbox):
    """Without it, a function that moves labels wrongly would work here and fail on AWS."""
    secret = Secret(sandbox, "labels")
    client, name, one, two = secret.client, secret.name, secret.first, str(uuid.uuid4())
    put = {"SecretId": name, "ClientRequestToken": two, "VersionStages": ["AWSPENDING", "mine"]}
    answer = client.put_secret_value(**put, SecretString="second")
    assert (answer["VersionId"], sorted(answer["VersionStages"])) == (two, ["AWSPENDING", "mine"])
    client.put_secret_value(**put, SecretString="second")
    refused(lambda: client.put_secret_value(**put, SecretString="third"), "ResourceExistsException")
    assert secret.labels(one) == ["AWSCURRENT"]

    def move(label, **ids):
        return client.update_secret_version_stage(SecretId=name, VersionStage=label, **ids)

    # A label that is somewhere must be taken from there by name.
    refused(lambda: move("AWSCURRENT", MoveToVersionId=two), "InvalidParameterException")
    refused(lambda: move("AWSCURRENT", MoveToVersionId=two, RemoveFromVersionId=two), "InvalidParameterException")
    refused(lambda: move("AWSCURRENT", RemoveFromVersionId=one), "InvalidParameterException")
    refused(lambda: move("mine", MoveToVersionId=str(uuid.uuid4())), "ResourceNotFoundException")
    assert secret.stages() == {one: ["AWSCURRENT"], two: ["AWSPENDING", "mine"]}

    move("AWSCURRENT", MoveToVersionId=two, RemoveFromVersionId=one)
    assert secret.labels(one) == ["AWSPREVIOUS"]
    assert secret.labels(two) == ["AWSCURRENT", "AWSPENDING", "mine"]
    move("AWSPENDING", RemoveFromVersionId=two)
    move("mine", RemoveFromVersionId=two, MoveToVersionId=one)
    assert (secret.labels(one), secret.labels(two)) == (["AWSPREVIOUS", "mine"], ["AWSCURRENT"])

    # A value without labels takes AWSCURRENT; what loses its last label is deprecated.
    three = client.put_secret_value(SecretId=name, SecretString="third")["VersionId"]
    assert (secret.labels(three), secret.labels(two)) == (["AWSCURRENT"], ["AWSPREVIOUS"])
    move("mine", RemoveFromVersionId=one)
    assert one not in secret.stages()

    # No client has a paginator for this one: people follow the token themselves.
    def listed(**request):
        page = client.list_secret_version_ids(SecretId=name, MaxResults=1, **request)
        assert len(page["Versions"]) == 1
        found = [page["Versions"][0]["VersionId"]]
        return found + (listed(**{**request, "NextToken": page["NextToken"]}) if "NextToken" in page else [])

    assert sorted(listed()) == sorted([two, three])
    assert sorted(listed(IncludeDeprecated=True)) == sorted([one, two, three])


def test_a_function_of_another_account_proves_whom_it_acts_for(sandbox):
    """Without it, rotation across accounts couldn't be rehearsed: the role, the token, and what is refused without it."""
    secret = Secret(sandbox, "across-accounts")
    role = f"arn:aws:iam::{ACCOUNT}:role/rotated-from-outside"
    arn = function(sandbox, "SecretsManagerAcross", account=OTHER_ACCOUNT, code="across", ROLE=role)
    token = secret.rotate(RotationLambdaARN=arn, RotationRules=DAILY)["VersionId"]
    secret.rotated(token)
    said = lambda word: lines(sandbox, word, "SecretsManagerAcross", OTHER_ACCOUNT)
    assert said("ACCOUNTS") == [f"{OTHER_ACCOUNT} {ACCOUNT}"] * 4
    assert said("REFUSED") == ["without InvalidRequestException", "another InvalidRequestException"]
    assert said("TAKEN") == []
    assert secret.stages() == {token: ["AWSCURRENT"], secret.first: ["AWSPREVIOUS"]}
    assert secret.client.get_secret_value(SecretId=secret.name)["SecretString"] != "first"


def test_a_resource_policy_lets_another_account_in(sandbox):
    """Without it, the other way across accounts, a function that is named in the secret's policy, couldn't be rehearsed."""
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{uuid.uuid4()}"
    secret = Secret(sandbox, "let-in", key=key)
    outside = sandbox.client("secretsmanager", account=OTHER_ACCOUNT)
    read = lambda: outside.get_secret_value(SecretId=secret.arn)
    denied = (
        f"User: arn:aws:iam::{OTHER_ACCOUNT}:root is not authorized to perform: secretsmanager:GetSecretValue on resource: "
        "{} because no resource-based policy allows the secretsmanager:GetSecretValue action"
    )
    assert refused(read, "AccessDeniedException") == denied.format(secret.arn)
    # Whether there is such a secret isn't told.
    nowhere = secret.arn.replace("let-in", "nowhere")
    message = refused(lambda: outside.get_secret_value(SecretId=nowhere), "AccessDeniedException")
    assert message == denied.format(nowhere)
    # A name is one of the caller's own.
    refused(lambda: outside.get_secret_value(SecretId="let-in"), "ResourceNotFoundException")

    role = f"arn:aws:iam::{OTHER_ACCOUNT}:role/rotation"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": role},
        "Action": [
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        ],
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    secret.client.put_resource_policy(SecretId=secret.name, ResourcePolicy=policy, BlockPublicPolicy=True)
    assert read()["SecretString"] == "first"
    refused(lambda: outside.delete_secret(SecretId=secret.arn), "AccessDeniedException")
    arn = function(sandbox, "SecretsManagerLetIn", account=OTHER_ACCOUNT)
    secret.rotated(secret.rotate(RotationLambdaARN=arn)["VersionId"])
    assert read()["SecretString"] != "first"

    # AWS's own key belongs to no one else.
    secret.client.update_secret(SecretId=secret.name, KmsKeyId="")
    assert refused(read, "InvalidRequestException") == (
        "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key."
    )
    secret.client.delete_resource_policy(SecretId=secret.name)
    refused(read, "AccessDeniedException")


def test_the_cli_rotates_as_the_guide_does(sandbox, recorder):
    """Without it, the commands of AWS's user guide could fail here, or mean something else."""
    secret = Secret(sandbox, "by-cli")
    secretsmanager = lambda *arguments: sandbox.aws("secretsmanager", *arguments, "--secret-id", secret.name)
    rules = "ScheduleExpression=cron(0 16 1\\,15 * ? *),Duration=2h"
    answer = secretsmanager("rotate-secret", "--rotation-lambda-arn", recorder, "--rotation-rules", rules)
    assert (answer["ARN"], answer["Name"]) == (secret.arn, secret.name)
    secret.rotated(answer["VersionId"])
    described = secretsmanager("describe-secret")
    assert described["RotationRules"]["ScheduleExpression"] == "cron(0 16 1,15 * ? *)"
    assert described["RotationRules"]["Duration"] == "2h"
    assert described["VersionIdsToStages"] == {answer["VersionId"]: ["AWSCURRENT"], secret.first: ["AWSPREVIOUS"]}

    json_rules = json.dumps({"AutomaticallyAfterDays": 20, "Duration": "3h"})
    test = secretsmanager("rotate-secret", "--rotation-rules", json_rules, "--no-rotate-immediately")["VersionId"]
    until("the test", lambda: test not in secret.stages() and len(secret.events()) == 5)
    assert secretsmanager("describe-secret")["RotationRules"] == {"AutomaticallyAfterDays": 20, "Duration": "3h"}
    assert secret.labels(answer["VersionId"]) == ["AWSCURRENT"]

    assert "VersionId" not in secretsmanager("cancel-rotate-secret")
    assert secretsmanager("describe-secret")["RotationEnabled"] is False
    said = sandbox.aws(
        "secretsmanager", "rotate-secret", "--secret-id", secret.name, "--rotation-lambda-arn", f"{recorder}-gone", exits=255
    )
    assert "An error occurred (AccessDeniedException) when calling the RotateSecret operation: Secrets Manager cannot" in said
    group = "/aws/lambda/SecretsManagerRecorder"
    found = sandbox.aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", answer["VersionId"])
    steps = [event["message"].split()[1] for event in found["events"] if event["message"].startswith("DONE ")]
    assert steps == STEPS
