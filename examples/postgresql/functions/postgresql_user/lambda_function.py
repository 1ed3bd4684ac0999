"""Rotates the password of one PostgreSQL role, with that role's own login: a single user, and no superuser.

For a moment the old password is gone while AWSCURRENT still names it: readers that open new connections then try again. A
service that can't bear this needs two roles that take turns.

Secrets Manager may call each step again, after any end of the one before. The database may know the new password before the
secret says so: `set_secret` therefore tries the pending one first.
"""

import json
import logging
import os

import boto3
import pg8000.native
from botocore.config import Config

CONNECT_SECONDS = 5
WRONG_PASSWORD = "28P01"  # PostgreSQL's error code for it.


def new_value(secret):
    """The current value with a new password."""
    password = client.get_random_password(ExcludeCharacters=os.environ["EXCLUDE_CHARACTERS"])["RandomPassword"]
    return json.dumps({**value(secret, "AWSCURRENT"), "password": password})


def set_secret(secret, token):
    """Has the database take the pending password, by whichever one it knows."""
    pending, current = value(secret, "AWSPENDING", token), value(secret, "AWSCURRENT")
    if identity(pending) != identity(current):
        # A pending value may not send the current password to another server.
        raise ValueError("the pending version names another role or server than the current one")
    if database := connect(pending):
        database.close()
        logger.info("the database has the pending password already")
        return
    database = connect(current)
    if not database:
        previous = value(secret, "AWSPREVIOUS")
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


def test_secret(secret, token):
    """Logs in with the pending password and reads something."""
    database = connect(value(secret, "AWSPENDING", token))
    if not database:
        raise ValueError("the database doesn't take the pending password")
    try:
        database.run("SELECT now()")
    finally:
        database.close()


def read(text):
    """The login that a value holds."""
    login = json.loads(text)
    if login.get("engine") != "postgres":
        raise KeyError("the secret's engine must be `postgres`")
    for key in ("host", "username", "password"):
        if not login.get(key):
            raise KeyError(f"the secret has no {key}")
    return login


def identity(login):
    """What must stay as it is when a password changes."""
    return [str(login.get(key)) for key in ("engine", "host", "port", "username", "dbname")]


def connect(login):
    """A connection, or None where the password is wrong. Any other failure says nothing of passwords, and fails the step."""
    try:
        return pg8000.native.Connection(
            login["username"],
            password=login["password"],
            host=login["host"],
            port=int(login.get("port") or 5432),
            database=login.get("dbname") or "postgres",
            timeout=CONNECT_SECONDS,
            application_name="rotation",
        )
    except pg8000.native.DatabaseError as error:
        details = error.args[0] if error.args else {}
        if isinstance(details, dict) and details.get("C") == WRONG_PASSWORD:
            return None
        raise


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
