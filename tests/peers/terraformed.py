"""Terraform with its AWS provider, for the suites that need it.

Terraform comes from the `PATH`, and the provider from a mirror on this machine, since nothing is fetched. A folder that holds
`registry.terraform.io` is looked for where Terraform looks by itself, and in what people choose for it;
`ROTATOR_TERRAFORM_MIRROR` names another. The suites are skipped where either is missing.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ACCOUNT, scrubbed, until
from mirror import find_mirror

CONFIGURATIONS = Path(__file__).parent / "terraform"
NOTHING = {"add": 0, "change": 0, "remove": 0, "import": 0}


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
        if done.returncode != exits:
            why = self.explain(command, lines) + done.stderr
            raise AssertionError(f"terraform {command} ended with {done.returncode} instead of {exits}: {why}")
        return lines

    def explain(self, command, lines):
        """What went wrong, for people: errors, or the plan that is another than it should be."""
        said = [line["@message"] + " " + line["diagnostic"]["detail"] for line in lines if line["type"] == "diagnostic"]
        if command == "plan" and not said:
            show = ["terraform", "show", "-no-color", "saved.plan"]
            said = [subprocess.run(show, cwd=self.folder, env=self.environment, capture_output=True, text=True).stdout]
        return "\n".join(said)

    def apply(self, *options, **variables):
        """Plans and applies; returns how much was added, changed, removed and imported."""
        return self.counts(self.run("apply", "-auto-approve", *options, **variables), "apply")

    def plan(self, *options, exits=0, **variables):
        """Plans; returns how much is to be added, changed, removed and imported."""
        options = ["-detailed-exitcode", "-out=saved.plan", *options]
        return self.counts(self.run("plan", *options, exits=exits, **variables), "plan")

    def show(self):
        """What it manages, as JSON."""
        command = ["terraform", "show", "-json"]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, check=True).stdout

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
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not on the PATH")
    folder = tmp_path_factory.mktemp("terraform")
    command = ["terraform", "version", "-json"]
    version = subprocess.run(command, env=scrubbed(CHECKPOINT_DISABLE="1"), cwd=folder, capture_output=True, check=True)
    mirror = find_mirror(json.loads(version.stdout)["platform"])
    if mirror is None:
        pytest.skip(
            "no mirror with Terraform's AWS provider for this platform: "
            "let ROTATOR_TERRAFORM_MIRROR name a folder that holds registry.terraform.io"
        )
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
    command = ["terraform", "init", "-input=false", "-no-color"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # With a hash in the lock file, every command would read the provider's 600 MB to compare it.
    lock = folder / ".terraform.lock.hcl"
    lock.write_text(re.sub(r"\n +hashes = \[.*?\]", "", lock.read_text(), flags=re.DOTALL))
    return folder, environment


@pytest.fixture
def terraform(prepared, sandbox, tmp_path):
    """Makes a folder with one of the configurations, and looks afterwards whether all that was called is served.

    The provider passes over some refusals in silence, as it must for regions without every feature.
    """
    initialised, environment = prepared

    def terraform(name):
        folder = tmp_path / name
        shutil.copytree(CONFIGURATIONS / name, folder)
        for shared in ("provider.tf", ".terraform.lock.hcl"):
            shutil.copy(initialised / shared, folder)
        return Terraform(folder, environment, sandbox)

    yield terraform
    not_served = {"UnknownOperationException", "InvalidAction"}
    calls = sandbox.control("GET", "calls")["calls"]
    assert {call["operation"] for call in calls if call.get("error") in not_served} == set()


def settled(sandbox, secret):
    """Waits until no rotation is under way that has begun; returns the current version."""
    client = sandbox.client("secretsmanager")

    def look():
        versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = [version for version, stages in versions.items() if "AWSCURRENT" in stages]
        return current if not any("AWSPENDING" in stages for stages in versions.values()) else None

    (current,) = until(f"{secret} to settle", look)
    return current
