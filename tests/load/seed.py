"""Fills a sandbox through its API for tests/load/run, or writes to it at a steady rate meanwhile. Python's library alone."""

import argparse
import base64
import http.client
import io
import json
import sys
import threading
import time
import uuid
import zipfile

ACCOUNT = "123456789012"
REGION = "us-east-1"
CONNECTIONS = 4


def authorization(service):
    scope = f"{ACCOUNT}/20260131/{REGION}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"


class Client:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)

    def call(self, method, path, body, **headers):
        self.connection.request(method, path, json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path} {headers.get('X-Amz-Target', '')}: {answer.status} {text.decode()}")

    def secrets(self, operation, **body):
        headers = {"X-Amz-Target": f"secretsmanager.{operation}", "Authorization": authorization("secretsmanager")}
        self.call("POST", "/", body, **headers)

    def functions(self, path, **body):
        self.call("POST", f"/2015-03-31/functions{path}", body, Authorization=authorization("lambda"))


def together(work):
    threads = [threading.Thread(target=work, args=[n]) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def fill(url, count):
    """Secrets as fleets have them, with a description and tags, and a function that may rotate them.

    The sandbox doesn't run its language, so that rotations are simulated: it is the service that is measured."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("Handler.class", "")
    client = Client(url)
    client.functions(
        "",
        FunctionName="load",
        Role=f"arn:aws:iam::{ACCOUNT}:role/load",
        Runtime="java21",
        Handler="Handler::handle",
        Code={"ZipFile": base64.b64encode(package.getvalue()).decode()},
    )
    client.functions(
        "/load/policy",
        StatementId="SecretsManagerAccess",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )

    def some(first):
        client = Client(url)
        for n in range(first, count, CONNECTIONS):
            client.secrets(
                "CreateSecret",
                Name=f"load/{n:06}",
                SecretString=json.dumps({"username": f"user-{n}", "password": uuid.uuid4().hex}),
                ClientRequestToken=str(uuid.uuid4()),
                Description="One of many",
                Tags=[{"Key": "team", "Value": f"team-{n % 50}"}, {"Key": "stage", "Value": "load"}],
            )

    together(some)


def write(url, count, rate, seconds):
    """Writes at a steady rate; a write that comes late doesn't delay the ones after it."""
    client = Client(url)
    started = time.monotonic()
    for n in range(rate * seconds):
        time.sleep(max(0.0, started + n / rate - time.monotonic()))
        client.secrets(
            "PutSecretValue", SecretId=f"load/{n * 31 % count:06}", SecretString="next", ClientRequestToken=str(uuid.uuid4())
        )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("secrets", type=int)
    arguments.add_argument("--write", type=int, metavar="RATE")
    arguments.add_argument("--seconds", type=int, default=5)
    given = arguments.parse_args()
    if given.write:
        write(given.url, given.secrets, given.write, given.seconds)
    else:
        fill(given.url, given.secrets)


main()
