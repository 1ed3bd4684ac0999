"""Terraform and its AWS provider: applied, planned empty, changed, planned empty, destroyed; and beside `rotator`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import ACCOUNT, OTHER_ACCOUNT, REPOSITORY, rotator_binary, scrubbed, until, zipped
from terraformed import NOTHING, prepared, settled, terraform  # noqa: F401, the fixtures

SIGNING_KEY = (REPOSITORY / "examples/quickstart/functions/signing_key/lambda_function.py").read_text()
APPLICATION = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate"
OLD, NEW = "1.1.500", "1.1.618"


def invoked(sandbox, function, times):
    """Waits until a function has been invoked so often: a test of a rotation leaves no other trace."""
    client = sandbox.client("logs")
    pages = client.get_paginator("filter_log_events")

    def look():
        try:
            found = list(pages.paginate(logGroupName=f"/aws/lambda/{function}", filterPattern="REPORT").search("events"))
        except client.exceptions.ResourceNotFoundException:
            return False
        assert len(found) <= times, f"{function} was invoked {len(found)} times instead of {times}"
        return len(found) == times

    until(f"{times} invocations of {function}", look)


def test_secrets_and_their_rotation(sandbox, terraform):
    """Without it, a team with Terraform could not keep secrets and schedules in it: each plan would find something to do."""
    client = sandbox.client("secretsmanager")
    secrets = terraform("secrets")
    package = secrets.write("code.zip", zipped({"lambda_function.py": SIGNING_KEY}))
    names = ["days", "paused"]

    def rules(name):
        return client.describe_secret(SecretId=f"terraform/rotated/{name}")["RotationRules"]

    first = {
        "package": package,
        "description": "A secret with everything",
        "kms_key": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/3f8a2a4e-0b7c-4f0f-9c5f-0a3d8f6f2b11",
        "tags": {"team": "payments", "stage": "test"},
        "principal": f"arn:aws:iam::{ACCOUNT}:role/reader",
        "rotations": {"days": {"days": 30}, "paused": {"days": 7, "duration": "2h", "immediately": False}},
    }
    # AWS doesn't know a new permission at once; the provider waits for it by this error's code.
    sandbox.faults({
        "operation": "RotateSecret",
        "times": 1,
        "error": {"code": "AccessDeniedException", "message": "Secrets Manager cannot invoke the specified Lambda function."},
    })
    assert secrets.apply(**first) == NOTHING | {"add": 13}
    full = client.describe_secret(SecretId="terraform/full")
    assert (full["Description"], full["KmsKeyId"]) == (first["description"], first["kms_key"])
    assert {tag["Key"]: tag["Value"] for tag in full["Tags"]} == first["tags"]
    assert client.get_secret_value(SecretId="terraform/full")["SecretString"] == "first"
    for name in ("full", "binary"):
        policy = json.loads(client.get_resource_policy(SecretId=f"terraform/{name}")["ResourcePolicy"])
        assert policy["Statement"][0]["Principal"] == {"AWS": first["principal"]}
    binary = client.get_secret_value(SecretId="terraform/binary", VersionStage="terraform")
    assert (binary["SecretBinary"], binary["VersionStages"]) == (b"first", ["AWSCURRENT", "terraform"])
    # Four steps of a rotation at once, and one test.
    invoked(sandbox, "terraform-secrets", 5)
    versions = {name: settled(sandbox, f"terraform/rotated/{name}") for name in names}
    assert not client.get_secret_value(SecretId="terraform/rotated/days")["SecretString"].startswith("before")
    assert client.get_secret_value(SecretId="terraform/rotated/paused")["SecretString"] == "before paused"
    assert rules("days") == {"AutomaticallyAfterDays": 30}
    assert secrets.plan(**first) == NOTHING

    # From days to expressions, and the other way round with `rotate_immediately`; everything else changes too.
    second = first | {
        "description": "Another description",
        "kms_key": "alias/secrets",
        "tags": {"team": "billing", "owner": "ana"},
        "principal": f"arn:aws:iam::{ACCOUNT}:role/auditor",
        "value": "second",
        "rotations": {
            "days": {"expression": "cron(0 2 ? * SUN#1 *)", "duration": "3h", "immediately": False},
            "paused": {"expression": "rate(12 hours)", "immediately": True},
        },
    }
    assert secrets.apply(**second) == NOTHING | {"add": 2, "change": 5, "remove": 2}
    full = client.describe_secret(SecretId="terraform/full")
    assert (full["Description"], full["KmsKeyId"]) == (second["description"], second["kms_key"])
    assert {tag["Key"]: tag["Value"] for tag in full["Tags"]} == second["tags"]
    assert client.get_secret_value(SecretId="terraform/full")["SecretString"] == "second"
    policy = json.loads(client.get_resource_policy(SecretId="terraform/full")["ResourcePolicy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": second["principal"]}
    invoked(sandbox, "terraform-secrets", 10)
    assert settled(sandbox, "terraform/rotated/days") == versions["days"]
    assert settled(sandbox, "terraform/rotated/paused") != versions["paused"]
    assert rules("paused")["ScheduleExpression"] == "rate(12 hours)"
    assert (rules("days")["ScheduleExpression"], rules("days")["Duration"]) == ("cron(0 2 ? * SUN#1 *)", "3h")
    assert secrets.plan(**second) == NOTHING

    third = second | {"tags": {}, "principal": None, "rotations": first["rotations"] | {"paused": {"days": 7}}}
    assert secrets.apply(**third) == NOTHING | {"change": 4, "remove": 1}
    invoked(sandbox, "terraform-secrets", 18)
    assert settled(sandbox, "terraform/rotated/days") != versions["days"]
    assert (rules("days"), rules("paused")) == ({"AutomaticallyAfterDays": 30}, {"AutomaticallyAfterDays": 7})
    # Tags that were taken away leave an empty list, as on AWS.
    assert not client.describe_secret(SecretId="terraform/full").get("Tags")
    for name in ("full", "binary"):
        assert "ResourcePolicy" not in client.get_resource_policy(SecretId=f"terraform/{name}")
    assert secrets.plan(**third) == NOTHING

    assert secrets.destroy(**third) == 12
    named = {"Filters": [{"Key": "name", "Values": ["terraform/"]}]}
    (full,) = client.list_secrets(IncludePlannedDeletion=True, **named)["SecretList"]
    assert (full["Name"], (full["DeletedDate"] - full["LastChangedDate"]).days) == ("terraform/full", 7)
    assert functions_left(sandbox) == []


def functions_left(sandbox):
    """The names of all functions."""
    return [function["FunctionName"] for function in sandbox.client("lambda").list_functions()["Functions"]]


def test_functions_of_ones_own_and_from_the_template(sandbox, terraform):
    """Without it, a team that has its rotation functions and their stacks in Terraform would see drift where nothing changed."""
    functions = terraform("functions")
    first = {
        "package": functions.write("first.zip", zipped({"lambda_function.py": SIGNING_KEY})),
        "settings": {
            "timeout": 30,
            "memory": 256,
            "environment": {"KEY_LENGTH": "64", "STAGE": "test"},
            "subnets": ["subnet-0a1b2c", "subnet-3d4e5f"],
            "groups": ["sg-0d4e5f"],
            "tags": {"team": "payments"},
            "publish": True,
        },
        "accounts": {"SecretsManagerAccess": ACCOUNT},
        "stack_version": OLD,
        "stack_parameters": {"excludeCharacters": "/@"},
        "stack_tags": {"team": "payments"},
    }
    assert functions.apply(**first) == NOTHING | {"add": 3}
    check_first_function(sandbox, functions.outputs()["function"])
    client = sandbox.client("lambda")
    arn = functions.outputs()["stack_function"]
    assert arn == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:terraform-stack"
    configuration = client.get_function(FunctionName=arn)["Configuration"]
    assert configuration["Runtime"] == "python3.9"
    assert configuration["Environment"]["Variables"]["EXCLUDE_CHARACTERS"] == "/@"
    assert functions.plan(**first) == NOTHING

    # The newest version, with a parameter that the old one doesn't have, and another that goes back to its default.
    stack = {"stack_parameters": {"runtime": "python3.13"}, "stack_tags": {"owner": "ana"}}
    second = {
        "package": functions.write("second.zip", zipped({"lambda_function.py": SIGNING_KEY + "\n# Another edition.\n"})),
        "settings": {
            "description": "Rotates signing keys",
            "timeout": 45,
            "environment": {"KEY_LENGTH": "96"},
            "subnets": [],
            "groups": [],
            "tags": {"team": "billing", "owner": "ana"},
            "reserved": 5,
            "json_logs": True,
            "tracing": "Active",
            "storage": 1024,
            "kms_key": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/3f8a2a4e-0b7c-4f0f-9c5f-0a3d8f6f2b11",
            "layers": [f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:shared:3"],
            "publish": True,
        },
        "accounts": {"SecretsManagerAccess": ACCOUNT, "Neighbour": OTHER_ACCOUNT},
        **stack,
    }
    assert functions.apply(**second) == NOTHING | {"add": 1, "change": 2}
    check_second_function(sandbox, second["settings"], functions.outputs()["function"])
    check_upgraded_stack(sandbox, arn)
    assert functions.plan(**second) == NOTHING

    # What isn't said any more goes, or goes back to Lambda's default.
    third = {"package": second["package"], "settings": {}, "accounts": {"Neighbour": OTHER_ACCOUNT}, **stack}
    assert functions.apply(**third) == NOTHING | {"change": 1, "remove": 1}
    live = client.get_function(FunctionName="terraform-function")
    assert "Concurrency" not in live and "Tags" not in live
    assert not {"Environment", "Layers", "KMSKeyArn"} & set(live["Configuration"])
    statements = json.loads(client.get_policy(FunctionName="terraform-function")["Policy"])["Statement"]
    assert [statement["Sid"] for statement in statements] == ["Neighbour"]
    assert functions.plan(**third) == NOTHING

    assert functions.destroy(**third) == 3
    assert functions_left(sandbox) == []
    (stack,) = [
        stack
        for stack in sandbox.client("cloudformation").list_stacks()["StackSummaries"]
        if stack["StackName"] == "serverlessrepo-terraform-stack"
    ]
    assert stack["StackStatus"] == "DELETE_COMPLETE"


def check_first_function(sandbox, output):
    live = sandbox.client("lambda").get_function(FunctionName="terraform-function")
    configuration = live["Configuration"]
    assert (configuration["Timeout"], configuration["MemorySize"]) == (30, 256)
    assert configuration["Environment"]["Variables"] == {"KEY_LENGTH": "64", "STAGE": "test"}
    assert sorted(configuration["VpcConfig"]["SubnetIds"]) == ["subnet-0a1b2c", "subnet-3d4e5f"]
    assert live["Tags"] == {"team": "payments"}
    assert (output["version"], output["environment"]) == ("1", [{"variables": {"KEY_LENGTH": "64", "STAGE": "test"}}])


def check_second_function(sandbox, settings, output):
    client = sandbox.client("lambda")
    live = client.get_function(FunctionName="terraform-function")
    configuration = live["Configuration"]
    assert (configuration["Description"], configuration["Timeout"]) == (settings["description"], 45)
    # It wasn't said any more.
    assert configuration["MemorySize"] == 128
    assert configuration["Environment"]["Variables"] == {"KEY_LENGTH": "96"}
    assert configuration["VpcConfig"]["SubnetIds"] == []
    assert configuration["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "DEBUG",
        "SystemLogLevel": "WARN",
        "LogGroup": "/rotation/terraform",
    }
    assert (configuration["TracingConfig"], configuration["EphemeralStorage"]) == ({"Mode": "Active"}, {"Size": 1024})
    assert (configuration["KMSKeyArn"], configuration["Layers"][0]["Arn"]) == (settings["kms_key"], settings["layers"][0])
    assert (live["Tags"], live["Concurrency"]) == (settings["tags"], {"ReservedConcurrentExecutions": 5})
    first = client.get_function(FunctionName="terraform-function:1")["Configuration"]
    assert configuration["CodeSha256"] != first["CodeSha256"]
    assert output["version"] == "2"
    statements = json.loads(client.get_policy(FunctionName="terraform-function")["Policy"])["Statement"]
    assert sorted(statement["Sid"] for statement in statements) == ["Neighbour", "SecretsManagerAccess"]


def check_upgraded_stack(sandbox, arn):
    function = sandbox.client("lambda").get_function(FunctionName=arn)
    assert function["Configuration"]["Runtime"] == "python3.13"
    assert function["Configuration"]["Environment"]["Variables"]["EXCLUDE_CHARACTERS"] == ":/@\"'\\"
    stacks = sandbox.client("cloudformation").describe_stacks(StackName="serverlessrepo-terraform-stack")["Stacks"]
    tags = {tag["Key"]: tag["Value"] for tag in stacks[0]["Tags"]}
    assert tags == {"owner": "ana", "serverlessrepo:applicationId": APPLICATION, "serverlessrepo:semanticVersion": NEW}


def test_rotator_beside_what_terraform_made(sandbox, terraform):
    """Without it, a team could not bring its Terraform estate under `rotator`: each tool would undo the other."""
    client = sandbox.client("secretsmanager")
    whole = terraform("whole")
    (whole.folder / "rotate").mkdir()
    (whole.folder / "rotate/lambda_function.py").write_text(SIGNING_KEY)
    given = {
        "package": whole.write("code.zip", zipped({"lambda_function.py": SIGNING_KEY})),
        "aws": str(Path(sys.executable).parent / "aws"),
        "days": 30,
    }

    def manifest(days):
        rotation = f"{{automatically_after_days: {days}, duration: 4h}}"
        (whole.folder / "rotator.yaml").write_text(
            f"""\
