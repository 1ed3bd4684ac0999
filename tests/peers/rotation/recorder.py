"""Rotates a secret as AWS's template does, says in its log what it was asked for, and does what the secret's tags tell it.

`hold` names a step that waits until the tag is gone, and meanwhile sets the tag `held`; `fail` names one that raises.
"""

import json
import time

import boto3
import botocore.exceptions

client = boto3.client("secretsmanager")


def told(secret):
    described = client.describe_secret(SecretId=secret)
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}, described["VersionIdsToStages"]


def handler(event, context):
    step, secret, version = event["Step"], event["SecretId"], event["ClientRequestToken"]
    print("EVENT " + json.dumps(event))
    tags, stages = told(secret)
    if tags.get("hold") == step:
        client.tag_resource(SecretId=secret, Tags=[{"Key": "held", "Value": step}])
    while tags.get("hold") == step:
        time.sleep(0.02)
        tags, stages = told(secret)
    if tags.get("fail") == step:
        raise RuntimeError(f"{step} fails as it was told to")
    if step == "createSecret":
        try:
            client.get_secret_value(SecretId=secret, VersionId=version, VersionStage="AWSPENDING")
        except botocore.exceptions.ClientError as error:
            print(f"EMPTY {error.response['Error']['Code']}")
            value = client.get_random_password(PasswordLength=20)["RandomPassword"]
            client.put_secret_value(
                SecretId=secret,
                ClientRequestToken=version,
                SecretString=value,
                VersionStages=["AWSPENDING"],
                RotationToken=event["RotationToken"],
            )
    elif step == "finishSecret":
        current = next((known for known, labels in stages.items() if "AWSCURRENT" in labels), None)
        if current != version:
            client.update_secret_version_stage(
                SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=version, RemoveFromVersionId=current
            )
    print(f"DONE {step} {version}")
