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
