"""The course of a run: each step as somebody would take it, with `rotator` and with AWS's own client."""

import json
import shutil
import time
import uuid
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from world import MISSING, missing, say, statements, words_of

REPOSITORY = Path(__file__).resolve().parents[2]
APPLICATION = "arn:{partition}:serverlessrepo:{region}:{publisher}:applications/SecretsManagerRotationTemplate"
#: Who publishes AWS's applications, and where, by partition.
PUBLISHERS = {
    "aws": ("us-east-1", "297356227824"),
    "aws-cn": ("cn-north-1", "193023089310"),
    "aws-us-gov": ("us-gov-west-1", "023102451235"),
}
PERMISSION = {"Action": "lambda:InvokeFunction", "Principal": "secretsmanager.amazonaws.com"}

MANIFEST = """version: 1
project: {project}
targets:
  here: {{region: {region}, account: "{account}"}}
functions:
  key:
    name: {function}
    code: code
    handler: live_function.lambda_handler
    timeout: 30
    environment: {{KEY_LENGTH: "64"}}
    application: {{parameters: {{excludeCharacters: '{exclude}'}}}}
secrets:
  {secret}:
    function: key
    rotation: {{automatically_after_days: 30}}
"""


class Failed(Exception):
    """A step went otherwise than it should."""


