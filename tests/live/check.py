#!/usr/bin/env python3
"""Deploys, rotates, drifts, repairs and destroys in a real account, once, and leaves nothing. README.md beside it says what, and the cost."""

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import urllib.parse
from pathlib import Path

import boto3
import botocore.credentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from course import Course, Failed
from facts import Found
from recorder import SERVICES, Recorder
from shapes import differences
from world import Names, World, say, words_of

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "sandbox.json"
CONSENT = "ROTATOR_LIVE_CHECK"

ENDED_WELL, FAILED, REFUSED, LEFT, INTERRUPTED = 0, 1, 2, 3, 130

PLAN = """This deploys, rotates, changes and destroys in account {account}, region {region}. It makes, and removes again:
  the stacks {stacks}, from AWS's own application
  the functions {functions}, each with a role of its own
  the secret {secret}, whose value is made up and never read
  the log groups {groups}
It may cost: a secret is 0.40 US dollars a month and billed by the hour, its calls 0.05 for ten thousand, of which there are some
hundreds; some thirty short invocations and some kilobytes of logs; stacks and the repository cost nothing. In all less than
0.05 US dollars, as long as nothing is left behind, and about twenty minutes. Prices are those of 2026, and AWS's to change.
"""


class Refused(Exception):
    """The check doesn't begin."""


class Interrupted(BaseException):
    """Somebody wants it to end. No `Exception`: botocore takes those that come in the middle of a call for failures of the network."""


def arguments(given):
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"Nothing is done unless {CONSENT}=yes.")
    parser.add_argument("--account", required=True, help="the account's id; any other account is refused")
    parser.add_argument("--prefix", required=True, help="names of the run's own begin with it: 3 to 20 of a-z, 0-9 and -")
    parser.add_argument("--region", required=True)
    parser.add_argument("--rotator", default="rotator", help="the program to check (default: the one in PATH)")
    parser.add_argument("--record", type=Path, help="where to write the shapes of AWS's answers (default: PREFIX.json)")
    parser.add_argument("--clean", action="store_true", help="only remove what an earlier run has left under this prefix")
    parser.add_argument("--against", metavar="URL", help="a sandbox on loopback, instead of AWS")
    return parser.parse_args(given)


def check_arguments(asked):
    """Refuses before anything is called."""
    if os.environ.get(CONSENT) != "yes":
        raise Refused(f"it works in a real account: set {CONSENT}=yes")
    if not re.fullmatch(r"[0-9]{12}", asked.account):
        raise Refused("--account is an account's id, twelve digits")
    if not re.fullmatch(r"[a-z][a-z0-9-]{1,18}[a-z0-9]", asked.prefix):
        raise Refused("--prefix is 3 to 20 of a-z, 0-9 and -, from a letter to a letter or digit")
    if asked.against and urllib.parse.urlsplit(asked.against).hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise Refused("--against is a sandbox of this machine: http://127.0.0.1:PORT")
    if not shutil.which(asked.rotator):
        raise Refused(f"there is no program `{asked.rotator}`: give its path with --rotator")


def way(asked):
    """The recorder, on the way to AWS or to a sandbox."""
    if asked.against:
        credentials = botocore.credentials.Credentials(asked.account, "sandbox")
        return Recorder(asked.region, lambda: credentials, dict.fromkeys(SERVICES, asked.against))
    session = boto3.session.Session(region_name=asked.region)
    credentials = session.get_credentials()
    if credentials is None:
        raise Refused("there are no AWS credentials: sign in, or set AWS_PROFILE")
    endpoints = {name: session.client(name).meta.endpoint_url for name in SERVICES}
    return Recorder(asked.region, credentials.get_frozen_credentials, endpoints)


def check_account(world, recorder, account):
    try:
        actual = world.client("sts").get_caller_identity()["Account"]
    except ResponseParserError:
        # The recorder hands on no words of its own in AWS's form, where nothing answers it.
        where = f"{recorder.endpoints['sts']} ({recorder.unreached})" if recorder.unreached else recorder.endpoints["sts"]
        raise Refused(f"what answers at {where} isn't AWS, or nothing does: nothing was done") from None
    except (ClientError, BotoCoreError) as error:
        raise Refused(f"AWS doesn't say which account this is: {words_of(error)}") from None
    if actual != account:
        raise Refused(f"these are credentials of account {actual}, not of {account}: nothing was done")


def check_empty(world):
    left = world.left()
    if left:
        names = ", ".join(f"{kind} {name}" for kind, name in left)
        raise Refused(f"the prefix isn't free ({names}): take another, or remove an earlier run's rest with --clean")


