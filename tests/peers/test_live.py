"""The live check (tests/live), against a sandbox: the whole of it, its removal of what it made, and that it keeps no value."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request

import botocore.exceptions
import pytest
from conftest import ACCOUNT, OTHER_ACCOUNT, REGION, REPOSITORY, rotator_binary, scrubbed, zipped

LIVE = REPOSITORY / "tests/live"
sys.path.insert(0, str(LIVE))

import facts  # noqa: E402
import recorder as recorders  # noqa: E402
import shapes  # noqa: E402

#: In each value, key, name or word that must never come out.
PLANTED = "PLANTED"
BASELINE = LIVE / "sandbox.json"
WRITES = ("Create", "Delete", "Update", "Put", "Rotate", "Add", "Remove", "Execute", "Tag")


class Check:
    """A run of the check, in a process of its own."""

    def __init__(self, sandbox, folder, prefix, *options, account=ACCOUNT, consent="yes"):
        self.lines, self.record = [], folder / f"{prefix}.json"
        asked = {"account": account, "prefix": prefix, "region": REGION, "rotator": rotator_binary(), "record": self.record}
        asked["against"] = sandbox.url
        words = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
        # In a session of its own, so that a signal to it is one to it alone.
        self.process = subprocess.Popen(
            [sys.executable, "-B", LIVE / "check.py", *words, *options],
            env=scrubbed(ROTATOR_LIVE_CHECK=consent),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.watchdog = threading.Timer(240, self.process.kill)
        self.watchdog.start()

    def until(self, text):
        """Reads on until a line holds a text."""
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        raise AssertionError(f"it ended before it said {text!r}: {''.join(self.lines)}")

    def ends(self, code):
        """Waits for the end; what was printed in all."""
        self.lines += self.process.stdout
        actual = self.process.wait()
        self.watchdog.cancel()
        assert actual == code, f"it ended with {actual}: {''.join(self.lines)}"
        return "".join(self.lines)


def left(sandbox, prefix):
    """What an account has of a prefix's names."""
    found = [one["Name"] for one in sandbox.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]]
    found += [one["StackName"] for one in sandbox.client("cloudformation").describe_stacks()["Stacks"]]
    found += [one["FunctionName"] for one in sandbox.client("lambda").list_functions()["Functions"]]
    found += [one["logGroupName"] for one in sandbox.client("logs").describe_log_groups()["logGroups"]]
    return [name for name in found if prefix in name]


def plant(sandbox):
    """Puts others' things into the account, in whose answers something private stands wherever somebody can write it."""
    tags = [{"Key": f"{PLANTED}key", "Value": f"{PLANTED}value"}]
    secret = {"Name": f"{PLANTED}/secret", "SecretString": f"{PLANTED}string", "Description": f"{PLANTED} words", "Tags": tags}
    sandbox.client("secretsmanager").create_secret(**secret)
    functions = sandbox.client("lambda")
    functions.create_function(
        FunctionName=f"{PLANTED}-function",
        Runtime="python3.12",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{PLANTED}",
        Handler="x.y",
        Code={"ZipFile": zipped({"x.py": "def y(event, context):\n    pass\n"})},
        Environment={"Variables": {f"{PLANTED}_NAME": f"{PLANTED}variable"}},
        Description=f"{PLANTED} words",
    )
    sandbox.client("serverlessrepo").create_cloud_formation_change_set(
        ApplicationId="arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate",
        StackName=f"{PLANTED}-stack",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"],
        ParameterOverrides=[
            {"Name": "functionName", "Value": f"{PLANTED}-other"},
            {"Name": "endpoint", "Value": f"https://{PLANTED}.example"},
        ],
        Tags=tags,
    )


