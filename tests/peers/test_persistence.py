"""The state file and what a sandbox leaves behind, when it is ended politely, killed, or can't write."""

import json
import os
import random
import re
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import botocore.exceptions as errors
import pytest

from conftest import ACCOUNT, REGION, Sandbox, rotator_binary, scrubbed, until, zipped

ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"

# Lambda's runtime interface in a few lines: no language runtime need be prepared.
BOOTSTRAP = """#!/usr/bin/env python3
import json, os, subprocess, time, urllib.request
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{api}/next") as job:
        request, event = job.headers["Lambda-Runtime-Aws-Request-Id"], json.load(job)
    child = subprocess.Popen(["sleep", "600"]) if event.get("sleep") else None
    daemons = []
    if event.get("sleep"):
        # Away from its parent, its group and its session; then without its environment too.
        daemon = ["setsid", "sh", "-c", "cd /; sleep 600 <&- >/dev/null 2>&1 & echo $!"]
        daemons = [int(subprocess.check_output(command)) for command in (daemon, ["env", "-i", *daemon])]
    answer = {"pid": os.getpid(), "child": child and child.pid, "daemons": daemons, "folders": [os.environ["TMPDIR"], os.environ["LAMBDA_TASK_ROOT"]]}
    if event.get("tell"):
        with open(event["tell"] + ".part", "w") as file:
            json.dump(answer, file)
        os.rename(event["tell"] + ".part", event["tell"])
    if event.get("sleep"):
        time.sleep(600)
    urllib.request.urlopen(urllib.request.Request(f"{api}/{request}/response", data=json.dumps(answer).encode())).close()
"""


def document(state):
    """The state file; it is there, and whole."""
    return json.loads(state.read_text())


def saved(state, account=ACCOUNT, region=REGION):
    """What of an account and region is saved."""
    return document(state)["world"]["scopes"].get(f"{account}/{region}", {}) if state.exists() else {}


def saved_secrets(state):
    """The saved secrets, by name."""
    return saved(state).get("secrets", {}).get("secrets", {})


def values(state, name):
    """The values of a saved secret's versions; none where it isn't saved."""
    versions = saved_secrets(state).get(name, {}).get("versions", {})
    return {version["value"]["string"] for version in versions.values()}


class Storm:
    """Writers that go on until the sandbox is gone, and note what was acknowledged."""

    def __init__(self, sandbox, round, writers=3):
        self.acknowledged = {}
        self.failures = []
        clients = [sandbox.client("secretsmanager") for _ in range(writers)]
        self.threads = [
            threading.Thread(target=self.write, args=[client, f"storm/{round}/{n}"]) for n, client in enumerate(clients)
        ]
        for thread in self.threads:
            thread.start()

    def write(self, client, prefix):
        count = 0
        try:
            while True:
                name = f"{prefix}/{count // 5}"
                if count % 5 == 0:
                    client.create_secret(Name=name, SecretString="0")
                else:
                    client.put_secret_value(SecretId=name, SecretString=str(count % 5))
                self.acknowledged[name] = str(count % 5)
                count += 1
        except (errors.ConnectionError, errors.HTTPClientError):
            pass  # The sandbox is gone.
        except Exception as error:
            self.failures.append(error)

    def end(self):
        for thread in self.threads:
            thread.join(timeout=60)
        assert not self.failures, self.failures


