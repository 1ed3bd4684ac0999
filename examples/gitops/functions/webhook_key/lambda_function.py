"""Rotates keys that sign webhooks.

The sender signs with AWSCURRENT. Receivers verify with AWSCURRENT and AWSPREVIOUS, so what was signed just before a rotation
is still accepted. No other service keeps a copy: `set_secret` has nothing to do.
"""

import logging
import os
import string

import boto3
from botocore.config import Config

LENGTH = int(os.environ["KEY_LENGTH"])


def new_value(secret):
    return client.get_random_password(PasswordLength=LENGTH, ExcludePunctuation=True)["RandomPassword"]


def set_secret(secret, token):
    """The key's readers fetch it by themselves."""


def test_secret(secret, token):
    pending = value(secret, "AWSPENDING", token)
    if not pending or len(pending) != LENGTH or set(pending) - set(string.ascii_letters + string.digits):
        raise ValueError("the pending version is no key that a webhook could be signed with")


def read(text):
    return text


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
