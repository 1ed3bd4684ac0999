"""`examples/gitops` at work: its workflows, scripts and hooks, on a temporary Git repository, against the sandbox.

Everything runs as it stands, from the pull request to the drift check. GitHub alone is played, by github.py.
"""

import hashlib
import http.server
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest
import yaml

from conftest import REPOSITORY, Sandbox, rotator_binary, scrubbed
from github import GitHub, Runner, git

EXAMPLE = REPOSITORY / "examples/gitops"
DEV, PROD = ("111111111111", "eu-west-1"), ("333333333333", "eu-central-1")
SECRETS = {
    DEV: ["dev/payments/webhook-key", "staging/payments/webhook-key"],
    PROD: ["prod/payments/webhook-key", "prod/payments/ledger-key"],
}
READ, APPLY = (f"arn:aws:iam::{DEV[0]}:role/rotator-pipeline-{kind}" for kind in ("read", "apply"))
DENIED = {"operation": "AssumeRole", "error": {"status": 403, "code": "AccessDenied", "message": "not authorized"}}
# The operations that change something, of the services that the pipelines reach.
WRITES = re.compile("^(Create|Update|Put|Delete|Add|Remove|Rotate|Cancel|Execute|Tag|Untag|Invoke|Publish|Restore)")
# What GitHub's machines have, and the scripts use.
MISSING = [program for program in ("bash", "curl", "git", "jq", "unzip") if not shutil.which(program)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"the pipelines' scripts need {', '.join(MISSING)}")


class Team:
    """A team's repository on GitHub, its machines, and its two accounts."""

    def __init__(self, folder, tools):
        self.folder = Path(folder)
        self.aws = Sandbox(folder, "--time-scale", "0", "--calls", str(self.folder / "calls.jsonl"))
        for (account, region), names in SECRETS.items():
            for name in names:
                create = ("secretsmanager", "create-secret", "--name", name, "--secret-string", "first")
                self.aws.aws(*create, account=account, region=region)
        self.github = GitHub()
        bin = self.folder / "bin"
        bin.mkdir()
        (bin / "rotator").symlink_to(rotator_binary())
        gh = bin / "gh"
        fake = REPOSITORY / "tests/peers/fake_gh.py"
        gh.write_text(f'#!/bin/sh\nexec "{tools}/bin/python" -B "{fake}" "$@"\n')
        gh.chmod(0o755)
        machine = scrubbed(AWS_ENDPOINT_URL=self.aws.url, FAKE_GITHUB=self.github.url)
        machine["PATH"] = f"{bin}:{machine['PATH']}"
        self.machine = machine
        self.origin, self.clone = self.folder / "origin.git", self.folder / "clone"
        git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        shutil.copytree(EXAMPLE, self.clone)
        git(self.clone, "init", "--quiet", "--initial-branch=main")
        git(self.clone, "remote", "add", "origin", str(self.origin))
        self.commit("main", "the first commit")
        variables = {
            "ROTATOR_RELEASE": "",
            "ROTATOR_SHA256": "",
            "ROTATOR_READ_ROLE": READ,
            "ROTATOR_APPLY_ROLE": APPLY,
        }
        self.runner = Runner(self.github, self.origin, self.folder, machine, variables)

    def close(self):
        self.github.close()
        self.aws.stop()

    def commit(self, branch, message):
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--message", message)
        git(self.clone, "push", "--quiet", "origin", f"HEAD:{branch}")
        return git(self.clone, "rev-parse", "HEAD")

    def edit(self, name, old, new):
        path = self.clone / name
        text = path.read_text()
        assert old in text, f"`{old}` isn't in {name}"
        path.write_text(text.replace(old, new))

    def branch(self, name):
        git(self.clone, "fetch", "--quiet", "origin")
        git(self.clone, "checkout", "--quiet", "-B", name, "origin/main")

    def open(self, head):
        """Opens a pull request."""
        number = next(self.github.numbers)
        pull = {"number": number, "state": "open", "user": {"login": "ada"}, "merged_at": None, "merge_commit_sha": None}
        self.github.pulls[number] = {**pull, "head": {"sha": head}}
        return number

    def merged(self, base, head):
        """The commit that merges a branch into another, on no branch yet."""
        tree = git(self.clone, "merge-tree", "--write-tree", base, head)
        commit = git(self.clone, "commit-tree", tree, "-p", base, "-p", head, "-m", "merge")
        git(self.clone, "push", "--quiet", "--force", "origin", f"{commit}:refs/heads/trial")
        return commit

    def review(self, number, fork=False):
        """Runs the review of a pull request, on GitHub's trial merge."""
        head = self.github.pulls[number]["head"]["sha"]
        trial = self.merged(git(self.origin, "rev-parse", "main"), head)
        full_name = "mallory/rotation" if fork else "acme/rotation"
        event = {"pull_request": {"number": number, "head": {"sha": head, "repo": {"full_name": full_name}}}}
        return self.runner.run("rotator-review.yaml", "pull_request", trial, event, head, fork)

    def merge(self, number):
        """Merges a pull request, and runs what follows."""
        pull = self.github.pulls[number]
        commit = self.merged(git(self.origin, "rev-parse", "main"), pull["head"]["sha"])
        git(self.origin, "update-ref", "refs/heads/main", commit)
        pull.update(state="closed", merged_at="2026-01-01T00:00:00Z", merge_commit_sha=commit)
        return self.runner.run("rotator-apply.yaml", "push", commit)

    def by_hand(self, workflow):
        return self.runner.run(workflow, "workflow_dispatch", git(self.origin, "rev-parse", "main"))

    def schedule(self):
        return self.runner.run("rotator-drift.yaml", "schedule", git(self.origin, "rev-parse", "main"))

    def look(self):
        return self.runner.run("rotator-status.yaml", "schedule", git(self.origin, "rev-parse", "main"))

    def writes(self):
        """How many calls have changed something on AWS."""
        calls = map(json.loads, (self.folder / "calls.jsonl").read_text().splitlines())
        return sum(1 for call in calls if WRITES.match(call["operation"]))

    def describe(self, place, secret):
        account, region = place
        return self.aws.aws("secretsmanager", "describe-secret", "--secret-id", secret, account=account, region=region)

    def days(self, place, secret):
        return self.describe(place, secret)["RotationRules"]["AutomaticallyAfterDays"]

    def change_by_hand(self, days):
        """What a colleague does in the console, in production."""
        rules = json.dumps({"AutomaticallyAfterDays": days, "Duration": "4h"})
        change = ("secretsmanager", "rotate-secret", "--secret-id", "prod/payments/webhook-key")
        change += ("--rotation-rules", rules, "--no-rotate-immediately")
        self.aws.aws(*change, account=PROD[0], region=PROD[1])

    def cancel_by_hand(self, secret):
        """What a colleague does at night, and forgets."""
        self.aws.aws("secretsmanager", "cancel-rotate-secret", "--secret-id", secret, account=PROD[0], region=PROD[1])


