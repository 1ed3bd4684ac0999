"""Prepares a peer's own way of doing what `rotator plan` does: looking whether the rotation of secrets is as it should be.

    peers.py PEER FOLDER SPECIFICATION

The specification is a JSON file: `url` (what to take for AWS), `account`, `region`, `state` (the sandbox's state, which says how the
secrets rotate), `secrets` (how many). Writes what the peer needs into the folder, and prints as JSON either `missing` (why this machine
hasn't the peer), or `command`, `environment`, `version`, and `done` (how many secrets the command looks at).

Python's library alone: the peers have environments of their own, which are made on the way (once).
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
# What the suites of strangers' clients share.
sys.path.insert(0, str(REPOSITORY / "tests/peers"))
from mirror import find_mirror  # noqa: E402

# AWS's CLI takes a second for each secret: a few say how long all of them take.
CLI_SECRETS = 10
# How all secrets of the measured fleets rotate.
DAYS, DURATION = 30, "4h"


class Missing(Exception):
    """Why a peer can't be measured here."""


def installed(name):
    """The environment of one of the files of pins beside this one."""
    folder = REPOSITORY / "target/tmp/performance" / name
    prepare = ["bash", REPOSITORY / "tests/peers/prepare", folder, HERE / f"{name}.txt"]
    done = subprocess.run(prepare, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"its packages can't be installed: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def package_version(environment, package):
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return subprocess.run([environment / "bin/python", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def secrets_of(given):
    """The secrets as the sandbox holds them, in the order of their names."""
    state = json.loads(Path(given["state"]).read_text())
    held = state["world"]["scopes"][f"{given['account']}/{given['region']}"]["secrets"]["secrets"]
    return [held[name] for name in sorted(held)]


def boto3_pool(threads):
    def prepare(folder, given):
        environment = installed("clients")
        secrets = secrets_of(given)
        wanted = {secret["name"]: secret["rotation"]["function"] for secret in secrets}
        (folder / "wanted.json").write_text(json.dumps(wanted))
        command = [environment / "bin/python", HERE / "pool.py", "wanted.json", str(threads)]
        return command, {}, f"boto3 {package_version(environment, 'boto3')}", len(secrets)

    return prepare


def aws_cli(folder, given):
    environment = installed("clients")
    names = [secret["name"] for secret in secrets_of(given)][:CLI_SECRETS]
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    loop = 'while read -r name; do "$1" secretsmanager describe-secret --output json --secret-id "$name"; done <names.txt'
    command = ["bash", "-euc", loop, "bash", environment / "bin/aws"]
    return command, {}, f"aws-cli {package_version(environment, 'awscli')}", len(names)


def custodian(folder, given):
    environment = installed("custodian")
    policy = """\
policies:
  - name: rotation
    resource: aws.secrets-manager
    filters:
      - not: [{type: value, key: RotationEnabled, value: true}]
"""
    (folder / "policy.yaml").write_text(policy)
    command = [environment / "bin/custodian", "run", "--dryrun", "--cache-period", "0", "--region", given["region"]]
    return [*command, "-s", "out", "policy.yaml"], {}, f"c7n {package_version(environment, 'c7n')}", given["secrets"]


def ansible(folder, given):
    environment = installed("ansible")
    secrets = secrets_of(given)
    wanted = [{"name": secret["name"], "function": secret["rotation"]["function"]} for secret in secrets]
    (folder / "secrets.json").write_text(json.dumps({"wanted": wanted}))
    playbook = f"""\
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: [secrets.json]
  tasks:
    - community.aws.secretsmanager_secret:
        name: "{{{{ item.name }}}}"
        state: present
        secret: ""
        overwrite: false
        rotation_lambda: "{{{{ item.function }}}}"
        rotation_interval: {DAYS}
      loop: "{{{{ wanted }}}}"
      loop_control: {{label: "{{{{ item.name }}}}"}}
"""
    (folder / "playbook.yaml").write_text(playbook)
    settings = {
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_PYTHON_INTERPRETER": str(environment / "bin/python"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "ansible/tmp"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "ansible/tmp"),
    }
    version = f"ansible {package_version(environment, 'ansible')}"
    command = [environment / "bin/ansible-playbook", "--check", "playbook.yaml"]
    return command, settings, version, len(secrets)


def terraform(*options):
    def prepare(folder, given):
        if shutil.which("terraform") is None:
            raise Missing("terraform is not on the PATH")
        environment = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        asked = subprocess.run(["terraform", "version", "-json"], capture_output=True, check=True, cwd=folder)
        version = json.loads(asked.stdout)
        folder_of_mirror = find_mirror(version["platform"])
        if folder_of_mirror is None:
            raise Missing("no mirror with Terraform's AWS provider: let ROTATOR_TERRAFORM_MIRROR name one")
        mirror = json.dumps(str(folder_of_mirror))
        settings = folder / "cli.tfrc"
        source = f"provider_installation {{\n  filesystem_mirror {{\n    path = {mirror}\n  }}\n}}\n"
        settings.write_text(f"disable_checkpoint = true\n{source}")
        environment["TF_CLI_CONFIG_FILE"] = str(settings)
        (folder / "main.tf").write_text(terraform_configuration(given))
        init = ["terraform", "init", "-input=false", "-no-color"]
        done = subprocess.run(init, cwd=folder, env=os.environ | environment, capture_output=True, text=True)
        if done.returncode:
            raise Missing(f"terraform init fails: {done.stderr.strip()}")
        lock = folder / ".terraform.lock.hcl"
        provider = re.search(r'version += "([^"]*)"', lock.read_text()).group(1)
        # With a hash in the lock file, every command would read the provider's 600 MB to compare it.
        lock.write_text(re.sub(r"\n +hashes = \[.*?\]", "", lock.read_text(), flags=re.DOTALL))
        secrets = secrets_of(given)
        (folder / "terraform.tfstate").write_text(json.dumps(terraform_state(version["terraform_version"], secrets)))
        (folder / "secrets.json").write_text(
            json.dumps({secret["name"]: [secret["arn"], secret["rotation"]["function"]] for secret in secrets})
        )
        command = ["terraform", "plan", "-detailed-exitcode", "-input=false", "-no-color", *options]
        return command, environment, f"Terraform {version['terraform_version']}, AWS provider {provider}", len(secrets)

    return prepare


def terraform_configuration(given):
    return f"""\
terraform {{
  required_providers {{
    aws = {{ source = "hashicorp/aws" }}
  }}
}}

provider "aws" {{
  region                      = "{given["region"]}"
  access_key                  = "{given["account"]}"
  secret_key                  = "sandbox"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}}

resource "aws_secretsmanager_secret_rotation" "each" {{
  for_each            = jsondecode(file("secrets.json"))
  secret_id           = each.value[0]
  rotation_lambda_arn = each.value[1]
  rotation_rules {{
    automatically_after_days = {DAYS}
    duration                 = "{DURATION}"
  }}
}}
"""


def terraform_state(version, secrets):
    """The state that an apply of the configuration leaves. A plan that isn't empty would show that it doesn't."""

    def instance(secret):
        rules = {"automatically_after_days": DAYS, "duration": DURATION, "schedule_expression": ""}
        attributes = {
            "id": secret["arn"],
            "rotate_immediately": True,
            "rotation_enabled": True,
            "rotation_lambda_arn": secret["rotation"]["function"],
            "rotation_rules": [rules],
            "secret_id": secret["arn"],
        }
        return {"index_key": secret["name"], "schema_version": 1, "attributes": attributes, "sensitive_attributes": []}

    rotations = {
        "mode": "managed",
        "type": "aws_secretsmanager_secret_rotation",
        "name": "each",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [instance(secret) for secret in secrets],
    }
    lineage = "00000000-0000-4000-8000-000000000000"
    head = {"version": 4, "terraform_version": version, "serial": 1, "lineage": lineage}
    return head | {"outputs": {}, "resources": [rotations], "check_results": None}


PEERS = {
    "terraform": terraform(),
    "terraform-64": terraform("-parallelism=64"),
    "ansible": ansible,
    "custodian": custodian,
    "boto3-10": boto3_pool(10),
    "boto3-32": boto3_pool(32),
    "boto3-64": boto3_pool(64),
    "aws-cli": aws_cli,
}


def main():
    peer, folder, specification = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        command, environment, version, done = PEERS[peer](folder, json.loads(specification.read_text()))
    except Missing as why:
        print(json.dumps({"missing": str(why)}))
        return
    command = [str(part) for part in command]
    print(json.dumps({"command": command, "environment": environment, "version": version, "done": done}))


main()
