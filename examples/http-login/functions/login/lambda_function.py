"""Rotates a user's password of a web service, as that user.

A secret is {"url": ..., "username": ..., "password": ...}; whatever else stands in it is kept. The service has two calls:

    POST URL/login                   {"username": ..., "password": ...}: 200, or 401 where they don't fit
    PUT  URL/users/NAME/password     {"password": ...}, with basic authentication: 204

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

TIMEOUT_SECONDS = 5

logger = logging.getLogger()
logger.setLevel(logging.INFO)

client = boto3.client("secretsmanager", endpoint_url=os.environ.get("SECRETS_MANAGER_ENDPOINT"))


def lambda_handler(event, context):
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
    """Puts a copy of the current value with a new password into the pending version, unless an earlier try has."""
    current = value(secret, "AWSCURRENT")
    if value(secret, "AWSPENDING", token) is not None:
        return
    password = client.get_random_password(
        PasswordLength=32, ExcludeCharacters=os.environ.get("EXCLUDE_CHARACTERS", '"\\:')
    )["RandomPassword"]
    client.put_secret_value(
        SecretId=secret,
        ClientRequestToken=token,
        SecretString=json.dumps({**current, "password": password}),
        VersionStages=["AWSPENDING"],
    )


def set_secret(secret, token):
    """Has the service take the pending password, with the newest one that it still knows."""
    pending, current = value(secret, "AWSPENDING", token), value(secret, "AWSCURRENT")
    if (pending["url"], pending["username"]) != (current["url"], current["username"]):
        # A pending value may not send the current password to another service.
        raise ValueError("the pending version is of another user, or of another service")
    if logs_in(pending):
        return
    for known in (current, value(secret, "AWSPREVIOUS")):
        if known and (known["url"], known["username"]) == (pending["url"], pending["username"]) and logs_in(known):
            change_password(known, pending["password"])
            return
    raise ValueError(f"{pending['url']} takes neither the pending, the current nor the previous password")


def test_secret(secret, token):
    """Logs in as the secret's readers will."""
    pending = value(secret, "AWSPENDING", token)
    if not logs_in(pending):
        raise ValueError(f"{pending['url']} doesn't take the pending password")


def finish_secret(secret, token):
    """Makes the pending version the current one."""
    versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next((version for version, stages in versions.items() if "AWSCURRENT" in stages), None)
    if current == token:
        return
    client.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
    )


def value(secret, stage, token=None):
    """A version's value, or None where it has none."""
    version = {"VersionId": token} if token else {}
    try:
        text = client.get_secret_value(SecretId=secret, VersionStage=stage, **version)["SecretString"]
    except client.exceptions.ResourceNotFoundException:
        return None
    found = json.loads(text)
    missing = [key for key in ("url", "username", "password") if not found.get(key)]
    if missing:
        raise ValueError(f"the {stage} version of {secret} has no {' and no '.join(missing)}")
    return found


def logs_in(known):
    """Whether the service takes the credentials. Only a clear no is a no: a service that is down says nothing of a password."""
    body = {"username": known["username"], "password": known["password"]}
    try:
        send(known["url"], "POST", "/login", body)
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        return False
    return True


def change_password(known, password):
    name = urllib.parse.quote(known["username"], safe="")
    basic = base64.b64encode(f"{known['username']}:{known['password']}".encode()).decode()
    send(known["url"], "PUT", f"/users/{name}/password", {"password": password}, {"Authorization": f"Basic {basic}"})


def send(url, method, path, body, headers=None):
    """One request; raises whatever isn't a success."""
    request = urllib.request.Request(
        url.rstrip("/") + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **(headers or {})},
        method=method,
    )
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        raise
    except OSError as error:
        raise ConnectionError(f"{url} can't be reached: {getattr(error, 'reason', error)}") from error


STEPS = {
    "createSecret": create_secret,
    "setSecret": set_secret,
    "testSecret": test_secret,
    "finishSecret": finish_secret,
}
