"""Terraform and its AWS provider: applied, planned empty, changed, planned empty, destroyed; and beside `rotator`.

Terraform comes from the `PATH`, and the provider from a mirror on this machine, since nothing is fetched. A folder that holds
`registry.terraform.io` is looked for where Terraform looks by itself, and in what people choose for it; `ROTATOR_TERRAFORM_MIRROR` names
another. The suite is skipped where either is missing.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ACCOUNT, OTHER_ACCOUNT, REPOSITORY, scrubbed, until, zipped

CONFIGURATIONS = Path(__file__).parent / "terraform"
SIGNING_KEY = (REPOSITORY / "examples/quickstart/functions/signing_key/lambda_function.py").read_text()
APPLICATION = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate"
OLD, NEW = "1.1.500", "1.1.618"
NOTHING = {"add": 0, "change": 0, "remove": 0, "import": 0}


def find_mirror():
    """A folder with the AWS provider in it, as `terraform providers mirror` lays it out or unpacked; none: `None`."""
    home = Path.home()
    usual = [
        *map(Path, filter(None, [os.environ.get("ROTATOR_TERRAFORM_MIRROR")])),
        home / ".terraform.d/plugins",
        Path(os.environ.get("XDG_DATA_HOME", home / ".local/share")) / "terraform/plugins",
        Path("/usr/local/share/terraform/plugins"),
        Path("/usr/share/terraform/plugins"),
        Path("/usr/share/terraform"),
        *sorted(Path("/opt").glob("*")),
        *sorted(Path("/usr/local").glob("*")),
    ]
    for folder in usual:
        if any(folder.glob("registry.terraform.io/hashicorp/aws/*")):
            return folder.resolve()
    return None


class Terraform:
    """One configuration in a folder of its own, with one state."""

    def __init__(self, folder, environment, sandbox):
        self.folder = folder
        self.sandbox = sandbox
        self.environment = environment | {"AWS_ENDPOINT_URL": sandbox.url, "TF_VAR_account": ACCOUNT}

    def run(self, command, *options, exits=0, **variables):
        """Runs a command; returns what it says, line by line."""
        # A number or a string stands for itself on the command line; null is the absence of a value.
        given = {name: value for name, value in variables.items() if value is not None}
        given = [f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in given.items()]
        done = subprocess.run(
            ["terraform", command, "-json", "-input=false", "-no-color", *options, *given],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        said = "\n".join(
            line["@message"] + line.get("diagnostic", {}).get("detail", "")
            for line in lines
            if line["type"] in ("planned_change", "diagnostic", "resource_drift")
        )
        assert done.returncode == exits, f"terraform {command} ended with {done.returncode}: {said}\n{done.stderr}"
        return lines

    def apply(self, *options, **variables):
        """Plans and applies; returns how much was added, changed, removed and imported."""
        return self.counts(self.run("apply", "-auto-approve", *options, **variables), "apply")

    def plan(self, *options, exits=0, **variables):
        """Plans; returns how much is to be added, changed, removed and imported."""
        return self.counts(self.run("plan", "-detailed-exitcode", *options, exits=exits, **variables), "plan")

    def destroy(self, **variables):
        """Destroys everything; returns how many were removed."""
        return self.counts(self.run("destroy", "-auto-approve", **variables), "destroy")["remove"]

    @staticmethod
    def counts(lines, operation):
        summaries = [line["changes"] for line in lines if line["type"] == "change_summary"]
        (found,) = [summary for summary in summaries if summary.pop("operation") == operation]
        return found

    def write(self, name, content):
        """Writes a file beside the configuration; returns its name."""
        (self.folder / name).write_bytes(content)
        return name

    def outputs(self):
        """The outputs of the last apply."""
        state = json.loads((self.folder / "terraform.tfstate").read_text())
        return {name: output["value"] for name, output in state["outputs"].items()}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder that is initialised once, and the environment for Terraform."""
    mirror = find_mirror()
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not on the PATH")
    if mirror is None:
        pytest.skip("no mirror with Terraform's AWS provider: set ROTATOR_TERRAFORM_MIRROR to a folder that holds registry.terraform.io")
    folder = tmp_path_factory.mktemp("terraform")
    settings = folder / "cli.tfrc"
    settings.write_text(
        "disable_checkpoint = true\n"
        f"provider_installation {{\n  filesystem_mirror {{\n    path = {json.dumps(str(mirror))}\n  }}\n}}\n"
    )
    environment = scrubbed(
        TF_CLI_CONFIG_FILE=str(settings),
        TF_DATA_DIR=str(folder / "data"),
        TF_IN_AUTOMATION="1",
        # The provider spends half of its time on collecting the garbage of its own schemas.
        GOGC="400",
    )
    shutil.copy(CONFIGURATIONS / "provider.tf", folder)
    done = subprocess.run(["terraform", "init", "-input=false", "-no-color"], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, environment


@pytest.fixture
def terraform(prepared, sandbox, tmp_path):
    """Makes a folder with one of the configurations."""
    initialised, environment = prepared

    def terraform(name):
        folder = tmp_path / name
        shutil.copytree(CONFIGURATIONS / name, folder)
        for shared in ("provider.tf", ".terraform.lock.hcl"):
            shutil.copy(initialised / shared, folder)
        return Terraform(folder, environment, sandbox)

    return terraform


def rotated(sandbox, secret, since):
    """Waits until a secret's current version is another than `since`, and no rotation is under way; returns it."""
    client = sandbox.client("secretsmanager")

    def look():
        versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        (current,) = [version for version, stages in versions.items() if "AWSCURRENT" in stages]
        pending = any("AWSPENDING" in stages and version != current for version, stages in versions.items())
        return current if current != since and not pending else None

    return until(f"{secret} to rotate", look)


def settled(sandbox, secret):
    """Waits until no rotation is under way; returns the current version."""
    return rotated(sandbox, secret, None)


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
    versions = {name: settled(sandbox, f"terraform/rotated/{name}") for name in names}
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
    assert settled(sandbox, "terraform/rotated/days") == versions["days"]
    versions["paused"] = rotated(sandbox, "terraform/rotated/paused", versions["paused"])
    assert rules("paused")["ScheduleExpression"] == "rate(12 hours)"
    assert (rules("days")["ScheduleExpression"], rules("days")["Duration"]) == ("cron(0 2 ? * SUN#1 *)", "3h")
    assert secrets.plan(**second) == NOTHING

    third = second | {"tags": {}, "principal": None, "rotations": first["rotations"] | {"paused": {"days": 7}}}
    assert secrets.apply(**third) == NOTHING | {"change": 4, "remove": 1}
    settled(sandbox, "terraform/rotated/days")
    assert (rules("days"), rules("paused")) == ({"AutomaticallyAfterDays": 30}, {"AutomaticallyAfterDays": 7})
    assert "Tags" not in client.describe_secret(SecretId="terraform/full")
    for name in ("full", "binary"):
        assert "ResourcePolicy" not in client.get_resource_policy(SecretId=f"terraform/{name}")
    assert secrets.plan(**third) == NOTHING

    assert secrets.destroy(**third) == 12
    left = client.list_secrets(Filters=[{"Key": "name", "Values": ["terraform/"]}], IncludePlannedDeletion=True)["SecretList"]
    assert [(secret["Name"], (secret["DeletedDate"] - secret["LastChangedDate"]).days) for secret in left] == [("terraform/full", 7)]
    assert functions_left(sandbox) == []


def functions_left(sandbox):
    """The names of all functions."""
    return [function["FunctionName"] for function in sandbox.client("lambda").list_functions()["Functions"]]


def test_functions_of_ones_own_and_from_the_template(sandbox, terraform):
    """Without it, a team that has its rotation functions and their stacks in Terraform would see drift that nobody made."""
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
        "stack_tags": {"team": "payments"},
    }
    assert functions.apply(**first) == NOTHING | {"add": 3}
    check_first_function(sandbox, functions.outputs()["function"])
    client = sandbox.client("lambda")
    arn = functions.outputs()["stack_function"]
    assert arn == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:terraform-stack"
    assert client.get_function(FunctionName=arn)["Configuration"]["Runtime"] == "python3.9"
    assert functions.plan(**first) == NOTHING

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
        "stack_version": NEW,
        "stack_parameters": {"excludeCharacters": "/@", "runtime": "python3.13"},
        "stack_tags": {"owner": "ana"},
    }
    assert functions.apply(**second) == NOTHING | {"add": 1, "change": 2}
    check_second_function(sandbox, second["settings"], functions.outputs()["function"])
    check_upgraded_stack(sandbox, arn)
    assert functions.plan(**second) == NOTHING

    # What isn't said any more: defaults, for the function and for the stack's parameters; and the newest version.
    third = {"package": second["package"], "settings": {}, "accounts": {"Neighbour": OTHER_ACCOUNT}}
    assert functions.apply(**third) == NOTHING | {"change": 2, "remove": 1}
    live = client.get_function(FunctionName="terraform-function")
    assert "Concurrency" not in live and "Tags" not in live
    assert not {"Environment", "Layers", "KMSKeyArn"} & set(live["Configuration"])
    statements = json.loads(client.get_policy(FunctionName="terraform-function")["Policy"])["Statement"]
    assert [statement["Sid"] for statement in statements] == ["Neighbour"]
    assert client.get_function(FunctionName=arn)["Configuration"]["Runtime"] == "python3.12"
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
    assert function["Configuration"]["Environment"]["Variables"]["EXCLUDE_CHARACTERS"] == "/@"
    stacks = sandbox.client("cloudformation").describe_stacks(StackName="serverlessrepo-terraform-stack")["Stacks"]
    tags = {tag["Key"]: tag["Value"] for tag in stacks[0]["Tags"]}
    assert tags == {"owner": "ana", "serverlessrepo:applicationId": APPLICATION, "serverlessrepo:semanticVersion": NEW}