@pytest.fixture(scope="module")
def team(tmp_path_factory, tools):
    """A team whose first commit was planned, let through, and applied: by the workflow that is started by hand."""
    team = Team(tmp_path_factory.mktemp("team"), tools)
    jobs = team.by_hand("rotator-apply.yaml")
    assert [job.result for job in jobs.values()] == ["success", "success"], jobs
    assert "add" in jobs["plan"].summary
    assert "Apply complete!" in jobs["apply"].log
    yield team
    team.close()


def passed(jobs):
    assert {job.result for job in jobs.values()} == {"success"}, jobs
    return jobs


def test_a_change_goes_from_a_pull_request_to_aws(team):
    """Without it, the pipelines could be prose: what was reviewed might not be what is done, or nothing at all."""
    team.branch("tighter")
    team.edit("rotator.yaml", "env: prod, days: 30", "env: prod, days: 14")
    number = team.open(team.commit("tighter", "rotate sooner in production"))
    # Others talk too, more than a page, and one of them writes our marker.
    for _ in range(120):
        team.github.comment(number, "bob", "looks good")
    team.github.comment(number, "mallory", "<!-- rotator: plan -->\nnothing to see")
    before = team.writes()
    jobs = passed(team.review(number))
    (comment,) = team.github.comments_of(number)
    assert "every 30 days" in comment and "every 14 days" in comment and "prod-eu" in comment, comment
    assert team.github.pulls[number]["head"]["sha"] in comment
    assert "every 14 days" in jobs["plan"].summary
    # What the line means after expansion stands beside the diff, without credentials.
    expanded = jobs["validate"].summary
    assert "every 30 days" in expanded and "every 14 days" in expanded and "prod-eu" in expanded, expanded
    assert "::error" not in jobs["validate"].log

    # A second commit: the same comment, another plan.
    team.edit("rotator.yaml", "env: prod, days: 14", "env: prod, days: 21")
    team.github.pulls[number]["head"]["sha"] = team.commit("tighter", "not as soon")
    passed(team.review(number))
    (comment,) = team.github.comments_of(number)
    assert "every 21 days" in comment and "every 14 days" not in comment, comment
    assert team.github.comments_of(number, "mallory") == ["<!-- rotator: plan -->\nnothing to see"]
    assert team.writes() == before, "a review has changed something on AWS"
    assert team.days(PROD, "prod/payments/webhook-key") == 30

    jobs = team.merge(number)
    assert (jobs["plan"].result, jobs["apply"].result) == ("skipped", "success"), jobs
    assert "::notice title=rotator apply::Applied." in jobs["apply"].log
    assert team.days(PROD, "prod/payments/webhook-key") == 21
    assert team.days(DEV, "dev/payments/webhook-key") == 90
    said = team.github.comments_of(number)
    assert len(said) == 2 and "**Applied.**" in said[1], said
    # Run again, the same plan is done already.
    again = team.runner.run("rotator-apply.yaml", "push", git(team.origin, "rev-parse", "main"))
    assert "nothing left to do" in again["apply"].log, again
    assert len(team.github.comments_of(number)) == 2


