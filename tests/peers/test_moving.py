"""Rotations move from Terraform to a manifest by `rotator import --from-terraform`: the manifest's plan is empty, Terraform lets go
and destroys nothing, and no secret notices."""

import json
import subprocess

from conftest import zipped
from terraformed import NOTHING, prepared, settled, terraform  # noqa: F401, the fixtures

REGIONS = ("us-east-1", "eu-west-1")
MOVING = ["moving/a/0", "moving/a/1", "moving/b/0", "moving/b/1", "moving/plain", "moving/quoted", "moving/stack"]
BLOCKS = [
    "aws_secretsmanager_secret_rotation.stack",
    "aws_secretsmanager_secret_rotation.west",
    "module.team.aws_secretsmanager_secret_rotation.team",
]
STACK = "aws_serverlessapplicationrepository_cloudformation_stack.keys"
EACH = 'aws_secretsmanager_secret_rotation.each["{}"]'
QUOTED = "it's \"x\" $(y)"


def secrets(sandbox):
    """All that AWS says of all secrets."""
    found = {}
    for region in REGIONS:
        client = sandbox.client("secretsmanager", region=region)
        for page in client.get_paginator("list_secrets").paginate():
            for secret in page["SecretList"]:
                described = client.describe_secret(SecretId=secret["ARN"])
                described.pop("ResponseMetadata")
                found[region, secret["Name"]] = described
    return found


def writes(sandbox):
    """The calls so far that change a rotation."""
    calls = sandbox.control("GET", "calls")["calls"]
    return [call for call in calls if call["operation"] in ("RotateSecret", "CancelRotateSecret", "DeleteSecret")]


def plans_nothing(sandbox, folder):
    for region in REGIONS:
        said = sandbox.rotator("plan", "--detailed-exitcode", "--target", region, folder)
        assert "No changes." in said, said


def test_rotations_move_to_a_manifest(sandbox, terraform):
    """Without it, a team would have to choose between two tools that undo each other and a weekend in which nothing rotates."""
    moving = terraform("moving")
    subprocess.run(["terraform", "get"], cwd=moving.folder, env=moving.environment, capture_output=True, check=True)
    given = {
        "package": moving.write("code.zip", zipped({"Handler.class": ""})),
        "each": {QUOTED: "moving/quoted", "plain": "moving/plain", "stays": "staying/one"},
    }
    moving.apply(**given)
    # A test of the new rotation may still run.
    settled(sandbox, "moving/stack")
    before, written = secrets(sandbox), len(writes(sandbox))
    shown = moving.write("show.json", moving.show())
    assert b"planted-value" in (moving.folder / shown).read_bytes(), "the document has values, or this proves nothing"

    def imported(*arguments):
        given = ("import", "--from-terraform", shown, "--name", "moving/*", "--format", "json")
        report = sandbox.rotator(*given, *arguments, folder=moving.folder)
        assert "planted-value" not in report
        return json.loads(report)

    # Functions stay as they are: nothing is left to do on AWS.
    report = imported("plain")
    assert [target["region"] for target in report["targets"]] == sorted(REGIONS)
    assert sorted(report["targets"][1]["written"]) == MOVING and report["targets"][0]["written"] == ["moving/west"]
    told = report["terraform"]
    assert (told["removed"], sorted(told["forgotten"])) == (BLOCKS, [EACH.format("it's \\\"x\\\" $(y)"), EACH.format("plain")])
    assert [(stays["address"], stays["reason"]) for stays in told["stays"]] == [(EACH.format("stays"), "filtered")]
    assert told["functions"] == ["aws_lambda_function.rotate", "aws_lambda_function.west"]
    plans_nothing(sandbox, moving.folder / "plain")
    part = (moving.folder / "plain/imported/moving.yaml").read_text()
    assert "us-east-1: Terraform manages it as aws_lambda_function.rotate" in part, part

    # With the stack's function as the manifest's own: the plan tags its stack.
    told = imported("--adopt", "adopted")["terraform"]
    assert told["removed"] == sorted([*BLOCKS, STACK])
    folder = moving.folder / "adopted"
    again = imported("--adopt", "adopted")
    assert again["files"] == [] and again["terraform"]["removed"] == told["removed"], again
    assert "1 to change" in sandbox.rotator("plan", "--target", "us-east-1", folder)

    # What the files say is done, in the order that the report says.
    forget = ["sh", folder / "rotator-state-rm.sh"]
    subprocess.run(forget, cwd=moving.folder, env=moving.environment, capture_output=True, check=True)
    for name in ("rotations.tf", "team/rotations.tf"):
        (moving.folder / name).unlink()
    given["each"] = {"stays": "staying/one"}
    (folder / "rotator-removed.tf").rename(moving.folder / "rotator-removed.tf")
    assert moving.plan(exits=2, **given) == NOTHING
    assert moving.apply(**given) == NOTHING
    (moving.folder / "rotator-removed.tf").unlink()
    assert moving.plan(**given) == NOTHING
    plans_nothing(sandbox, moving.folder / "plain")
    assert secrets(sandbox) == before and len(writes(sandbox)) == written, "a secret noticed"
    sandbox.rotator("apply", "--auto-approve", "--all-targets", folder)
    plans_nothing(sandbox, folder)
    assert moving.plan(**given) == NOTHING
    assert secrets(sandbox) == before, "a secret noticed"