def test_a_killed_sandbox_goes_on_from_a_whole_state(start, tmp_path):
    """Without it, a sandbox that is killed while it saves could lose everything: a pipeline's runner ends like that."""
    state = tmp_path / "state.json"
    seed = random.Random(20260131)
    known = {}
    for round in range(10):
        sandbox = start("--state", state, "--time-scale", "0")
        client = sandbox.client("secretsmanager")
        for name, value in known.items():
            found = client.get_secret_value(SecretId=name)
            assert int(found["SecretString"]) >= int(value), f"round {round}: {name} went back"
            stages = client.describe_secret(SecretId=name)["VersionIdsToStages"]
            assert stages[found["VersionId"]] == ["AWSCURRENT"]
            assert len([version for version, labels in stages.items() if "AWSPREVIOUS" in labels]) <= 1
        storm = Storm(sandbox, round)
        until("some writes", lambda: len(storm.acknowledged) > 2 + seed.randrange(20))
        noted = dict(storm.acknowledged)
        # Whatever was acknowledged is saved soon, while the storm goes on; the file is whole whenever it is read.
        until("them to be saved", lambda: all(value in values(state, name) for name, value in noted.items()))
        written = len(storm.acknowledged)
        more = seed.randrange(12)
        until("the moment to be killed", lambda: len(storm.acknowledged) >= written + more)
        assert sandbox.stop(signal.SIGKILL) == -signal.SIGKILL
        storm.end()
        document(state)
        known |= noted
    beside = {file.name for file in tmp_path.iterdir()} - {"state.json", "state.json.lock", "state.json.draft", "sandbox.log"}
    assert not beside, "what killed processes leave behind must not pile up"
    assert start("--state", state).stop() == 0
    assert not (tmp_path / "state.json.draft").exists(), "the next save takes a killed one's draft away"


def test_an_ended_sandbox_loses_nothing_acknowledged(start, tmp_path):
    """Without it, the last writes before the end of a pipeline's step would be lost now and then."""
    state = tmp_path / "state.json"
    known = {}
    for round in range(4):
        sandbox = start("--state", state, "--time-scale", "0")
        if round == 0:
            # Large enough that saves take their time, so that the end comes in the middle of one.
            client = sandbox.client("secretsmanager")
            for n in range(20):
                client.create_secret(Name=f"large/{n}", SecretString="x" * 60_000)
        storm = Storm(sandbox, round)
        until("some writes", lambda: len(storm.acknowledged) > 8)
        assert sandbox.stop(signal.SIGTERM if round % 2 else signal.SIGINT) == 0
        storm.end()
        known |= storm.acknowledged
        missing = {name: value for name, value in known.items() if value not in values(state, name)}
        assert not missing, f"round {round}"
        assert {file.name for file in tmp_path.iterdir()} == {"state.json", "state.json.lock", "sandbox.log"}


