"""An account of 1,000 secrets in two regions, in which twelve things are wrong: made by boto3 and the service's clock alone, told
by `status`, and looked at in a real browser where the machine has one."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ACCOUNT, REPOSITORY, scrubbed, until, zipped

US, EU = "us-east-1", "eu-west-1"
EACH = 494

#: Raises once it has made a pending version.
BROKEN = '''import boto3
def lambda_handler(event, context):
    client = boto3.client("secretsmanager")
    if event["Step"] == "createSecret":
        client.put_secret_value(SecretId=event["SecretId"], ClientRequestToken=event["ClientRequestToken"], SecretString="next", VersionStages=["AWSPENDING"])
    if event["Step"] == "setSecret":
        raise RuntimeError("the vendor said no")
'''

#: What is wrong, by secret: where, how `status` calls it, and words of its reason or of what to do.
TROUBLES = {
    "trouble/failing": (US, "failing", "setSecret failed at lambda_function.py:7"),
    "trouble/stuck": (US, "stuck", "a version is pending since"),
    "trouble/overdue": (US, "overdue", "it was to rotate by"),
    "trouble/missing": (US, "missing", "AWS has no such secret"),
    "trouble/empty": (US, "no-value", "has no current value"),
    "trouble/deleted": (US, "scheduled-for-deletion", "AWS deletes it from"),
    "trouble/off": (EU, "off", "the manifest wants rotation on"),
    "trouble/never": (EU, "never", "the manifest wants rotation on"),
}
#: What is wrong, by function: where, and words of it.
FAULTS = {
    "gone": (US, "there is no such function"),
    "closed": (EU, "let Secrets Manager invoke it"),
    "halted": (EU, "reserved concurrency is 0"),
    "ended": (EU, "ruby3.2"),
}


class Region:
    def __init__(self, sandbox, region):
        self.region = region
        self.secrets, self.functions = sandbox.client("secretsmanager", region=region), sandbox.client("lambda", region=region)

    def function(self, name, runtime, files):
        made = self.functions.create_function(
            FunctionName=name, Runtime=runtime, Handler="lambda_function.lambda_handler", Timeout=30,
            Role=f"arn:aws:iam::{ACCOUNT}:role/rotation", Code={"ZipFile": zipped(files)},
        )  # fmt: skip
        self.functions.get_waiter("function_active_v2").wait(FunctionName=name)
        self.functions.add_permission(
            FunctionName=name, StatementId="rotation", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com"
        )
        return made["FunctionArn"]

    def rotates(self, name, function, now=False):
        self.secrets.create_secret(Name=name, SecretString="first")
        self.secrets.rotate_secret(
            SecretId=name, RotationLambdaARN=function, RotationRules={"ScheduleExpression": "rate(30 days)"}, RotateImmediately=now
        )

    def pending(self, name):
        versions = self.secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
        return next((version for version, labels in versions.items() if "AWSPENDING" in labels), None)

    def described(self, prefix):
        found = self.secrets.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [prefix]}])
        return [secret for page in found for secret in page["SecretList"]]


def manifest():
    """Every secret of both regions, and the functions, which others made."""
    names = {US: ["fleet", "broken", "gone"], EU: ["fleet", "closed", "halted", "ended"]}
    uses = {"trouble/failing": "broken", "trouble/stuck": "fleet", "trouble/overdue": "gone"}
    documents = {}
    for region, functions in names.items():
        here = [name for name, (place, *_) in TROUBLES.items() if place == region]
        lines = ["version: 1", f"project: many-{region}", f"targets: {{{region}: {{region: {region}, account: '{ACCOUNT}'}}}}"]
        lines += ["defaults: {secrets: {rotation: {automatically_after_days: 30}}}", "functions:"]
        lines += [f"  {name}: {{existing: {name}}}" for name in functions]
        lines += ["secrets:", *(f"  fleet/{at:03}: {{function: fleet}}" for at in range(EACH))]
        lines += [f"  {name}: {{function: {uses.get(name, 'fleet')}}}" for name in here]
        lines += [f"  of/{name}: {{function: {name}}}" for name in functions if name in FAULTS and name != "gone"]
        documents[region] = "\n".join(lines) + "\n"
    return documents


@pytest.fixture(scope="module")
def account(sandbox):
    """The account, and the folder with its manifests."""
    us, eu = Region(sandbox, US), Region(sandbox, EU)
    for region in (us, eu):
        # None of its code runs, and a thousand processes less with it.
        region.fleet = region.function("fleet", "java21", {"A.class": "x"})
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda at, region=region: region.rotates(f"fleet/{at:03}", region.fleet), range(EACH)))
    us.rotates("trouble/stuck", us.fleet)
    us.rotates("trouble/overdue", us.function("gone", "java21", {"A.class": "x"}))
    us.functions.delete_function(FunctionName="gone")
    for name, runtime in (("closed", "java21"), ("halted", "java21"), ("ended", "ruby3.2")):
        eu.rotates(f"of/{name}", eu.function(name, runtime, {"A.class": "x"}))
    began = {region: {secret["Name"] for secret in region.described("fleet/")} for region in (us, eu)}
    assert all(len(names) == EACH for names in began.values())
    # Past the days on which AWS ends the old runtime, and past several windows of each secret.
    sandbox.advance(days=120)
    for region in (us, eu):
        until("the fleet's rotations", lambda region=region: all("LastRotatedDate" in s for s in region.described("fleet/")), 240)
    # What its tries have left behind goes, and the events of them are too old by the time that anybody asks.
    left = until("a try without the function", lambda: us.pending("trouble/overdue"))
    us.secrets.update_secret_version_stage(SecretId="trouble/overdue", VersionStage="AWSPENDING", RemoveFromVersionId=left)
    eu.functions.remove_permission(FunctionName="closed", StatementId="rotation")
    eu.functions.put_function_concurrency(FunctionName="halted", ReservedConcurrentExecutions=0)
    until("its rotation", lambda: all("LastRotatedDate" in secret for secret in us.described("trouble/stuck")))
    us.secrets.put_secret_value(SecretId="trouble/stuck", SecretString="by hand", VersionStages=["AWSPENDING"])
    us.secrets.create_secret(Name="trouble/empty")
    us.secrets.create_secret(Name="trouble/deleted", SecretString="first")
    us.secrets.delete_secret(SecretId="trouble/deleted")
    eu.rotates("trouble/off", eu.fleet)
    eu.secrets.cancel_rotate_secret(SecretId="trouble/off")
    eu.secrets.create_secret(Name="trouble/never", SecretString="first")
    sandbox.advance(days=9)
    us.rotates("trouble/failing", us.function("broken", "python3.12", {"lambda_function.py": BROKEN}), now=True)
    failed = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "RotationFailed"}]}
    trail = sandbox.client("cloudtrail", region=US)
    until("the failed try", lambda: any("trouble/failing" in e["CloudTrailEvent"] for e in trail.lookup_events(**failed)["Events"]))
    folder = sandbox.folder / "many"
    for region, text in manifest().items():
        (folder / region).mkdir(parents=True)
        (folder / region / "rotator.yaml").write_text(text)
    return folder


def report(sandbox, folder, *options):
    """What `status` says in JSON: its secrets that are in trouble, and how many there are."""
    printed = sandbox.rotator("status", "--format", "json", *options, US, EU, folder=folder, exits=4)
    targets = json.JSONDecoder().raw_decode(printed)[0]["targets"]
    all_of_them = [secret for target in targets for secret in target["secrets"]]
    return {secret["name"]: secret for secret in all_of_them if secret["trouble"]}, len(all_of_them)


def test_each_trouble_is_named_with_its_reason(sandbox, account):
    """Without it, one of twelve troubles among a thousand secrets could go unsaid, or what is well be called a trouble."""
    said = sandbox.rotator("status", "--reasons", US, EU, folder=account, exits=4)
    secrets, number = report(sandbox, account, "--reasons")
    assert number == 2 * EACH + len(TROUBLES) + len(FAULTS) - 1
    assert set(secrets) - {f"of/{name}" for name in FAULTS} == set(TROUBLES)
    for name, (_, state, words) in TROUBLES.items():
        assert secrets[name]["state"] == state, (name, secrets[name])
        lines = said[said.index(f"secret.{name}") :].splitlines()[:2]
        assert any(words in line for line in lines), (name, words, lines)
        assert "hint: " in lines[1], (name, lines)
    for name, (_, words) in FAULTS.items():
        lines = said[said.index(f":function:{name} (") :].splitlines()[:2]
        assert words in lines[0] and "hint: " in lines[1], (name, words, lines)
    sandbox.rotator("status", "--target", "secret.fleet/000", US, EU, folder=account)


def many(page, times):
    """The page of a fleet that is so many times as large."""
    head, rest = page.split('<script type="application/json" id="data">')
    data, foot = rest.split("</script>", 1)
    data = json.loads(data)
    data["secrets"] = [row | {"n": f"{row['n']}/{at}"} for at in range(times) for row in data["secrets"]]
    text = json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'{head}<script type="application/json" id="data">{text}</script>{foot}', len(data["secrets"])


def test_the_page_works_in_a_browser(sandbox, account, tmp_path):
    """Without it, the page could be empty, unreadable in the dark or on a phone, or too slow for a large fleet, and no test see it."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    page, large = tmp_path / "page.html", tmp_path / "large.html"
    printed = sandbox.rotator("status", "--reasons", "--format", "html", US, EU, folder=account, exits=4)
    page.write_text(printed[: printed.index("</html>") + 8])
    text, number = many(page.read_text(), 11)
    assert number > 10_000
    large.write_text(text)
    folder, here = Path(sys.prefix).with_name("browser"), REPOSITORY / "tests/peers"
    subprocess.run(["bash", here / "prepare", folder, here / "browser/requirements.txt"], check=True, env=scrubbed())
    pictures = Path(os.environ.get("ROTATOR_PICTURES", tmp_path))
    command = [folder / "bin/python", here / "browser/look.py", browser, page, large, pictures]
    done = subprocess.run(command, env=scrubbed(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
