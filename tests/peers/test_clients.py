"""AWS's CLI and boto3 as people use them: waiters and paginators included."""

import json

import botocore.exceptions
import pytest
from conftest import Sandbox, until, zipped
from stacks import FUNCTION, PERMISSION, QUICK, ROLE, Stack

CODE = {"rotate.py": "def handler(event, context):\n    print('\\n'.join(f'line {n:02}' for n in range(40)))\n"}


@pytest.fixture(scope="module")
def unhurried(tmp_path_factory):
    """A sandbox that takes its time, so that waiters have something to wait for."""
    sandbox = Sandbox(tmp_path_factory.mktemp("unhurried"), "--time-scale", "2")
    yield sandbox
    sandbox.stop()


def create_function(sandbox, name, region="us-east-1"):
    sandbox.client("lambda", region=region).create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/rotation",
        Handler="rotate.handler",
        Code={"ZipFile": zipped(CODE)},
    )


def test_the_caller_is_the_account_of_the_key(sandbox):
    """Without it, state would be kept for another account than the one that the client names."""
    assert sandbox.aws("sts", "get-caller-identity")["Account"] == sandbox.client("sts").get_caller_identity()["Account"]


def test_waiters_of_boto3_see_a_stack_through_its_life(unhurried):
    """Without it, those who deploy with waiters, as most do, would wait for ever or too short."""
    stack = Stack(unhurried, "life")
    seen = []
    change_set = stack.request()["ChangeSetId"]
    assert stack.client.describe_change_set(ChangeSetName=change_set)["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS")
    stack.wait("change_set_create_complete", ChangeSetName=change_set)
    stack.wait("stack_exists", StackName=stack.name)
    seen.append(stack.status())
    stack.client.execute_change_set(ChangeSetName=change_set)
    seen.append(stack.status())
    stack.wait("stack_create_complete", StackName=stack.name)
    seen.append(stack.status())
    arn = stack.execute(excludeCharacters="abc")
    seen.append(stack.status())
    stack.wait("stack_update_complete", StackName=stack.name)
    seen.append(stack.status())
    stack.client.delete_stack(StackName=stack.name)
    seen.append(stack.status())
    stack.wait("stack_delete_complete", StackName=arn)
    seen.append(stack.status(arn))
    # Under its name nothing is there any more, which is deleted as well.
    stack.wait("stack_delete_complete", StackName=stack.name)
    assert seen == [
        "REVIEW_IN_PROGRESS",
        "CREATE_IN_PROGRESS",
        "CREATE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE",
        "DELETE_IN_PROGRESS",
        "DELETE_COMPLETE",
    ]


def test_waiters_of_boto3_end_where_it_went_wrong(sandbox):
    """Without it, a failed deployment would be waited for until the waiter gives up, an hour later."""

    def fails(stack, waiter, word, **names):
        with pytest.raises(botocore.exceptions.WaiterError) as failure:
            stack.wait(waiter, **names)
        assert "terminal failure state" in str(failure.value)
        assert word in str(failure.value)
        return failure.value.last_response

    stack = Stack(sandbox, "wrong")
    fails(stack, "stack_create_complete", "ValidationError", StackName=stack.name)
    create_function(sandbox, "SecretsManager-wrong")
    stack.execute()
    fails(stack, "stack_create_complete", "ROLLBACK", StackName=stack.name)

    stack = Stack(sandbox, "right")
    stack.create()
    nothing = stack.request()["ChangeSetId"]
    last = fails(stack, "change_set_create_complete", "FAILED", ChangeSetName=nothing)
    assert "didn't contain changes" in last["StatusReason"]
    stack.execute(functionName="SecretsManager-wrong")
    fails(stack, "stack_update_complete", "ROLLBACK", StackName=stack.name)
    sandbox.faults(
        {
            "service": "lambda",
            "operation": "DeleteFunction",
            "match": "cloudformation.amazonaws.com",
            "error": {"status": 403, "code": "AccessDeniedException", "message": "not yours"},
        }
    )
    stack.client.delete_stack(StackName=stack.name)
    fails(stack, "stack_delete_complete", "DELETE_FAILED", StackName=stack.name)
    sandbox.faults()
    stack.delete()

    with pytest.raises(botocore.exceptions.WaiterError, match="terminal failure state|ResourceNotFound"):
        sandbox.client("lambda").get_waiter("function_active_v2").wait(FunctionName="nowhere", WaiterConfig=QUICK)


def test_waiters_of_boto3_see_a_function_settle(unhurried):
    """Without it, edits would come while one is under way, and be refused now and then."""
    client = unhurried.client("lambda")

    def wait(waiter):
        client.get_waiter(waiter).wait(FunctionName="settles", WaiterConfig=QUICK)

    create_function(unhurried, "settles")
    assert client.get_function(FunctionName="settles")["Configuration"]["State"] == "Pending"
    wait("function_exists")
    wait("function_active_v2")
    changed = client.update_function_configuration(FunctionName="settles", Timeout=7)
    assert changed["LastUpdateStatus"] == "InProgress"
    wait("function_updated_v2")
    wait("function_updated")
    wait("function_active")
    settled = client.get_function(FunctionName="settles")["Configuration"]
    assert (settled["State"], settled["LastUpdateStatus"], settled["Timeout"]) == ("Active", "Successful", 7)


