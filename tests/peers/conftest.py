"""What the suites of this folder share: a served sandbox, and AWS's own clients that speak to it.

The suites run by `cargo test --test end_to_end peers`, which says in `ROTATOR` where the binary is. By hand, after a build:

    ROTATOR=target/debug/rotator target/tmp/peers/bin/python -m pytest tests/peers/test_clients.py
"""

import functools
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3
import botocore.config
import pytest

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
REGION = "us-east-1"
REPOSITORY = Path(__file__).resolve().parents[2]


def rotator_binary():
    """The binary under test, as a path that holds in any working directory."""
    return str(Path(os.environ["ROTATOR"]).resolve())


def scrubbed(**more):
    """An environment without the tester's own profiles and proxies: no suite may reach AWS."""
    # What the sandbox installs for functions comes by the machine's own way, certificates included.
    names = ("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR", "LANG", "NODE_EXTRA_CA_CERTS")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    nothing = {
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return kept | nothing | more


class Sandbox:
    """A served sandbox: `rotator sandbox start` in a process of its own."""

    def __init__(self, folder, *options):
        self.folder = Path(folder)
        self.log = open(self.folder / "sandbox.log", "ab")
        self.process = subprocess.Popen(
            [rotator_binary(), "sandbox", "start", "--listen", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=scrubbed(),
        )
        self.url = self.process.stdout.readline().decode().strip()
        assert self.url.startswith("http://127.0.0.1:"), f"the sandbox didn't start: {self.url!r}"

    def stop(self, how=signal.SIGTERM):
        """Ends it; politely unless told otherwise. Returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        return code

    def environment(self, account=ACCOUNT, region=REGION, **more):
        """What makes any AWS client speak to this sandbox, as an account."""
        return scrubbed(
            AWS_ENDPOINT_URL=self.url,
            AWS_ACCESS_KEY_ID=account,
            AWS_SECRET_ACCESS_KEY="sandbox",
            AWS_REGION=region,
            AWS_DEFAULT_REGION=region,
            AWS_PAGER="",
            **more,
        )

    @functools.cached_property
    def clients(self):
        """The clients that were made, by what they were made with."""
        return {}

    def client(self, service, account=ACCOUNT, region=REGION, **config):
        """A boto3 client. It tries once: an answer that it would retry is a finding."""
        known = (service, account, region, repr(config))
        if known not in self.clients:
            settings = {"retries": {"total_max_attempts": 1, "mode": "standard"}, "read_timeout": 60, **config}
            # Making a client reads its whole model: one serves for all calls.
            self.clients[known] = boto3.session.Session(account, "sandbox", region_name=region).client(
                service, endpoint_url=self.url, config=botocore.config.Config(**settings)
            )
        return self.clients[known]

    def aws(self, *arguments, account=ACCOUNT, region=REGION, output="json", exits=0):
        """Runs AWS's CLI; returns its JSON, or its text, or where it is to fail what it says."""
        command = [str(Path(sys.executable).parent / "aws"), *arguments, "--output", output]
        done = subprocess.run(command, env=self.environment(account, region), capture_output=True, text=True)
        assert done.returncode == exits, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
        if exits:
            return done.stderr
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def control(self, method, path, body=None):
        """A control call, such as `("POST", "clock", {"advance_seconds": 60})`."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data=data, method=method)
        request.add_header("x-rotator-sandbox", "1")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def advance(self, **by):
        """Moves service time forward: `days`, `hours`, `minutes`, `seconds`."""
        units = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
        return self.control("POST", "clock", {"advance_seconds": sum(units[unit] * count for unit, count in by.items())})

    def faults(self, *rules):
        """Scripts failures in place of the old ones; none ends them."""
        self.control("POST", "faults", list(rules))

    def rotator(self, *arguments, folder=None, exits=0):
        """Runs `rotator`; returns what it printed to both streams."""
        done = subprocess.run(
            [rotator_binary(), *map(str, arguments)],
            env=self.environment(),
            cwd=folder or self.folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == exits, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """One sandbox for all tests of a suite: their resources have names of their own."""
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"), "--time-scale", "0")
    yield sandbox
    sandbox.stop()


@pytest.fixture
def start(tmp_path):
    """Starts sandboxes with options of the test's own; they end with it."""
    started = []

    def start(*options):
        started.append(Sandbox(tmp_path, *options))
        return started[-1]

    yield start
    for sandbox in started:
        sandbox.stop()


@pytest.fixture(scope="session")
def tools():
    """The folder of the published tools that `review/requirements.txt` pins, beside the suites' own environment."""
    here = REPOSITORY / "tests/peers"
    folder = Path(sys.prefix).with_name("review")
    subprocess.run(["bash", here / "prepare", folder, here / "review/requirements.txt"], check=True, env=scrubbed())
    return folder


def until(what, look, seconds=60):
    """Looks until something is there, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


def zipped(files):
    """A deployment package: a zip of names and texts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
    return buffer.getvalue()
