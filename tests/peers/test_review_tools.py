"""What `rotator` prints, and the pipelines that it ships, under the eyes of published tools, unmodified and offline.

Where one of them trips, our output is wrong: people already have these tools.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import REPOSITORY, rotator_binary, scrubbed

EXAMPLE = REPOSITORY / "examples/gitops"
ROTATION = "aws_secretsmanager_secret_rotation"
ACCOUNTS = {"dev": "111111111111", "prod": "333333333333"}
MANIFEST = """version: 1
project: judged
defaults:
  targets: {role: "arn:${partition}:iam::${account}:role/rotator-read"}
  functions: {code: code, timeout: 60, environment: {TOKEN_URL: "https://private.example"}}
targets:
  dev: {region: eu-west-1, account: "111111111111"}
  prod: {region: eu-central-1, account: "333333333333"}
functions: {SecretsManagerJudged: {}}
secrets:
  judged/late: {function: SecretsManagerJudged, rotation: {automatically_after_days: 180}, targets: [dev]}
  judged/soon: {function: SecretsManagerJudged, rotation: {automatically_after_days: 30}}
  judged/rate: {function: SecretsManagerJudged, rotation: {schedule_expression: rate(100 days)}, targets: [prod]}
"""
# Bad in ways that have positions, and one that has none.
BAD = """version: 1
project: judged
functions:
  SecretsManagerJudged: {code: gone, timeout: 60000}
secrets:
  judged/late: {function: SecretsManagerJudgd, rotation: {automatically_after_days: 1800}}