def test_the_whole_course_keeps_no_value_and_leaves_nothing(start, tmp_path):
    """Without it, the one check that somebody runs in a real account would be tried there for the first time; or show what is private."""
    sandbox = start("--time-scale", "0")
    plant(sandbox)
    said = Check(sandbox, tmp_path, "live-all").ends(0)
    assert "It may cost" in said and said.index("It may cost") < said.index("== deploy")
    assert "nothing is left" in said
    assert left(sandbox, "live-all") == []
    assert len(left(sandbox, PLANTED)) == 3, "what others have isn't touched"
    text = (tmp_path / "live-all.json").read_text()
    assert PLANTED not in text + said
    assert ACCOUNT not in text and "live-all" not in text, "a name of the account's was kept"
    for fact in facts.FACTS:
        assert f" {fact}: " in said, f"it says nothing of {fact}"
    opened = [line.split()[1].rstrip(":") for line in said.splitlines() if line.startswith("open ")]
    # What the sandbox doesn't serve, and what no run tries.
    assert sorted(opened) == sorted(["permission-full-policy", *facts.NOT_TRIED])
    recorded = json.loads(text)
    called = {one.partition(":")[2] for one in recorded}
    assert {"RotateSecret", "ExecuteChangeSet", "UpdateFunctionCode", "AddPermission", "DescribeSecret", "DeleteStack"} <= called
    assert "GetSecretValue" not in called, "no value is read"
    if os.environ.get("ROTATOR_LIVE_BASELINE") == "write":
        BASELINE.write_text(text)
    differences = shapes.differences(recorded, json.loads(BASELINE.read_text()))
    told = "ROTATOR_LIVE_BASELINE=write cargo test --test end_to_end peers::live"
    # Whether a look falls into an edit, which gives reasons for its state, is a matter of the machine's speed.
    differences = [one for one in differences if not one[2].endswith(("StatusReason", "StateReason", "ReasonCode"))]
    # So is whether a function's log is asked for before the function has written its first line.
    early = ("logs:FilterLogEvents", "400 ResourceNotFoundException")
    differences = [one for one in differences if one[:2] != early]
    assert differences == [], f"not as in tests/live/sandbox.json; where that is meant: {told}\n{differences}"


def test_nothing_is_done_without_being_told(sandbox, tmp_path):
    """Without it, a slip of the fingers would work in an account that wasn't meant."""
    sandbox.control("DELETE", "calls")
    refusals = [
        Check(sandbox, tmp_path, "live-no", consent="").ends(2),
        Check(sandbox, tmp_path, "Live").ends(2),
        Check(sandbox, tmp_path, "live-no", "--against", "https://secretsmanager.us-east-1.amazonaws.com").ends(2),
        Check(sandbox, tmp_path, "live-no", "--rotator", "/nowhere").ends(2),
        Check(sandbox, tmp_path, "live-no", account="x").ends(2),
    ]
    for said, words in zip(refusals, ["ROTATOR_LIVE_CHECK=yes", "--prefix", "--against", "--rotator", "--account"], strict=True):
        assert said.startswith("error: ") and words in said
    assert sandbox.control("GET", "calls")["calls"] == []


def test_another_account_and_a_prefix_that_is_taken_are_refused(start, tmp_path):
    """Without it, the wrong profile would make and delete things in somebody's account, or a run take another's things for its own."""
    sandbox = start("--time-scale", "0")
    # As if the credentials were of another account than the one that was named.
    answer = f"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>a</Arn><UserId>u</UserId><Account>{OTHER_ACCOUNT}</Account>"
    answer += "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    sandbox.faults({"operation": "GetCallerIdentity", "answer": {"status": 200, "content_type": "text/xml", "body": answer}})
    said = Check(sandbox, tmp_path, "live-other").ends(2)
    assert f"credentials of account {OTHER_ACCOUNT}, not of {ACCOUNT}" in said
    sandbox.faults()
    sandbox.client("secretsmanager").create_secret(Name="live-mine/key", SecretString="x")
    sandbox.control("DELETE", "calls")
    said = Check(sandbox, tmp_path, "live-mine").ends(2)
    assert "secret live-mine/key" in said and "--clean" in said
    calls = {one["operation"] for one in sandbox.control("GET", "calls")["calls"]}
    assert not [operation for operation in calls if operation.startswith(WRITES)]
    assert left(sandbox, "live-mine") == ["live-mine/key"]


def test_an_address_where_nothing_answers_is_said(start, tmp_path):
    """Without it, a wrong address would end in a page of the script's own code."""
    sandbox = start("--time-scale", "0")
    sandbox.faults({"operation": "GetCallerIdentity", "answer": {"status": 502, "body": "bad gateway"}})
    said = Check(sandbox, tmp_path, "live-nothing").ends(2)
    assert "isn't AWS, or nothing does" in said and "Traceback" not in said


