"""Rotates data keys: secrets of the form {"id": ..., "key": ...} that encrypt what an application stores.

What was encrypted names its key's id, so readers find the older key in AWSPREVIOUS. A secret that has another form
at first, such as one made by hand, is replaced by the first rotation.
"""

import base64
import datetime
import json
import os

import boto3

KEY_BYTES = 32

client = boto3.client("secretsmanager", endpoint_url=os.environ.get("SECRETS_MANAGER_ENDPOINT"))


def lambda_handler(event, context):
    rotation = Rotation(event["SecretId"], event["ClientRequestToken"])
    if rotation.is_over():
        return
    {
        "createSecret": rotation.create,
        "setSecret": lambda: None,  # No other service keeps a copy.
        "testSecret": rotation.test,
        "finishSecret": rotation.finish,
    }[event["Step"]]()


class Rotation:
    """One rotation of one secret. Every step may be called again."""

    def __init__(self, secret, token):
        self.secret, self.token = secret, token

    def stages(self):
        return client.describe_secret(SecretId=self.secret)["VersionIdsToStages"]

    def is_over(self):
        stages = self.stages().get(self.token, [])
        if "AWSCURRENT" not in stages and "AWSPENDING" not in stages:
            raise ValueError(f"{self.token} is not a pending version of {self.secret}")
        return "AWSCURRENT" in stages

    def pending(self):
        value = client.get_secret_value(SecretId=self.secret, VersionId=self.token, VersionStage="AWSPENDING")
        return json.loads(value["SecretString"])

    def create(self):
        try:
            self.pending()
        except client.exceptions.ResourceNotFoundException:
            today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
            key = base64.b64encode(os.urandom(KEY_BYTES)).decode()
            client.put_secret_value(
                SecretId=self.secret,
                ClientRequestToken=self.token,
                SecretString=json.dumps({"id": f"{os.environ['STAGE']}-{today}-{self.token[:8]}", "key": key}),
                VersionStages=["AWSPENDING"],
            )

    def test(self):
        pending = self.pending()
        if len(base64.b64decode(pending["key"], validate=True)) != KEY_BYTES or not pending["id"]:
            raise ValueError("the pending version is no data key")

    def finish(self):
        current = [version for version, stages in self.stages().items() if "AWSCURRENT" in stages]
        client.update_secret_version_stage(
            SecretId=self.secret,
            VersionStage="AWSCURRENT",
            MoveToVersionId=self.token,
            **({"RemoveFromVersionId": current[0]} if current else {}),
        )
