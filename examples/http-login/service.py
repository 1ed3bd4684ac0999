"""A web service with logins, to try the function with: users with passwords, and two calls.

    python3 service.py [PORT]

listens on loopback, on port 8099 unless told otherwise, and knows one user, `app`, whose password is `first`. It forgets
everything when it ends.

    POST /login                   {"username": ..., "password": ...}: 200, or 401 where they don't fit
    PUT  /users/NAME/password     {"password": ...}, with that user's basic authentication: 204
"""

import base64
import hmac
import http.server
import json
import os
import sys
import threading
import urllib.parse

FIRST = {"app": "first"}
LARGEST_BODY = 10_000


def respond(users, call, body, authorization):
    """The status of an answer, and its body."""
    match call:
        case ["POST", "login"]:
            return 200 if fits(users, body.get("username"), body.get("password")) else 401, None
        case ["PUT", "users", name, "password"]:
            kind, _, credentials = authorization.partition(" ")
            user, _, password = base64.b64decode(credentials).decode().partition(":")
            if kind != "Basic" or not fits(users, user, password):
                return 401, None
            if user != name:
                return 403, None
            if not body.get("password"):
                return 400, None
            users[name] = body["password"]
            return 204, None
    return 404, None


def fits(users, name, password):
    return name in users and hmac.compare_digest(users[name].encode(), str(password).encode())


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, known):
        """`known`: what the service knows, which is changed in place."""
        super().__init__(address, Handler)
        self.known = known
        self.lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    def respond(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if 0 < length <= LARGEST_BODY else {}
        call = [self.command, *(urllib.parse.unquote(part) for part in self.path.strip("/").split("/"))]
        with self.server.lock:
            status, answer = respond(self.server.known, call, body, self.headers.get("Authorization") or "")
            count(self.server.known)
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = respond

    def log_message(self, *_):
        """Requests aren't worth a line each."""


def count(known):
    """Tells `rotator test` how many credentials the service takes, so that one that is left over is noticed."""
    if file := os.environ.get("ROTATOR_CREDENTIALS"):
        with open(file, "w") as lines:
            lines.write(str(len(known)))


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8099
    count(FIRST)
    with Server(("127.0.0.1", port), FIRST) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