def test_a_failure_is_cleaned_up_and_what_is_left_is_named(start, tmp_path):
    """Without it, a run that failed would leave things that cost money, without saying which."""
    sandbox = start("--time-scale", "0")
    boom = {"status": 400, "code": "ValidationError", "message": f"{PLANTED} boom"}
    kept = {"status": 400, "code": "AccessDeniedException", "message": f"{PLANTED} no"}
    # An API that isn't there makes only the script's own deletion fail.
    sandbox.faults(
        {"service": "cloudformation", "operation": "ExecuteChangeSet", "error": boom},
        {"service": "secretsmanager", "operation": "DeleteSecret", "error": kept},
    )
    said = Check(sandbox, tmp_path, "live-fail").ends(3)
    assert "ended with 1 instead of 0" in said
    assert "could not remove the secret live-fail/key: AccessDeniedException" in said
    assert left(sandbox, "live-fail") == ["live-fail/key"]
    assert PLANTED not in (tmp_path / "live-fail.json").read_text()
    sandbox.faults()
    assert "nothing is left" in Check(sandbox, tmp_path, "live-fail", "--clean").ends(0)
    assert left(sandbox, "live-fail") == []


@pytest.mark.parametrize(("step", "how"), [("deploy", signal.SIGINT), ("drift", signal.SIGTERM), ("update", signal.SIGHUP)])
def test_an_interrupt_leaves_nothing(start, tmp_path, step, how):
    """Without it, a Ctrl-C, or a terminal that is closed, would leave things that cost money."""
    sandbox = start("--time-scale", "1")
    check = Check(sandbox, tmp_path, "live-stop")
    check.until(f"== {step}")
    # In the middle of the step, not before it.
    check.until("rotator plan") if step != "drift" else None
    check.process.send_signal(how)
    said = check.ends(130)
    assert "interrupted" in said and "nothing is left" in said
    assert left(sandbox, "live-stop") == []


class TestRecorder:
    """The way through which all answers come."""

    @pytest.fixture
    def recorder(self, sandbox):
        credentials = botocore.credentials.Credentials(ACCOUNT, "sandbox")
        recorder = recorders.Recorder(REGION, lambda: credentials, dict.fromkeys(recorders.SERVICES, sandbox.url))
        yield recorder
        recorder.stop()

    def test_strangers_are_not_signed_for(self, sandbox, recorder):
        """Without it, any program of the machine could use the account while the check runs."""
        own = recorder.keys["script"]
        scopes = [
            f"{ACCOUNT}/20260101/{REGION}/sts",
            f"{own}/20260101/eu-west-3/sts",
            f"{own}/20260101/{REGION}/iam",
            "",
        ]
        sandbox.control("DELETE", "calls")
        for scope in scopes:
            request = urllib.request.Request(recorder.url, data=b"Action=GetCallerIdentity&Version=2011-06-15")
            request.add_header("authorization", f"AWS4-HMAC-SHA256 Credential={scope}/aws4_request, SignedHeaders=host, Signature=0")
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            assert refused.value.code == 403
        assert sandbox.control("GET", "calls")["calls"] == [] and recorder.seen == []

    def test_each_operation_is_known_by_its_request(self, recorder):
        """Without it, answers would be recorded under another operation's name, and compared with its."""
        for service, model in recorder.models.models.items():
            if model.protocol != "rest-json":
                continue
            for name in model.operation_names:
                http_of = model.operation_model(name).http
                path = http_of["requestUri"]
                for part in path.split("{")[1:]:
                    path = path.replace("{" + part.split("}")[0] + "}", "some-name")
                known = recorder.models.operation(service, http_of["method"], path, {}, b"")
                assert known == name


def spoilt(shape, depth=0):
    """An answer of a model's shape in which each text, and each name that somebody chose, is a planted one."""
    kind = shape.type_name
    if kind == "structure":
        if depth > 6:
            return {}
        return {name: spoilt(inner, depth + 1) for name, inner in shape.members.items()} | {f"{PLANTED}!": PLANTED, "Newer": PLANTED}
    if kind == "list":
        return [spoilt(shape.member, depth + 1)]
    if kind == "map":
        return {f"{PLANTED}key": spoilt(shape.value, depth + 1)}
    return {"integer": 1, "long": 1, "double": 1.5, "float": 1.5, "boolean": True}.get(kind, f"{PLANTED} text")


