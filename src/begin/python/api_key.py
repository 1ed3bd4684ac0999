"""Rotates an API key: the service issues another one, which it is asked for with the current key.

A secret is {"url": ..., "key_id": ..., "api_key": ...}; whatever else stands in it is kept. Readers may go on with the key
that they have until the next rotation: only that revokes it.

Secrets Manager may call each step again, after any end of the one before: so each looks first at what is done already. In
particular, the service may have issued a key that no version of the secret holds.
"""

import json
import logging
import os
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

TIMEOUT_SECONDS = 5

# What is about the service: for another one, replace `issue_key` and `takes_key`, and what only they use.

# What a secret must hold.
MEMBERS = ("url", "key_id", "api_key")


def issue_key(current, name, before):
    """Has the service issue a key of this name. The answer is what the secret is to hold of it.

    Before that, keys are revoked that nothing reads any more: that of `before`, what the secret held before the current value (or
    None), and all of this name but the current one. Those are of rotations that ended before the secret had the key.
    """
    old = before["key_id"] if before and before["url"] == current["url"] else None
    for key in send(current["url"], "GET", "/keys", authorization=bearer(current))["keys"]:
        if key["id"] != current["key_id"] and (key["id"] == old or key["name"] == name):
            send(current["url"], "DELETE", f"/keys/{key['id']}", authorization=bearer(current))
    issued = send(current["url"], "POST", "/keys", {"name": name}, authorization=bearer(current))
    return {"key_id": issued["id"], "api_key": issued["key"]}


def takes_key(secret):
    """Whether the service takes the secret's key. Only a clear no is a no: a service that is down says nothing of a key."""
    try:
        return send(secret["url"], "GET", "/key", authorization=bearer(secret))["id"] == secret["key_id"]
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        return False


def bearer(secret):
    return f"Bearer {secret['api_key']}"


# part: http


# How a key that the service issues is rotated.


def new_value(secret):
    """The current value with a new key, which has the secret's ARN for a name: no other secret's keys are ever touched."""
    current = needed(secret, "AWSCURRENT")
    return json.dumps({**current, **issue_key(current, secret, previous(secret))})


def set_secret(secret, token):
    """The service knows the key: it has issued it."""


def test_secret(secret, token):
    """Uses the pending key as the secret's readers will."""
    if not takes_key(needed(secret, "AWSPENDING", token)):
        raise ValueError("the service doesn't take the pending key")


# part: members


# part: previous


# part: contract
