"""A web service that issues keys, to try the function with.

    python3 service.py [PORT]

listens on loopback, on port 8099 unless told otherwise, and knows one key, `first`, with the id `k1`. It forgets everything when it
ends. Each call needs a key as `Authorization: Bearer KEY`, else it is answered by 401:

    GET    /key         {"id": ...}: which key it is
    GET    /keys        {"keys": [{"id": ..., "name": ...}]}
    POST   /keys        {"name": ...}: 201, {"id": ..., "key": ...}; 409 where there are two keys already
    DELETE /keys/ID     204; 409 for the key that asks
"""

import hmac
import http.server
import json
import os
import secrets
import sys
import threading
import urllib.parse

FIRST = {"k1": {"name": "made by hand", "key": "first"}}
LARGEST_BODY = 10_000
MOST_KEYS = 2


def respond(keys, call, body, authorization):
    """The status of an answer, and its body."""
    asking = next((id for id, one in keys.items() if fits(one, authorization)), None)
    if asking is None:
        return 401, None
    match call:
        case ["GET", "key"]:
            return 200, {"id": asking}
        case ["GET", "keys"]:
            return 200, {"keys": [{"id": id, "name": one["name"]} for id, one in keys.items()]}
        case ["POST", "keys"]:
            if len(keys) >= MOST_KEYS:
                return 409, None
            id, key = f"k{secrets.token_hex(4)}", secrets.token_urlsafe(24)
            keys[id] = {"name": str(body.get("name")), "key": key}
            return 201, {"id": id, "key": key}
        case ["DELETE", "keys", id] if id in keys:
            if id == asking:
                return 409, None
            del keys[id]
            return 204, None
    return 404, None


def fits(one, authorization):
    return hmac.compare_digest(f"Bearer {one['key']}".encode(), authorization.encode())


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