def test_a_plan_that_no_longer_holds_is_refused_and_planned_anew(team):
    """Without it, a plan that was approved for one state of AWS would be forced on another, or a merge never be applied."""
    team.branch("looser")
    team.edit("rotator.yaml", "env: prod, days: 21", "env: prod, days: 28")
    number = team.open(team.commit("looser", "rotate later in production"))
    passed(team.review(number))
    team.change_by_hand(7)
    before = team.writes()
    jobs = team.merge(number)
    assert jobs["apply"].result == "failure", jobs
    assert "has moved since the plan was made" in jobs["apply"].log
    assert "(exit code 3)" in jobs["apply"].log
    assert "::error title=rotator apply::Refused: the saved plan no longer holds" in jobs["apply"].log
    assert "**Refused" in team.github.comments_of(number)[1]
    assert team.writes() == before, "a refused plan has changed something"

    jobs = passed(team.by_hand("rotator-apply.yaml"))
    assert "every 7 days" in jobs["plan"].summary and "every 28 days" in jobs["plan"].summary
    assert team.days(PROD, "prod/payments/webhook-key") == 28


def test_a_plan_of_another_tree_is_refused(team):
    """Without it, two pull requests that were reviewed apart would be applied together, unreviewed."""
    numbers = []
    for name, old, new in [("first", "days: 60", "days: 50"), ("second", "timeout: 60", "timeout: 70")]:
        team.branch(name)
        team.edit("rotator.yaml", old, new)
        numbers.append(team.open(team.commit(name, new)))
        passed(team.review(numbers[-1]))
    assert team.merge(numbers[0])["apply"].result == "success"
    jobs = team.merge(numbers[1])
    assert jobs["apply"].result == "failure", jobs
    assert re.search("`(./)?rotator.yaml` has changed since the plan was made", jobs["apply"].log), jobs
    passed(team.by_hand("rotator-apply.yaml"))


def test_a_fork_gets_no_credentials_and_still_an_answer(team):
    """Without it, anyone could get a role of ours by a pull request, or outsiders would wait in vain for a hint."""
    team.branch("fork")
    team.edit("services/payments.yaml", "payments/webhook-key: {}", "payments/webhook-key: {rotation: {duration: 90h}}")
    number = team.open(team.commit("fork", "a longer window"))
    asked = team.github.roles_asked
    jobs = team.review(number, fork=True)
    assert (jobs["validate"].result, jobs["plan"].result) == ("failure", "skipped"), jobs
    assert re.search(r"^::error file=services/payments\.yaml,line=\d+,col=\d+", jobs["validate"].log, re.M), jobs
    assert team.github.roles_asked == asked
    assert team.github.comments_of(number) == []

    team.edit("services/payments.yaml", " {rotation: {duration: 90h}}", " {rotation: {duration: 5h}}")
    team.github.pulls[number]["head"]["sha"] = team.commit("fork", "a window that can be")
    jobs = team.review(number, fork=True)
    assert (jobs["validate"].result, jobs["plan"].result) == ("success", "skipped"), jobs
    # Its plan hasn't been reviewed, so nothing is applied until it has been.
    jobs = team.merge(number)
    assert jobs["apply"].result == "failure" and "::error title=No plan to apply::" in jobs["apply"].log, jobs
    passed(team.by_hand("rotator-apply.yaml"))


