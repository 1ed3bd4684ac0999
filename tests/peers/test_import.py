"""An account with over 120 secrets of many kinds in two regions, made by boto3, becomes manifests by `rotator import`: their plan is
empty without an edit, everything left out is named, nothing rotates on the way, and what is managed already isn't written again."""

import json

import account
import pytest
from conftest import ACCOUNT, OTHER_ACCOUNT, Sandbox

EACH = 24


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"), "--time-scale", "0")
    account.fill(sandbox.url, EACH)
    yield sandbox
    sandbox.stop()


def listed(sandbox):
    """All secrets of both regions with what says whether anything happened to them."""
    found = {}
    for region in account.REGIONS:
        pages = sandbox.client("secretsmanager", region=region).get_paginator("list_secrets")
        for page in pages.paginate(IncludePlannedDeletion=True):
            found |= {(region, one["Name"]): one for one in page["SecretList"]}
    return found


def imported(sandbox, *arguments):
    return json.loads(sandbox.rotator("import", "--format", "json", *arguments))


def plans_nothing(sandbox, folder):
    for region in account.REGIONS:
        said = sandbox.rotator("plan", "--detailed-exitcode", "--target", region, folder)
        assert "No changes." in said, said


def test_an_account_becomes_a_manifest_whose_plan_is_empty(place):
    before = listed(place)
    assert len(before) > 120
    report = imported(place, "--regions", ",".join(account.REGIONS), "whole")
    # Each secret is written, or left out with a reason.
    for target in report["targets"]:
        named = set(target["written"]) | {one["name"] for one in target["left_out"]}
        assert named == {name for region, name in before if region == target["region"]}
        assert all(one["reason"] and one["words"] for one in target["left_out"])
    plans_nothing(place, "whole")
    text = "".join(path.read_text() for path in (place.folder / "whole").rglob("*.yaml"))
    for private in ("planted-value", "never-to-be-shown"):
        assert private not in text and private not in json.dumps(report)
    # What people must know before they delete something.
    assert "its tags say that Terraform manages it" in text
    assert "made by the stack serverlessrepo-SecretsManagerKeys" in text
    assert imported(place, "whole")["files"] == []
    assert listed(place) == before, "something happened to a secret"


def test_a_half_managed_root_gets_the_rest_as_parts(place):
    folder = place.folder / "half"
    (folder / "services").mkdir(parents=True)
    targets = "".join(f'  {region}: {{region: {region}, account: "{ACCOUNT}"}}\n' for region in account.REGIONS)
    root = (
        "version: 1\nproject: half\ninclude: [services/*.yaml]\n"
        "defaults: {secrets: {labels: {owner: me}, rotation: {automatically_after_days: 90, duration: 2h}}}\n"
        f"targets:\n{targets}functions:\n  db: {{existing: rotate-db}}\n"
    )
    (folder / "rotator.yaml").write_text(root)
    some = "  db/000: {function: db, rotation: {automatically_after_days: 30, duration: null}}\n"
    (folder / "services/db.yaml").write_text(f"secrets:\n{some}")
    plans_nothing(place, "half")
    kept = {path: path.read_text() for path in folder.rglob("*.yaml")}
    report = imported(place, "half")
    assert [target["managed"] for target in report["targets"]] == [1, 1]
    assert report["files"] and all("/services/" in file["path"] for file in report["files"]), report["files"]
    assert all(path.read_text() == text for path, text in kept.items()), "a file was written over"
    plans_nothing(place, "half")
    assert imported(place, "half")["files"] == []


