"""Rotates keys that sign webhooks.

The sender signs with AWSCURRENT. Receivers verify with AWSCURRENT and AWSPREVIOUS, so what was signed just before a rotation
is still accepted. No other service keeps a copy: `setSecret` has nothing to do.

Each step may be called again, and then finds its work done.
"""

import os
import string

import boto3

LENGTH = int(os.environ["KEY_LENGTH"])

client = boto3.client("secretsmanager", endpoint_url=os.environ.get("SECRETS_MANAGER_ENDPOINT"))


def lambda_handler(event, context):
    secret, version, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    if "AWSCURRENT" in versions.get(version, []):
        return
    if "AWSPENDING" not in versions.get(version, []):
        raise ValueError(f"{version} is no pending version")
    if step == "createSecret":
        create(secret, version)
    elif step == "testSecret":
        check(pending(secret, version))
    elif step == "finishSecret":
        current = next((id for id, stages in versions.items() if "AWSCURRENT" in stages), None)
        leave = {"RemoveFromVersionId": current} if current else {}
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=version, **leave
        )


def pending(secret, version):
    """The new key, or None where none was made yet."""
    try:
        value = client.get_secret_value(SecretId=secret, VersionId=version, VersionStage="AWSPENDING")
    except client.exceptions.ResourceNotFoundException:
        return None
    return value["SecretString"]


def create(secret, version):
    if pending(secret, version) is None:
        key = client.get_random_password(PasswordLength=LENGTH, ExcludePunctuation=True)["RandomPassword"]
        client.put_secret_value(
            SecretId=secret, ClientRequestToken=version, SecretString=key, VersionStages=["AWSPENDING"]
        )


def check(key):
    if key is None or len(key) != LENGTH or set(key) - set(string.ascii_letters + string.digits):
        raise ValueError("the pending version is no key that a webhook could be signed with")