version: 1
project: whole
functions:
  SecretsManagerWhole: {{code: rotate}}
  own: {{existing: SecretsManagerOwn}}
secrets:
  whole/template: {{function: SecretsManagerWhole, rotation: {rotation}}}
  whole/own: {{function: own, rotation: {rotation}}}
"""
        )

    assert whole.apply(**given) == NOTHING | {"add": 11}
    for name in ("template", "own"):
        until(
            f"{name} to rotate",
            lambda: not client.get_secret_value(SecretId=f"whole/{name}")["SecretString"].startswith("before"),
        )
        settled(sandbox, f"whole/{name}")
    assert whole.plan(**given) == NOTHING

    # All that there is to do is to mark the stack, once; Terraform has to know of the mark, or it would take it away.
    manifest(30)
    said = sandbox.rotator("plan", "--detailed-exitcode", folder=whole.folder, exits=2)
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in said and "rotator:project" in said
    sandbox.rotator("apply", "--auto-approve", folder=whole.folder)
    sandbox.rotator("plan", "--detailed-exitcode", folder=whole.folder)
    given["stack_tags"] = {"rotator:project": "whole"}
    assert whole.plan(**given) == NOTHING

    # What one of them changed is what the other finds, once it is told.
    manifest(60)
    sandbox.rotator("apply", "--auto-approve", folder=whole.folder)
    given["days"] = 60
    assert whole.plan(**given) == NOTHING

    assert whole.destroy(**given) == 11
    assert functions_left(sandbox) == []
    assert client.list_secrets(Filters=[{"Key": "name", "Values": ["whole/"]}])["SecretList"] == []


def test_terraform_beside_what_rotator_made(sandbox, terraform):
    """Without it, a team that moves to Terraform, or shares an account with it, could not import what `rotator` made."""
    imported = terraform("imported")
    (imported.folder / "rotate").mkdir()
    (imported.folder / "rotate/lambda_function.py").write_text(SIGNING_KEY)
    # This version's stack has no permission of its own, so that `rotator` adds one.
    (imported.folder / "rotator.yaml").write_text(
        f"""\