def test_a_commit_without_a_pull_request_is_not_applied(team):
    """Without it, a push to the default branch would get around the review."""
    team.branch("pushed")
    team.edit("README.md", "#", "##")
    commit = team.commit("main", "pushed, not reviewed")
    jobs = team.runner.run("rotator-apply.yaml", "push", commit)
    assert jobs["apply"].result == "failure", jobs
    assert f"::error title=No plan to apply::No merged pull request has made commit {commit}" in jobs["apply"].log


def test_a_change_that_breaks_the_policy_is_refused(team, tmp_path):
    """Without it, a rule would be a comment in a file, and one careless line could let production's secrets grow old."""
    team.branch("careless")
    team.edit("rotator.yaml", "env: prod, days: 28", "env: prod, days: 180")
    number = team.open(team.commit("careless", "rotate twice a year"))
    before = team.writes()
    jobs = team.review(number)
    assert (jobs["validate"].result, jobs["plan"].result) == ("failure", "failure"), jobs
    assert "::error file=" in jobs["validate"].log and "production-stays-fresh" in jobs["validate"].log
    assert "(exit code 5)" in jobs["plan"].log
    (comment,) = team.github.comments_of(number)
    assert "None of this will be applied" in comment and "every 180 days" in comment, comment
    # Merged all the same, it is planned anew, judged again, and not applied.
    team.merge(number)
    jobs = team.by_hand("rotator-apply.yaml")
    assert "success" not in {job.result for name, job in jobs.items() if name.startswith("apply")}, jobs
    assert team.writes() == before, "a refused change has changed something"
    assert team.days(PROD, "prod/payments/webhook-key") == 28
    # The scripts that apply and look for drift know a refusal, and don't say to try again.
    jobs = team.schedule()
    assert {name: job.result for name, job in jobs.items()}["drift/prod-eu"] == "failure", jobs
    (issue,) = team.github.open_issues()
    assert "a freeze refuses the plan below" in issue["body"] and "run the workflow" not in issue["body"], issue["body"]
    git(tmp_path, "clone", "--quiet", str(team.origin), "checkout")
    (tmp_path / "token").write_text("a token that names the job")
    machine = team.machine | {"AWS_ROLE_ARN": APPLY, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}
    code, said = shell("ci/plan.sh .pipeline", tmp_path / "checkout", machine)
    assert code == 5 and "None of this will be applied" in said, said
    code, said = shell("ci/apply.sh .pipeline", tmp_path / "checkout", machine)
    assert code == 5 and "Refused by a policy, a limit, a freeze or the brake, and nothing was changed." in said, said
    assert "Run the job again" not in said, said
    assert team.writes() == before, "a refused change has changed something"
    team.branch("mended")
    team.edit("rotator.yaml", "env: prod, days: 180", "env: prod, days: 28")
    mended = team.open(team.commit("mended", "as before"))
    passed(team.review(mended))
    team.merge(mended)
    passed(team.schedule())
    assert team.github.open_issues() == []


GUARD = "    max_age_days: 45\n    forbid: [stops-rotation, deletes]\n"


