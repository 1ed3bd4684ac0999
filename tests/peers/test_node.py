"""Node functions under AWS's runtime client, which is built once on a machine that has the tools; elsewhere these are skipped."""

import base64
import itertools
import json
import re

import botocore.exceptions
import pytest

from conftest import ACCOUNT, REGION, until, zipped

ROLE = f"arn:aws:iam::{ACCOUNT}:role/rotation"
COUNTER = itertools.count(1)


class Function:
    """A Node function in the sandbox."""

    def __init__(self, sandbox, files, **configuration):
        # The first invocation may have to wait for a compiler.
        self.client, self.name = sandbox.client("lambda", read_timeout=900), f"node-{next(COUNTER)}"
        if isinstance(files, str):
            files = {"index.mjs": files}
        settings = {"Runtime": "nodejs22.x", "Handler": "index.handler", "Timeout": 60, "Role": ROLE}
        self.client.create_function(FunctionName=self.name, Code={"ZipFile": zipped(files)}, **(settings | configuration))
        self.client.get_waiter("function_active_v2").wait(FunctionName=self.name, WaiterConfig={"Delay": 0.05})

    def invoke(self, event=None):
        """Its answer, and what FunctionError says."""
        self.answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps(event), LogType="Tail")
        return json.load(self.answer["Payload"]), self.answer.get("FunctionError")

    def tail(self):
        return base64.b64decode(self.answer["LogResult"]).decode()


@pytest.fixture(scope="module")
def function(sandbox):
    """Makes functions; skips where the machine can't run them, with the sandbox's own reason."""
    try:
        assert Function(sandbox, "export const handler = async () => 1").invoke() == (1, None)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidRuntimeException", error
        pytest.skip(error.response["Error"]["Message"])
    return lambda files, **configuration: Function(sandbox, files, **configuration)


@pytest.mark.parametrize("runtime", ["nodejs20.x", "nodejs22.x"])
@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("index.mjs", "export const handler = async (event, context) => "),
        ("index.js", "exports.handler = async (event, context) => "),
    ],
    ids=["module", "script"],
)
def test_a_handler_runs(function, runtime, file, code):
    """Without it, Node functions would be simulated, or run without what Lambda gives them."""
    answer = "({ event, name: context.functionName, stage: process.env.STAGE, left: context.getRemainingTimeInMillis() > 0 })"
    made = function({file: code + answer}, Runtime=runtime, Environment={"Variables": {"STAGE": "test"}})
    assert made.invoke({"Step": "createSecret"}) == (
        {"event": {"Step": "createSecret"}, "name": made.name, "stage": "test", "left": True},
        None,
    )


def test_what_a_handler_throws_is_its_error(function):
    """Without it, a failed step would look like a success, or would say nothing of where it failed."""
    made = function(
        "class NoSuchUser extends Error { constructor(name) { super(`${name} is unknown`); this.name = 'NoSuchUser' } }\n"
        "const lookUp = async (name) => { throw new NoSuchUser(name) }\n"
        "export const handler = async (event) => { console.log('before'); await lookUp(event.name) }"
    )
    document, error = made.invoke({"name": "app"})
    assert (error, document["errorType"], document["errorMessage"]) == ("Unhandled", "NoSuchUser", "app is unknown")
    assert "NoSuchUser: app is unknown" in document["trace"][0]
    assert any("lookUp" in line and "index.mjs" in line for line in document["trace"][1:])
    identity = made.answer["ResponseMetadata"]["RequestId"]
    log = made.tail()
    assert re.search(rf"^[\d:.TZ-]+\t{identity}\tINFO\tbefore$", log, re.MULTILINE), log
    assert re.search(rf"^[\d:.TZ-]+\t{identity}\tERROR\tInvoke Error", log, re.MULTILINE), log


@pytest.mark.parametrize(
    ("code", "handler", "kind"),
    [
        ("import 'nowhere'", "index.handler", "Error"),
        ("export const other = 1", "index.handler", "Runtime.HandlerNotFound"),
        ("export const handler = 1", "elsewhere.handler", "Runtime.ImportModuleError"),
        ("export const handler = (", "index.handler", "Runtime.UserCodeSyntaxError"),
        ("process.exit(3)", "index.handler", "Runtime.ExitError"),
    ],
    ids=["import", "handler", "file", "syntax", "exit"],
)
def test_code_that_cannot_be_loaded_is_the_functions_error(function, code, handler, kind):
    """Without it, broken code would hang until its time is up, or be simulated."""
    document, error = function(code, Handler=handler).invoke()
    assert (error, document["errorType"]) == ("Unhandled", kind), document


def test_a_process_that_ends_in_the_middle_is_the_functions_error(function):
    """Without it, a crash would leave its caller waiting, or end the functions after it too."""
    made = function("export const handler = async (event) => { if (event) process.exit(3); return 'alive' }")
    document, error = made.invoke(True)
    assert (error, document["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert document["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    assert made.invoke(False) == ("alive", None)


ROTATION = """
import { randomBytes } from 'node:crypto'
import {
  DescribeSecretCommand, GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient, UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'

const client = new SecretsManagerClient({ endpoint: process.env.SECRETS_MANAGER_ENDPOINT })

export const handler = async ({ SecretId, ClientRequestToken, Step }) => {
  const { VersionIdsToStages } = await client.send(new DescribeSecretCommand({ SecretId }))
  if (VersionIdsToStages[ClientRequestToken]?.includes('AWSCURRENT')) return
  if (Step === 'createSecret') {
    const SecretString = 'made by Node: ' + randomBytes(16).toString('hex')
    await client.send(new PutSecretValueCommand({ SecretId, ClientRequestToken, SecretString, VersionStages: ['AWSPENDING'] }))
  } else if (Step === 'testSecret') {
    const pending = { SecretId, VersionId: ClientRequestToken, VersionStage: 'AWSPENDING' }
    const { SecretString } = await client.send(new GetSecretValueCommand(pending))
    if (!SecretString.startsWith('made by Node')) throw new Error('not mine')
  } else if (Step === 'finishSecret') {
    const [current] = Object.entries(VersionIdsToStages).find(([, stages]) => stages.includes('AWSCURRENT'))
    const move = { MoveToVersionId: ClientRequestToken, RemoveFromVersionId: current }
    await client.send(new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSCURRENT', ...move }))
  }
  console.log('done:', Step)
}
"""


def test_a_secret_rotates_by_node_with_the_sdk_that_lambda_brings(function, sandbox):
    """Without it, the commonest kind of Node function, which doesn't bundle the SDK, would fail."""
    made = function(ROTATION)
    made.client.add_permission(
        FunctionName=made.name,
        StatementId="SecretsManagerAccess",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceAccount=ACCOUNT,
    )
    secrets = sandbox.client("secretsmanager")
    secrets.create_secret(Name="node", SecretString="before")
    version = secrets.rotate_secret(
        SecretId="node",
        RotationLambdaARN=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{made.name}",
        RotationRules={"AutomaticallyAfterDays": 30},
    )["VersionId"]
    until("the rotation", lambda: secrets.get_secret_value(SecretId="node")["VersionId"] == version)
    assert secrets.get_secret_value(SecretId="node")["SecretString"].startswith("made by Node: ")
    assert secrets.get_secret_value(SecretId="node", VersionStage="AWSPREVIOUS")["SecretString"] == "before"