def test_what_differs_by_the_target_alone_is_one_entry(place):
    """Without it, an account for each stage would need an entry for each, which a person writes once."""
    stages = {"prod": account.Account(place.url, "us-east-1"), "staging": account.Account(place.url, "us-east-1", OTHER_ACCOUNT)}
    targets = ""
    for stage, of in stages.items():
        rotate = of.function(f"rotate-{stage}")
        of.rotating(f"{stage}/app/db", rotate, AutomaticallyAfterDays=30)
        of.rotating(f"stage-{stage}.key", rotate, ScheduleExpression="cron(0 8 ? * SUN *)", Duration="3h")
        of.rotating("app/same", rotate, AutomaticallyAfterDays=30)
        of.rotating(f"{stage}/app/differs", rotate, AutomaticallyAfterDays=30 if stage == "prod" else 7)
        of.settle()
        role = f", role: arn:aws:iam::{of.account}:role/rotator" if of.account != ACCOUNT else ""
        targets += f'  {stage}: {{region: us-east-1, account: "{of.account}"{role}}}\n'
    folder = place.folder / "stages"
    folder.mkdir()
    (folder / "rotator.yaml").write_text(f"version: 1\nproject: stages\ninclude: [parts/*.yaml]\ntargets:\n{targets}")
    (folder / "parts").mkdir()
    (folder / "parts/first.yaml").write_text("secrets: {}\n")
    report = imported(place, *(word for name in ("*/app/*", "app/same", "stage-*") for word in ("--name", name)), "stages")
    assert [len(target["written"]) for target in report["targets"]] == [4, 4], report["targets"]
    part = (folder / "parts/rotate.yaml").read_text()
    for line in (
        'rotate: {existing: "rotate-${target}"}',
        'app/db: {name: "${target}/app/db", function: rotate}',
        'stage-key: {name: "stage-${target}.key", function: rotate, rotation:',
        "app/same: {function: rotate}",
        "prod/app/differs: {function: rotate, targets: [prod]}",
        "staging/app/differs: {function: rotate, targets: [staging], rotation:",
    ):
        assert line in part, f"{line}: {part}"
    for stage in stages:
        said = place.rotator("plan", "--detailed-exitcode", "--target", stage, "stages")
        assert "No changes." in said, said
    assert imported(place, "--name", "*/app/*", "stages")["files"] == []


def test_filters_choose(place):
    def written(*filters):
        report = imported(place, "--dry-run", "--regions", "us-east-1", *filters, "none")
        return report["targets"][0]["written"]

    assert written("--name", "db/00*") == [f"db/{number:03}" for number in range(10)]
    assert written("--tag", "team=payments", "--function", "rotate-db") == [f"db/{n:03}" for n in range(1, EACH, 2)]
    assert written("--function", "rotate-versioned:1") == ["versioned/key"]
    assert not (place.folder / "none").exists(), "a dry run wrote something"
    said = place.rotator("import", "--regions", "us-east-1", "--name", "nobody/*", "none", exits=1)
    assert "no secret passes the filters" in said
    said = place.rotator("import", "--unrotated", "--regions", "us-east-1", "none")
    lines = [line.split("  ")[0] for line in said.splitlines()]
    assert lines == ["events!connection/one", "gone/key", "plain/never", "plain/off", "replicated/key"], said


def test_adopted_functions_are_tagged_and_nothing_else(place):
    folder = "adopted"
    imported(place, "--regions", "us-east-1", "--adopt", "--name", "keys/*", folder)
    plan = json.loads(place.rotator("plan", "--format", "json", folder))
    changed = [one for one in plan["resource_changes"] if one["change"]["actions"] != ["no-op"]]
    assert len(changed) == 1 and changed[0]["change"]["actions"] == ["update"], changed
    said = place.rotator("plan", folder)
    assert "1 to change" in said and "rotator:project" in said, said
    place.rotator("apply", "--auto-approve", folder)
    assert "No changes." in place.rotator("plan", "--detailed-exitcode", folder)


def test_live_code_comes_into_git_as_the_same_package(place):
    folder = place.folder / "with-code"
    # Named by the name that the stack's function has, whatever project adopted it before.
    stack = place.client("cloudformation")
    tags = stack.describe_stacks(StackName="serverlessrepo-SecretsManagerKeys")["Stacks"][0]["Tags"]
    owner = {tag["Key"]: tag["Value"] for tag in tags}.get("rotator:project")
    named = ("--project", owner) if owner else ()
    report = imported(place, "--regions", "us-east-1", "--adopt", "--code", "--name", "keys/*", *named, "with-code")
    code = folder / "imported/code/SecretsManagerKeys/lambda_function.py"
    assert code.exists() and any(file["path"].endswith("lambda_function.py") for file in report["files"])
    assert "code: code/SecretsManagerKeys" in (folder / "imported/SecretsManagerKeys.yaml").read_text()
    said = place.rotator("plan", "with-code")
    assert "No changes." in said if owner else "1 to change" in said, said
    assert "replaces-code" not in said, said


def test_rights_are_said_before_there_is_a_manifest(place, tmp_path):
    said = place.rotator("permissions", "--phase", "import", "--account", ACCOUNT, "--region", "us-east-1", folder=tmp_path)
    for action in ("secretsmanager:ListSecrets", "lambda:GetFunction", "cloudformation:DescribeStacks"):
        assert action in said, said
    assert "GetSecretValue" not in said
