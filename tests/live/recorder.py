"""A way to AWS on loopback that signs anew what comes through it, and keeps the shape of each answer.

A signature names the host that it is for, so that a proxy can't pass a signed request on. Programs that may use this one sign with a key that is
made up for the run; it is taken for a password, and the request is signed again with the real credentials, which no other process gets.
"""

import hmac
import http.server
import json
import re
import secrets
import threading
import time
import urllib.parse
from dataclasses import dataclass

import botocore.auth
import botocore.awsrequest
import botocore.httpsession
import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.utils
from shapes import Recording, sentences

SERVICES = ("secretsmanager", "lambda", "cloudformation", "serverlessrepo", "sts", "logs")

#: What the connection or the signature is made of; it is made anew on the other side.
OWN_HEADERS = {
    *("host", "authorization", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect"),
    *("x-amz-date", "x-amz-security-token", "x-amz-content-sha256"),
}

SCOPE = re.compile(r"Credential=([^/,]+)/[0-9]{8}/([a-z0-9-]+)/([a-z]+)/aws4_request")


@dataclass(frozen=True)
class Seen:
    """An answer, as far as it is kept: never what it held."""

    at: float
    by: str
    service: str
    operation: str
    status: int
    code: str | None
    sentences: tuple[str, ...]

    @property
    def action(self):
        return f"{self.service}:{self.operation}"


class Models:
    """AWS's public models of the services: which operation a request is, and what its answer may hold."""

    def __init__(self):
        loader = botocore.loaders.Loader()
        load = lambda name: botocore.model.ServiceModel(loader.load_service_model(name, "service-2"), name)  # noqa: E731
        self.models = {name: load(name) for name in SERVICES}
        self.parsers = botocore.parsers.ResponseParserFactory()
        # A time as the text that it was: its form is all that is wanted.
        self.parsers.set_parser_defaults(timestamp_parser=str)
        self.paths = {name: list(paths(model)) for name, model in self.models.items() if model.protocol == "rest-json"}

    def operation(self, service, method, path, headers, body):
        """The name of a request's operation."""
        protocol = self.models[service].protocol
        if protocol == "json":
            return headers.get("x-amz-target", "").rpartition(".")[2]
        if protocol == "query":
            return urllib.parse.parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        asked = urllib.parse.urlsplit(path)
        for verb, pattern, query, name in self.paths[service]:
            if verb == method and pattern.fullmatch(asked.path) and query in asked.query:
                return name
        return ""

    def read(self, service, operation, status, headers, body):
        """An answer's members and the model of them; or of a refusal its code and its words."""
        model = self.models[service]
        if operation not in model.operation_names:
            return None
        output = model.operation_model(operation).output_shape
        answer = {"status_code": status, "headers": botocore.awsrequest.HeadersDict(headers), "body": body}
        if status < 300 and output is None:
            return {}, None
        if status < 300 and model.protocol != "query":
            # As it came, so that members show that are newer than the model.
            return json.loads(body or b"{}"), output
        parsed = self.parsers.create_parser(model.protocol).parse(answer, output)
        metadata, error = parsed.pop("ResponseMetadata", {}), parsed.pop("Error", {})
        del metadata
        return (parsed, output) if status < 300 else error


def paths(model):
    """Of each operation: the verb, a pattern of its path, its fixed query, the name; the more exact ones come first."""
    found = []
    for name in model.operation_names:
        http_of = model.operation_model(name).http
        path, _, query = http_of["requestUri"].partition("?")
        path = path.rstrip("/") or "/"
        pattern = re.sub(r"\\\{[^}]*?\\\+\\\}", ".+", re.escape(path))
        pattern = re.sub(r"\\\{.*?\\\}", "[^/]+", pattern)
        found.append((http_of["method"], re.compile(pattern + "/?"), query, name))
    return sorted(found, key=lambda one: (one[1].pattern.count("[^/]+"), -len(one[1].pattern), -len(one[2])))


class Recorder:
    """The server, what it has seen, and the keys that it takes."""

    def __init__(self, region, credentials, endpoints):
        """`credentials` gives those of AWS, anew for each request; `endpoints` are those of the services."""
        self.region, self.credentials, self.endpoints = region, credentials, endpoints
        self.models = Models()
        self.recording = Recording()
        self.seen = []
        self.unreached = None
        self.keys = {by: f"LIVE{secrets.token_hex(16).upper()}" for by in ("rotator", "script")}
        self.lock = threading.Lock()
        self.upstream = botocore.httpsession.URLLib3Session(
            proxies=botocore.utils.get_environ_proxies(endpoints["sts"]), max_pool_connections=32
        )
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One write an answer, or the acknowledgements of its parts would be waited for.
            wbufsize = -1
            disable_nagle_algorithm = True

            def log_message(self, *_):
                """Paths hold names of the account's: nothing is printed."""

            def pass_on(self):
                recorder.pass_on(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = pass_on

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def caller(self, headers):
        """Who signed a request, for which service; `None`: a stranger, or for another region or service."""
        scope = SCOPE.search(headers.get("authorization", ""))
        if not scope or scope[2] != self.region or scope[3] not in SERVICES:
            return None
        by = next((by for by, key in self.keys.items() if hmac.compare_digest(key, scope[1])), None)
        return by and (by, scope[3])

    def pass_on(self, handler):
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length") or 0))
        caller = self.caller(headers)
        if caller is None:
            # Any program on this machine may call; only this run's own programs are let through.
            return reply(handler, 403, [("content-type", "text/plain")], b"not one of this run's keys\n")
        by, service = caller
        operation = self.models.operation(service, handler.command, handler.path, headers, body)
        kept = {name: value for name, value in headers.items() if name not in OWN_HEADERS}
        request = botocore.awsrequest.AWSRequest(
            handler.command, self.endpoints[service].rstrip("/") + handler.path, headers=kept, data=body
        )
        botocore.auth.SigV4Auth(self.credentials(), service, self.region).add_auth(request)
        try:
            answer = self.upstream.send(request.prepare())
            content = answer.content
        except Exception as error:  # noqa: BLE001  (whatever it is, the caller must hear of it, and its class alone is safe to say)
            self.unreached = type(error).__name__
            return reply(handler, 502, [("content-type", "text/plain")], f"{self.unreached}\n".encode())
        self.keep(by, service, operation, answer.status_code, dict(answer.headers), content)
        passed = [(name, value) for name, value in answer.headers.items() if name.lower() not in OWN_HEADERS]
        return reply(handler, answer.status_code, passed, content)

    def keep(self, by, service, operation, status, headers, content):
        """Keeps an answer's shape, and that it came."""
        code, words = None, ()
        try:
            read = self.models.read(service, operation, status, headers, content)
        except Exception:  # noqa: BLE001  (an answer that can't be read is one more thing to record)
            read, operation = None, f"{operation}, unreadable"
        with self.lock:
            if read is None:
                self.recording.shape(f"{service}:{operation or 'unknown'}", str(status))
            elif status < 300:
                self.recording.success(f"{service}:{operation}", *read)
            else:
                code, words = read.get("Code", ""), tuple(sentences(read.get("Message")))
                self.recording.refusal(f"{service}:{operation}", status, code, read.get("Message"))
            self.seen.append(Seen(time.monotonic(), by, service, operation, status, code, words))


def reply(handler, status, headers, content):
    handler.send_response_only(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(content)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content)
    handler.wfile.flush()
