import json
import logging
import urllib.request

import boto3

logger = logging.getLogger()
logger.setLevel(logging.INFO)
client = boto3.client("secretsmanager")


def lambda_handler(event, context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"].get(token)
    if stages is None:
        raise ValueError(f"there is no version {token}")
    if "AWSCURRENT" in stages:
        return
    if "AWSPENDING" not in stages:
        raise ValueError(f"version {token} is not pending")
    STEPS[step](secret, token)
    logger.info("%s: done", step)


def create_secret(secret, token):
    current, previous = value(secret, "AWSCURRENT"), value(secret, "AWSPREVIOUS")
    if value(secret, "AWSPENDING", token):
        return
    for key in call(current, "GET", "/keys"):
        is_left = key["label"].startswith("rotation") and key["id"] != current["id"]
        if is_left or previous and key["id"] == previous["id"]:
            call(current, "DELETE", "/keys/" + key["id"])
    made = call(current, "POST", "/keys", {"label": "rotation " + token})
    client.put_secret_value(
        SecretId=secret,
        ClientRequestToken=token,
        SecretString=json.dumps({**current, "id": made["id"], "api_key": made["key"]}),
        VersionStages=["AWSPENDING"],
    )
    logger.info("made key %s", made["id"])


def set_secret(secret, token):
    pass


def test_secret(secret, token):
    call(value(secret, "AWSPENDING", token), "GET", "/keys/self")


def finish_secret(secret, token):
    versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
    client.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
    )


def value(secret, stage, token=None):
    version = {"VersionId": token} if token else {}
    try:
        return json.loads(client.get_secret_value(SecretId=secret, VersionStage=stage, **version)["SecretString"])
    except client.exceptions.ResourceNotFoundException:
        return None


def call(secret, method, path, body=None):
    request = urllib.request.Request(
        secret["url"] + path,
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": "Bearer " + secret["api_key"]},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read() or "null")


STEPS = {
    "createSecret": create_secret,
    "setSecret": set_secret,
    "testSecret": test_secret,
    "finishSecret": finish_secret,
}
