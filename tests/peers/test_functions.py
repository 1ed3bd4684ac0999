"""Functions that really run, as boto3 sees them: their errors, their ends, their logs, and the packages that they come in."""

import base64
import concurrent.futures
import http.server
import io
import itertools
import json
import re
import threading
import zipfile

import botocore.exceptions
import pytest

from conftest import ACCOUNT, REGION, until, zipped

ROLE = f"arn:aws:iam::{ACCOUNT}:role/rotation"

# Functions of a sandbox that all tests share have names of their own.
COUNTER = itertools.count(1)


class Function:
    """A function in the sandbox, which is ready to be invoked."""

    def __init__(self, sandbox, files, **configuration):
        self.sandbox, self.client, self.name = sandbox, sandbox.client("lambda"), f"function-{next(COUNTER)}"
        if isinstance(files, str):
            files = {"lambda_function.py": files}
        settings = {"Runtime": "python3.12", "Handler": "lambda_function.lambda_handler", "Timeout": 60, "Role": ROLE}
        self.client.create_function(
            FunctionName=self.name, Code={"ZipFile": zipped(files)}, **(settings | configuration)
        )
        self.client.get_waiter("function_active_v2").wait(FunctionName=self.name, WaiterConfig={"Delay": 0.05})

    def invoke(self, event=None, **options):
        """Its answer, and what FunctionError says."""
        self.answer = self.client.invoke(
            FunctionName=self.name, Payload=json.dumps(event), LogType="Tail", **options
        )
        return json.load(self.answer["Payload"]), self.answer.get("FunctionError")

    def tail(self):
        """The end of the log of the last invocation."""
        return base64.b64decode(self.answer["LogResult"]).decode()

    def request_id(self):
        return self.answer["ResponseMetadata"]["RequestId"]

    def update(self, **changes):
        self.client.update_function_code(FunctionName=self.name, ZipFile=zipped(changes.pop("files")), **changes)
        self.client.get_waiter("function_updated_v2").wait(FunctionName=self.name, WaiterConfig={"Delay": 0.05})

    def events(self, pattern="", **window):
        logs = self.sandbox.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{self.name}", filterPattern=pattern, **window
        )
        return [event for page in pages for event in page["events"]]


@pytest.fixture
def function(sandbox):
    """Makes functions."""
    return lambda files, **configuration: Function(sandbox, files, **configuration)


