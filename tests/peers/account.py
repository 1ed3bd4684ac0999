"""An account as teams have them: secrets of many kinds, in two regions, made by boto3 at a served sandbox.

    account.py URL [ROTATING]

`ROTATING`: how many secrets rotate with each of two functions. No function here runs: the sandbox doesn't know their language, so that
rotations are simulated, and take no time.
"""

import io
import json
import sys
import time
import urllib.request
import zipfile

import boto3

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
REGIONS = ("us-east-1", "eu-west-1")
TEMPLATE = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate"


class Account:
    def __init__(self, url, region, account=ACCOUNT):
        self.url, self.region, self.account = url, region, account
        self.secrets, self.functions = self.client("secretsmanager"), self.client("lambda")

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.account,
            aws_secret_access_key="sandbox",
        )

    def function(self, name, source_account=None, **more):
        """A function that Secrets Manager may invoke, and its ARN."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("Handler.class", "")
        made = self.functions.create_function(
            FunctionName=name,
            Role=f"arn:aws:iam::{self.account}:role/rotation",
            Runtime="java21",
            Handler="Handler::handle",
            Code={"ZipFile": package.getvalue()},
            Environment={"Variables": {"ENDPOINT": "https://db.example.com", "PLANTED": "never-to-be-shown-a1b2c3"}},
            **more,
        )
        self.permit(name, source_account or self.account)
        return made["FunctionArn"]

    def permit(self, name, source_account, **more):
        self.functions.add_permission(
            FunctionName=name,
            StatementId="SecretsManagerAccess",
            Action="lambda:InvokeFunction",
            Principal="secretsmanager.amazonaws.com",
            SourceAccount=source_account,
            **more,
        )

    def secret(self, name, tags=(), **more):
        tags = [{"Key": key, "Value": value} for key, value in tags]
        return self.secrets.create_secret(Name=name, SecretString="planted-value-d4e5f6", Tags=tags, **more)["ARN"]

    def rotate(self, secret, function=None, **rules):
        given = {"RotationLambdaARN": function} if function else {}
        self.secrets.rotate_secret(SecretId=secret, RotationRules=rules, RotateImmediately=False, **given)

    def rotating(self, name, function, tags=(), **rules):
        self.secret(name, tags)
        self.rotate(name, function, **rules)

    def control(self, what, body):
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{what}",
            data=json.dumps(body).encode(),
            headers={"x-rotator-sandbox": "1", "content-type": "application/json"},
        )
        urllib.request.urlopen(request).read()

    def owned(self, name, service):
        """A secret that a service of AWS made."""
        self.control("secrets", {"name": name, "region": self.region, "account": self.account, "owning_service": service})

    def adoptable(self, name):
        """A function that was deployed from AWS's generic template by hand, and its ARN."""
        repository, stacks = self.client("serverlessrepo"), self.client("cloudformation")
        parameters = {"functionName": name, "endpoint": f"https://secretsmanager.{self.region}.amazonaws.com"}
        made = repository.create_cloud_formation_change_set(
            ApplicationId=TEMPLATE,
            StackName=name,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"],
            ParameterOverrides=[{"Name": key, "Value": value} for key, value in parameters.items()],
        )
        stacks.get_waiter("change_set_create_complete").wait(ChangeSetName=made["ChangeSetId"], WaiterConfig={"Delay": 1})
        stacks.execute_change_set(ChangeSetName=made["ChangeSetId"])
        stacks.get_waiter("stack_create_complete").wait(StackName=made["StackId"], WaiterConfig={"Delay": 1})
        return self.functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]

    def settle(self):
        """Waits until no test of a function is under way."""
        for _ in range(600):
            pages = self.secrets.get_paginator("list_secrets").paginate()
            listed = [secret for page in pages for secret in page["SecretList"]]
            stages = [secret.get("SecretVersionsToStages", {}) for secret in listed]
            if not any("AWSPENDING" in held and "AWSCURRENT" not in held for one in stages for held in one.values()):
                return
            time.sleep(0.2)
        sys.exit(f"rotations in {self.region} don't end")


def fill(url, rotating):
    east, west = (Account(url, region) for region in REGIONS)
    for place in (east, west):
        db, web = place.function("rotate-db"), place.function("app-RotateWeb-1A2B3C4D5E6F")
        for number in range(rotating):
            tags = [("team", "payments" if number % 2 else "search")]
            window = {"Duration": "4h"} if number % 3 else {}
            place.rotating(f"db/{number:03}", db, tags, AutomaticallyAfterDays=30, **window)
            place.rotating(f"web/{number:03}", web, tags, ScheduleExpression="cron(0 8 ? * SUN *)", Duration="3h")
        place.rotating("db/weekly", db, AutomaticallyAfterDays=7)
        place.rotating("012/rate", db, ScheduleExpression="rate(12 hours)")
        place.rotating("null", db, AutomaticallyAfterDays=30, Duration="4h")
        place.secret("plain/never")
        place.rotating("plain/off", db, AutomaticallyAfterDays=30)
        place.secrets.cancel_rotate_secret(SecretId="plain/off")
        place.rotating("plain/deleted", db, AutomaticallyAfterDays=30)
        place.secrets.delete_secret(SecretId="plain/deleted")
        place.owned("events!connection/one", "events")
        place.owned("rds!db-3bea7c2d", "rds")
        place.secrets.rotate_secret(SecretId="rds!db-3bea7c2d", RotationRules={"AutomaticallyAfterDays": 7})
    east_only(east)
    only_elsewhere = east.secret("replicated/key")
    east.secrets.replicate_secret_to_regions(SecretId=only_elsewhere, AddReplicaRegions=[{"Region": west.region}])
    # The same name, and another rotation.
    arns = {place.region: place.functions.get_function(FunctionName="rotate-db") for place in (east, west)}
    for place, days in ((east, 30), (west, 60)):
        place.rotating("differs", arns[place.region]["Configuration"]["FunctionArn"], AutomaticallyAfterDays=days)
    for place in (east, west):
        place.settle()


def east_only(east):
    version = east.function("rotate-versioned", Publish=True)
    version = version if version.endswith(":1") else f"{version}:1"
    east.permit("rotate-versioned", ACCOUNT, Qualifier="1")
    east.rotating("versioned/key", version, AutomaticallyAfterDays=30)
    east.rotating("others/key", east.function("rotate-others", Tags={"rotator:project": "other"}), AutomaticallyAfterDays=30)
    shared = {"rotator:project": "other", "rotator:shared": "true"}
    east.rotating("others/shared", east.function("rotate-shared", Tags=shared), AutomaticallyAfterDays=30)
    of_stack = {"aws-cdk": "no", "ManagedBy": "Terraform"}
    east.rotating("terraform/key", east.function("rotate-tf", Tags=of_stack), AutomaticallyAfterDays=30)
    east.rotating("gone/key", east.function("rotate-gone"), AutomaticallyAfterDays=30)
    east.settle()
    east.functions.delete_function(FunctionName="rotate-gone")
    east.secret("partner/token", Type="SalesforceClientSecret")
    keys = east.adoptable("SecretsManagerKeys")
    east.rotating("keys/signing", keys, AutomaticallyAfterDays=30)


if __name__ == "__main__":
    fill(sys.argv[1].rstrip("/"), int(sys.argv[2]) if len(sys.argv) > 2 else 4)
