"""A web service with an admin, to try the function with: users with passwords, and two calls.

    python3 service.py [PORT]

listens on loopback, on port 8099 unless told otherwise, and knows two users: `admin`, whose password is `first-of-all`, and `app`,
whose password is `first`. It forgets everything when it ends.

    POST /login           {"username": ..., "password": ...}: 200, or 401 where they don't fit
    PUT  /users/NAME      {"password": ..., "like": ...}, with the admin's basic authentication: 204. A user that isn't there is
                          made, with the rights of the one that `like` names: 404 where there is none
"""

import base64
import hmac
import http.server
import json
import os
import sys
import threading
import urllib.parse

FIRST = {
    "admin": {"password": "first-of-all", "rights": "all"},
    "app": {"password": "first", "rights": "read"},
}
LARGEST_BODY = 10_000


def respond(users, call, body, authorization):
    """The status of an answer, and its body."""
    match call:
        case ["POST", "login"]:
            return 200 if fits(users, body.get("username"), body.get("password")) else 401, None
        case ["PUT", "users", name]:
            kind, _, credentials = authorization.partition(" ")
            user, _, password = base64.b64decode(credentials).decode().partition(":")
            if kind != "Basic" or not fits(users, user, password):
                return 401, None
            if users[user]["rights"] != "all":
                return 403, None
            like = users.get(name) or users.get(body.get("like"))
            if not like:
                return 404, None
            if not body.get("password"):
                return 400, None
            users[name] = {"password": body["password"], "rights": like["rights"]}
            return 204, None
    return 404, None


def fits(users, name, password):
    return name in users and hmac.compare_digest(users[name]["password"].encode(), str(password).encode())


# part: service