"""


@pytest.fixture(scope="module")
def plans(sandbox, tmp_path_factory):
    """Plans of one manifest as JSON: all is new; nothing is to do; one schedule was changed by hand; all goes."""
    folder = tmp_path_factory.mktemp("plans")
    (folder / "code").mkdir()
    code = REPOSITORY / "examples/quickstart/functions/signing_key/lambda_function.py"
    shutil.copy(code, folder / "code")
    (folder / "rotator.yaml").write_text(MANIFEST)
    places = {"dev": ("111111111111", "eu-west-1"), "prod": ("333333333333", "eu-central-1")}
    for target, names in {"dev": ["late", "soon"], "prod": ["soon", "rate"]}.items():
        account, region = places[target]
        for name in names:
            create = ("secretsmanager", "create-secret", "--name", f"judged/{name}", "--secret-string", "first")
            sandbox.aws(*create, account=account, region=region)

    def save(name, *options):
        run = [rotator_binary(), "plan", "--format", "json", *options]
        done = subprocess.run(run, cwd=folder, env=sandbox.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (folder / f"{name}.json").write_text(done.stdout)

    save("new")
    sandbox.rotator("apply", "--auto-approve", "--all-targets", folder=folder)
    save("same")
    change = ("secretsmanager", "rotate-secret", "--secret-id", "judged/late", "--no-rotate-immediately")
    account, region = places["dev"]
    sandbox.aws(*change, "--rotation-rules", "AutomaticallyAfterDays=20", account=account, region=region)
    save("drifted")
    save("gone", "--destroy")
    return folder


def judge(command, folder, exits=0, **more):
    """Runs a tool; none may reach the network: proxies that aren't there stand in its way."""
    nowhere = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
    # Some tools of .NET ask for a library of locales that small machines lack.
    environment = scrubbed(**nowhere, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT="1", **more)
    done = subprocess.run([*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == exits, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def checkov(tools, folder, plan, *options):
    """What Checkov's published rules say of a plan: `{rule: {resource: result}}`, and no rule may fall over."""
    command = [tools / "bin/checkov", "--file", f"{plan}.json", "--framework", "terraform_plan", "--skip-download"]
    command += ["--soft-fail", "--output", "json", "--output-file-path", f"checkov-{plan}", *options]
    said = judge(command, folder)
    assert "Failed to run check" not in said and "Traceback" not in said, said
    report = json.loads((folder / f"checkov-{plan}/results_json.json").read_text())
    assert report["summary"]["parsing_errors"] == 0
    found = {}
    for result in [*report["results"]["failed_checks"], *report["results"]["passed_checks"]]:
        found.setdefault(result["check_id"], {})[result["resource"]] = result["check_result"]["result"]
    return found


def rotation(target, handle):
    return f'module.{target}.{ROTATION}.this["{handle}"]'


@pytest.mark.parametrize("plan", ["new", "same"])
def test_checkovs_rule_about_rotation_fires(tools, plans, plan):
    """Without it, teams with Checkov in the pipeline would believe that it guards rotation, and it would see nothing."""
    found = checkov(tools, plans, plan)
    assert found["CKV_AWS_304"] == {
        rotation("dev", "judged/late"): "FAILED",
        rotation("dev", "judged/soon"): "PASSED",
        rotation("prod", "judged/soon"): "PASSED",
        rotation("prod", "judged/rate"): "FAILED",
    }
    functions = {f'module.{target}.aws_lambda_function.this["SecretsManagerJudged"]' for target in ACCOUNTS}
    # No credentials in a function's environment: the values aren't there to be judged, and that is no failure.
    assert set(found["CKV_AWS_45"]) == functions and set(found["CKV_AWS_45"].values()) == {"PASSED"}


def test_checkov_judges_what_will_be(tools, plans):
    """Without it, a rule could be satisfied by what somebody changed by hand, and not by what the plan makes of it."""
    late = rotation("dev", "judged/late")
    assert checkov(tools, plans, "drifted")["CKV_AWS_304"][late] == "FAILED"
    assert "CKV_AWS_304" not in checkov(tools, plans, "gone")


def test_checkov_reads_the_rules_that_hear_of_failed_rotations(tools, plans):
    """Without it, the template for CloudFormation could be none."""
    command = [rotator_binary(), "permissions", "--alarms", "cloudformation", "--target", "dev"]
    done = subprocess.run(command, cwd=plans, env=scrubbed(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (plans / "alarms.json").write_text(done.stdout)
    command = [tools / "bin/checkov", "--file", "alarms.json", "--framework", "cloudformation", "--skip-download"]
    command += ["--soft-fail", "--output", "json", "--output-file-path", "checkov-alarms"]
    judge(command, plans)
    report = json.loads((plans / "checkov-alarms/results_json.json").read_text())
    # Without a rule that speaks of such resources, it only counts.
    summary = report.get("summary", report)
    assert summary.get("parsing_errors", 0) == 0, report



FEATURE = """Feature: rotation

  Scenario: secrets rotate within {days} days
    Given I have aws_secretsmanager_secret_rotation defined
    When it contains rotation_rules
    When it contains automatically_after_days
    Then its value must be less and equal to {days}

  Scenario: rotation is on
    Given I have aws_secretsmanager_secret_rotation defined
    Then it must have rotation_enabled
    And its value must be true

  Scenario: functions have a time limit
    Given I have aws_lambda_function defined
    Then it must contain timeout
"""


def test_terraform_compliance_reads_plans(tools, plans):
    """Without it, rules in plain words, which people have for Terraform, could not be held against our plans."""

    def comply(days, exits):
        rules = plans / f"rules-{days}"
        rules.mkdir()
        (rules / "rotation.feature").write_text(FEATURE.format(days=days))
        command = [tools / "bin/terraform-compliance", "--planfile", "new.json", "--features", rules, "--no-ansi"]
        return judge(command, plans, exits)

    assert "3 scenarios (3 passed)" in comply(180, 0)
    said = comply(90, 1)
    assert f"Failure: for {rotation('dev', 'judged/late')}" in said and "180 is not less and equal than 90" in said
    assert "3 scenarios (2 passed, 1 failed)" in said


def test_terrasafe_stops_what_deletes(tools, plans):
    """Without it, a guard against deletions would let ours through."""

    def guard(plan, exits):
        with open(plans / f"{plan}.json", encoding="utf-8") as file:
            done = subprocess.run([tools / "bin/terrasafe"], stdin=file, env=scrubbed(), capture_output=True, text=True)
        assert done.returncode == exits, done.stdout + done.stderr
        return done.stdout

    for plan in ("new", "same", "drifted"):
        assert "0 unauthorized deletion" in guard(plan, 0)
    said = guard("gone", 1)
    assert rotation("prod", "judged/rate") in said
    assert 'module.dev.aws_serverlessapplicationrepository_cloudformation_stack.this["SecretsManagerJudged"]' in said


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """SARIF of a manifest with problems, of one whose code can't be packaged, and of one without problems."""
    folder = tmp_path_factory.mktemp("logs")
    shutil.copytree(EXAMPLE, folder / "good")
    shutil.copytree(EXAMPLE, folder / "no place")
    # A file where a folder's code was: what is wrong with it has no line in the manifest.
    handler = folder / "no place/functions/webhook_key/lambda_function.py"
    handler.unlink()
    os.mkfifo(handler)
    (folder / "bad.yaml").write_text(BAD)
    for name, path, code in [("bad", "bad.yaml", 1), ("place", "no place", 1), ("good", "good", 0)]:
        run = [rotator_binary(), "validate", "--format", "sarif", path]
        done = subprocess.run(run, cwd=folder, env=scrubbed(), capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        (folder / f"{name}.sarif").write_text(done.stdout)
    return folder


def test_sarif_is_what_a_published_model_of_it_says(tools, logs):
    """Without it, viewers of SARIF could refuse the log, or show nothing."""
    script = """
import json, sys
from sarif_pydantic import Sarif
for name in sys.argv[1:]:
    with open(name) as file:
        log = Sarif.model_validate(json.load(file))
    (run,) = log.runs
    known = {rule.id for rule in run.tool.driver.rules or []}
    assert {result.rule_id for result in run.results} == known
    assert all(result.locations for result in run.results)
    print(name, len(run.results))
"""
    said = judge([tools / "bin/python", "-c", script, "bad.sarif", "place.sarif", "good.sarif"], logs).split("\n")
    assert said[0].split()[1] != "0" and said[1].split()[1] != "0" and said[2] == "good.sarif 0", said


def test_sarif_passes_the_validator_of_its_authors(tools, logs):
    """Without it, GitHub's code scanning could refuse the log: the validator has GitHub's own rules."""
    if not shutil.which("npm"):
        pytest.skip("no npm here, which brings the validator")
    folder = tools.with_name("review-node")
    install = """exec 9>"$0.lock"; flock 9
      cmp -s "$1" "$0/package.json" && exit; rm -rf "$0"; mkdir -p "$0"
      (cd "$0" && cp "$1" next.json && mkdir install && cp "$1" install/package.json &&
        npm install --prefix install --ignore-scripts --prefer-offline --no-audit --no-fund --silent && chmod +x install/node_modules/@microsoft/*/Sarif.Multitool && mv install/node_modules . && mv next.json package.json)"""
    pins = REPOSITORY / "tests/peers/review/package.json"
    subprocess.run(["bash", "-ec", install, folder, pins], check=True, env=scrubbed())
    validator = folder / "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"
    for name in ("bad", "place", "good"):
        judge([validator, "validate", logs / f"{name}.sarif", "--rule-kind", "Sarif;Ghas", "--output", f"{name}-judged.sarif"], logs)
        (run,) = json.loads((logs / f"{name}-judged.sarif").read_text())["runs"]
        # A link to more about the tool is what it has to ask for: there is no address to give.
        found = [result for result in run.get("results", []) if result["ruleId"] != "SARIF2005"]
        assert found == [], found


def test_workflows_and_pipelines_fit_their_published_schemas(tools):
    """Without it, a misspelt key would be ignored by GitHub or GitLab, and only a run would show it."""
    check = tools / "bin/check-jsonschema"
    workflows = sorted(EXAMPLE.glob(".github/workflows/*"))
    assert len(workflows) == 4
    judge([check, "--builtin-schema", "vendor.github-workflows", *workflows], EXAMPLE)
    judge([check, "--builtin-schema", "custom.github-workflows-require-timeout", *workflows], EXAMPLE)
    gitlab = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", ".gitlab-ci.yml"]
    judge([check, *gitlab], EXAMPLE)


def test_workflows_are_free_of_known_dangers(tools, tmp_path):
    """Without it, a workflow could be taken over by a title of a pull request, a moved tag, or a right too many."""
    shutil.copytree(EXAMPLE, tmp_path / "repository")
    auditor = [tools / "bin/zizmor", "--offline", "--persona", "auditor", "--no-progress", "."]
    assert "No findings to report" in judge(auditor, tmp_path / "repository")
    # And it does look: a moved tag is found.
    review = tmp_path / "repository/.github/workflows/rotator-review.yaml"
    review.write_text(review.read_text().replace("08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "v5"))
    assert "unpinned-uses" in judge(auditor, tmp_path / "repository", exits=14)


def test_the_release_is_what_its_schema_and_the_auditor_allow(tools, tmp_path):
    """Without it, a tag could be the first to run the workflow, or hand a stranger the right to publish."""
    check = tools / "bin/check-jsonschema"
    workflow = REPOSITORY / ".github/workflows/release.yaml"
    judge([check, "--builtin-schema", "vendor.github-workflows", workflow], EXAMPLE)
    judge([check, "--builtin-schema", "custom.github-workflows-require-timeout", workflow], EXAMPLE)
    judge([check, "--builtin-schema", "vendor.github-actions", REPOSITORY / ".github/actions/setup/action.yaml"], EXAMPLE)
    for part in ("workflows", "actions"):
        shutil.copytree(REPOSITORY / ".github" / part, tmp_path / "repository/.github" / part)
    auditor = [tools / "bin/zizmor", "--offline", "--persona", "auditor", "--no-progress", "."]
    assert "No findings to report" in judge(auditor, tmp_path / "repository")


def test_a_release_says_one_version_and_has_notes():
    """Without it, a tag could release another version than it names, or one of which nobody wrote what changed."""
    scripts = REPOSITORY / ".ci/release"
    version = judge([scripts / "version"], EXAMPLE).strip()
    tag = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": f"v{version}"}
    assert judge([scripts / "version"], EXAMPLE, **tag).strip() == version
    assert "Cargo.toml says" in judge([scripts / "version"], EXAMPLE, exits=1, **tag | {"GITHUB_REF_NAME": "v9.9.9"})
    notes = judge([scripts / "notes", f"v{version}"], EXAMPLE)
    assert "- " in notes and "## " not in notes
    assert "says nothing of 9.9.9" in judge([scripts / "notes", "v9.9.9"], EXAMPLE, exits=1)


def test_scripts_are_free_of_known_mistakes(tools):
    """Without it, a space in a name could turn into two arguments."""
    scripts = [*sorted(EXAMPLE.glob("ci/*.sh")), REPOSITORY / "tests/peers/prepare", *REPOSITORY.glob(".ci/run")]
    scripts += [REPOSITORY / ".ci/release" / name for name in ("build", "notes", "pack", "tools", "try", "version")]
    scripts += [REPOSITORY / ".github/actions/setup/install.sh"]
    assert len(scripts) >= 10
    assert "set -euo pipefail" in Path(scripts[0]).read_text()
    judge([tools / "bin/shellcheck", "--severity", "style", *scripts], EXAMPLE)