def everything(models):
    """A recording of a spoilt answer, and a spoilt refusal, of each operation of each service."""
    recording = shapes.Recording()
    for service, model in models.models.items():
        for name in model.operation_names:
            output = model.operation_model(name).output_shape
            if output is not None:
                recording.success(f"{service}:{name}", spoilt(output), output)
            recording.refusal(f"{service}:{name}", 400, f"{PLANTED} code", f"{PLANTED} does not exist {PLANTED}")
    policies = [
        {"Statement": [{"Sid": PLANTED, "Condition": {"StringEquals": {PLANTED: PLANTED}}, "Principal": {PLANTED: [PLANTED]}}]},
        {PLANTED: PLANTED},
    ]
    get_policy = models.models["lambda"].operation_model("GetPolicy").output_shape
    for policy in policies:
        recording.success("lambda:GetPolicy", {"Policy": json.dumps(policy)}, get_policy)
    recording.success("lambda:GetPolicy", {"Policy": f"{{{PLANTED}"}, get_policy)
    # As they come from the wire: each protocol once.
    for service, name, body in (
        ("secretsmanager", "GetSecretValue", json.dumps({"SecretString": PLANTED, "Name": PLANTED})),
        ("logs", "FilterLogEvents", json.dumps({"events": [{"message": PLANTED}]})),
        ("lambda", "GetFunction", json.dumps({"Configuration": {"State": PLANTED, "Environment": {"Variables": {PLANTED: PLANTED}}}})),
        ("cloudformation", "DescribeStacks", stacks()),
    ):
        recording.success(f"{service}:{name}", *models.read(service, name, 200, {}, body.encode()))
    return recording


def stacks():
    inner = f"<StackName>{PLANTED}</StackName><StackStatus>{PLANTED}</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime>"
    inner += f"<Outputs><member><OutputKey>{PLANTED}</OutputKey><OutputValue>{PLANTED}</OutputValue></member></Outputs>"
    answer = f"<DescribeStacksResult><Stacks><member>{inner}</member></Stacks></DescribeStacksResult>"
    return f"<DescribeStacksResponse>{answer}</DescribeStacksResponse>"


def test_no_text_of_an_answer_is_kept(monkeypatch):
    """Without it, somebody's secrets would be in a file that is meant to be shown to others."""
    models = recorders.Models()
    kept = json.dumps(everything(models).written())
    assert PLANTED not in kept
    assert '"Configuration.State"' in kept and '"Stacks[].CreationTime": ["text", "time"]' in kept, "the shapes are kept"
    assert '"Policy<json>.Statement[].Condition.StringEquals.<key>": ["text"]' in kept
    assert "does not exist" in kept and '"Newer"' in kept and "400 <code>" in kept

    # The same search finds them where nothing is masked: it is the masking that keeps them out.
    monkeypatch.setattr(shapes, "form", lambda text: text)
    assert PLANTED in json.dumps(everything(models).written())


def test_what_the_public_models_list_is_kept():
    """Without it, a recording couldn't tell a status that AWS has from one that the sandbox has."""
    output = recorders.Models().models["lambda"].operation_model("GetFunction").output_shape
    shape = shapes.Shape()
    shape.answer({"Configuration": {"State": "Active", "CodeSize": 7, "FunctionArn": "arn:aws:lambda:x"}, "Tags": {}}, output)
    assert shape.written() == {
        "Configuration.CodeSize": ["number"],
        "Configuration.FunctionArn": ["arn"],
        "Configuration.State": ["=Active"],
        "Tags{}": ["none"],
    }


def test_recordings_are_compared_by_what_is_there():
    """Without it, AWS could have another answer than the sandbox, and the check would say that they are alike."""
    one = {"a:B": {"answered": {"X": ["arn"], "S": ["=Active"]}}, "a:Only": {"answered": {}}}
    other = {"a:B": {"answered": {"X": ["text"], "S": ["=Pending"], "Y": ["uuid"]}, "400 Code": {"message": ["no words"]}}}
    assert shapes.differences(one, one) == []
    assert shapes.differences(one, other) == [
        ("a:B", "400 Code", "", "never here"),
        ("a:B", "answered", "X", "arn here, text there"),
        ("a:B", "answered", "Y", "absent here, uuid there"),
        ("a:Only", "", "", "never called there"),
    ]


def test_the_readme_lists_the_same_facts():
    """Without it, what the check settles and what the program stands on would be two lists."""
    section = (REPOSITORY / "tests/README.md").read_text().split("## What the live check can settle")[1].split("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    assert [row[1].strip().strip("`") for row in rows] == list(facts.FACTS)
    assert {row[3].strip() for row in rows} <= {"unsure", "field", "docs", "model", "recorded"}


def test_its_clients_are_those_of_these_suites():
    """Without it, the check would speak to AWS with another client than the one that was tried here."""
    pins = lambda path: {line for line in path.read_text().splitlines() if line.startswith("boto")}  # noqa: E731
    assert pins(LIVE / "requirements.txt") == pins(REPOSITORY / "tests/peers/requirements.txt")