def test_waiters_of_the_cli(sandbox):
    """Without it, scripts around AWS's CLI would hang, or go on after a failure."""
    stack = Stack(sandbox, "cli")

    def wait(service, waiter, option, name, exits=0):
        return sandbox.aws(service, "wait", waiter, option, name, exits=exits)

    # The CLI looks again after 30 seconds only: it is asked once there is something to see.
    change_set = stack.change_set()
    wait("cloudformation", "change-set-create-complete", "--change-set-name", change_set)
    sandbox.aws("cloudformation", "execute-change-set", "--change-set-name", change_set)
    stack.wait("stack_create_complete", StackName=stack.name)
    wait("cloudformation", "stack-create-complete", "--stack-name", stack.name)
    wait("lambda", "function-active-v2", "--function-name", "SecretsManager-cli")
    sandbox.aws("lambda", "update-function-configuration", "--function-name", "SecretsManager-cli", "--timeout", "9")
    wait("lambda", "function-updated-v2", "--function-name", "SecretsManager-cli")
    stack.update(excludeCharacters="xyz")
    wait("cloudformation", "stack-update-complete", "--stack-name", stack.name)
    nothing = stack.request(excludeCharacters="xyz")["ChangeSetId"]
    until("the empty change set", lambda: stack.client.describe_change_set(ChangeSetName=nothing)["Status"] == "FAILED")
    said = wait("cloudformation", "change-set-create-complete", "--change-set-name", nothing, exits=255)
    assert "Waiter ChangeSetCreateComplete failed" in said
    said = wait("cloudformation", "stack-create-complete", "--stack-name", "nowhere", exits=255)
    assert "ValidationError" in said
    said = wait("lambda", "function-active-v2", "--function-name", "nowhere", exits=255)
    assert "ResourceNotFound" in said
    arn = stack.describe()["StackId"]
    sandbox.aws("cloudformation", "delete-stack", "--stack-name", stack.name)
    stack.wait("stack_delete_complete", StackName=arn)
    wait("cloudformation", "stack-delete-complete", "--stack-name", arn)


def test_list_secrets_gives_each_secret_once(sandbox):
    """Without it, a paginator could miss secrets, or go round for ever."""
    client = sandbox.client("secretsmanager", region="eu-west-1")
    names = [f"paged/{n:03}" for n in range(30)]
    for name in names:
        client.create_secret(Name=name, SecretString="x")
    pages = client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 7})
    assert sorted(secret["Name"] for page in pages for secret in page["SecretList"]) == names
    found = sandbox.aws("secretsmanager", "list-secrets", "--page-size", "4", region="eu-west-1")
    assert sorted(secret["Name"] for secret in found["SecretList"]) == names
    # The CLI's own way of going on where it stopped.
    first = sandbox.aws("secretsmanager", "list-secrets", "--max-items", "11", region="eu-west-1")
    rest = sandbox.aws("secretsmanager", "list-secrets", "--starting-token", first["NextToken"], region="eu-west-1")
    parts = [secret["Name"] for part in (first, rest) for secret in part["SecretList"]]
    assert (len(first["SecretList"]), sorted(parts)) == (11, names)


def test_paginators_of_functions_and_their_logs(sandbox):
    """Without it, a client would miss functions, versions or lines beyond the first page, or repeat some."""
    client = sandbox.client("lambda", region="eu-west-1")
    names = [f"paged-{n}" for n in range(7)]
    for name in names:
        create_function(sandbox, name, region="eu-west-1")
    pages = list(client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Functions"]) for page in pages] == [3, 3, 1]
    assert sorted(each["FunctionName"] for page in pages for each in page["Functions"]) == names
    listed = sandbox.aws("lambda", "list-functions", "--page-size", "2", region="eu-west-1")
    assert sorted(each["FunctionName"] for each in listed["Functions"]) == names

    client.get_waiter("function_active_v2").wait(FunctionName="paged-0", WaiterConfig=QUICK)
    for _ in range(2):
        answer = client.invoke(FunctionName="paged-0", Payload=b"{}")
        assert (answer["StatusCode"], answer.get("FunctionError")) == (200, None)
    for version in ("1", "2"):
        client.update_function_configuration(FunctionName="paged-0", Timeout=10 + int(version))
        client.get_waiter("function_updated_v2").wait(FunctionName="paged-0", WaiterConfig=QUICK)
        assert client.publish_version(FunctionName="paged-0")["Version"] == version
    versions = client.get_paginator("list_versions_by_function").paginate(
        FunctionName="paged-0", PaginationConfig={"PageSize": 1}
    )
    assert [each["Version"] for page in versions for each in page["Versions"]] == ["$LATEST", "1", "2"]

    logs = sandbox.client("logs", region="eu-west-1")
    group = "/aws/lambda/paged-0"
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern='"line "', PaginationConfig={"PageSize": 9}
    )
    pages = [page["events"] for page in pages]
    assert max(map(len, pages)) == 9
    assert [event["message"].strip() for page in pages for event in page] == 2 * [f"line {n:02}" for n in range(40)]
    assert len({event["eventId"] for page in pages for event in page}) == 80
    groups = logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 1})
    assert [each["logGroupName"] for page in groups for each in page["logGroups"]] == [group]