version: 1
project: imported
functions:
  SecretsManagerImported: {{code: rotate, timeout: 30, application: {{version: {OLD}}}}}
secrets:
  imported/key: {{function: SecretsManagerImported, rotation: {{automatically_after_days: 30, duration: 4h}}}}
"""
    )
    secret = sandbox.client("secretsmanager").create_secret(Name="imported/key", SecretString="before")["ARN"]
    sandbox.rotator("apply", "--auto-approve", folder=imported.folder)
    current = settled(sandbox, secret)
    given = {
        "package": imported.write("code.zip", zipped({"lambda_function.py": SIGNING_KEY})),
        "role": sandbox.client("lambda").get_function(FunctionName="SecretsManagerImported")["Configuration"]["Role"],
        "secret": secret,
    }
    assert imported.apply(**given) == NOTHING | {"import": 5}
    assert imported.plan(**given) == NOTHING
    assert settled(sandbox, secret) == current
    sandbox.rotator("plan", "--detailed-exitcode", folder=imported.folder)
    sandbox.rotator("destroy", "--auto-approve", folder=imported.folder)


def test_the_rules_that_hear_of_failed_rotations_are_valid(prepared, tmp_path):
    """Without it, Terraform could refuse the file that is meant to be its own."""
    initialised, environment = prepared
    for shared in ("provider.tf", ".terraform.lock.hcl"):
        shutil.copy(initialised / shared, tmp_path)
    (tmp_path / "rotator.yaml").write_text(
        "version: 1\nproject: alarms\ntargets: {here: {region: eu-west-1, account: '111111111111'}}\n"
        "functions: {keys: {existing: keys}}\nsecrets:\n"
        + "".join(f"  team/{at}: {{function: keys, rotation: {{automatically_after_days: 30}}}}\n" for at in range(40))
    )
    printed = subprocess.run(
        [rotator_binary(), "permissions", "--alarms", "terraform"], cwd=tmp_path, env=scrubbed(), capture_output=True, text=True
    )
    assert printed.returncode == 0, printed.stderr
    # Forty names are more than one rule's pattern may hold.
    assert printed.stdout.count('resource "aws_cloudwatch_event_rule"') > 1
    (tmp_path / "alarms.tf").write_text(printed.stdout)
    command = ["terraform", "validate", "-json", "-no-color"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout)["valid"], done.stdout
