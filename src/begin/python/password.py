"""Rotates a user's password of a web service, as that user.

A secret is {"url": ..., "username": ..., "password": ...}; whatever else stands in it is kept. Readers that open a connection
while the service has the new password and the secret doesn't yet must try again: where they can't, let two users take turns.

Secrets Manager may call each step again, after any end of the one before: so each looks first at what is done already. In
particular, the service may have the new password while the secret doesn't say so yet.
"""

import base64
import json
import logging
import os
import urllib.error
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config

TIMEOUT_SECONDS = 5

# What is about the service: for another one, replace `logs_in` and `change_password`, and what only they use.

# What a secret must hold.
MEMBERS = ("url", "username", "password")


def logs_in(login):
    """Whether the service takes a login. Only a clear no is a no: a service that is down says nothing of a password."""
    try:
        send(login["url"], "POST", "/login", {"username": login["username"], "password": login["password"]})
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        return False
    return True


def change_password(login, password):
    """Has the service take another password for a login that it knows."""
    path = f"/users/{urllib.parse.quote(login['username'], safe='')}/password"
    basic = base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()
    send(login["url"], "PUT", path, {"password": password}, authorization=f"Basic {basic}")


# part: http


# How the password of one user is rotated.


def new_value(secret):
    """The current value with a new password."""
    password = client.get_random_password(
        PasswordLength=32, ExcludeCharacters=os.environ.get("EXCLUDE_CHARACTERS", "")
    )["RandomPassword"]
    return json.dumps({**needed(secret, "AWSCURRENT"), "password": password})


def set_secret(secret, token):
    """Has the service take the pending password, by the newest one that it still knows."""
    pending, current = needed(secret, "AWSPENDING", token), needed(secret, "AWSCURRENT")
    if not is_same_user(pending, current):
        # A pending value may not send the current password to another service.
        raise ValueError("the pending version is of another user, or of another service")
    if logs_in(pending):
        return
    for known in (current, previous(secret)):
        if known and is_same_user(known, pending) and logs_in(known):
            change_password(known, pending["password"])
            return
    raise ValueError("the service takes neither the pending, the current nor the previous password")


def test_secret(secret, token):
    """Logs in as the secret's readers will."""
    if not logs_in(needed(secret, "AWSPENDING", token)):
        raise ValueError("the service doesn't take the pending password")


def is_same_user(one, other):
    """Whether two values differ in nothing but their passwords, as far as the service is concerned."""
    return all(one[name] == other[name] for name in MEMBERS if name != "password")


# part: members


# part: previous


# part: contract
