"""Rotates the password of one PostgreSQL role, with that role's own login: a single user, and no superuser.

For a moment the old password is gone while AWSCURRENT still names it: readers that open new connections then try again. A
service that can't bear this needs two roles that take turns.

Secrets Manager calls createSecret, setSecret, testSecret and finishSecret in this order, and may call each again. The database
may know the new password before the secret says so: setSecret therefore tries the pending one first.
"""

import json
import logging
import os

import boto3
import pg8000.native

CONNECT_SECONDS = 5
WRONG_PASSWORD = "28P01"  # PostgreSQL's error code for it.

logger = logging.getLogger()
logger.setLevel(logging.INFO)

client = boto3.client("secretsmanager", endpoint_url=os.environ["SECRETS_MANAGER_ENDPOINT"])


def lambda_handler(event, context):
    rotation = Rotation(event["SecretId"], event["ClientRequestToken"])
    steps = {
        "createSecret": rotation.create,
        "setSecret": rotation.set,
        "testSecret": rotation.test,
        "finishSecret": rotation.finish,
    }
    step = event["Step"]
    if step not in steps:
        raise ValueError(f"{step} is no step of a rotation")
    if rotation.is_over():
        logger.info("%s: version %s is current already", step, rotation.token)
        return
    steps[step]()
    logger.info("%s: done for version %s", step, rotation.token)


class Rotation:
    """The rotation of a secret to one version."""

    def __init__(self, secret, token):
        self.secret, self.token = secret, token

    def is_over(self):
        """Whether the version is current; one that isn't even pending is none that could be rotated to."""
        described = client.describe_secret(SecretId=self.secret)
        if not described.get("RotationEnabled"):
            raise ValueError(f"rotation of {self.secret} is off")
        stages = described["VersionIdsToStages"].get(self.token, [])
        if not {"AWSCURRENT", "AWSPENDING"} & set(stages):
            raise ValueError(f"{self.token} is not a pending version of {self.secret}")
        return "AWSCURRENT" in stages

    def create(self):
        """Gives the pending version a value, unless an earlier call has: that one may be the database's password already."""
        current = self.credentials("AWSCURRENT")
        try:
            self.credentials("AWSPENDING")
            return
        except client.exceptions.ResourceNotFoundException:
            pass
        password = client.get_random_password(ExcludeCharacters=os.environ["EXCLUDE_CHARACTERS"])["RandomPassword"]
        client.put_secret_value(
            SecretId=self.secret,
            ClientRequestToken=self.token,
            SecretString=json.dumps({**current, "password": password}),
            VersionStages=["AWSPENDING"],
        )

    def set(self):
        """Has the database take the pending password, by whichever one it knows."""
        pending, current = self.credentials("AWSPENDING"), self.credentials("AWSCURRENT")
        if identity(pending) != identity(current):
            # A pending value may not send the current password to another server.
            raise ValueError("the pending version names another role or server than the current one")
        if database := connect(pending):
            database.close()
            logger.info("the database has the pending password already")
            return
        database = connect(current)
        if not database:
            try:
                previous = self.credentials("AWSPREVIOUS")
            except client.exceptions.ResourceNotFoundException:
                previous = None
            if previous and identity(previous) == identity(pending):
                database = connect(previous)
        if not database:
            raise ValueError("the database takes neither the pending, the current nor the previous password")
        role = pg8000.native.identifier(pending["username"])
        try:
            # This statement takes no parameters: the driver quotes.
            database.run(f"ALTER ROLE {role} WITH PASSWORD {pg8000.native.literal(pending['password'])}")
        finally:
            database.close()

    def test(self):
        """Logs in with the pending password and reads something."""
        database = connect(self.credentials("AWSPENDING"))
        if not database:
            raise ValueError("the database doesn't take the pending password")
        try:
            database.run("SELECT now()")
        finally:
            database.close()

    def finish(self):
        """Makes the pending version the current one."""
        versions = client.describe_secret(SecretId=self.secret)["VersionIdsToStages"]
        current = next(version for version, stages in versions.items() if "AWSCURRENT" in stages)
        if current != self.token:
            client.update_secret_version_stage(
                SecretId=self.secret,
                VersionStage="AWSCURRENT",
                MoveToVersionId=self.token,
                RemoveFromVersionId=current,
            )

    def credentials(self, stage):
        """A version's value; only the pending one is asked for by its id as well."""
        version = {"VersionId": self.token} if stage == "AWSPENDING" else {}
        text = client.get_secret_value(SecretId=self.secret, VersionStage=stage, **version)["SecretString"]
        value = json.loads(text)
        if value.get("engine") != "postgres":
            raise KeyError("the secret's engine must be `postgres`")
        for key in ("host", "username", "password"):
            if not value.get(key):
                raise KeyError(f"the secret has no {key}")
        return value


def identity(value):
    """What must stay as it is when a password changes."""
    return [str(value.get(key)) for key in ("engine", "host", "port", "username", "dbname")]


def connect(value):
    """A connection, or None where the password is wrong. Any other failure says nothing of passwords, and fails the step."""
    try:
        return pg8000.native.Connection(
            value["username"],
            password=value["password"],
            host=value["host"],
            port=int(value.get("port") or 5432),
            database=value.get("dbname") or "postgres",
            timeout=CONNECT_SECONDS,
            application_name="rotation",
        )
    except pg8000.native.DatabaseError as error:
        details = error.args[0] if error.args else {}
        if isinstance(details, dict) and details.get("C") == WRONG_PASSWORD:
            return None
        raise
