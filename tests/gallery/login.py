import base64
import json
import os
import urllib.request

import boto3

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


def create_secret(secret, token):
    current = value(secret, "AWSCURRENT")
    if value(secret, "AWSPENDING", token):
        return
    password = client.get_random_password(PasswordLength=24, ExcludeCharacters='"\\:')["RandomPassword"]
    client.put_secret_value(
        SecretId=secret,
        ClientRequestToken=token,
        SecretString=json.dumps({**current, "password": password}),
        VersionStages=["AWSPENDING"],
    )


def set_secret(secret, token):
    pending, admin = value(secret, "AWSPENDING", token), value(os.environ["ADMIN_SECRET"], "AWSCURRENT")
    call(pending["url"], admin, "PUT", "/users/" + pending["username"], {"password": pending["password"]})


def test_secret(secret, token):
    pending = value(secret, "AWSPENDING", token)
    call(pending["url"], pending, "GET", "/login")


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


def call(url, who, method, path, body=None):
    basic = base64.b64encode(f"{who['username']}:{who['password']}".encode()).decode()
    request = urllib.request.Request(
        url + path,
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": "Basic " + basic},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read()


STEPS = {
    "createSecret": create_secret,
    "setSecret": set_secret,
    "testSecret": test_secret,
    "finishSecret": finish_secret,
}
