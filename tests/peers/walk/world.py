"""What cases are made of: an account of their own with whatever has to be there, and calls that are refused."""

import json
import uuid
from collections import defaultdict
from dataclasses import dataclass

import boto3
import botocore.config
from conftest import REGION, until, zipped

CASES = defaultdict(dict)
SESSION = boto3.session.Session()
MISSING = "ResourceNotFoundException"
GENERIC = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate"
ROLE = "arn:aws:iam::123456789012:role/rotation"
CODE = {
    "bootstrap": """#!/usr/bin/env python3
import os, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as event:
        id, body = event.headers["Lambda-Runtime-Aws-Request-Id"], event.read()
    kind = "error" if b"fail" in body else "response"
    answer = b'{"errorType": "E", "errorMessage": "m"}' if kind == "error" else body
    print("working on", len(body), "bytes", flush=True)
    urllib.request.urlopen(urllib.request.Request(base + id + "/" + kind, data=answer)).close()
"""
}


@dataclass
class Refused:
    """A call that is refused, and the code that it is refused with."""

    params: dict
    code: str


def case(service):
    """Registers a case under its own name: the operation's, in another spelling."""

    def register(make):
        operation = "".join(word.capitalize() for word in make.__name__.split("_"))
        CASES[service][operation] = make
        return make

    return register


def token():
    return str(uuid.uuid4())


class World:
    """An account of a case's own, in a sandbox that others share."""

    def __init__(self, sandbox, account):
        self.sandbox, self.account, self.clients = sandbox, account, {}

    def client(self, service, region=REGION):
        """A client like the other suites'; one session makes them all, since it reads each model once."""
        if (service, region) not in self.clients:
            self.clients[service, region] = SESSION.client(
                service,
                region_name=region,
                endpoint_url=self.sandbox.url,
                aws_access_key_id=self.account,
                aws_secret_access_key="sandbox",
                config=botocore.config.Config(retries={"total_max_attempts": 1, "mode": "standard"}),
            )
        return self.clients[service, region]

    def secret(self, name="s", **more):
        return self.client("secretsmanager").create_secret(Name=name, SecretString="v", **more)

    def function(self, name="f", **more):
        made = self.client("lambda").create_function(
            FunctionName=name,
            Role=ROLE,
            Runtime="provided.al2023",
            Handler="h",
            Code={"ZipFile": zipped(CODE)},
            **more,
        )
        self.client("lambda").get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
        return made["FunctionArn"]

    def rotator(self, name="f"):
        """A function that Secrets Manager may invoke."""
        arn = self.function(name)
        self.client("lambda").add_permission(
            FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com"
        )
        return arn

    def rotating(self, secret, **rules):
        """Puts a secret under rotation. It goes on beside the walk, so no world is compared after this."""
        rules = rules or {"AutomaticallyAfterDays": 9}
        self.client("secretsmanager").rotate_secret(
            SecretId=secret, RotationLambdaARN=self.rotator(), RotationRules=rules
        )

    def log_group(self, name="f"):
        """What a function printed."""
        self.function(name)
        self.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        return f"/aws/lambda/{name}"

    def change_set(self, name="rotation", **values):
        """A change set of the generic application, computed."""
        values = {"endpoint": "https://secretsmanager.us-east-1.amazonaws.com", "functionName": f"f-{name}", **values}
        made = self.client("serverlessrepo").create_cloud_formation_change_set(
            ApplicationId=GENERIC,
            StackName=name,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"],
            ParameterOverrides=[{"Name": key, "Value": value} for key, value in values.items()],
        )
        describe = self.client("cloudformation").describe_change_set
        under_way = ("CREATE_PENDING", "CREATE_IN_PROGRESS")
        until("the change set", lambda: describe(ChangeSetName=made["ChangeSetId"])["Status"] not in under_way)
        return made["ChangeSetId"]

    def stack(self, name="rotation", **values):
        """A deployed stack; its name."""
        stacks = self.client("cloudformation")
        made = self.change_set(name, **values)
        stacks.execute_change_set(ChangeSetName=made)
        self.settled(f"serverlessrepo-{name}")
        return f"serverlessrepo-{name}"

    def settled(self, stack):
        """The stack's status once nothing is under way with it."""

        def look():
            status = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            return status if not status.endswith("PROGRESS") else None

        return until(f"{stack} to settle", look)

    def digest(self):
        """All that an account has, as its own lists and descriptions show it."""
        secrets, functions, stacks = (self.client(name) for name in ("secretsmanager", "lambda", "cloudformation"))
        found = []
        for secret in secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
            found += [secret, secrets.list_secret_version_ids(SecretId=secret["ARN"], IncludeDeprecated=True)]
            if "DeletedDate" not in secret:
                found.append(secrets.get_resource_policy(SecretId=secret["ARN"]))
        for function in functions.list_functions(FunctionVersion="ALL")["Functions"]:
            found.append(functions.get_function(FunctionName=function["FunctionArn"]))
            try:
                found.append(functions.get_policy(FunctionName=function["FunctionArn"]))
            except functions.exceptions.ResourceNotFoundException:
                pass
        for stack in stacks.list_stacks()["StackSummaries"]:
            found += [stack, stacks.describe_stack_events(StackName=stack["StackId"])["StackEvents"]]
            found += stacks.describe_stacks(StackName=stack["StackId"])["Stacks"]
            found += stacks.list_change_sets(StackName=stack["StackId"])["Summaries"]
        found += self.client("logs").describe_log_groups()["logGroups"]
        for one in found:
            if isinstance(one, dict):
                one.pop("ResponseMetadata", None)
        return json.dumps(found, default=str, sort_keys=True)