def test_weaker_guards_stand_on_top_of_the_comment(team):
    """Without it, a rule could go in a pull request whose plan says nothing of it, and be broken in the next."""
    team.branch("weaker")
    team.edit("rotator.yaml", GUARD, GUARD.replace("45", "400"))
    number = team.open(team.commit("weaker", "tidy up"))
    jobs = passed(team.review(number))
    (comment,) = team.github.comments_of(number)
    weaker = "**This weakens what guards the secrets**: `policy.production-stays-fresh`"
    assert weaker in comment and comment.index(weaker) < comment.index("### rotator plan"), comment
    assert weaker in jobs["validate"].summary and "::warning title=Guards are weakened::" in jobs["validate"].log

    # Also where the manifest breaks what is left of its rules; and from a fork, without credentials.
    team.edit("rotator.yaml", "env: prod, days: 28", "env: prod, days: 500")
    team.github.pulls[number]["head"]["sha"] = team.commit("weaker", "rarely")
    jobs = team.review(number)
    assert (jobs["validate"].result, jobs["plan"].result) == ("failure", "failure"), jobs
    (comment,) = team.github.comments_of(number)
    assert weaker in comment and comment.index(weaker) < comment.index("### rotator plan"), comment
    asked = team.github.roles_asked
    jobs = team.review(number, fork=True)
    assert (jobs["validate"].result, jobs["plan"].result, team.github.roles_asked) == ("failure", "skipped", asked)
    assert weaker in jobs["validate"].summary and "::warning title=Guards are weakened::" in jobs["validate"].log

    # What can't be read can't be compared, which is said.
    team.edit("rotator.yaml", "max_age_days: 400", "max_age_days: many")
    team.github.pulls[number]["head"]["sha"] = team.commit("weaker", "a typo")
    jobs = team.review(number)
    (comment,) = team.github.comments_of(number)
    assert "could not be compared" in comment and "There is no plan" in comment, comment


def test_a_long_change_and_a_long_plan_fit_one_comment(team):
    """Without it, GitHub would refuse the comment, and the last one would go on showing another plan."""
    team.branch("long")
    names = [f"payments/{'long-' * 20}{number:04}" for number in range(700)]
    services = "".join(
        f"  {name}: {{targets: [prod-eu], function: webhook_key, rotation: {{automatically_after_days: {10 + index % 30}}}}}\n"
        for index, name in enumerate(names)
    )
    (team.clone / "services/long.yaml").write_text(f"secrets:\n{services}")
    team.edit("rotator.yaml", GUARD, GUARD.replace("45", "400"))
    number = team.open(team.commit("long", "many secrets"))
    team.review(number)
    (comment,) = team.github.comments_of(number)
    assert len(comment.encode()) <= 65_536 and "This weakens what guards the secrets" in comment
    assert comment.count("<details>") == comment.count("</details>") and comment.count("```") % 2 == 0
    assert "not shown here" in comment or "The plan goes on" in comment or "left out here" in comment, comment[:3000]


def test_a_plan_that_fails_says_so_in_the_comment(team):
    """Without it, a red check would stand beside a comment that still shows the last good plan."""
    team.branch("broken")
    team.edit("services/payments.yaml", "payments/ledger-key:", "payments/no-such-key:")
    number = team.open(team.commit("broken", "a secret that isn't there"))
    jobs = team.review(number)
    assert (jobs["validate"].result, jobs["plan"].result) == ("success", "failure"), jobs
    (comment,) = team.github.comments_of(number)
    assert "1 error foreseen" in comment and "Secrets Manager has no such secret" in comment, comment

    team.aws.faults(DENIED)
    jobs = team.review(number)
    team.aws.faults()
    assert jobs["plan"].result == "failure", jobs
    (comment,) = team.github.comments_of(number)
    assert "There is no plan" in comment, comment


def test_drift_opens_one_issue_that_closes_itself(team):
    """Without it, what somebody changes by hand would stay until the next merge, or the tracker fill with copies."""
    passed(team.schedule())
    assert team.github.open_issues() == []
    kept = team.days(PROD, "prod/payments/webhook-key")
    team.change_by_hand(200)
    before = team.writes()
    passed(team.schedule())
    (issue,) = team.github.open_issues()
    assert issue["title"] == "Rotation in prod-eu isn't what the manifest says"
    assert "every 200 days" in issue["body"] and f"every {kept} days" in issue["body"], issue["body"]
    team.change_by_hand(201)
    before += 1
    passed(team.schedule())
    (issue,) = team.github.open_issues()
    assert "every 201 days" in issue["body"] and "every 200 days" not in issue["body"]
    assert team.writes() == before, "looking for drift has changed something"

    # Blind isn't clean: the issue stays, and the job says why.
    team.aws.faults(DENIED)
    jobs = team.schedule()
    team.aws.faults()
    assert {job.result for name, job in jobs.items() if name != "targets"} == {"failure"}, jobs
    assert len(team.github.open_issues()) == 1

    passed(team.by_hand("rotator-apply.yaml"))
    passed(team.schedule())
    assert team.github.open_issues() == []
    assert issue["state_reason"] == "completed"
    assert "AWS is again what" in team.github.comments_of(issue["number"])[0]


