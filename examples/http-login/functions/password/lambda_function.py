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


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """What a request carries is for the one service that it was meant for."""

    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(NoRedirects)


def send(url, method, path, body=None, authorization=None):
    """One request, and what the service answers it with, if anything. What isn't a success raises."""
    headers = {"Content-Type": "application/json"}
    if authorization:
        headers["Authorization"] = authorization
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url.rstrip("/") + path, data=data, headers=headers, method=method)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            text = answer.read()
    except urllib.error.HTTPError:
        raise
    except OSError as error:
        raise ConnectionError(f"{url} can't be reached: {getattr(error, 'reason', error)}") from error
    return json.loads(text) if text else None


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


def read(text, members=MEMBERS):
    """The members of a value; one that lacks any of them is no value for this function."""
    found = json.loads(text)
    missing = [name for name in members if not isinstance(found, dict) or not found.get(name)]
    if missing:
        raise ValueError(f"the secret has no {' and no '.join(missing)}")
    return found


def needed(secret, stage, token=None):
    """A value that must be there."""
    found = value(secret, stage, token)
    if found is None:
        raise ValueError(f"the {stage} version of {secret} has no value")
    return found


def previous(secret):
    """What the version before the current one holds; None where there is none, or it is of another form."""
    try:
        return value(secret, "AWSPREVIOUS")
    except ValueError:
        return None


# The contract of the four steps. Nothing below is about the service, and nothing needs to be changed for another one.

logger = logging.getLogger()
logger.setLevel(logging.INFO)

client = boto3.client(
    "secretsmanager",
    endpoint_url=os.environ.get("SECRETS_MANAGER_ENDPOINT"),
    # Well below the function's own timeout: a network without a way to AWS is then an error that says so.
    config=Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}),
)


def lambda_handler(event, context):
    """One step of a rotation. Secrets Manager calls them in order, and may call each again."""
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    described = client.describe_secret(SecretId=secret)
    if not described.get("RotationEnabled"):
        raise ValueError(f"rotation of {secret} is off")
    stages = described["VersionIdsToStages"].get(token)
    if stages is None:
        raise ValueError(f"version {token} is not a version of {secret}")
    if "AWSCURRENT" in stages:
        logger.info("version %s is current already", token)
        return
    if "AWSPENDING" not in stages:
        raise ValueError(f"version {token} of {secret} is not pending")
    STEPS[step](secret, token)
    logger.info("%s: done for version %s", step, token)


def create_secret(secret, token):
    """Puts a new value into the pending version, unless an earlier call has: the service may know that one by now."""
    if value(secret, "AWSPENDING", token) is not None:
        return
    made = new_value(secret)
    client.put_secret_value(
        SecretId=secret, ClientRequestToken=token, SecretString=made, VersionStages=["AWSPENDING"]
    )


def finish_secret(secret, token):
    """Makes the pending version the current one."""
    versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next((version for version, stages in versions.items() if "AWSCURRENT" in stages), None)
    if current == token:
        return
    move = {"SecretId": secret, "VersionStage": "AWSCURRENT", "MoveToVersionId": token}
    if current is not None:
        move["RemoveFromVersionId"] = current
    client.update_secret_version_stage(**move)


def value(secret, stage, token=None):
    """What a version holds, or None where it has no value yet, or no version has the label."""
    version = {"VersionId": token} if token else {}
    try:
        text = client.get_secret_value(SecretId=secret, VersionStage=stage, **version)["SecretString"]
    except client.exceptions.ResourceNotFoundException:
        return None
    return read(text)


STEPS = {
    "createSecret": create_secret,
    "setSecret": set_secret,
    "testSecret": test_secret,
    "finishSecret": finish_secret,
}
