"""Scripted failures, quotas and the state file, as boto3 and bare sockets see them."""

import functools
import http.client
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import botocore.exceptions as errors
import botocore.parsers
import pytest
from botocore.retries.standard import (
    RetryContext,
    ThrottledRetryableChecker,
    TransientRetryableChecker,
)

from conftest import ACCOUNT, REGION, rotator_binary, scrubbed, zipped

HANDLER = "def handler(event, context):\n    return event\n"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"


@pytest.fixture(autouse=True)
def whole(request):
    """Ends a test's failures with it."""
    yield
    if "sandbox" in request.fixturenames:
        request.getfixturevalue("sandbox").faults()


@pytest.fixture
def secret(sandbox, request):
    """A secret of the test's own."""
    name = request.node.name.replace("[", "/").replace("]", "")
    client_of(sandbox, "secretsmanager").create_secret(Name=name, SecretString="first")
    return name


@pytest.fixture(scope="module")
def function(sandbox):
    """A function that Secrets Manager may invoke."""
    return permitted_function(sandbox, "fails")


def permitted_function(sandbox, name):
    """Creates a function that Secrets Manager may invoke; returns its ARN."""
    functions = sandbox.client("lambda")
    arn = functions.create_function(
        FunctionName=name, Role=ROLE, Runtime="python3.12", Handler="main.handler", Code={"ZipFile": zipped({"main.py": HANDLER})}
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    functions.add_permission(
        FunctionName=name,
        StatementId="SecretsManagerAccess",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    return arn


@functools.cache
def client_of(sandbox, service):
    """A client that tries once; made once, since boto3 takes its time."""
    return sandbox.client(service)


def patient(sandbox, service, attempts=3, **config):
    """A client that retries as AWS's SDKs do by default."""
    return sandbox.client(service, retries={"total_max_attempts": attempts, "mode": "standard"}, **config)


def asked(sandbox, operation):
    """How each call of an operation ended since the log was emptied: status and error code."""
    calls = sandbox.control("GET", "calls")["calls"]
    return [(call["status"], call.get("error")) for call in calls if call["operation"] == operation]


def signed(sandbox, body, target="secretsmanager.DescribeSecret", service="secretsmanager", **headers):
    """A request's bytes, signed as far as the sandbox looks."""
    host = sandbox.url.removeprefix("http://")
    scope = f"{ACCOUNT}/20260131/{REGION}/{service}/aws4_request"
    head = {
        "Host": host,
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": target,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}",
        "Content-Length": str(len(body)),
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body


def connect(sandbox):
    """A bare connection."""
    host, port = sandbox.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def receive(connection):
    """All that comes, in the pieces in which it came, and how it ended: `closed` or `reset`."""
    pieces = []
    while True:
        try:
            piece = connection.recv(65_536)
        except ConnectionResetError:
            return pieces, "reset"
        if not piece:
            return pieces, "closed"
        pieces.append(piece)


def exchange(sandbox, body, **headers):
    """Sends a request on a connection that is to end after it; returns head, body, and how the connection ended."""
    with connect(sandbox) as connection:
        connection.sendall(signed(sandbox, body, Connection="close", **headers))
        pieces, end = receive(connection)
    head, _, rest = b"".join(pieces).partition(b"\r\n\r\n")
    return head.decode().lower(), rest, end


# --- errors ---------------------------------------------------------------------------------------------------------


CALLS = {
    "secretsmanager": lambda client: client.list_secrets(),
    "lambda": lambda client: client.list_functions(),
    "cloudformation": lambda client: client.describe_stacks(),
    "serverlessrepo": lambda client: client.list_applications(),
    "sts": lambda client: client.get_caller_identity(),
    "logs": lambda client: client.describe_log_groups(),
}


@pytest.mark.parametrize("service", CALLS)
def test_an_error_arrives_in_each_services_protocol(sandbox, service):
    """Without it, a rehearsed error could reach a client as another one, or as no error that it can read."""
    call = CALLS[service]
    message = "Signature expired: 20260131T000000Z is <now> & \"earlier\""
    for status, code in [
        (403, "RequestTimeTooSkewed"),
        (403, "SignatureDoesNotMatch"),
        (400, "ExpiredTokenException"),
        (400, "ThrottlingException"),
        (500, "InternalFailure"),
    ]:
        sandbox.faults({"service": service, "error": {"status": status, "code": code, "message": message}, "times": 1})
        with pytest.raises(errors.ClientError) as raised:
            call(client_of(sandbox, service))
        answer = raised.value.response
        assert (answer["Error"]["Code"], answer["Error"]["Message"]) == (code, message)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
        assert answer["ResponseMetadata"]["RequestId"]
        assert sandbox.control("GET", "faults")["hits"] == [1]
    assert call(client_of(sandbox, service)), "and then the service answers again"


def test_an_error_after_the_effect_leaves_the_effect(sandbox, secret):
    """Without it, a write that AWS did and whose answer was lost couldn't be rehearsed."""
    client = client_of(sandbox, "secretsmanager")
    error = {"status": 500, "code": "InternalServiceError", "message": "lost"}
    sandbox.faults({"operation": "PutSecretValue", "when": "after", "error": error, "times": 1})
    with pytest.raises(client.exceptions.InternalServiceError):
        client.put_secret_value(SecretId=secret, SecretString="second")
    assert client.get_secret_value(SecretId=secret)["SecretString"] == "second"
    sandbox.faults({"operation": "PutSecretValue", "error": error, "times": 1})
    with pytest.raises(client.exceptions.InternalServiceError):
        client.put_secret_value(SecretId=secret, SecretString="third")
    assert client.get_secret_value(SecretId=secret)["SecretString"] == "second", "an error before the effect has none"


@pytest.mark.parametrize(
    "fault",
    [
        {"error": {"code": "ThrottlingException", "message": "Rate exceeded"}},
        {"error": {"code": "InternalServiceError", "status": 500}},
        {"answer": {"status": 503, "content_type": "text/html", "body": "<html><body>503</body></html>"}},
        {"reset": True},
        {"close": True},
        {"when": "unread", "reset": True},
        {"when": "after", "reset": True},
        {"break_body": "reset"},
    ],
    ids=lambda fault: "-".join(fault),
)
def test_a_standard_client_gets_over_two_failures(sandbox, secret, fault):
    """Without it, a failure that AWS's clients retry away would end the run of one that does as they do."""
    sandbox.control("DELETE", "calls")
    sandbox.faults({"operation": "DescribeSecret", "times": 2, **fault})
    assert patient(sandbox, "secretsmanager").describe_secret(SecretId=secret)["Name"] == secret
    ends = asked(sandbox, "DescribeSecret")
    assert len(ends) == 3 and ends[2] == (200, None), ends
    assert sandbox.control("GET", "faults")["hits"] == [2]
    sandbox.faults({"operation": "DescribeSecret", "times": 3, **fault})
    with pytest.raises((errors.ClientError, errors.HTTPClientError)):
        patient(sandbox, "secretsmanager").describe_secret(SecretId=secret)


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize(
    "answer",
    [
        {"status": 502},
        {"status": 503, "content_type": "text/html", "body": "<html><head><title>503</title></head><body>busy</body>"},
    ],
    ids=["empty", "html"],
)
def test_a_load_balancers_answer_is_no_services(sandbox, service, answer):
    """Without it, a tool that trusts every answer to be AWS's own would pass its rehearsal, and fall over its first 502."""
    sandbox.faults({"service": service, "answer": answer, "times": 1})
    # A client may well say that it can't read it: both are what it does in front of a real load balancer.
    with pytest.raises((errors.ClientError, botocore.parsers.ResponseParserError)) as raised:
        CALLS[service](client_of(sandbox, service))
    response = getattr(raised.value, "response", None)
    if response:
        assert response["ResponseMetadata"]["HTTPStatusCode"] == answer["status"]
        assert "RequestId" not in response["ResponseMetadata"], "a load balancer knows no request id"


def test_a_load_balancers_answer_comes_as_written(sandbox):
    """Without it, an answer meant to be foreign could carry what only a service would say."""
    body = "<html>\r\n<center>502 Bad Gateway</center>"
    sandbox.faults({"answer": {"status": 502, "content_type": "text/html", "body": body}})
    head, rest, _ = exchange(sandbox, b'{"SecretId": "any"}')
    assert head.startswith("http/1.1 502") and rest.decode() == body
    assert "content-type: text/html" in head and "x-amzn" not in head
    sandbox.faults({"answer": {"status": 503}})
    head, rest, _ = exchange(sandbox, b'{"SecretId": "any"}')
    assert head.startswith("http/1.1 503") and rest == b"" and "content-type" not in head


# --- connections ----------------------------------------------------------------------------------------------------


def test_a_connection_is_reset_or_closed_as_the_script_says(sandbox, secret):
    """Without it, a client that handles the one and not the other would pass."""
    body = json.dumps({"SecretId": secret}).encode()
    for fault, end in [({"reset": True}, "reset"), ({"close": True}, "closed")]:
        for when in ["before", "after"]:
            sandbox.faults({"operation": "DescribeSecret", "when": when, **fault})
            assert exchange(sandbox, body) == ("", b"", end), (fault, when)


def test_a_request_can_fail_before_its_body_is_read(sandbox):
    """Without it, a client that is cut off while it uploads a package could not be rehearsed."""
    sandbox.faults({"service": "secretsmanager", "operation": "PutSecretValue", "when": "unread", "reset": True, "times": 1})
    with connect(sandbox) as connection:
        # The head alone, of a request whose body never comes.
        head = signed(sandbox, b"", target="secretsmanager.PutSecretValue").replace(b"Content-Length: 0", b"Content-Length: 1000")
        connection.sendall(head)
        assert receive(connection) == ([], "reset")
    # The Query protocol names its operation in the body: the service is all that is known.
    sandbox.faults({"service": "sts", "when": "unread", "close": True, "times": 1})
    with pytest.raises(errors.ConnectionClosedError):
        sandbox.client("sts").get_caller_identity()
    functions = client_of(sandbox, "lambda")
    sandbox.faults({"operation": "UpdateFunctionCode", "match": "functions/uploaded", "when": "unread", "reset": True})
    with pytest.raises((errors.ConnectionClosedError, errors.HTTPClientError)):
        functions.update_function_code(FunctionName="uploaded", ZipFile=os.urandom(8_000_000))
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.update_function_code(FunctionName="other", ZipFile=zipped({"a": ""}))


def test_a_reset_after_the_effect_leaves_the_effect(sandbox, secret):
    """Without it, a lost answer to a write could not be told from a write that never came."""
    client = client_of(sandbox, "secretsmanager")
    sandbox.faults({"operation": "TagResource", "when": "after", "reset": True, "times": 1})
    with pytest.raises(errors.ConnectionClosedError):
        client.tag_resource(SecretId=secret, Tags=[{"Key": "k", "Value": "v"}])
    assert client.describe_secret(SecretId=secret)["Tags"] == [{"Key": "k", "Value": "v"}]


# --- bodies ---------------------------------------------------------------------------------------------------------


def test_a_body_breaks_off_in_the_middle(sandbox, secret):
    """Without it, half an answer could be taken for a whole one."""
    body = json.dumps({"SecretId": secret}).encode()
    _, complete, _ = exchange(sandbox, body)
    for how, end in [("reset", "reset"), ("close", "closed"), ("truncate", "closed")]:
        sandbox.faults({"operation": "DescribeSecret", "break_body": how})
        head, rest, ended = exchange(sandbox, body)
        assert head.startswith("http/1.1 200") and ended == end, how
        assert complete.startswith(rest) and 0 < len(rest) < len(complete), how
        claimed = int(re.search(r"content-length: (\d+)", head)[1])
        assert claimed == (len(rest) if how == "truncate" else len(complete)), how


@pytest.mark.parametrize("service", ["secretsmanager", "lambda", "cloudformation", "sts"])
def test_a_reset_within_an_answer_is_a_closed_connection_to_boto3(sandbox, service):
    """Without it, a break in the middle could come in a way that no client knows, and retries."""
    sandbox.faults({"service": service, "break_body": "reset", "times": 1})
    with pytest.raises(errors.BotoCoreError) as raised:
        CALLS[service](client_of(sandbox, service))
    assert TransientRetryableChecker().is_retryable(RetryContext(attempt_number=1, caught_exception=raised.value))
    CALLS[service](client_of(sandbox, service))


def test_an_answer_shorter_than_it_said_is_noticed_by_who_counts(sandbox, secret):
    """Without it, `close` could come with a length that fits, and no client could notice. boto3 itself doesn't count."""
    sandbox.faults({"operation": "DescribeSecret", "break_body": "close"})
    host, port = sandbox.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    head, _, body = signed(sandbox, json.dumps({"SecretId": secret}).encode()).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    connection.request("POST", "/", body, headers)
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()


@pytest.mark.parametrize("how", ["close", "truncate"])
@pytest.mark.parametrize("service", ["cloudformation", "sts"])
def test_half_a_document_is_no_xml(sandbox, service, how):
    """Without it, a document that a proxy cut short could look like one without resources."""
    sandbox.faults({"service": service, "break_body": how, "times": 1})
    with pytest.raises(botocore.parsers.ResponseParserError):
        CALLS[service](client_of(sandbox, service))


def test_a_slow_body_trickles(sandbox, secret):
    """Without it, a client's time limit on reading could not be rehearsed apart from the one on connecting."""
    body = json.dumps({"SecretId": secret}).encode()
    _, complete, _ = exchange(sandbox, body)
    sandbox.faults({"operation": "DescribeSecret", "slow_body_ms": 400})
    with connect(sandbox) as connection:
        connection.sendall(signed(sandbox, body, Connection="close"))
        started = time.monotonic()
        pieces, end = receive(connection)
    head, _, rest = b"".join(pieces).partition(b"\r\n\r\n")
    assert (rest, end) == (complete, "closed")
    assert time.monotonic() - started >= 0.35, "it came at once"
    assert len(pieces) >= 3, "it came in one piece"
    assert f"content-length: {len(complete)}" in head.decode().lower()
    # A pause between two pieces that is longer than a client waits: a time-out, and no half answer.
    sandbox.faults({"operation": "DescribeSecret", "slow_body_ms": 60_000})
    with pytest.raises((errors.ReadTimeoutError, errors.ConnectionError)):
        sandbox.client("secretsmanager", read_timeout=1).describe_secret(SecretId=secret)


def test_a_delay_comes_before_the_failure_that_it_is_scripted_with(sandbox, secret):
    """Without it, a client that gives up early would never be seen to do so."""
    client = sandbox.client("secretsmanager", read_timeout=0.5)
    sandbox.faults({"operation": "PutSecretValue", "delay_ms": 60_000, "times": 1})
    with pytest.raises(errors.ReadTimeoutError):
        client.put_secret_value(SecretId=secret, SecretString="late")
    assert client.get_secret_value(SecretId=secret)["SecretString"] == "first", "its effect comes after the delay"
    sandbox.faults({"operation": "PutSecretValue", "delay_ms": 60_000, "when": "after", "times": 1})
    with pytest.raises(errors.ReadTimeoutError):
        client.put_secret_value(SecretId=secret, SecretString="soon")
    assert client.get_secret_value(SecretId=secret)["SecretString"] == "soon"
    started = time.monotonic()
    sandbox.faults({"operation": "DescribeSecret", "delay_ms": 300, "error": {"code": "ThrottlingException"}})
    with pytest.raises(errors.ClientError):
        client.describe_secret(SecretId=secret)
    assert time.monotonic() - started >= 0.3


# --- which calls ----------------------------------------------------------------------------------------------------


def test_rare_failures_hit_the_same_calls_each_time(sandbox, secret):
    """Without it, a soak test could not be run again as it was."""
    client = client_of(sandbox, "secretsmanager")

    def row(count, **rule):
        sandbox.control("DELETE", "calls")
        sandbox.faults({"operation": "DescribeSecret", "error": {"code": "ThrottlingException"}, **rule})
        for _ in range(count):
            try:
                client.describe_secret(SecretId=secret)
            except errors.ClientError as error:
                assert error.response["Error"]["Code"] == "ThrottlingException"
        return [status for status, _ in asked(sandbox, "DescribeSecret")]

    assert row(7, every=3) == [200, 200, 400, 200, 200, 400, 200]
    assert row(7, every=2, skip=3, times=1) == [200, 200, 200, 200, 400, 200, 200]
    seeded = row(40, percent=30, seed=11)
    assert seeded == row(40, percent=30, seed=11) != row(40, percent=30, seed=12)
    assert 1 <= seeded.count(400) <= 30


def test_a_script_that_makes_no_sense_is_refused(sandbox, tmp_path):
    """Without it, a misspelt rule would be a failure that never comes, and the rehearsal would pass for nothing."""
    bad = {
        '[{"operaton": "ListSecrets", "reset": true}]': "operaton",
        '[{"service": "secretmanager", "reset": true}]': "secretsmanager, lambda",
        '{"operation": "ListSecrets"}': "nothing goes wrong",
        '[{"reset": true, "error": {"code": "X"}}]': "exclude each other",
        '[{"break_body": "tear"}]': "tear",
        "reset": "expected",
    }
    for script, why in bad.items():
        request = urllib.request.Request(f"{sandbox.url}/_sandbox/faults", data=script.encode(), method="POST")
        request.add_header("x-rotator-sandbox", "1")
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request)
        assert raised.value.code == 400 and why in json.load(raised.value)["message"], script
        file = tmp_path / "faults.json"
        file.write_text(script)
        said = refused("--faults", file)
        assert why in said and str(file) in said, said


def refused(*options):
    """Starts a sandbox that is to refuse; returns what it says."""
    command = [rotator_binary(), "sandbox", "start", "--listen", "127.0.0.1:0", *map(str, options)]
    done = subprocess.run(command, env=scrubbed(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == "" and "panicked" not in done.stderr, done
    return done.stderr


def test_a_file_scripts_a_sandbox_from_its_start(start, tmp_path):
    """Without it, the option could be read and mean nothing."""
    file = tmp_path / "faults.jsonl"
    rules = [
        {"operation": "ListSecrets", "times": 1, "error": {"code": "ThrottlingException"}},
        {"operation": "ListSecrets", "times": 1, "answer": {"status": 502}},
    ]
    file.write_text("\n".join(map(json.dumps, rules)))
    sandbox = start("--faults", file)
    statuses = []
    for _ in range(3):
        try:
            statuses.append(sandbox.client("secretsmanager").list_secrets()["ResponseMetadata"]["HTTPStatusCode"])
        except errors.ClientError as error:
            statuses.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
    assert statuses == [400, 502, 200]


# --- consistency ----------------------------------------------------------------------------------------------------


def test_lists_lag_behind_as_long_as_they_are_told_to(sandbox):
    """Without it, a tool that trusts `ListSecrets` right after a write would pass its rehearsal; AWS lags up to 5 minutes."""
    region = {"region": "eu-north-1"}
    secrets, functions, stacks = (sandbox.client(name, **region) for name in ["secretsmanager", "lambda", "cloudformation"])
    names = lambda: {secret["Name"] for secret in secrets.list_secrets()["SecretList"]}
    functions_listed = lambda: {function["FunctionName"] for function in functions.list_functions()["Functions"]}
    secrets.create_secret(Name="old", SecretString="x")
    sandbox.faults(
        {"operation": "ListSecrets", "stale_seconds": 300},
        {"operation": "ListFunctions", "stale_seconds": 60},
        {"operation": "DescribeStacks", "stale_seconds": 60},
    )
    secrets.create_secret(Name="new", SecretString="x")
    functions.create_function(
        FunctionName="new", Role=ROLE, Runtime="python3.12", Handler="main.handler", Code={"ZipFile": zipped({"main.py": HANDLER})}
    )
    assert secrets.describe_secret(SecretId="new")["Name"] == "new", "what isn't scripted is current"
    assert names() == {"old"} and functions_listed() == set() and stacks.describe_stacks()["Stacks"] == []
    sandbox.advance(seconds=61)
    assert names() == {"old"} and functions_listed() == {"new"}
    sandbox.advance(seconds=240)
    assert names() == {"old", "new"}
    secrets.delete_secret(SecretId="old", ForceDeleteWithoutRecovery=True)
    assert names() == {"old", "new"}, "what is gone still shows"
    sandbox.advance(seconds=301)
    assert names() == {"new"}
    secrets.create_secret(Name="newest", SecretString="x")
    sandbox.faults()
    assert names() == {"new", "newest"}


def test_a_permission_takes_its_time_to_spread(sandbox, secret, function):
    """Without it, the one refusal that goes away by itself could not be rehearsed."""
    client = client_of(sandbox, "secretsmanager")
    message = "Secrets Manager cannot invoke the specified Lambda function."
    sandbox.faults({"operation": "RotateSecret", "times": 2, "error": {"code": "AccessDeniedException", "message": message}})
    for _ in range(2):
        with pytest.raises(errors.ClientError, match="AccessDeniedException.*cannot invoke"):
            client.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 30})
        assert "RotationEnabled" not in client.describe_secret(SecretId=secret)
    client.rotate_secret(SecretId=secret, RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 30})
    assert client.describe_secret(SecretId=secret)["RotationEnabled"]


# --- quotas and latency ---------------------------------------------------------------------------------------------


def test_quotas_throttle_in_each_services_own_words(start):
    """Without it, AWS's throttling would come in words that clients take for a final error."""
    sandbox = start("--quotas", "aws", "--time-scale", "0")
    secrets, functions = client_of(sandbox, "secretsmanager"), client_of(sandbox, "lambda")
    limited = {
        "ThrottlingException": (secrets, lambda: secrets.rotate_secret(SecretId="none"), 50),
        "TooManyRequestsException": (functions, lambda: functions.get_policy(FunctionName="none"), 15),
    }
    for code, (client, call, quota) in limited.items():

        def end(_):
            try:
                return call()
            except client.exceptions.ResourceNotFoundException:
                return None
            except errors.ClientError as error:
                return error

        # Slow machines fill buckets up again while they call: so many calls that some must find one empty.
        with ThreadPoolExecutor(8) as several:
            throttled = [error for error in several.map(end, range(quota * 12)) if error]
        assert throttled, f"{quota * 12} calls and none was too many"
        assert {error.response["Error"]["Code"] for error in throttled} == {code}
        answer = throttled[0].response
        context = RetryContext(
            attempt_number=1,
            operation_model=client.meta.service_model.operation_model(throttled[0].operation_name),
            parsed_response=answer,
        )
        assert ThrottledRetryableChecker().is_retryable(context), "a standard client doesn't know it for throttling"
        if code == "TooManyRequestsException":
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429 and answer["Reason"] == "CallerRateLimitExceeded"
            assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"], "Lambda says when to come again"
    # A client that does as AWS's SDKs do gets through all the same.
    adaptive = sandbox.client("lambda", retries={"total_max_attempts": 10, "mode": "adaptive"})
    for _ in range(20):
        with pytest.raises(adaptive.exceptions.ResourceNotFoundException):
            adaptive.get_policy(FunctionName="none")


def test_latency_comes_with_every_answer(start):
    """Without it, the option could mean nothing; errors and every protocol included."""
    sandbox = start("--latency", "150")
    for service, call in CALLS.items():
        started = time.monotonic()
        call(client_of(sandbox, service))
        assert time.monotonic() - started >= 0.15, service
    started = time.monotonic()
    with pytest.raises(errors.ClientError):
        sandbox.client("secretsmanager").describe_secret(SecretId="none")
    assert time.monotonic() - started >= 0.15


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_none(sandbox, secret, status):
    """Without it, a client would read the body of such an answer as the beginning of the next one."""
    answer = {"status": status, "content_type": "text/plain", "body": "HTTP/1.1 200 OK"}
    address = sandbox.url.removeprefix("http://").split(":")
    credential = f"Credential={ACCOUNT}/20260131/{REGION}/secretsmanager/aws4_request"
    text = json.dumps({"SecretId": secret})
    request = (
        f"POST / HTTP/1.1\r\nHost: {':'.join(address)}\r\nContent-Length: {len(text)}\r\n"
        "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: secretsmanager.DescribeSecret\r\n"
        f"Authorization: AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature={'0' * 64}\r\n"
    )
    for broken in ({}, {"slow_body_ms": 1}, {"break_body": "truncate"}):
        sandbox.faults({"operation": "DescribeSecret", "answer": answer, **broken})
        with socket.create_connection((address[0], int(address[1])), timeout=60) as line:
            line.sendall(f"{request}Connection: close\r\n\r\n{text}".encode())
            head, _, body = b"".join(iter(lambda: line.recv(65536), b"")).partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status}".encode()) and body == b"", (head, body)
        assert b"content-type" not in head.lower()