def test_everything_is_there_again(start, tmp_path):
    """Without it, one service's state could be missing from the file, or come back as something else."""
    state = tmp_path / "state.json"
    sandbox = start("--state", state, "--time-scale", "0")
    secrets, functions = sandbox.client("secretsmanager"), sandbox.client("lambda")
    role = sandbox.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/any", RoleSessionName="kept")
    secrets.create_secret(
        Name="kept", SecretString="ümläut \u2028 \x00", Description="d", Tags=[{"Key": "k", "Value": "v"}], KmsKeyId="alias/own"
    )
    secrets.create_secret(Name="binary", SecretBinary=bytes(range(256)))
    secrets.create_secret(Name="going", SecretString="x")
    secrets.delete_secret(SecretId="going", RecoveryWindowInDays=7)
    secrets.put_resource_policy(SecretId="kept", ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": []}))
    functions.create_function(
        FunctionName="kept",
        Role=ROLE,
        Runtime="provided.al2023",
        Handler="bootstrap",
        Code={"ZipFile": zipped({"bootstrap": BOOTSTRAP})},
        Environment={"Variables": {"WORD": "ß"}},
        Tags={"t": "v"},
        Publish=True,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="kept", WaiterConfig={"Delay": 1})
    functions.add_permission(FunctionName="kept", StatementId="s", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com")
    functions.invoke(FunctionName="kept", Payload=b"{}")
    sandbox.advance(minutes=30)

    def look(sandbox):
        secrets, functions = sandbox.client("secretsmanager"), sandbox.client("lambda")
        answers = [
            secrets.list_secrets(IncludePlannedDeletion=True),
            secrets.describe_secret(SecretId="kept"),
            secrets.get_secret_value(SecretId="kept"),
            secrets.get_secret_value(SecretId="binary"),
            secrets.get_resource_policy(SecretId="kept"),
            functions.get_function(FunctionName="kept")["Configuration"],
            functions.list_versions_by_function(FunctionName="kept"),
            functions.get_policy(FunctionName="kept"),
            functions.list_tags(Resource=functions.get_function(FunctionName="kept")["Configuration"]["FunctionArn"]),
            sandbox.client("logs").filter_log_events(logGroupName="/aws/lambda/kept"),
            sandbox.client("sts", account=role["Credentials"]["AccessKeyId"]).get_caller_identity(),
        ]
        for answer in answers:
            answer.pop("ResponseMetadata", None)
        return answers

    look(sandbox)  # Reading a value leaves its date, which the next look shows.
    before, time_before = look(sandbox), sandbox.control("GET", "health")["time"]
    sandbox.stop()
    again = start("--state", state, "--time-scale", "0")
    assert look(again) == before
    assert again.control("GET", "health")["time"] >= time_before, "service time never goes back"
    assert json.load(again.client("lambda").invoke(FunctionName="kept", Payload=b"{}")["Payload"])["pid"]


def test_one_process_has_a_state(start, tmp_path):
    """Without it, two sandboxes would overwrite each other's work."""
    state = tmp_path / "state.json"
    sandbox = start("--state", state)
    sandbox.client("secretsmanager").create_secret(Name="mine", SecretString="x")
    said = refused("--state", state)
    assert str(state) in said and "in use by another process" in said and "hint" in said
    assert sandbox.client("secretsmanager").describe_secret(SecretId="mine")["Name"] == "mine"
    sandbox.stop(signal.SIGKILL)
    # A killed process's lock goes with it.
    assert start("--state", state).stop() == 0


def refused(*options):
    """Starts a sandbox that is to refuse; returns what it says."""
    command = [rotator_binary(), "sandbox", "start", "--listen", "127.0.0.1:0", *map(str, options)]
    done = subprocess.run(command, env=scrubbed(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == "" and "panicked" not in done.stderr, done
    return done.stderr


def test_a_file_that_is_no_state_is_refused_and_kept(start, tmp_path):
    """Without it, a broken file, or another program's, would be overwritten by an empty state."""
    state = tmp_path / "state.json"
    sandbox = start("--state", state)
    sandbox.client("secretsmanager").create_secret(Name="kept", SecretString="x")
    sandbox.stop()
    whole = state.read_bytes()
    newer = whole.replace(b'"version":2', b'"version":99')
    assert newer != whole
    for content, why in [
        (whole[: len(whole) // 2], "not a state file"),
        (whole + b"x", "not a state file"),
        (b"", "not a state file"),
        (b"[]", "not a state file"),
        (b"\xff\xfe\x00", "state file"),
        (b"[" * 100_000, "not a state file"),
        (whole.replace(b'"kept"', b"7"), "not a state file"),
        (newer, "format 99"),
    ]:
        state.write_bytes(content)
        said = refused("--state", state)
        assert str(state) in said and why in said and "hint" in said, said
        assert state.read_bytes() == content, "it was overwritten"
    state.write_bytes(whole)
    assert start("--state", state).client("secretsmanager").describe_secret(SecretId="kept")["Name"] == "kept"


def test_a_folder_that_cannot_be_written_is_said(start, tmp_path):
    """Without it, a sandbox would run for nothing, or fall over in the middle of a rehearsal."""
    file = tmp_path / "file"
    file.write_text("")
    said = refused("--state", file / "state.json")
    assert "cannot use the sandbox's state file" in said and "hint" in said, said

    folder = tmp_path / "folder"
    sandbox = start("--state", folder / "state.json")
    client = sandbox.client("secretsmanager")
    client.create_secret(Name="first", SecretString="x")
    until("the first save", lambda: "first" in saved_secrets(folder / "state.json"))
    folder.rename(tmp_path / "away")
    client.create_secret(Name="second", SecretString="x")
    log = tmp_path / "sandbox.log"
    until("the user to be told", lambda: "is not saved" in log.read_text())
    assert re.search(r"cannot use the sandbox's state file .*state\.json.*: .*No such file.*goes on", log.read_text())
    assert client.describe_secret(SecretId="second")["Name"] == "second", "it serves all the same"
    (tmp_path / "away").rename(folder)
    # Nothing changes any more: it tries again by itself.
    until("the save that works again", lambda: "second" in saved_secrets(folder / "state.json"))
    until("the user to be told", lambda: "saved again" in log.read_text())
    folder.rename(tmp_path / "away")
    client.create_secret(Name="third", SecretString="x")
    assert sandbox.stop() == 1, "the last save failed: that is no success"
    assert "No such file" in log.read_text().splitlines()[-2] + log.read_text().splitlines()[-1]


def test_a_full_disk_leaves_the_last_state(tmp_path):
    """Without it, a full disk would leave half a file where a whole one was."""
    state = tmp_path / "state.json"
    sandbox = start_limited(tmp_path, state, 200_000)
    try:
        client = sandbox.client("secretsmanager")
        client.create_secret(Name="small", SecretString="x")
        until("the first save", lambda: "small" in saved_secrets(state))
        for n in range(5):
            client.create_secret(Name=f"large/{n}", SecretString="x" * 60_000)
        until("the user to be told", lambda: "is not saved" in (tmp_path / "sandbox.log").read_text())
        assert "small" in saved_secrets(state), "the file is whole"
        assert not (tmp_path / "state.json.draft").exists(), "what didn't fit only takes room"
        for n in range(5):
            client.delete_secret(SecretId=f"large/{n}", ForceDeleteWithoutRecovery=True)
        client.create_secret(Name="later", SecretString="x")
        until("a save that fits again", lambda: "later" in saved_secrets(state))
    finally:
        assert sandbox.stop() == 0


def start_limited(folder, state, size):
    """A sandbox whose files may have this many bytes at most: to it, a larger one is one on a full disk."""

    class Limited(Sandbox):
        def __init__(self):
            self.folder = Path(folder)
            self.log = open(self.folder / "sandbox.log", "ab")
            self.process = subprocess.Popen(
                [rotator_binary(), "sandbox", "start", "--listen", "127.0.0.1:0", "--state", state],
                stdout=subprocess.PIPE,
                stderr=self.log,
                env=scrubbed(),
                # Python ignores the signal that a limit sends, and so does what inherits that: the write fails instead.
                restore_signals=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
            )
            self.url = self.process.stdout.readline().decode().strip()

    return Limited()


def test_a_storm_of_writes_does_not_hold_up_reads(start, tmp_path):
    """Without it, every save of a large state could stop the sandbox for as long as it takes."""
    state = tmp_path / "state.json"
    sandbox = start("--state", state)
    client = sandbox.client("secretsmanager")
    for n in range(60):
        client.create_secret(Name=f"large/{n}", SecretString="x" * 60_000)
    storm = Storm(sandbox, "reads", writers=2)
    draft, within = tmp_path / "state.json.draft", []

    def reads():
        before = inode(draft)
        client.describe_secret(SecretId="large/0")
        if before and before == inode(draft):
            within.append(before)
        return len(within) >= 20

    # Each of these began and ended while one and the same draft was being written.
    until("reads during saves", reads)
    sandbox.stop()
    storm.end()


def inode(file):
    """Tells a file from another one that takes its place; None where there is none."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def alive(pid):
    """Whether a process runs; one that only waits to be reaped doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_functions_end_with_their_sandbox(start, tmp_path, how):
    """Without it, each killed sandbox would leave processes that run for ever, and a copy of the code of each."""
    sandbox = start("--time-scale", "0")
    functions = sandbox.client("lambda")
    functions.create_function(
        FunctionName="left",
        Role=ROLE,
        Runtime="provided.al2023",
        Handler="bootstrap",
        Code={"ZipFile": zipped({"bootstrap": BOOTSTRAP})},
        Timeout=900,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="left", WaiterConfig={"Delay": 1})
    idle = json.load(functions.invoke(FunctionName="left", Payload=b"{}")["Payload"])
    told = tmp_path / "told.json"
    # The idle process takes this one, and another takes the next: one is busy for ever, one waits for work.
    functions.invoke(FunctionName="left", InvocationType="Event", Payload=json.dumps({"sleep": True, "tell": str(told)}))
    until("the function to be busy", told.exists)
    busy = json.loads(told.read_text())
    idle = json.load(functions.invoke(FunctionName="left", Payload=b"{}")["Payload"])
    left = [busy["pid"], busy["child"], *busy["daemons"], idle["pid"]]
    folders = {*busy["folders"], *idle["folders"]}
    assert all(map(alive, left)) and all(map(os.path.isdir, folders)) and busy["pid"] != idle["pid"]
    sandbox.stop(how)
    until("the processes to end", lambda: not any(map(alive, left)))
    until("the folders to go", lambda: not any(map(os.path.exists, folders)))