def refused(call, *arguments, **parameters):
    """The status, code and message of an error."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*arguments, **parameters)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def is_gone(process):
    """Whether a process has ended; what is left of one without a parent may wait to be collected."""
    try:
        with open(f"/proc/{process}/stat") as stat:
            return ") Z " in stat.read()
    except FileNotFoundError:
        return True


# What a function finds when it runs


def test_the_environment_reaches_the_function(function):
    """Without it, a function would run with the tester's own variables, or without those of its configuration."""
    made = function(
        "import os\ndef lambda_handler(event, context):\n    return dict(os.environ)",
        Environment={"Variables": {"EXCLUDE_CHARACTERS": "/@\"'\\", "EMPTY": "", "UMLAUT": "ä"}},
        MemorySize=256,
    )
    found, error = made.invoke()
    assert error is None
    assert (found["EXCLUDE_CHARACTERS"], found["EMPTY"], found["UMLAUT"]) == ("/@\"'\\", "", "ä")
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == made.name
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert found["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{made.name}"
    assert found["AWS_REGION"] == REGION
    assert found["AWS_ENDPOINT_URL"] == found["SECRETS_MANAGER_ENDPOINT"] == made.sandbox.url
    # What the sandbox's own process has is none of the function's business.
    assert found["AWS_CONFIG_FILE"] != "/nonexistent" and found["AWS_SHARED_CREDENTIALS_FILE"] != "/nonexistent"

    made.client.update_function_configuration(
        FunctionName=made.name, Environment={"Variables": {"EXCLUDE_CHARACTERS": "x"}}
    )
    made.client.get_waiter("function_updated_v2").wait(FunctionName=made.name, WaiterConfig={"Delay": 0.05})
    found, _ = made.invoke()
    assert found["EXCLUDE_CHARACTERS"] == "x" and "EMPTY" not in found


def test_code_that_was_updated_is_what_runs_next(function):
    """Without it, a warm process would go on with old code after a deployment."""
    made = function("count = 0\ndef lambda_handler(event, context):\n    global count\n    count += 1\n    return ['old', count]")
    assert [made.invoke()[0] for _ in range(3)] == [["old", 1], ["old", 2], ["old", 3]], "one warm process"
    made.update(files={"lambda_function.py": "def lambda_handler(event, context): return 'new'"})
    assert made.invoke() == ("new", None)


def test_invocations_run_side_by_side(function):
    """Without it, rotations of several secrets would wait for each other, and functions that call each other for ever."""
    parties = 4
    barrier = threading.Barrier(parties)

    class Gate(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            # No single error gets through.
            try:
                barrier.wait(timeout=90)
                self.send_response(204)
            except threading.BrokenBarrierError:
                self.send_response(503)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate) as gate:
        threading.Thread(target=gate.serve_forever, daemon=True).start()
        made = function(
            "import os, urllib.request\ndef lambda_handler(event, context):\n"
            "    urllib.request.urlopen(event, timeout=100).close()\n    return os.getpid()",
            Timeout=120,
        )
        url = f"http://127.0.0.1:{gate.server_port}/"
        client = made.sandbox.client("lambda", read_timeout=120)

        def invoke(_):
            answer = client.invoke(FunctionName=made.name, Payload=json.dumps(url))
            return json.load(answer["Payload"]), answer.get("FunctionError")

        with concurrent.futures.ThreadPoolExecutor(parties) as pool:
            answers = list(pool.map(invoke, range(parties)))
        gate.shutdown()
    assert [error for _, error in answers] == [None] * parties, answers
    assert len({process for process, _ in answers}) == parties, "each in a process of its own"


BOOTSTRAP = r"""#!/bin/bash
# A custom runtime of nothing but a shell.
set -eu
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API##*:}
while true; do
  exec 3<>"/dev/tcp/$host/$port"
  printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$AWS_LAMBDA_RUNTIME_API" >&3
  length=0
  while IFS= read -r -u 3 line && line=${line%$'\r'} && [[ -n $line ]]; do
    case ${line,,} in
      lambda-runtime-aws-request-id:*) id=${line#*: } ;;
      content-length:*) length=${line#*: } ;;
    esac
  done
  IFS= read -r -N "$length" -u 3 event || true
  exec 3>&-
  echo "handling $event with $_HANDLER"
  answer="{\"event\": $event, \"handler\": \"$_HANDLER\"}"
  exec 3<>"/dev/tcp/$host/$port"
  printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
    "$id" "$AWS_LAMBDA_RUNTIME_API" "${#answer}" "$answer" >&3
  cat <&3 >/dev/null
  exec 3>&-
done
"""


def test_a_custom_runtime_can_be_a_shell_script(function):
    """Without it, only clients of AWS's own would be known to speak with the runtime interface."""
    made = function({"bootstrap": BOOTSTRAP}, Runtime="provided.al2023", Handler="rotate.sh")
    for event in ({"Step": "createSecret"}, [1, 2], "text"):
        assert made.invoke(event) == ({"event": event, "handler": "rotate.sh"}, None)
    assert 'handling "text" with rotate.sh\n' in made.tail()


def test_a_custom_runtime_needs_an_executable_bootstrap(function):
    """Without it, a package without one would be taken for a machine that can't run it."""
    document, error = function({"readme": "x"}, Runtime="provided.al2023", Handler="x").invoke()
    assert (error, document["errorType"]) == ("Unhandled", "Runtime.InvalidEntrypoint")


# How invocations fail


def test_an_exception_is_the_functions_error(function):
    """Without it, a failed step would look like a success, or would say nothing of where it failed."""
    made = function(
        "class NoSuchUser(Exception): pass\n"
        "def look_up(name):\n    raise NoSuchUser(f'{name} is unknown')\n"
        "def lambda_handler(event, context):\n    print('before')\n    return look_up(event['name'])"
    )
    document, error = made.invoke({"name": "app"})
    assert (error, made.answer["StatusCode"]) == ("Unhandled", 200)
    assert (document["errorType"], document["errorMessage"]) == ("NoSuchUser", "app is unknown")
    assert len(document["stackTrace"]) == 2 and "in look_up" in document["stackTrace"][1]
    log = made.tail()
    assert "before\n" in log and "[ERROR] NoSuchUser: app is unknown" in log
    document, _ = made.invoke({})
    assert (document["errorType"], document["errorMessage"]) == ("KeyError", "'name'")


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        ("import nowhere", "lambda_function.lambda_handler", "Runtime.ImportModuleError", "No module named 'nowhere'"),
        ("x = 1", "lambda_function.lambda_handler", "Runtime.HandlerNotFound", "Handler 'lambda_handler' missing"),
        ("x = 1", "other.handler", "Runtime.ImportModuleError", "Unable to import module 'other'"),
        ("def x(:", "lambda_function.x", "Runtime.UserCodeSyntaxError", "Syntax error in module 'lambda_function'"),
        ("1 / 0", "lambda_function.x", "ZeroDivisionError", "division by zero"),
    ],
    ids=["import", "handler", "module", "syntax", "top-level"],
)
def test_code_that_cannot_be_loaded_is_the_functions_error(function, code, handler, kind, message):
    """Without it, broken code would hang until its time is up, or be taken for the machine's fault and simulated."""
    made = function(code, Handler=handler)
    document, error = made.invoke()
    assert (error, document["errorType"]) == ("Unhandled", kind)
    assert message in document["errorMessage"]
    assert kind in made.tail()
    made.update(files={"lambda_function.py": "def x(event, context): return 1", "other.py": "def handler(e, c): return 1"})
    made.client.update_function_configuration(FunctionName=made.name, Handler="lambda_function.x")
    made.client.get_waiter("function_updated_v2").wait(FunctionName=made.name, WaiterConfig={"Delay": 0.05})
    assert made.invoke() == (1, None), "repaired code runs"


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "Runtime exited with error: signal: killed"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "Runtime exited with error: signal: segmentation fault"),
    ],
    ids=["status", "success", "killed", "crash"],
)
def test_a_process_that_ends_in_the_middle_is_the_functions_error(function, end, how):
    """Without it, a crash would leave its caller waiting, or end the functions after it too."""
    made = function(
        f"import os, signal, sys\ndef lambda_handler(event, context):\n    print('so far')\n    if event: {end}\n    return 'alive'"
    )
    document, error = made.invoke(True)
    assert (error, document["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert document["errorMessage"] == f"RequestId: {made.request_id()} Error: {how}"
    log = made.tail()
    assert f"so far\nRequestId: {made.request_id()} Error: {how}\nRuntime.ExitError\n" in log
    assert "\tStatus: error\tError Type: Runtime.ExitError\n" in log
    assert made.invoke(False) == ("alive", None)


@pytest.mark.parametrize("child", ["ordinary", "daemon", "cleared"])
def test_a_function_that_hangs_ends_with_its_time_and_with_its_children(function, child):
    """Without it, a hanging function would hang its rotation, and what it started would stay on the machine."""
    made = function(
        "import os, subprocess, time\ndef lambda_handler(event, context):\n"
        "    if not event: return os.getpid()\n"
        "    variables = {} if event == 'cleared' else None\n"
        "    child = subprocess.Popen(['sleep', '600'], start_new_session=event != 'ordinary', env=variables)\n"
        "    print('processes', os.getpid(), child.pid, flush=True)\n    time.sleep(600)",
        Timeout=1,
    )
    document, error = made.invoke(child)
    assert (error, document["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    identity = made.request_id()
    assert document["errorMessage"] == f"RequestId: {identity} Error: Task timed out after 1.00 seconds"
    log = made.tail()
    assert re.search(rf"^\d{{4}}-\d\d-\d\dT[\d:.]+Z {identity} Task timed out after 1.00 seconds$", log, re.MULTILINE)
    assert re.search(rf"^REPORT RequestId: {identity}\t.*\tStatus: timeout$", log, re.MULTILINE)
    processes = re.search(r"processes (\d+) (\d+)", log).groups()
    for process in processes:
        until(f"process {process} to be gone", lambda process=process: is_gone(process))
    answer, error = made.invoke(None)
    assert error is None and str(answer) not in processes, "the next invocation gets a new process"


# Kinds of invocations, and their limits


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_an_answer_says_which_version_ran(function, kind):
    """Without it, those who deploy by versions would see the old code run, or believe that the new one did."""
    made = function("def lambda_handler(event, context): return context.function_version")
    number = made.client.publish_version(FunctionName=made.name)["Version"]
    for qualifier, version in ((number, number), ("$LATEST", "$LATEST")):
        answer = made.client.invoke(FunctionName=made.name, Qualifier=qualifier, InvocationType=kind)
        assert answer["ExecutedVersion"] == version


def test_an_event_is_taken_and_handled_later(function):
    """Without it, a caller that doesn't want to wait would have to."""
    made = function("def lambda_handler(event, context):\n    print('handled', event['n'])")
    answer = made.client.invoke(FunctionName=made.name, InvocationType="Event", Payload=json.dumps({"n": 17}))
    assert answer["StatusCode"] == 202 and answer["Payload"].read() == b""

    def handled():
        try:
            return made.events('"handled 17"')
        except made.sandbox.client("logs").exceptions.ResourceNotFoundException:
            return None

    until("the event to be handled", handled)


def test_an_event_that_fails_is_tried_three_times(function):
    """Without it, an asynchronous caller's failures would be lost, or tried for ever."""
    made = function("def lambda_handler(event, context):\n    print('trying', context.aws_request_id)\n    raise OSError('no')")
    made.client.invoke(FunctionName=made.name, InvocationType="Event", Payload="{}")

    def tries():
        try:
            found = made.events("trying")
        except made.sandbox.client("logs").exceptions.ResourceNotFoundException:
            return None
        return found if len(found) >= 3 else None

    found = until("three tries", tries)
    assert len({event["message"] for event in found}) == 1, "all with the request's own id"
    # An invocation that comes after all tries of the other is the last one.
    made.invoke()
    assert len(made.events("trying")) == 4


def test_a_dry_run_runs_nothing(function):
    """Without it, a call that only asks whether it may would be done."""
    made = function("def lambda_handler(event, context): print('ran')")
    answer = made.client.invoke(FunctionName=made.name, InvocationType="DryRun", Payload="{}")
    assert answer["StatusCode"] == 204
    made.invoke()
    assert len(made.events("ran")) == 1


def test_events_have_limits(function):
    """Without it, what passes here would be refused by AWS for its size."""
    made = function("def lambda_handler(event, context): return len(event)")
    six_megabytes = json.dumps("x" * (6_291_456 - 2))
    answer = made.client.invoke(FunctionName=made.name, Payload=six_megabytes)
    assert json.load(answer["Payload"]) == 6_291_454
    too_large = (413, "RequestEntityTooLargeException")
    status, code, message = refused(made.client.invoke, FunctionName=made.name, Payload=six_megabytes + " ")
    assert (status, code) == too_large
    assert message == "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    status, code, message = refused(
        made.client.invoke, FunctionName=made.name, InvocationType="Event", Payload=json.dumps("x" * 1_048_576)
    )
    assert (status, code) == too_large
    assert message == "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    status, code, _ = refused(made.client.invoke, FunctionName=made.name, Payload="{")
    assert (status, code) == (400, "InvalidRequestContentException")


def test_answers_have_a_limit(function):
    """Without it, an answer that AWS refuses would pass here, or would end the invocations after it."""
    made = function("def lambda_handler(event, context): return 'x' * event")
    assert len(made.invoke(6_000_000)[0]) == 6_000_000
    document, error = made.invoke(6_400_000)
    assert (error, document["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    assert "exceeded maximum allowed payload size (6291556 bytes)" in document["errorMessage"]
    assert made.invoke(1) == ("x", None)


# Logs


def test_logs_are_read_as_from_cloudwatch(function):
    """Without it, the reason of a failed rotation couldn't be found."""
    made = function(
        "import logging\nlogging.getLogger().setLevel(logging.INFO)\ndef lambda_handler(event, context):\n"
        "    print('step', event['Step'])\n    logging.info('secret %s', event['Step'])\n"
        "    if event['Step'] == 'setSecret': raise ConnectionRefusedError('no service')"
    )
    identities = []
    for step in ("createSecret", "setSecret", "testSecret"):
        made.invoke({"Step": step})
        identities.append(made.request_id())
    messages = [event["message"] for event in made.events()]
    assert messages[0].startswith("INIT_START Runtime Version: python")
    for identity in identities:
        start, end, report = (
            next(n for n, message in enumerate(messages) if message.startswith(f"{word} RequestId: {identity}"))
            for word in ("START", "END", "REPORT")
        )
        assert start < end < report
        figures = r"\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB"
        assert re.match(rf"REPORT RequestId: {identity}{figures}", messages[report])
        assert all(identity not in message for message in messages[:start])
    assert messages[1] == f"START RequestId: {identities[0]} Version: $LATEST\n"

    def found(pattern, **window):
        return [event["message"] for event in made.events(pattern, **window)]

    assert found("step") == ["step createSecret\n", "step setSecret\n", "step testSecret\n"]
    assert found("step setSecret") == ["step setSecret\n"], "all terms"
    assert len(found("?createSecret ?testSecret")) == 4, "any of the terms"
    assert found('"step createSecret" -secret') == ["step createSecret\n"], "a phrase, and a term that must not be there"
    assert found("STEP") == [], "terms have their case"
    assert len(found(f'"{identities[1]}"')) == 4, "START, the logger's line, END, REPORT"
    traceback = found("ConnectionRefusedError")
    assert len(traceback) == 1 and "no service" in traceback[0] and "lambda_function.py" in traceback[0]

    events = made.events()
    middle = events[len(events) // 2]["timestamp"]
    assert made.events(startTime=middle) == [event for event in events if event["timestamp"] >= middle]
    assert made.events(endTime=middle) == [event for event in events if event["timestamp"] <= middle]
    assert made.events(startTime=events[-1]["timestamp"] + 1) == []


def test_a_stream_is_read_forwards_and_backwards(function):
    """Without it, a client that follows a log would miss lines, or never know that it has seen them all."""
    made = function("def lambda_handler(event, context):\n    for n in range(30): print('line', n)")
    made.invoke()
    logs = made.sandbox.client("logs")
    group = f"/aws/lambda/{made.name}"
    stream = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True)["logStreams"][0]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])
    where = {"logGroupName": group, "logStreamName": stream["logStreamName"]}
    everything = [event["message"] for event in made.events()]
    for forwards in (True, False):
        read, token = [], {}
        while True:
            page = logs.get_log_events(**where, startFromHead=forwards, limit=7, **token)
            messages = [event["message"] for event in page["events"]]
            read = read + messages if forwards else messages + read
            following = page["nextForwardToken" if forwards else "nextBackwardToken"]
            if token.get("nextToken") == following:
                break
            token = {"nextToken": following}
        assert read == everything
    last = logs.get_log_events(**where, limit=3)["events"]
    assert [event["message"] for event in last] == everything[-3:], "without a token, the newest"
    unknown = logs.exceptions.ResourceNotFoundException
    with pytest.raises(unknown):
        logs.get_log_events(logGroupName="/aws/lambda/nowhere", logStreamName="x")
    with pytest.raises(unknown):
        logs.filter_log_events(logGroupName="/aws/lambda/nowhere")


# Packages


def package(*entries):
    """A zip of `(name, content)`, or of `(name, content, type bits)`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, *kind in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = ((kind[0] if kind else 0o100000) | 0o755) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def encrypted():
    """A zip whose only entry is marked as encrypted, in both of its headers."""
    data = bytearray(package(("lambda_function.py", "x = 1")))
    data[data.index(b"PK\x03\x04") + 6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def damaged():
    """A zip whose content isn't what its checksum says."""
    data = bytearray(package(("lambda_function.py", "def lambda_handler(event, context): return 1\n" * 50)))
    data[data.index(b"PK\x03\x04") + 14] ^= 0xFF
    data[data.index(b"PK\x01\x02") + 16] ^= 0xFF
    return bytes(data)


def too_large_unzipped():
    """A zip of less than a megabyte that holds a byte more than Lambda unpacks."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("zeros", "w") as file:
        block = bytes(1_000_000)
        for _ in range(262):
            file.write(block)
        file.write(bytes(144_001))
    return buffer.getvalue()


LINK = 0o120000
WHOLE = ("lambda_function.py", "def lambda_handler(event, context): return 1")
UNZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
SIZE = "Unzipped size must be smaller than 262144000 bytes"
EMPTY = "Uploaded file must be a non-empty zip"
REFUSED = {
    "text": (b"def lambda_handler(event, context): return 1", UNZIP),
    "half": (package(WHOLE)[: len(package(WHOLE)) // 2], UNZIP),
    "no bytes": (b"", EMPTY),
    "no entries": (package(), EMPTY),
    "encrypted": (encrypted(), UNZIP),
    "damaged": (damaged(), UNZIP),
    "up": (package(WHOLE, ("../evil.py", "x")), UNZIP),
    "up in the middle": (package(WHOLE, ("a/../../evil.py", "x")), UNZIP),
    "absolute": (package(WHOLE, ("/tmp/rotator-evil.py", "x")), UNZIP),
    "below a link": (package(WHOLE, ("link", "folder", LINK), ("link/file", "x")), UNZIP),
    "below an absolute link": (package(WHOLE, ("link", "/tmp", LINK), ("link/rotator-evil.py", "x")), UNZIP),
    "a link to nowhere": (package(WHOLE, ("link", "", LINK)), UNZIP),
    "file as folder": (package(WHOLE, ("a", "x"), ("a/b", "x")), UNZIP),
    "too large unzipped": (too_large_unzipped(), SIZE),
}


@pytest.mark.parametrize("what", REFUSED)
def test_packages_that_lambda_refuses_are_refused(sandbox, function, what):
    """Without it, a package could write outside of its folder, fill the disk, or fail only when it is needed."""
    code, message = REFUSED[what]
    client = sandbox.client("lambda")
    configuration = {"Runtime": "python3.12", "Handler": "lambda_function.lambda_handler", "Role": ROLE}
    answer = refused(client.create_function, FunctionName="refused", Code={"ZipFile": code}, **configuration)
    assert answer == (400, "InvalidParameterValueException", message)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="refused")


def test_a_refused_update_leaves_the_code_as_it_was(function):
    """Without it, a failed deployment would take the function that worked with it."""
    made = function("def lambda_handler(event, context): return 'before'")
    before = made.client.get_function_configuration(FunctionName=made.name)["CodeSha256"]
    answer = refused(made.client.update_function_code, FunctionName=made.name, ZipFile=REFUSED["up"][0])
    assert answer == (400, "InvalidParameterValueException", UNZIP)
    assert made.client.get_function_configuration(FunctionName=made.name)["CodeSha256"] == before
    assert made.invoke() == ("before", None)


def test_links_of_a_package_work(function, sandbox):
    """Without it, packages as package managers make them, full of links, would be refused."""
    made = function(WHOLE[1])
    code = package(
        ("lambda_function.py", "from current.answer import lambda_handler"),
        (
            "versions/one/answer.py",
            "import os\ndef lambda_handler(event, context):\n"
            "    return ['by way of a link', os.readlink('bin/python3'), os.readlink('up')]",
        ),
        ("current", "versions/one", LINK),
        # As virtual environments have it.
        ("bin/python3", "/usr/bin/python3", LINK),
        ("up", "../..", LINK),
    )
    made.client.update_function_code(FunctionName=made.name, ZipFile=code)
    made.client.get_waiter("function_updated_v2").wait(FunctionName=made.name, WaiterConfig={"Delay": 0.05})
    assert made.invoke() == (["by way of a link", "/usr/bin/python3", "../.."], None)


@pytest.mark.parametrize("megabytes", [50, 70])
def test_a_package_is_sent_directly_up_to_50_megabytes(function, megabytes):
    """Without it, a deployment that AWS refuses for its size would pass a rehearsal, or end in a broken connection."""
    made = function(WHOLE[1])
    code = bytes(megabytes * 1_048_576 + 1)
    status, error, message = refused(made.client.update_function_code, FunctionName=made.name, ZipFile=code)
    assert (status, error) == (413, "RequestEntityTooLargeException")
    assert message.startswith("Request must be smaller than ")
