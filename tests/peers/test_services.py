"""Rotation of passwords that real services check: databases, and a web service.

Each service is its own judge of a password, by a client that has nothing to do with the function's driver where there is one.
"""

import itertools
import json
import shutil

import pytest

import services
from conftest import REPOSITORY, until

FIRST = "the-first-password"

# Users of a service that tests share have names of their own.
COUNTER = itertools.count(1)


def copied_example(name, folder):
    shutil.copytree(REPOSITORY / "examples" / name, folder, ignore=shutil.ignore_patterns("__pycache__"))


class WebService:
    """The example `http-login`, as it stands."""

    secret, function = "http-login/app", "SecretsManagerHttpLogin"
    service = services.HttpLogin
    # What the function says of a service that doesn't answer.
    unreachable, words = "ConnectionError", "can't be reached: [Errno 111] Connection refused"

    def write(self, folder):
        copied_example("http-login", folder)


class PostgreSQL:
    """The example `postgresql`, as it stands, with the driver as its manifest says."""

    secret, function = "postgresql/app", "SecretsManagerPostgreSQLUser"
    service = services.PostgreSQL
    unreachable, words = "InterfaceError", "Can't create a connection to host 127.0.0.1"

    def write(self, folder):
        copied_example("postgresql", folder)
        shutil.copytree(
            services.FUNCTIONS / "postgresql_user", folder / "functions/postgresql_user", dirs_exist_ok=True
        )


class Published:
    """AWS's published function for a single MySQL user, and its driver, as another project ships them: not a byte is changed."""

    secret, function = "published/app", "SecretsManagerPublished"
    service = services.MariaDB
    unreachable, words = "ValueError", "Unable to log into database with previous, current, or pending secret"
    manifest = """
version: 1
project: published
functions:
  SecretsManagerPublished:
    code: package_src
    timeout: 30
    environment: {INITIAL_DATABASE_PASSWORD: none}
secrets:
  published/app:
    function: SecretsManagerPublished
    rotation: {automatically_after_days: 30}
"""

    def write(self, folder):
        package = services.FUNCTIONS / "aws_secret_cdk/aws_secret_cdk/aurora_mysql_single_user/package_src"
        shutil.copytree(package, folder / "package_src", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "rotator.yaml").write_text(self.manifest)