def test_a_failed_rotation_opens_one_issue_that_closes_itself(team):
    """Without it, the pipeline would be green over secrets that haven't rotated for weeks: they are no drift."""
    passed(team.look())
    assert team.github.open_issues() == []
    before = team.writes()
    team.cancel_by_hand("prod/payments/webhook-key")
    before += 1
    passed(team.look())
    (issue,) = team.github.open_issues()
    assert issue["title"] == "Secrets in prod-eu don't rotate as they should"
    assert "| **off** | `prod-eu/secret." in issue["body"] and "rotator apply" in issue["body"], issue["body"]

    # Blind isn't well: the issue stays, and the job says why.
    team.aws.faults(DENIED)
    jobs = team.look()
    team.aws.faults()
    assert {job.result for name, job in jobs.items() if name != "targets"} == {"failure"}, jobs
    assert len(team.github.open_issues()) == 1
    assert team.writes() == before, "looking has changed something"

    passed(team.by_hand("rotator-apply.yaml"))
    passed(team.look())
    assert team.github.open_issues() == []
    assert "All rotate as they should again" in team.github.comments_of(issue["number"])[0]


def shell(script, folder, environment):
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def test_gitlabs_pipeline_plans_applies_and_finds_drift(team, tmp_path):
    """Without it, GitLab's file could name scripts, variables or files that aren't there."""
    checkout = tmp_path / "checkout"
    git(tmp_path, "clone", "--quiet", str(team.origin), str(checkout))
    pipeline = yaml.safe_load((checkout / ".gitlab-ci.yml").read_text())
    settings = {"ROTATOR_READ_ROLE": READ, "ROTATOR_APPLY_ROLE": APPLY, "CI_JOB_ID": "7", "CI_BUILDS_DIR": str(tmp_path)}

    def job(name, **more):
        found = pipeline[name]
        base = pipeline.get(found.get("extends"), {})
        environment = team.machine | settings | more
        if "id_tokens" in base:
            (token,) = base["id_tokens"]
            environment[token] = "a token that names the project"
        for variables in (pipeline["variables"], found.get("variables", {})):
            filled = {key: re.sub(r"\$(\w+)", lambda found: environment[found.group(1)], text) for key, text in variables.items()}
            environment |= filled
        script = "\n".join([*base.get("before_script", []), *found["script"]])
        ended = shell(script, checkout, environment)
        assert shell("\n".join(base.get("after_script", [])), checkout, environment)[0] == 0
        assert not list(tmp_path.glob("aws-token*")), "the token outlives the job"
        return ended

    code, said = job("validate")
    assert code == 0 and "3 targets" in said, said
    team.change_by_hand(150)
    code, said = job("plan")
    assert code == 0 and "every 150 days" in said, said
    report = json.loads((checkout / ".pipeline/report.json").read_text())
    assert report == {"create": 0, "update": 1, "delete": 0}
    for file in pipeline["plan"]["artifacts"]["paths"]:
        assert (checkout / file).exists()
    code, said = job("drift")
    assert code == 2 and "drift of dev ended with 0" in said and "drift of prod-eu ended with 2" in said, said
    code, said = job("plan")
    assert code == 0, said
    code, said = job("apply")
    assert code == 0 and "Applied. AWS is as the plan said." in said, said
    assert job("drift")[0] == 0
    assert job("status")[0] == 0


