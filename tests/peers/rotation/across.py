"""Rotates a secret of another account: it assumes a role there, and proves with `RotationToken` for whom it acts.

Before it does so rightly, it tries without the token and with another one, and says in its log what came of that.
"""

import os
import uuid

import boto3
import botocore.exceptions


def handler(event, context):
    step, secret, version = event["Step"], event["SecretId"], event["ClientRequestToken"]
    own = boto3.client("sts")
    session = own.assume_role(RoleArn=os.environ["ROLE"], RoleSessionName="rotation")["Credentials"]
    print(f"ACCOUNTS {own.get_caller_identity()['Account']} {os.environ['ROLE'].split(':')[4]}")
    client = boto3.client(
        "secretsmanager",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    if step == "createSecret":
        value = client.get_random_password(PasswordLength=20)["RandomPassword"]
        put = {"SecretId": secret, "ClientRequestToken": version, "SecretString": value, "VersionStages": ["AWSPENDING"]}
        for what, proof in {"without": {}, "another": {"RotationToken": str(uuid.uuid4())}}.items():
            try:
                client.put_secret_value(**put, **proof)
                print(f"TAKEN {what}")
            except botocore.exceptions.ClientError as error:
                print(f"REFUSED {what} {error.response['Error']['Code']}")
        client.put_secret_value(**put, RotationToken=event["RotationToken"])
    elif step == "finishSecret":
        stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = next(known for known, labels in stages.items() if "AWSCURRENT" in labels)
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=version, RemoveFromVersionId=current
        )