def test_paginators_of_stacks(sandbox):
    """Without it, a client would look for its stack or its failure in the first page alone, and not find it."""
    client = sandbox.client("cloudformation")
    names = [f"many-{n}" for n in range(23)]
    for name in names:
        # A stack that waits for its change set is listed as well.
        Stack(sandbox, name).request(functionName=name)
    pages = list(client.get_paginator("list_stacks").paginate(StackStatusFilter=["REVIEW_IN_PROGRESS"]))
    assert len(pages) > 1
    found = [each["StackName"] for page in pages for each in page["StackSummaries"]]
    assert sorted(found) == sorted(f"serverlessrepo-{name}" for name in names)
    described = client.get_paginator("describe_stacks").paginate()
    found = [each["StackName"] for page in described for each in page["Stacks"]]
    assert set(found) >= {f"serverlessrepo-{name}" for name in names}
    assert len(found) == len(set(found))

    stack = Stack(sandbox, "eventful")
    stack.create()
    for characters in "abc":
        stack.update(excludeCharacters=characters)
    pages = list(client.get_paginator("describe_stack_events").paginate(StackName=stack.name))
    assert len(pages) > 1
    events = [event for page in pages for event in page["StackEvents"]]
    assert len({event["EventId"] for event in events}) == len(events)
    assert [event["Timestamp"] for event in events] == sorted((event["Timestamp"] for event in events), reverse=True)
    assert (stack.events()[0][1], stack.events()[-1][:2]) == ("REVIEW_IN_PROGRESS", (stack.name, "UPDATE_COMPLETE"))
    listed = sandbox.aws("cloudformation", "describe-stack-events", "--stack-name", stack.name)["StackEvents"]
    assert [event["EventId"] for event in listed] == [event["EventId"] for event in events]
    assert set(stack.resources()) == {FUNCTION, ROLE, PERMISSION}
    sets = client.get_paginator("list_change_sets").paginate(StackName=stack.name)
    assert [each["ExecutionStatus"] for page in sets for each in page["Summaries"]] == 4 * ["EXECUTE_COMPLETE"]
    versions = sandbox.client("serverlessrepo").get_paginator("list_application_versions").paginate(
        ApplicationId=stack.application, PaginationConfig={"PageSize": 2}
    )
    assert [each["SemanticVersion"] for page in versions for each in page["Versions"]] == ["1.1.500", "1.1.560", "1.1.618"]


def test_the_clis_text_and_tables(sandbox):
    """Without it, scripts that cut text out of the CLI's answers would get none, or another."""
    region = "eu-west-2"

    def aws(*arguments, output="text"):
        return sandbox.aws(*arguments, region=region, output=output)

    value = json.dumps({"username": "me", "password": "ünïcödé \"quoted\""}, ensure_ascii=False)
    made = sandbox.aws(
        "secretsmanager", "create-secret", "--name", "cli/text", "--secret-string", value, "--tags", "Key=team,Value=a b",
        region=region,
    )
    read = ("secretsmanager", "get-secret-value", "--secret-id", "cli/text")
    # It happens to be JSON, which the helper reads.
    assert aws(*read, "--query", "SecretString") == json.loads(value)
    assert aws(*read, "--query", "[ARN,VersionStages[0]]").split() == [made["ARN"], "AWSCURRENT"]
    assert aws("secretsmanager", "list-secrets", "--query", "SecretList[?Tags[?Value==`a b`]].Name").split() == ["cli/text"]
    assert aws("secretsmanager", "describe-secret", "--secret-id", "cli/text", "--query", "RotationEnabled").strip() == "None"
    table = aws("secretsmanager", "list-secrets", output="table")
    assert table.splitlines()[1].strip("| ") == "ListSecrets"
    assert "cli/text" in table
    said = sandbox.aws("secretsmanager", "get-secret-value", "--secret-id", "nowhere", region=region, exits=255)
    assert said.strip().endswith(
        "An error occurred (ResourceNotFoundException) when calling the GetSecretValue operation: "
        "Secrets Manager can't find the specified secret."
    )

    stack = Stack(sandbox, "text")
    stack.create()
    query = "Stacks[0].Outputs[?OutputKey=='RotationLambdaARN'].OutputValue"
    output = sandbox.aws(
        "cloudformation", "describe-stacks", "--stack-name", stack.name, "--query", query, output="text"
    )
    assert output.strip() == stack.function()["Configuration"]["FunctionArn"]
    table = sandbox.aws("cloudformation", "list-stack-resources", "--stack-name", stack.name, output="table")
    assert all(word in table for word in ("ListStackResources", FUNCTION, ROLE, PERMISSION, "CREATE_COMPLETE"))
    said = sandbox.aws("cloudformation", "describe-stacks", "--stack-name", "nowhere", exits=255)
    assert said.strip().endswith(
        "An error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id nowhere does not exist"
    )
