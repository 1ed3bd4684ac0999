"""Rotation functions and secrets of the suites' own, and what their functions say of themselves."""

import json
from pathlib import Path

import botocore.exceptions
import pytest
from conftest import ACCOUNT, REGION, until, zipped

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]
DAILY = {"ScheduleExpression": "cron(0 2 * * ? *)", "Duration": "3h"}
BUSY = "A previous rotation isn't complete. That rotation will be reattempted."


def refused(call, code):
    """That AWS says no, and with what words."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call()
    error = refusal.value.response["Error"]
    assert error["Code"] == code, error
    return error["Message"]


def function(sandbox, name, account=ACCOUNT, region=REGION, code="recorder", permitted=True, **environment):
    """A rotation function, once it is active; its ARN."""
    client = sandbox.client("lambda", account=account, region=region)
    source = (Path(__file__).parent / "rotation" / f"{code}.py").read_text()
    arn = client.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=f"arn:aws:iam::{account}:role/rotation",
        Handler="rotation.handler",
        Timeout=60,
        Code={"ZipFile": zipped({"rotation.py": source})},
        Environment={"Variables": environment},
    )["FunctionArn"]
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0, "MaxAttempts": 600})
    if permitted:
        permit(client, name)
    return arn


def permit(client, name, account=ACCOUNT):
    client.add_permission(
        FunctionName=name,
        StatementId="SecretsManagerAccess",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceAccount=account,
    )


class Secret:
    """A secret of a test's own."""

    def __init__(self, sandbox, name, key=None, **tags):
        self.name = name
        self.sandbox = sandbox
        self.client = sandbox.client("secretsmanager")
        tags = [{"Key": key, "Value": value} for key, value in tags.items()]
        encrypted = {"KmsKeyId": key} if key else {}
        made = self.client.create_secret(Name=name, SecretString="first", Tags=tags, **encrypted)
        self.arn, self.first = made["ARN"], made["VersionId"]

    def describe(self):
        described = self.client.describe_secret(SecretId=self.name)
        described.pop("ResponseMetadata")
        return described

    def stages(self):
        return self.describe()["VersionIdsToStages"]

    def labels(self, version):
        return sorted(self.stages().get(version, []))

    def rotate(self, **request):
        return self.client.rotate_secret(SecretId=self.name, **request)

    def rotate_once_free(self, **request):
        """Rotates as soon as the last try, or test, has ended, whose end no answer shows; the version's id."""

        def again():
            try:
                return self.rotate(**request)["VersionId"]
            except self.client.exceptions.InvalidRequestException as error:
                assert error.response["Error"]["Message"] == BUSY
                return None

        return until(f"another rotation of {self.name}", again)

    def held(self, step):
        """Waits until a step runs that is told to wait."""
        until(f"{step} of {self.name}", lambda: {"Key": "held", "Value": step} in self.describe()["Tags"])

    def release(self):
        self.client.untag_resource(SecretId=self.name, TagKeys=["hold", "held", "fail"])

    def unstick(self, version):
        """The way out of a rotation that failed, as AWS documents it: the label is taken away. Then it rotates again."""
        self.release()
        self.client.update_secret_version_stage(
            SecretId=self.name, VersionStage="AWSPENDING", RemoveFromVersionId=version
        )

        self.rotated(self.rotate_once_free())

    def rotated(self, version):
        """Waits until a rotation has ended well."""
        until(f"the rotation of {self.name}", lambda: self.labels(version) == ["AWSCURRENT"] and self.last())

    def last(self):
        return self.describe().get("LastRotatedDate")

    def events(self, group="SecretsManagerRecorder", account=ACCOUNT):
        """What its function was invoked with, oldest first."""
        return [json.loads(line) for line in lines(self.sandbox, "EVENT", group, account) if self.arn in line]


def lines(sandbox, word, group="SecretsManagerRecorder", account=ACCOUNT):
    """What a function's log says after a word, oldest first."""
    pages = sandbox.client("logs", account=account).get_paginator("filter_log_events")
    found = pages.paginate(logGroupName=f"/aws/lambda/{group}", filterPattern=word)
    try:
        messages = [event["message"].strip() for page in found for event in page["events"]]
    except botocore.exceptions.ClientError as error:
        # A function that hasn't said anything yet has no log group.
        assert error.response["Error"]["Code"] == "ResourceNotFoundException"
        return []
    return [message.removeprefix(word).strip() for message in messages if message.startswith(word)]
