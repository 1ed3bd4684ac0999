"""Stands in for a rotation function that exists on AWS and not here.

It keeps to Secrets Manager's contract and knows no service: the pending value differs from the current one, is never set
anywhere, and passes every test.
"""

import json
import os

import boto3


def lambda_handler(event, context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    client = boto3.client("secretsmanager", endpoint_url=os.environ["SECRETS_MANAGER_ENDPOINT"])

    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    if token not in stages:
        raise ValueError(f"{token} is not a version of {secret}")
    if "AWSCURRENT" in stages[token]:
        return
    if "AWSPENDING" not in stages[token]:
        raise ValueError(f"{token} is not the pending version of {secret}")

    print(f"{step} of {secret}, by a stand-in for {context.function_name}")
    if step == "createSecret":
        create_secret(client, secret, token)
    elif step == "finishSecret":
        finish_secret(client, secret, token, stages)
    elif step not in ("setSecret", "testSecret"):
        raise ValueError(f"{step} is not a step of a rotation")


def create_secret(client, secret, token):
    current = client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
    try:
        client.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
        return
    except client.exceptions.ResourceNotFoundException:
        pass
    password = client.get_random_password(ExcludePunctuation=True)["RandomPassword"]
    client.put_secret_value(
        SecretId=secret,
        ClientRequestToken=token,
        SecretString=renewed(current.get("SecretString"), password),
        VersionStages=["AWSPENDING"],
    )


def renewed(text, password):
    """The value with another password: in the member of that name, if it has one."""
    try:
        value = json.loads(text or "")
    except ValueError:
        return password
    if not isinstance(value, dict):
        return password
    return json.dumps({**value, "password": password})


def finish_secret(client, secret, token, stages):
    current = next((version for version, labels in stages.items() if "AWSCURRENT" in labels), None)
    arguments = {"RemoveFromVersionId": current} if current else {}
    client.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, **arguments
    )