def test_atlantis_plans_and_applies_each_target(team, tmp_path):
    """Without it, Atlantis's workflow could plan one thing and apply another."""
    checkout = tmp_path / "checkout"
    git(tmp_path, "clone", "--quiet", str(team.origin), str(checkout))
    atlantis = yaml.safe_load((checkout / "atlantis.yaml").read_text())
    token = tmp_path / "token"
    token.write_text("a token that names the server")
    role = {"AWS_ROLE_ARN": APPLY, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}
    team.change_by_hand(160)
    names = [project["name"] for project in atlantis["projects"]]
    # Atlantis can't ask the manifest for them.
    code, said = shell("rotator targets", checkout, team.machine)
    assert names == [line.split()[0] for line in said.splitlines()] == ["dev", "staging", "prod-eu"]
    assert len({project["workspace"] for project in atlantis["projects"]}) == len(names)
    for project in atlantis["projects"]:
        workflow = atlantis["workflows"][project["workflow"]]
        planfile = str(tmp_path / f"{project['name']}-{project['workspace']}.tfplan")
        environment = team.machine | role | {"PROJECT_NAME": project["name"], "PLANFILE": planfile, "BASE_BRANCH_NAME": "main"}
        for phase, word in [("plan", "Saved the plan to"), ("apply", "")]:
            for step in workflow[phase]["steps"]:
                code, said = shell(step["run"], checkout / project["dir"], environment)
                assert code == 0, said
            assert word in said, said
    assert team.days(PROD, "prod/payments/webhook-key") == 28


def test_a_reviewer_may_let_a_plan_go_beyond_the_limits(tmp_path):
    """Without it, the input could be ignored, or taken for yes where it wasn't said."""
    workflow = yaml.safe_load((EXAMPLE / ".github/workflows/rotator-apply.yaml").read_text())
    (step,) = [step for step in workflow["jobs"]["plan"]["steps"] if "ci/plan.sh" in step.get("run", "")]
    assert step["env"] == {"OVERRIDE_LIMITS": "${{ inputs.override_limits }}"}
    # Only the job behind the environment with reviewers applies such a plan; a merge can't ask for one.
    assert workflow["jobs"]["plan"]["if"] == "github.event_name == 'workflow_dispatch'"
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci/plan.sh").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "ci/plan.sh").chmod(0o755)
    for value, said in {"true": ".pipeline --override-limits", "false": ".pipeline", "": ".pipeline"}.items():
        environment = {"PATH": os.environ["PATH"], "OVERRIDE_LIMITS": value}
        assert shell(step["run"], tmp_path, environment) == (0, f"{said}\n")


def test_a_release_is_installed_by_its_checksum(tmp_path):
    """Without it, a replaced release, or a filled cache, would run with the pipeline's roles."""
    release = tmp_path / "rotator-0.1.0-x"
    release.mkdir()
    (release / "rotator").write_text("#!/bin/sh\necho rotator 0.1.0\n")
    (release / "rotator").chmod(0o755)
    archive = tmp_path / "rotator-0.1.0-x.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", tmp_path, release.name], check=True)
    good = hashlib.sha256(archive.read_bytes()).hexdigest()
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(archive.read_bytes())

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # As on GitHub's machines: without the tool.
    bin = tmp_path / "bin"
    bin.mkdir()
    for program in ("bash", "env", "mkdir", "rm", "tar", "gzip", "curl", "sha256sum"):
        (bin / program).symlink_to(shutil.which(program))
    url = f"http://127.0.0.1:{server.server_port}/{archive.name}"
    machine = {"PATH": str(bin), "RUNNER_TEMP": str(tmp_path / "temp"), "RUNNER_TOOL_CACHE": str(tmp_path / "tools")}
    machine |= {"GITHUB_PATH": str(tmp_path / "path"), "ROTATOR_RELEASE": url}
    script = shlex.quote(str(EXAMPLE / "ci/install.sh"))
    try:
        for checksum in ("", "main", good.upper()):
            code, said = shell(script, tmp_path, machine | {"ROTATOR_SHA256": checksum})
            assert code == 1 and "to its SHA-256" in said and not asked, said
        code, said = shell(script, tmp_path, machine | {"ROTATOR_SHA256": "0" * 64})
        assert code == 1 and "nothing of it was unpacked" in said and not (tmp_path / "temp").exists(), said
        for _ in range(2):
            code, said = shell(script, tmp_path, machine | {"ROTATOR_SHA256": good})
            assert code == 0 and "rotator 0.1.0" in said, said
        assert len(asked) == 2, "the second time it comes from the cache"
        assert (tmp_path / "path").read_text().splitlines()[0] == str(tmp_path / "temp/rotator")
        # A cache that others filled is no release.
        (tmp_path / f"tools/rotator/{good}.tar.gz").write_bytes(b"something else")
        code, said = shell(script, tmp_path, machine | {"ROTATOR_SHA256": good})
        assert code == 0 and len(asked) == 3, said
    finally:
        server.shutdown()
        server.server_close()
    # The action of this project and the example are one script.
    action = REPOSITORY / ".github/actions/setup/install.sh"
    assert action.read_text() == (EXAMPLE / "ci/install.sh").read_text() and os.access(action, os.X_OK)


