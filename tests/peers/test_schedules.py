"""Schedules: rotation happens in its window, and the dates that are shown say when.

Service time is moved; nothing here waits for a clock. Secrets that another service owns rotate without a function, so that
a year of rotations takes a moment.
"""

from datetime import datetime, timedelta

import botocore.exceptions
import pytest
from conftest import until
from rotating import Secret, function

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


class Clock:
    """Service time, and secrets that show whether schedules have been looked at since."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.client = sandbox.client("secretsmanager")
        # In the morning, before the first hour that any schedule here has.
        self.to(midnight(self.now()) + DAY + timedelta(hours=8, minutes=30))
        # Due between any two windows of other schedules, never with one: at 1, 5, 9, 13, 17 and 21.
        self.secret("canary", ScheduleExpression="cron(0 1/4 * * ? *)")

    def now(self):
        return datetime.fromisoformat(self.sandbox.control("GET", "health")["time"])

    def to(self, moment):
        """Moves service time to a moment, or as little further as the move takes."""
        self.sandbox.advance(seconds=max(0.0, (moment - self.now()).total_seconds()))

    def past(self, moment):
        """Moves service time, and waits until the canary rotates: whatever else was due has been found by then."""
        before = self.current("canary")
        self.to(moment)
        self.rotates("canary", before)

    def secret(self, name, **rules):
        """A secret that rotates by itself; configured without rotating, where there are rules."""
        assert self.sandbox.control("POST", "secrets", {"name": name, "owning_service": "rds"})["created"]
        if rules:
            self.configure(name, **rules)
        return name

    def configure(self, name, now=False, role=None, **rules):
        """Sets a schedule, and waits until its test, or its rotation, is over. `role`: with which a partner's secret rotates."""
        more = {"ExternalSecretRotationRoleArn": role} if role else {}
        answer = self.client.rotate_secret(SecretId=name, RotationRules=rules, RotateImmediately=now, **more)
        token = answer["VersionId"]
        wanted = ["AWSCURRENT"] if now else None
        until(f"the start of {name}", lambda: self.versions(name).get(token) == wanted and self.settled(name))

    def settled(self, name):
        return not any("AWSPENDING" in labels for labels in self.versions(name).values())

    def describe(self, name):
        return self.client.describe_secret(SecretId=name)

    def versions(self, name):
        return self.describe(name)["VersionIdsToStages"]

    def current(self, name):
        return next(version for version, labels in self.versions(name).items() if "AWSCURRENT" in labels)

    def next(self, name):
        return self.describe(name).get("NextRotationDate")

    def last(self, name):
        return self.describe(name).get("LastRotatedDate")

    def ages(self, name):
        """How many values it ever had."""
        return len(self.client.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"])

    def rotates(self, name, before):
        """Waits until it has another value than before."""
        until(f"a rotation of {name}", lambda: self.current(name) != before and self.settled(name))


@pytest.fixture
def clock(start):
    return Clock(start("--time-scale", "0"))


def midnight(moment):
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def next_hour(moment, step):
    """The next of the hours 0, step, 2*step… of a day."""
    hours = moment.hour // step * step + step
    return midnight(moment) + timedelta(hours=hours) if hours < 24 else midnight(moment) + DAY


def next_sunday(moment, hour):
    found = midnight(moment) + timedelta(days=(6 - moment.weekday()) % 7, hours=hour)
    return found if found > moment else found + 7 * DAY


def next_first(moment, hour):
    found = midnight(moment).replace(day=1) + timedelta(hours=hour)
    while found <= moment:
        found = (found.replace(day=1) + timedelta(days=32)).replace(day=1)
    return found


# What is asked for; when its next window opens; how long it stays open.
SCHEDULES = {
    "days": ({"AutomaticallyAfterDays": 30}, lambda t: midnight(t) + 30 * DAY, DAY),
    "days-window": ({"AutomaticallyAfterDays": 3, "Duration": "2h"}, lambda t: midnight(t) + 3 * DAY, DAY / 12),
    "rate-days": ({"ScheduleExpression": "rate(10 days)"}, lambda t: midnight(t) + 10 * DAY, DAY),
    "rate-hours": ({"ScheduleExpression": "rate(6 hours)"}, lambda t: next_hour(t, 6), DAY / 24),
    "rate-window": (
        {"ScheduleExpression": "rate(12 hours)", "Duration": "5h"},
        lambda t: next_hour(t, 12),
        timedelta(hours=5),
    ),
    "cron-weekly": (
        {"ScheduleExpression": "cron(0 2 ? * SUN *)", "Duration": "3h"},
        lambda t: next_sunday(t, 2),
        timedelta(hours=3),
    ),
    "cron-monthly": (
        {"ScheduleExpression": "cron(0 16 1 * ? *)"},
        lambda t: next_first(t, 16),
        timedelta(hours=8),
    ),
    "cron-hours": ({"ScheduleExpression": "cron(0 /8 * * ? *)"}, lambda t: next_hour(t, 8), DAY / 24),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_rotation_happens_in_its_window(clock, name):
    """Without it, schedules would fire on other days than on AWS, or the date that people plan with would be wrong."""
    rules, opening, length = SCHEDULES[name]
    clock.secret(name, **rules)
    assert clock.last(name) is None
    before, started = clock.current(name), clock.now()
    for _ in range(3):
        opens = opening(started)
        # The date is a latest one: the window's end.
        assert clock.next(name) == opens + length - SECOND
        clock.past(opens - timedelta(minutes=5))
        assert (clock.current(name), clock.settled(name)) == (before, True)
        assert clock.now() < opens
        clock.to(opens)
        clock.rotates(name, before)
        before, started = clock.current(name), clock.now()
        until("its date", lambda: clock.next(name) is not None and clock.next(name) > started)
        assert opens <= clock.last(name) < opens + length
    assert clock.ages(name) == 4


def test_rotating_at_once_starts_the_count(clock):
    """Without it, the next date after a rotation by hand would be another than AWS's."""
    clock.secret("at-once")
    clock.configure("at-once", now=True, AutomaticallyAfterDays=7)
    until("its date", lambda: clock.last("at-once"))
    assert clock.next("at-once") == midnight(clock.last("at-once")) + 8 * DAY - SECOND
    first = clock.current("at-once")
    clock.sandbox.advance(days=3)
    clock.client.rotate_secret(SecretId="at-once")
    clock.rotates("at-once", first)
    expected = lambda: midnight(clock.last("at-once")) + 8 * DAY - SECOND
    until("its next date", lambda: clock.next("at-once") == expected())


def test_a_value_set_by_hand_counts_as_a_rotation_of_days(clock):
    """Without it, a secret would rotate right after somebody set its value, which AWS doesn't."""
    # A partner's, since a service's own is changed by that service alone.
    clock.client.create_secret(Name="by-hand", SecretString="first", Type="SalesforceClientSecret")
    clock.configure("by-hand", role="arn:aws:iam::123456789012:role/partner", AutomaticallyAfterDays=10)
    clock.sandbox.advance(days=8)
    changed = clock.now()
    clock.client.put_secret_value(SecretId="by-hand", SecretString="mine")
    assert clock.next("by-hand") == midnight(changed) + 11 * DAY - SECOND
    clock.past(changed + 3 * DAY)
    assert clock.client.get_secret_value(SecretId="by-hand")["SecretString"] == "mine"


def test_rotation_that_is_off_never_fires(clock):
    """Without it, a cancelled schedule would rotate the secret all the same, some night."""
    clock.secret("off", AutomaticallyAfterDays=1)
    before = clock.current("off")
    clock.client.cancel_rotate_secret(SecretId="off")
    described = clock.describe("off")
    assert described["RotationEnabled"] is False
    assert described["RotationRules"] == {"AutomaticallyAfterDays": 1}
    assert "NextRotationDate" not in described
    clock.past(clock.now() + 40 * DAY)
    assert (clock.current("off"), clock.settled("off")) == (before, True)
    # Turned on again, it goes on with the rules that it had.
    clock.client.rotate_secret(SecretId="off")
    clock.rotates("off", before)
    until("its date", lambda: clock.last("off"))
    assert clock.describe("off")["RotationRules"] == {"AutomaticallyAfterDays": 1}
    assert clock.next("off") == midnight(clock.last("off")) + 2 * DAY - SECOND


@pytest.mark.parametrize("name", ["days", "rate-hours", "cron-weekly"])
def test_months_that_pass_at_once_are_one_rotation(clock, name):
    """Without it, moving the clock by months would rotate a secret hundreds of times, or never again."""
    rules, opening, length = SCHEDULES[name]
    clock.secret(name, **rules)
    for ages in (2, 3):
        before = clock.current(name)
        clock.past(clock.now() + 200 * DAY)
        clock.rotates(name, before)
        until("its date", lambda: clock.next(name) > clock.now())
        last = clock.last(name)
        assert clock.now() - last < DAY
        assert clock.next(name) == opening(last) + length - SECOND
        assert clock.ages(name) == ages


def test_a_schedule_that_changes_counts_from_the_change(clock):
    """Without it, the old schedule could fire once more where AWS's guide promises control: with cron."""
    clock.secret("changed", ScheduleExpression="cron(0 11 * * ? *)")
    before = clock.current("changed")
    clock.configure("changed", ScheduleExpression="cron(0 20 1 * ? *)", Duration="2h")
    opens = next_first(clock.now(), 20)
    assert clock.next("changed") == opens + timedelta(hours=2) - SECOND
    clock.past(midnight(clock.now()) + timedelta(hours=12))
    assert (clock.current("changed"), clock.settled("changed")) == (before, True)


def test_a_window_that_was_missed_leaves_its_date_and_the_next_one_tries_again(start):
    """Without it, overdue rotations, which `status` is there to show, couldn't be rehearsed."""
    sandbox = start("--time-scale", "0")
    clock = Clock(sandbox)
    arn = function(sandbox, "SecretsManagerRecorder")
    secret = Secret(sandbox, "missed", fail="setSecret")
    secret.rotate(
        RotationLambdaARN=arn, RotationRules={"ScheduleExpression": "cron(0 3 * * ? *)"}, RotateImmediately=False
    )
    until("the end of the test", lambda: secret.stages() == {secret.first: ["AWSCURRENT"]})
    promised = secret.describe()["NextRotationDate"]
    clock.to(promised)
    clock.sandbox.advance(seconds=2)
    until("all tries", lambda: sum(event["Step"] == "setSecret" for event in secret.events()) == 4)
    until("the pending version", lambda: any(labels == ["AWSPENDING"] for labels in secret.stages().values()))
    stuck = next(version for version, labels in secret.stages().items() if labels == ["AWSPENDING"])
    described = secret.describe()
    assert described["NextRotationDate"] == promised < clock.now()
    assert described["RotationEnabled"] is True
    assert "LastRotatedDate" not in described
    with pytest.raises(botocore.exceptions.ClientError, match="A previous rotation isn't complete"):
        secret.rotate()

    # The function is mended; the next window attempts the same version again.
    secret.release()
    clock.sandbox.advance(days=1)
    secret.rotated(stuck)
    until("its date", lambda: secret.describe()["NextRotationDate"] > clock.now())


def test_a_secret_that_is_to_be_deleted_waits_no_longer_than_it_says(clock):
    """Without it, a deleted secret would rotate, or stay for ever."""
    sandbox = clock.sandbox
    client = sandbox.client("secretsmanager")
    client.create_secret(Name="doomed", SecretString="x")
    deleted = client.delete_secret(SecretId="doomed", RecoveryWindowInDays=7)
    assert timedelta(days=7) - timedelta(minutes=5) < deleted["DeletionDate"] - clock.now() <= timedelta(days=7)
    clock.past(clock.now() + 6 * DAY)
    assert client.describe_secret(SecretId="doomed")["DeletedDate"] == deleted["DeletionDate"]
    sandbox.advance(days=1, hours=1)

    def gone():
        try:
            client.describe_secret(SecretId="doomed")
        except client.exceptions.ResourceNotFoundException:
            return True

    until("the end of the secret", gone)