class Course:
    """One run."""

    def __init__(self, world, rotator, folder, found, asked):
        self.world, self.rotator, self.folder, self.found, self.asked = world, rotator, folder, found, asked
        self.names = world.names
        self.secrets, self.functions = world.client("secretsmanager"), world.client("lambda")

    def run(self):
        for step in (self.deploy, self.rotate, self.drift, self.repair, self.update, self.look_around, self.destroy):
            say(f"== {step.__name__.replace('_', ' ')}")
            step()

    # What `rotator` is asked.

    def write_manifest(self, exclude='/@"'):
        text = MANIFEST.format(exclude=exclude, **vars(self.names), region=self.asked.region, account=self.asked.account)
        (self.folder / "rotator.yaml").write_text(text)

    def asks(self, *words, exits):
        """Runs `rotator`, and holds it to how it is to end."""
        began = time.monotonic()
        code, said = self.rotator(*words)
        say(f"rotator {' '.join(words)}: {code}, after {time.monotonic() - began:.0f} s")
        if code != exits:
            raise Failed(f"`rotator {' '.join(words)}` ended with {code} instead of {exits}:\n{said}")
        return said

    def plan_is(self, exits):
        return self.asks("plan", "--detailed-exitcode", exits=exits)

    def apply(self):
        """Applies; the answers that `rotator` got meanwhile."""
        seen = len(self.world.recorder.seen)
        self.asks("apply", "--auto-approve", exits=0)
        return [one for one in self.world.recorder.seen[seen:] if one.by == "rotator"]

    # The steps.

    def deploy(self):
        value = json.dumps({"made": "up", "key": uuid.uuid4().hex})
        arn = self.secrets.create_secret(Name=self.names.secret, SecretString=value, Description="rotator's live check")["ARN"]
        self.partition = arn.split(":")[1]
        _, lag = self.world.until("the secret to be listed", self.is_listed)
        self.found.settle("list-lag", f"{lag:.1f} s")
        shutil.copytree(REPOSITORY / "examples/quickstart/functions/signing_key", self.folder / "code")
        shutil.copy(Path(__file__).with_name("function") / "live_function.py", self.folder / "code")
        self.write_manifest()
        self.plan_is(2)
        seen = self.apply()
        self.plan_is(0)
        self.learn_from_the_first_apply(seen)

    def is_listed(self):
        pages = self.secrets.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [self.names.secret]}])
        return any(one["Name"] == self.names.secret for page in pages for one in page["SecretList"])

    def learn_from_the_first_apply(self, seen):
        made = next((one.at for one in seen if one.operation == "CreateCloudFormationChangeSet"), None)
        late = [one for one in seen if made is not None and one.at > made and one.code in MISSING]
        # A function without a policy has none to find.
        late = [one for one in late if one.operation != "GetPolicy"]
        last = max((one.at - made for one in late), default=0)
        names = sorted({one.action for one in late})
        self.found.settle("made-but-not-found", f"{len(late)} times {names}, {last:.1f} s after the first change set at most")
        texts = [s for one in seen if one.service == "lambda" and one.status == 400 for s in one.sentences]
        self.found.settle("role-spreads", f"{len(texts)} refusals {sorted(set(texts))}")
        refused = [one.at for one in seen if "cannot invoke the specified Lambda function" in one.sentences]
        waited = refused[-1] - refused[0] if refused else 0
        self.found.settle("permission-spreads", f"{len(refused)} refusals within {waited:.1f} s")

    def rotate(self):
        token = str(uuid.uuid4())
        answer = self.secrets.rotate_secret(SecretId=self.names.secret, ClientRequestToken=token)
        told = "without" if "VersionId" not in answer else "the token" if answer["VersionId"] == token else "another"
        self.world.until("the rotation", lambda: "AWSCURRENT" in self.stages(token))
        self.version = told
        live = self.secrets.describe_secret(SecretId=self.names.secret)
        if "NextRotationDate" in live:
            days = (live["NextRotationDate"] - live["LastRotatedDate"]).total_seconds() / 86_400
            self.found.settle("rotation-next", f"{days:.2f} days after LastRotatedDate, with 30 days in the rules")
        self.found.settle("rotation-known-token", self.outcome(lambda: self.secrets.rotate_secret(SecretId=self.names.secret, ClientRequestToken=token)))
        self.world.until("the secret to come to rest", self.is_at_rest)

    def stages(self, version):
        return self.secrets.describe_secret(SecretId=self.names.secret)["VersionIdsToStages"].get(version, [])

    def is_at_rest(self):
        versions = self.secrets.describe_secret(SecretId=self.names.secret)["VersionIdsToStages"].values()
        return not any("AWSPENDING" in stages and "AWSCURRENT" not in stages for stages in versions)

    def outcome(self, call):
        """How AWS answers: that it did, or with which code."""
        try:
            call()
        except ClientError as error:
            return f"{error.response['ResponseMetadata']['HTTPStatusCode']} {words_of(error)}"
        return "it is accepted"

    def drift(self):
        """What somebody changes past the manifest: other rules, another configuration, other code, no permission."""
        self.test_version()
        name = self.names.function
        self.functions.update_function_configuration(FunctionName=name, Timeout=33)
        self.settled()
        code = self.folder / "other"
        shutil.copytree(self.folder / "code", code)
        (code / "other.py").write_text("# somebody else's\n")
        with open(shutil.make_archive(str(code), "zip", code), "rb") as package:
            self.functions.update_function_code(FunctionName=name, ZipFile=package.read())
        self.settled()
        for one in statements(self.functions.get_policy(FunctionName=name)["Policy"]):
            self.functions.remove_permission(FunctionName=name, StatementId=one["Sid"])

        # Until then a rotation would begin, and not come through.
        time.sleep(self.world.pace * 15)

        def refused():
            answer = self.outcome(lambda: self.secrets.rotate_secret(SecretId=self.names.secret))
            self.world.until("the secret to come to rest", self.is_at_rest)
            return answer if answer != "it is accepted" else None

        try:
            answer, waited = self.world.until("the permission's end to spread", refused, 180)
            self.found.settle("permission-missing", f"{answer}, {waited:.1f} s after it was taken away")
        except TimeoutError:
            self.world.give_up_pending()
            self.found.settle("permission-missing", "for three minutes rotations begin as before")
        self.plan_is(2)

    def settled(self):
        self.world.until(
            "the function to take its next edit",
            lambda: self.functions.get_function(FunctionName=self.names.function)["Configuration"]["LastUpdateStatus"] == "Successful",
        )

    def test_version(self):
        """Other rules, with a test instead of a rotation."""
        token, began = str(uuid.uuid4()), time.time()
        answer = self.secrets.rotate_secret(
            SecretId=self.names.secret, ClientRequestToken=token, RotateImmediately=False, RotationRules={"AutomaticallyAfterDays": 60}
        )
        told = "without" if "VersionId" not in answer else "the token" if answer["VersionId"] == token else "another"
        self.found.settle("rotation-version", f"of a rotation: {self.version}; of a test: {told}")
        stays = time.monotonic()
        try:
            self.world.until("the test's version", lambda: self.stages(token), self.world.pace * 5)
            self.world.until("the test's version to go", lambda: not self.stages(token), 120)
            stayed = f"it stays {time.monotonic() - stays:.1f} s"
        except TimeoutError:
            stayed = "it wasn't seen, or stayed for over two minutes"

        def logged():
            with missing():
                events = self.world.client("logs").filter_log_events(
                    logGroupName=self.names.log_groups[0], filterPattern="rotatorlivecheck", startTime=int((began - 5) * 1000)
                )["events"]
                return events[-1]["message"].split()[-1] if events else None
            return None

        try:
            held, lag = self.world.until("the test's line in the log", logged, 180)
            self.found.settle("test-version", f"{stayed}; its value is {'the current one' if held == 'same' else 'another'}")
            self.found.settle("log-lag", f"at most {lag:.1f} s after the test's version was gone")
        except TimeoutError:
            self.found.leave("test-version", f"{stayed}; what it holds wasn't logged")
            self.found.leave("log-lag", "no line of the test came")

    def repair(self):
        self.apply()
        self.plan_is(0)
        live = self.functions.get_function(FunctionName=self.names.function)["Configuration"]
        if live["Timeout"] != 30:
            raise Failed(f"the repaired function has a timeout of {live['Timeout']} s")
        if not statements(self.functions.get_policy(FunctionName=self.names.function)["Policy"]):
            raise Failed("the repaired function lets no one in")

    def update(self):
        """Another parameter: the stack is updated, and the code must stay the manifest's."""
        before = self.functions.get_function(FunctionName=self.names.function)["Configuration"]["CodeSha256"]
        self.write_manifest(exclude='/@"x')
        self.plan_is(2)
        seen = self.apply()
        again = any(one.operation == "UpdateFunctionCode" for one in seen)
        self.found.settle("update-puts-code-back", "yes: it was uploaded again" if again else "no")
        if self.functions.get_function(FunctionName=self.names.function)["Configuration"]["CodeSha256"] != before:
            raise Failed("the code isn't the manifest's after an update of the stack")
        self.plan_is(0)

    # What only AWS can tell. None of it may end the run.

    def look_around(self):
        for fact, look in (
            ("repository-parameters", self.parameters),
            ("repository-unknown", self.unknown_application),
            ("repository-review", self.stack_in_review),
            ("permission-shows", self.permission_lag),
            ("permission-full-policy", self.full_policy),
        ):
            try:
                self.found.settle(fact, look())
            except (ClientError, BotoCoreError, TimeoutError) as error:
                self.found.leave(fact, words_of(error))

    def application(self, name="SecretsManagerRotationTemplate"):
        region, publisher = PUBLISHERS.get(self.partition, PUBLISHERS["aws"])
        arn = APPLICATION.format(partition=self.partition, region=region, publisher=publisher)
        return arn.replace("SecretsManagerRotationTemplate", name)

    def parameters(self):
        version = self.world.client("serverlessrepo").get_application(ApplicationId=self.application())["Version"]
        names = sorted(one["Name"] for one in version["ParameterDefinitions"])
        return f"{', '.join(names)}; it wants {', '.join(version['RequiredCapabilities'])}"

    def unknown_application(self):
        client = self.world.client("serverlessrepo")
        return self.outcome(lambda: client.get_application(ApplicationId=self.application("NoSuchApplicationOfRotator")))

    def stack_in_review(self):
        """Asks twice for a change set, and never runs one."""
        client = self.world.client("cloudformation")
        asked = {
            "ApplicationId": self.application(),
            "StackName": self.names.review,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"],
            "ParameterOverrides": [
                {"Name": "functionName", "Value": self.names.review},
                {"Name": "endpoint", "Value": f"https://secretsmanager.{self.asked.region}.amazonaws.com"},
            ],
        }

        def made():
            first = self.world.client("serverlessrepo").create_cloud_formation_change_set(**asked)["ChangeSetId"]

            def ended():
                with missing():
                    status = client.describe_change_set(ChangeSetName=first)["Status"]
                    return status if status in {"CREATE_COMPLETE", "FAILED"} else None
                return None

            return self.world.until("a change set", ended)[0]

        made()
        status = (self.world.stack(self.names.stacks[1]) or ("absent",))[0]
        return f"the stack is {status}; the second change set: {self.outcome(made)}"

    def permission_lag(self):
        name = self.names.function
        self.functions.add_permission(FunctionName=name, StatementId="LiveCheck", SourceAccount=self.asked.account, **PERMISSION)
        sids = lambda: [one["Sid"] for one in statements(self.functions.get_policy(FunctionName=name)["Policy"])]  # noqa: E731
        _, lag = self.world.until("the statement to show", lambda: "LiveCheck" in sids(), 60)
        return f"{lag:.1f} s"

    def full_policy(self):
        """Writes a policy as a whole that keeps Secrets Manager in."""
        name = self.names.function
        arn = self.functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
        statement = {
            "Sid": "LiveCheckWhole",
            "Effect": "Allow",
            "Principal": {"Service": PERMISSION["Principal"]},
            "Action": PERMISSION["Action"],
            "Resource": arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": self.asked.account}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.functions.put_resource_policy(ResourceArn=arn, Policy=policy)
        said = self.outcome(lambda: self.functions.get_policy(FunctionName=name))
        shows = said == "it is accepted" and "LiveCheckWhole" in self.functions.get_policy(FunctionName=name)["Policy"]
        adds = self.outcome(
            lambda: self.functions.add_permission(FunctionName=name, StatementId="LiveCheckAdded", SourceAccount=self.asked.account, **PERMISSION)
        )
        whole = self.functions.get_resource_policy(ResourceArn=arn)["Policy"]
        both = "LiveCheckAdded" in whole and "LiveCheckWhole" in whole
        return (
            f"GetPolicy {'shows' if shows else 'does not show'} it ({said}); AddPermission: {adds}; afterwards "
            f"GetResourcePolicy {'has' if both else 'lacks one of'} both statements"
        )

    def destroy(self):
        self.asks("destroy", "--auto-approve", exits=0)
        for name in self.names.stacks[:1]:
            if self.world.stack(name):
                raise Failed(f"the stack {name} is still there after `rotator destroy`")
