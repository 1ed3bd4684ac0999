"""A web service with logins, to try the example with: users with passwords, and two calls.

    python3 service.py [PORT]

listens on loopback (port 8099 unless told otherwise), knows one user, `app`, whose password is `first`, and forgets everything
when it ends.
"""

import base64
import hmac
import http.server
import json
import sys
import urllib.parse

LARGEST_BODY = 10_000


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, users):
        """`users`: a map of names to passwords, which is changed in place."""
        super().__init__(address, Handler)
        self.users = users

    def knows(self, name, password):
        known = self.users.get(name)
        return known is not None and hmac.compare_digest(known.encode(), password.encode())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.body()
        if self.path != "/login":
            self.answer(404)
        elif self.server.knows(body.get("username", ""), body.get("password", "")):
            self.answer(200)
        else:
            self.answer(401)

    def do_PUT(self):
        body = self.body()
        match self.path.split("/"):
            case ["", "users", quoted, "password"]:
                name = urllib.parse.unquote(quoted)
            case _:
                return self.answer(404)
        kind, _, credentials = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(credentials).decode().partition(":")
        if kind != "Basic" or not self.server.knows(user, password):
            self.answer(401)
        elif user != name:
            self.answer(403)
        elif not body.get("password"):
            self.answer(400)
        else:
            self.server.users[name] = body["password"]
            self.answer(204)

    def body(self):
        length = int(self.headers.get("Content-Length", "0"))
        return json.loads(self.rfile.read(length)) if 0 < length <= LARGEST_BODY else {}

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8099
    with Server(("127.0.0.1", port), {"app": "first"}) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
