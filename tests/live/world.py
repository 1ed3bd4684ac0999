"""What a run makes in the account: its names, the clients that reach it, and how all of it is removed."""

import contextlib
import json
import time

import boto3
import botocore.config
from botocore.exceptions import ClientError

#: Statuses of stacks that aren't there any more.
GONE = {"DELETE_COMPLETE"}

#: Codes of what isn't there.
MISSING = {"ResourceNotFoundException", "ValidationError", "ChangeSetNotFound", "NotFoundException"}


class Names:
    """All names of a run: each begins with its prefix, behind what AWS's own policies want to see first."""

    def __init__(self, prefix, project):
        self.prefix, self.project = prefix, project
        self.secret = f"{prefix}/key"
        self.function = f"SecretsManager-{prefix}"
        self.review = f"SecretsManager-{prefix}-review"
        self.functions = (self.function, self.review)
        self.stacks = tuple(f"serverlessrepo-{name}" for name in self.functions)
        self.log_groups = tuple(f"/aws/lambda/{name}" for name in self.functions)


class World:
    """The account, as the script itself works in it: through the recorder, with the script's own key."""

    def __init__(self, recorder, names, pace):
        self.recorder, self.names, self.pace = recorder, names, pace
        self.clients = {}
        self.session = boto3.session.Session(recorder.keys["script"], "unused", region_name=recorder.region)

    def client(self, service):
        if service not in self.clients:
            config = botocore.config.Config(retries={"total_max_attempts": 8, "mode": "standard"}, proxies={})
            self.clients[service] = self.session.client(service, endpoint_url=self.recorder.url, config=config)
        return self.clients[service]

    def until(self, what, look, seconds=600):
        """Looks until something is there; what it is, and how long it took."""
        began, pause = time.monotonic(), self.pace
        while True:
            found = look()
            if found:
                return found, time.monotonic() - began
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"waited {seconds} s in vain for {what}")
            time.sleep(pause)
            pause = min(pause * 1.3, self.pace * 10)

    # What is there.

    def stack(self, name):
        """A stack's status, and its ARN; `None` where there is none."""
        with missing():
            (stack,) = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
            if stack["StackStatus"] not in GONE:
                return stack["StackStatus"], stack["StackId"]
        return None

    def secret(self):
        with missing():
            return self.client("secretsmanager").describe_secret(SecretId=self.names.secret)
        return None

    def left(self):
        """What of the run's names the account has, by listing, as `(kind, name)`."""
        names, found = self.names, []
        pages = self.client("secretsmanager").get_paginator("list_secrets").paginate(IncludePlannedDeletion=True)
        found += [("secret", one["Name"]) for page in pages for one in page["SecretList"] if one["Name"] == names.secret]
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        found += [("stack", one["StackName"]) for page in pages for one in page["Stacks"] if one["StackName"] in names.stacks]
        pages = self.client("lambda").get_paginator("list_functions").paginate()
        found += [("function", f["FunctionName"]) for page in pages for f in page["Functions"] if f["FunctionName"] in names.functions]
        for group in names.log_groups:
            pages = self.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
            found += [("log group", one["logGroupName"]) for page in pages for one in page["logGroups"] if one["logGroupName"] == group]
        return found

    # What removes it. Each is tried, whatever becomes of the others.

    def remove(self):
        """Removes all that a run makes; returns what is left, and why, as `(kind, name, words)`."""
        reasons = {}
        for name in self.names.stacks:
            self.attempt(reasons, ("stack", name), lambda name=name: self.remove_stack(name))
        for name in self.names.functions:
            self.attempt(reasons, ("function", name), lambda name=name: self.client("lambda").delete_function(FunctionName=name))
        delete = self.client("secretsmanager").delete_secret
        self.attempt(
            reasons,
            ("secret", self.names.secret),
            lambda: delete(SecretId=self.names.secret, ForceDeleteWithoutRecovery=True),
        )
        for group in self.names.log_groups:
            self.attempt(reasons, ("log group", group), lambda group=group: self.client("logs").delete_log_group(logGroupName=group))
        # Lists lag behind, and the last lines of a function may bring its log group back.
        deadline = time.monotonic() + self.pace * 60
        while True:
            try:
                left = self.left()
            except Exception as error:  # noqa: BLE001  (what can't be listed may be there)
                return [*(kind_and_name + (words,) for kind_and_name, words in reasons.items()), ("the rest", "unknown", words_of(error))]
            if not left or time.monotonic() > deadline:
                return [(kind, name, reasons.get((kind, name), "it is still listed")) for kind, name in left]
            for kind, name in left:
                if kind == "log group":
                    self.attempt(reasons, (kind, name), lambda name=name: self.client("logs").delete_log_group(logGroupName=name))
            time.sleep(self.pace)

    def give_up_pending(self):
        """Takes `AWSPENDING` off a version whose rotation can't end."""
        client = self.client("secretsmanager")
        for version, stages in client.describe_secret(SecretId=self.names.secret)["VersionIdsToStages"].items():
            if "AWSPENDING" in stages and "AWSCURRENT" not in stages:
                client.update_secret_version_stage(
                    SecretId=self.names.secret, VersionStage="AWSPENDING", RemoveFromVersionId=version
                )

    def attempt(self, reasons, what, do):
        try:
            with missing():
                do()
        except Exception as error:  # noqa: BLE001  (whatever it was, the others are tried)
            reasons[what] = words_of(error)

    def remove_stack(self, name):
        there = self.stack(name)
        if there is None:
            return
        client = self.client("cloudformation")
        # What is under way can't be deleted yet.
        self.until(f"{name} to come to rest", lambda: not in_progress((self.stack(name) or ("GONE",))[0]), 900)
        if (there := self.stack(name)) is None:
            return
        client.delete_stack(StackName=there[1])

        def ended():
            (stack,) = client.describe_stacks(StackName=there[1])["Stacks"]
            return stack["StackStatus"] if stack["StackStatus"] in {"DELETE_COMPLETE", "DELETE_FAILED"} else None

        with missing():
            status, _ = self.until(f"{name} to be deleted", ended, 1800)
            if status == "DELETE_FAILED":
                raise TimeoutError("its deletion failed: DELETE_FAILED")


def in_progress(status):
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def words_of(error):
    """What may be said of an error: its code, never its words, which may hold what was sent."""
    if isinstance(error, ClientError):
        return error.response["Error"].get("Code", "an error")
    return str(error) if isinstance(error, TimeoutError) else type(error).__name__


def say(words):
    # A terminal that has gone away must not end the removal of what was made.
    with contextlib.suppress(OSError):
        print(words, flush=True)


@contextlib.contextmanager
def missing():
    """What isn't there is no failure."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"].get("Code") not in MISSING:
            raise


def statements(policy):
    """The statements of a policy that let Secrets Manager in."""
    found = json.loads(policy)["Statement"]
    return [one for one in found if (one.get("Principal") or {}).get("Service") == "secretsmanager.amazonaws.com"]
