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


# part: service