class Case:
    """A manifest, a service, and the sandbox that the one is to be applied to for the other."""

    def __init__(self, kind, service, user, sandbox, folder):
        self.kind, self.service, self.user, self.sandbox, self.folder = kind, service, user, sandbox, folder
        self.client = sandbox.client("secretsmanager")
        kind.write(folder)
        service.add(user, FIRST)
        self.client.create_secret(Name=kind.secret, SecretString=json.dumps(self.secret(FIRST)))

    def secret(self, password):
        """A value of the secret, as the service needs it, and with something that it doesn't need."""
        return self.service.secret(self.user, password) | {"note": "kept"}

    def logs_in(self, password):
        """Whether the service takes a password."""
        return self.service.logs_in(self.user, password)

    def apply(self, *options, exits=0):
        return self.sandbox.rotator("apply", "--auto-approve", *options, self.folder, exits=exits)

    def value(self, stage="AWSCURRENT", **version):
        text = self.client.get_secret_value(SecretId=self.kind.secret, VersionStage=stage, **version)["SecretString"]
        return json.loads(text)

    def password(self, stage="AWSCURRENT"):
        return self.value(stage)["password"]

    def describe(self):
        return self.client.describe_secret(SecretId=self.kind.secret)

    def version(self, stage):
        versions = self.describe()["VersionIdsToStages"]
        return next((version for version, stages in versions.items() if stage in stages), None)

    def rotate(self):
        """Rotates by AWS's CLI, and waits for the new version to be current."""
        answer = self.sandbox.aws("secretsmanager", "rotate-secret", "--secret-id", self.kind.secret)
        until("the rotation", lambda: self.version("AWSCURRENT") == answer["VersionId"])
        until("its end", lambda: self.version("AWSPENDING") is None)

    def log(self, pattern=""):
        """What the function has logged; nothing before it first ran."""
        logs = self.sandbox.client("logs")
        pages = logs.get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=f"/aws/lambda/{self.kind.function}", filterPattern=pattern)
        try:
            return [event["message"] for page in found for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []


@pytest.fixture(scope="module")
def service():
    """Services by class, each started when it is first asked for; skips where the machine has no such service."""
    running = {}

    def service(kind):
        if kind.missing:
            pytest.skip(kind.missing)
        if kind not in running:
            running[kind] = kind()
        return running[kind]

    yield service
    for server in running.values():
        server.remove()


@pytest.fixture
def case(request, service, start, tmp_path):
    """One kind, with a user of a service and a sandbox of its own."""
    kind = request.param
    server = service(kind.service)
    user = f"app{next(COUNTER)}"
    yield Case(kind(), server, user, start("--time-scale", "0"), tmp_path / "manifest")
    if not server.is_up():
        server.start()


def kinds(*kinds):
    return pytest.mark.parametrize("case", kinds, indirect=True, ids=[kind.__name__ for kind in kinds])


@kinds(WebService, PostgreSQL, Published)
def test_a_password_rotates_twice(case):
    """Without it, nothing would show that deploying, attaching and rotating ends with a password that the service takes."""
    assert case.logs_in(FIRST)
    case.apply()
    second = case.password()
    assert second != FIRST and case.logs_in(second) and not case.logs_in(FIRST)
    assert case.password("AWSPREVIOUS") == FIRST
    assert case.value() == case.secret(second), "nothing but the password changes"

    case.rotate()
    third = case.password()
    assert third not in (FIRST, second) and case.logs_in(third) and not case.logs_in(second)
    assert case.password("AWSPREVIOUS") == second
    assert "No changes." in case.sandbox.rotator("plan", "--detailed-exitcode", case.folder)
    for password in (FIRST, second, third):
        assert not any(password in line for line in case.log()), "a log is no place for passwords"


@kinds(WebService, PostgreSQL, Published)
def test_a_rotation_waits_for_a_service_that_is_down(case):
    """Without it, a rehearsal would not show what a night without the service does: nothing lost, nothing half done."""
    case.service.stop()
    said = case.apply("--rotation-timeout", "1s", exits=4)
    assert "not finished" in said
    until("all tries", lambda: len(case.log("REPORT")) == 8)
    errors = [line for line in case.log("ERROR") if case.kind.unreachable in line and case.kind.words in line]
    assert len(errors) == 4, "four tries, each of which ends with setSecret"

    pending = case.version("AWSPENDING")
    new = case.value("AWSPENDING", VersionId=pending)["password"]
    assert new != FIRST
    assert case.password() == FIRST
    assert case.describe().get("LastRotatedDate") is None
    refusal = case.sandbox.aws("secretsmanager", "rotate-secret", "--secret-id", case.kind.secret, exits=255)
    assert "A previous rotation isn't complete. That rotation will be reattempted." in refusal
    case.service.start()
    assert case.logs_in(FIRST), "the old password still holds"
    case.sandbox.advance(days=31)
    until("the rotation", lambda: case.version("AWSCURRENT") == pending)
    until("its end", lambda: case.describe().get("LastRotatedDate"))
    assert case.version("AWSPENDING") is None
    assert case.password() == new, "the value that was made first is the one that is set"
    assert case.logs_in(new) and not case.logs_in(FIRST)
    assert case.password("AWSPREVIOUS") == FIRST


@kinds(WebService, PostgreSQL, Published)
def test_a_rotation_that_was_cut_off_goes_on_where_it_was(case):
    """Without it, a rotation that ended between the service and the secret would leave readers with a password that is gone."""
    case.sandbox.faults(
        {"operation": "UpdateSecretVersionStage", "error": {"code": "AccessDeniedException", "message": "Not now."}}
    )
    case.apply("--rotation-timeout", "1s", exits=4)
    until("the last try", lambda: len(case.log("REPORT")) == 16)
    new = case.value("AWSPENDING")["password"]
    assert case.logs_in(new) and case.password() == FIRST, "the service is ahead of the secret"
    case.sandbox.faults()
    case.sandbox.advance(days=31)
    until("the rotation", lambda: case.password() == new)
    assert case.logs_in(new)


@kinds(WebService, PostgreSQL, Published)
def test_a_secret_that_nobody_takes_rotates_nothing(case):
    """Without it, a password that somebody changed by hand would be papered over by a rotation that seems to work."""
    case.client.put_secret_value(SecretId=case.kind.secret, SecretString=json.dumps(case.secret("mistaken")))
    case.client.put_secret_value(SecretId=case.kind.secret, SecretString=json.dumps(case.secret("wrong too")))
    case.apply("--rotation-timeout", "1s", exits=4)
    until("the last try", lambda: len(case.log("REPORT")) == 8)
    assert case.password() == "wrong too"
    assert case.logs_in(FIRST)


@kinds(WebService)
def test_apply_shows_why_a_rotation_has_not_finished(case):
    """Without it, a pipeline's output would say that a rotation hangs, and not that the service is down."""
    case.service.stop()
    said = case.apply("--rotation-timeout", "10s", "--show-function-logs", exits=4)
    assert "not finished" in said
    assert case.kind.unreachable in said and case.kind.words in said, said
    for stage in ("AWSCURRENT", "AWSPENDING"):
        assert case.password(stage) not in said
