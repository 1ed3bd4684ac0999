"""Rotates a user's password of a web service, as an admin, and lets two users take turns: no login ends while it is read.

A secret is {"url": ..., "username": ..., "password": ..., "masterarn": ...}; whatever else stands in it is kept. `masterarn`
names the admin's secret, {"url": ..., "username": ..., "password": ...}, which the function's role must be allowed to read.
`app` and `app_clone` alternate: each rotation gives a new password to the one that isn't current. Readers may go on with the
login that they have until the next rotation.

Secrets Manager may call each step again, after any end of the one before: so each looks first at what is done already.
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

# What is about the service: for another one, replace `logs_in` and `save_login`, and what only they use.

# What an admin's secret must hold, and what the user's.
LOGIN = ("url", "username", "password")
MEMBERS = (*LOGIN, "masterarn")


def logs_in(login):
    """Whether the service takes a login. Only a clear no is a no: a service that is down says nothing of a password."""
    try:
        send(login["url"], "POST", "/login", {"username": login["username"], "password": login["password"]})
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        return False
    return True


def save_login(admin, login, like):
    """As the admin, gives a user the login's password; one that isn't there yet is made, with the rights of the user `like`."""
    path = f"/users/{urllib.parse.quote(login['username'], safe='')}"
    basic = base64.b64encode(f"{admin['username']}:{admin['password']}".encode()).decode()
    send(admin["url"], "PUT", path, {"password": login["password"], "like": like}, authorization=f"Basic {basic}")


# part: http


# How two users take turns.

CLONE = "_clone"


def new_value(secret):
    """The current value with the other user, and a new password."""
    current = needed(secret, "AWSCURRENT")
    password = client.get_random_password(
        PasswordLength=32, ExcludeCharacters=os.environ.get("EXCLUDE_CHARACTERS", "")
    )["RandomPassword"]
    return json.dumps({**current, "username": other(current["username"]), "password": password})


def set_secret(secret, token):
    """Has the service take the pending login, which nothing reads yet."""
    pending, current = needed(secret, "AWSPENDING", token), needed(secret, "AWSCURRENT")
    if pending["username"] != other(current["username"]) or not is_same_service(pending, current):
        raise ValueError("the pending version isn't of the other user, or is of another service")
    if logs_in(pending):
        return
    admin = read(client.get_secret_value(SecretId=current["masterarn"])["SecretString"], LOGIN)
    if not is_same_service(admin, pending):
        # Who may change the secret could else have the admin's password sent anywhere.
        raise ValueError("the admin's secret is of another service")
    save_login(admin, pending, current["username"])


def test_secret(secret, token):
    """Logs in as the secret's readers will."""
    if not logs_in(needed(secret, "AWSPENDING", token)):
        raise ValueError("the service doesn't take the pending login")


def is_same_service(one, other):
    """Whether two logins differ in nothing but whose they are."""
    return all(one[name] == other[name] for name in LOGIN if name not in ("username", "password"))


def other(username):
    """The user that takes the turn after this one, as AWS's own functions call it."""
    return username.removesuffix(CLONE) if username.endswith(CLONE) else username + CLONE


# part: members


# part: contract