def wheel(folder):
    """A wheel with the program under test, as those of releases are laid out. With its SHA-256."""
    name = "aws_rotator-0.1.0"
    files = {
        f"{name}.data/scripts/rotator": Path(rotator_binary()).read_bytes(),
        f"{name}.dist-info/METADATA": b"Metadata-Version: 2.1\nName: aws-rotator\nVersion: 0.1.0\n",
        f"{name}.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
    }
    record = f"{name}.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record]).encode()
    made = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (stat.S_IFREG | 0o755) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return made, hashlib.sha256(made.read_bytes()).hexdigest()


def test_hooks_stop_a_commit_that_cannot_be_valid(tmp_path, tools):
    """Without it, the hook could pass whatever it is given, install another file than was chosen, or none for a platform."""
    clone = tmp_path / "clone"
    shutil.copytree(EXAMPLE, clone)
    config = clone / ".pre-commit-config.yaml"
    text = config.read_text()
    tags = re.findall(r"https://RELEASE/aws_rotator-[0-9.]+-py3-none-(\S+)\.whl#sha256=SUM ; ", text)
    packed = (REPOSITORY / ".ci/release/pack").read_text()
    assert sorted(tags) == sorted(
        [f"manylinux_2_28_{machine}" for machine in ("aarch64", "x86_64")]
        + re.findall(r"tag=((?:macosx|win)\w+)", packed)
    ), tags
    made, sum = wheel(tmp_path)
    filled = re.sub(r"https://RELEASE/\S+#sha256=SUM", f"{made.as_uri()}#sha256={sum}", text)
    config.write_text(filled)
    git(clone, "init", "--quiet")
    git(clone, "add", "--all")
    environment = scrubbed(PRE_COMMIT_HOME=str(tmp_path / "pre-commit"))
    run = f"{tools}/bin/pre-commit run --all-files --verbose"
    code, said = shell(run, clone, environment)
    assert code == 0 and "valid for 3 targets" in said, said
    manifest = (clone / "rotator.yaml").read_text()
    (clone / "rotator.yaml").write_text(manifest.replace("duration: 4h", "duration: 90h"))
    code, said = shell(run, clone, environment)
    assert code == 1 and "duration" in said, said
    (clone / "rotator.yaml").write_text(manifest)
    # Another file than the one that was chosen isn't installed.
    config.write_text(filled.replace(sum, hashlib.sha256(b"another").hexdigest()))
    code, said = shell(run, clone, environment)
    assert code != 0 and "DO NOT MATCH THE HASHES" in said, said
    # The other way that its comment names: the program that is on the PATH.
    config.write_text(re.sub(r"( +)language: python\n +additional_dependencies:\n( +- .*\n)+", r"\1language: system\n", text))
    assert "additional_dependencies:\n" not in config.read_text()
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "rotator").symlink_to(rotator_binary())
    code, said = shell(run, clone, environment | {"PATH": f"{bin}:{environment['PATH']}"})
    assert code == 0 and "valid for 3 targets" in said, said
    hooks = f"{tools}/bin/pre-commit validate-manifest {REPOSITORY}/.pre-commit-hooks.yaml"
    code, said = shell(hooks, clone, environment)
    assert code == 0, said


def test_every_script_runs_here():
    """Without it, a script could lie in the example that no pipeline calls and no test has seen."""
    scripts = {path.name for path in (EXAMPLE / "ci").iterdir()}
    callers = [*EXAMPLE.glob(".github/workflows/*"), EXAMPLE / ".gitlab-ci.yml", *EXAMPLE.glob("ci/*.sh")]
    # A script's own usage stands in a comment, and calls nothing.
    lines = [line for path in callers for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    called = set(re.findall(r"/([\w-]+\.sh)\b", "\n".join(lines)))
    assert scripts == called
    assert all(os.access(EXAMPLE / "ci" / name, os.X_OK) for name in scripts)