class Signals:
    """Ends the run in good order, once; the removal that follows isn't cut short."""

    def __init__(self):
        self.armed = True
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, self.come)

    def come(self, *_):
        if self.armed:
            self.armed = False
            raise Interrupted
        say("still removing what was made; it ends by itself")


def tool(asked, recorder, folder):
    """Runs `rotator` on the way through the recorder: it gets none of the real credentials."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    own = {
        "AWS_ENDPOINT_URL": recorder.url,
        "AWS_ACCESS_KEY_ID": recorder.keys["rotator"],
        "AWS_SECRET_ACCESS_KEY": "unused",
        "AWS_REGION": asked.region,
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    program = str(Path(shutil.which(asked.rotator)).resolve())

    def run(*words):
        # In a session of its own: a Ctrl-C reaches it once, from here.
        child = subprocess.Popen(
            [program, *words], cwd=folder, env=kept | own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        try:
            said, _ = child.communicate()
        except Interrupted:
            child.send_signal(signal.SIGINT)
            child.communicate()
            raise
        return child.returncode, said

    return run


def course(asked, recorder, world, found):
    """The whole course, and the removal of all that it made. Returns how it ended."""
    signals, ended = Signals(), ENDED_WELL
    with tempfile.TemporaryDirectory(prefix="rotator-live-") as folder:
        try:
            Course(world, tool(asked, recorder, folder), Path(folder), found, asked).run()
        except Interrupted:
            say("interrupted")
            ended = INTERRUPTED
        except Failed as failure:
            say(f"failed: {failure}")
            ended = FAILED
        except BaseException as error:  # noqa: BLE001  (whatever it was: what was made has to go)
            say(f"failed: {words_of(error)}, at line {last_line(error)}")
            ended = FAILED
        signals.armed = False
    return LEFT if remove(world) else ended


def last_line(error):
    """Where in these files it happened; what an error says may hold what was sent."""
    own = [one for one in traceback.extract_tb(error.__traceback__) if Path(one.filename).parent == HERE]
    return f"{own[-1].lineno} of {Path(own[-1].filename).name}" if own else "unknown"


def remove(world):
    say("removing what was made")
    left = world.remove()
    for kind, name, why in left:
        say(f"could not remove the {kind} {name}: {why}")
    if left:
        say("remove that by hand, or run this once more with --clean")
    else:
        say("nothing is left")
    return left


def report(asked, recorder, found):
    """What was learnt: the facts, the recording, and how it differs from the sandbox's."""
    for line in found.lines():
        say(line)
    record = asked.record or Path(f"{asked.prefix}.json")
    written = recorder.recording.written()
    try:
        record.write_text(json.dumps(written, indent=1) + "\n")
    except OSError as error:
        return say(f"the shapes of AWS's answers could not be written to {record}: {error.strerror}")
    say(f"recorded the shapes of {len(written)} operations' answers in {record}")
    lines = differences(written, json.loads(BASELINE.read_text()))
    for operation, ending, path, what in lines:
        say(f"differs  {' '.join(word for word in (operation, ending, path) if word)}: {what}")
    say(f"{len(lines)} differences from the sandbox's answers (\"here\" is this run, \"there\" the sandbox)")


def main(given):
    asked = arguments(given)
    try:
        check_arguments(asked)
        recorder = way(asked)
    except Refused as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return REFUSED
    names = Names(asked.prefix, f"{asked.prefix}-{secrets.token_hex(3)}")
    world = World(recorder, names, 0.05 if asked.against else 2.0)
    found = Found()
    with contextlib.ExitStack() as stack:
        stack.callback(recorder.stop)
        try:
            check_account(world, recorder, asked.account)
            if asked.clean:
                return LEFT if remove(world) else ENDED_WELL
            check_empty(world)
        except Refused as refusal:
            print(f"error: {refusal}", file=sys.stderr)
            return REFUSED
        except (ClientError, BotoCoreError) as error:
            print(f"error: what the account has can't be listed: {words_of(error)}", file=sys.stderr)
            return REFUSED
        listed = {"stacks": names.stacks, "functions": names.functions, "groups": names.log_groups}
        listed = {kind: " and ".join(some) for kind, some in listed.items()}
        say(PLAN.format(account=asked.account, region=asked.region, secret=names.secret, **listed))
        ended = course(asked, recorder, world, found)
        report(asked, recorder, found)
    return ended


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
