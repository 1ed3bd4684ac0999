"""A service to test functions on: API keys, of which it takes three at once, and users with passwords.

    POST   /keys        with a key: makes one, {"label": ...} -> {"id": ..., "key": ...}; 409 where there are three already
    GET    /keys        with a key: all of them, without the keys themselves
    DELETE /keys/ID     with another key: revokes it
    GET    /keys/self   with a key: 200, else 401
    GET    /login       with a user's name and password: 200, else 401
    PUT    /users/NAME  as `admin`: {"password": ...}; 400 where it holds a quotation mark, a colon or a backslash
"""

import base64
import http.server
import json
import secrets
import sys

KEYS = {"first": {"key": "key-0123456789abcdef", "label": "by hand"}}
USERS = {"admin": "4dm1n-of-all", "app": "first-of-many"}
PLACES = 3


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=None):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")

    def key(self):
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return next((name for name, one in KEYS.items() if one["key"] == given), None)

    def user(self):
        kind, _, text = self.headers.get("Authorization", "").partition(" ")
        name, _, password = base64.b64decode(text if kind == "Basic" else "").decode().partition(":")
        return name if USERS.get(name) == password else None

    def do_GET(self):
        if self.path == "/login":
            self.answer(200 if self.user() else 401)
        elif not self.key():
            self.answer(401)
        elif self.path == "/keys":
            self.answer(200, [{"id": name, "label": one["label"]} for name, one in KEYS.items()])
        else:
            self.answer(200)

    def do_POST(self):
        label = self.body().get("label", "")
        if not self.key():
            self.answer(401)
        elif len(KEYS) >= PLACES:
            self.answer(409, "no place for another key")
        else:
            name = secrets.token_hex(4)
            KEYS[name] = {"key": "key-" + secrets.token_hex(12), "label": label}
            self.answer(201, {"id": name, "key": KEYS[name]["key"]})

    def do_DELETE(self):
        name = self.path.rsplit("/", 1)[1]
        if self.key() in (None, name):
            self.answer(401)
        else:
            self.answer(204 if KEYS.pop(name, None) else 404)

    def do_PUT(self):
        password = self.body().get("password", "")
        if self.user() != "admin":
            self.answer(401)
        elif any(c in password for c in '"\\:'):
            self.answer(400)
        else:
            USERS[self.path.rsplit("/", 1)[1]] = password
            self.answer(204)


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
