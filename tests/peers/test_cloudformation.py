"""Stacks of the application repository: what is checked before, what happens, what is rolled back, what is left."""

import uuid

import botocore.exceptions
import pytest
from conftest import REGION, until, zipped
from rotating import refused
from stacks import ENDPOINT, FUNCTION, GENERIC, PERMISSION, QUICK, ROLE, WITH_TOKEN, Stack

CREATED = {FUNCTION: "CREATE_COMPLETE", ROLE: "CREATE_COMPLETE", PERMISSION: "CREATE_COMPLETE"}


def statuses(stack, name=None):
    return {resource: status for resource, (_, status) in stack.resources(name).items()}


def breaks(sandbox, operation, message="no"):
    """Makes Lambda refuse what stacks ask of it, and only that."""
    sandbox.faults(
        {
            "service": "lambda",
            "operation": operation,
            "match": "cloudformation.amazonaws.com",
            "error": {"status": 403, "code": "AccessDeniedException", "message": message},
        }
    )


@pytest.fixture
def broken(sandbox):
    """Scripts failures that end with the test."""
    yield lambda operation, message="no": breaks(sandbox, operation, message)
    sandbox.faults()


def test_parameters_have_defaults_and_constraints(sandbox):
    """Without it, values that AWS refuses would be deployed here, or a default would be another one."""
    stack = Stack(sandbox, "parameters")
    assert "must have values" in refused(lambda: stack.request(endpoint=None), "BadRequestException")
    assert "[endpoint, functionName]" in refused(
        lambda: stack.request(endpoint=None, functionName=None), "BadRequestException"
    )
    assert (
        refused(lambda: stack.request(endpoint="http://x"), "BadRequestException")
        == "Parameter 'endpoint' must match pattern ^https://.+$"
    )
    assert "must match pattern" in refused(lambda: stack.request(functionName="a b"), "BadRequestException")
    assert (
        refused(lambda: stack.request(runtime="python2.7"), "BadRequestException")
        == "Parameter 'runtime' must be one of AllowedValues"
    )
    assert (
        refused(lambda: stack.request(surprise="1"), "BadRequestException")
        == "Parameters: [surprise] do not exist in the template"
    )
    # What a version doesn't declare doesn't exist in it.
    assert "[runtime]" in refused(lambda: stack.request(version="1.1.500", runtime="python3.12"), "BadRequestException")
    refused(lambda: stack.request(version="9.9.9"), "BadRequestException")
    # Nothing was made by any of these.
    refused(stack.describe, "ValidationError")

    stack.create()
    repository = sandbox.client("serverlessrepo").get_application(ApplicationId=GENERIC)["Version"]
    declared = {each["Name"]: each.get("DefaultValue") for each in repository["ParameterDefinitions"]}
    given = {"endpoint": ENDPOINT, "functionName": "SecretsManager-parameters"}
    assert stack.parameters() == {**declared, **given}
    assert stack.function()["Configuration"]["Environment"]["Variables"] == {
        "SECRETS_MANAGER_ENDPOINT": ENDPOINT,
        "EXCLUDE_CHARACTERS": declared["excludeCharacters"],
    }


def test_no_echo_values_reach_the_function_and_nobody_else(sandbox):
    """Without it, a client could compare a value that AWS never gives it, or a secret could be read off a stack."""
    stack = Stack(sandbox, "no-echo", WITH_TOKEN)
    assert (
        refused(lambda: stack.request(apiToken="short"), "BadRequestException")
        == "Parameter 'apiToken' must contain at least 8 characters"
    )
    change_set = stack.change_set(apiToken="hush-hush-hush")
    described = stack.client.describe_change_set(ChangeSetName=change_set)
    stack.client.execute_change_set(ChangeSetName=change_set)
    stack.wait("stack_create_complete", StackName=stack.name)
    assert stack.parameters()["apiToken"] == "****"
    shown = [described, stack.describe(), stack.client.get_template(StackName=stack.name)]
    pages = stack.client.get_paginator("describe_stack_events").paginate(StackName=stack.name)
    assert "hush" not in repr(shown + list(pages))
    assert stack.function()["Configuration"]["Environment"]["Variables"]["API_TOKEN"] == "hush-hush-hush"
    # Another value is a change all the same, and the former one is meant by its absence only in CloudFormation's own call.
    previous = [{"ParameterKey": name, "UsePreviousValue": True} for name in ("endpoint", "functionName", "apiToken")]
    with pytest.raises(botocore.exceptions.ClientError, match="No updates are to be performed"):
        stack.client.update_stack(
            StackName=stack.name, UsePreviousTemplate=True, Parameters=previous, Capabilities=["CAPABILITY_IAM"]
        )
    stack.update(apiToken="another-token")
    assert stack.function()["Configuration"]["Environment"]["Variables"]["API_TOKEN"] == "another-token"


def test_capabilities_are_asked_for(sandbox):
    """Without it, a deployment that acknowledges nothing would pass here and be refused on AWS."""
    stack = Stack(sandbox, "capabilities")
    for given in ([], ["CAPABILITY_IAM"], ["CAPABILITY_RESOURCE_POLICY"]):
        message = refused(lambda: stack.request(capabilities=given), "BadRequestException")
        missing = [name for name in ("CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY") if name not in given]
        assert all(name in message for name in missing)
    refused(stack.describe, "ValidationError")
    stack.create(capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_RESOURCE_POLICY"])
    # CloudFormation doesn't know the other one.
    assert stack.describe()["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    with pytest.raises(stack.client.exceptions.InsufficientCapabilitiesException):
        stack.client.update_stack(StackName=stack.name, UsePreviousTemplate=True)
    with pytest.raises(stack.client.exceptions.InsufficientCapabilitiesException):
        stack.client.create_change_set(StackName=stack.name, ChangeSetName="x", UsePreviousTemplate=True)


def test_a_change_set_is_found_by_its_arn_and_runs_once(sandbox):
    """Without it, a client that repeats a call could make things twice, or not find what it made."""
    stack = Stack(sandbox, "once")
    answer = stack.request(set_name="my-set")
    arn = answer["ChangeSetId"]
    assert ":stack/serverlessrepo-once/" in answer["StackId"]
    assert ":changeSet/my-set/" in arn
    stack.wait("change_set_create_complete", ChangeSetName=arn)
    by_arn = stack.client.describe_change_set(ChangeSetName=arn)
    by_name = stack.client.describe_change_set(ChangeSetName="my-set", StackName=stack.name)
    by_both = stack.client.describe_change_set(ChangeSetName="my-set", StackName=answer["StackId"])
    for found in (by_arn, by_name, by_both):
        found.pop("ResponseMetadata")
    assert by_arn == by_name == by_both
    assert (by_arn["Status"], by_arn["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert stack.changes(arn) == {FUNCTION: ("Add", None), ROLE: ("Add", None), PERMISSION: ("Add", None)}
    refused(lambda: stack.client.describe_change_set(ChangeSetName="my-set"), "ValidationError")
    # Until it runs there is nothing but the review of a stack.
    assert (stack.status(), stack.resources()) == ("REVIEW_IN_PROGRESS", {})
    refused(lambda: stack.functions.get_function(FunctionName="SecretsManager-once"), "ResourceNotFoundException")

    token = str(uuid.uuid4())
    stack.client.execute_change_set(ChangeSetName=arn, ClientRequestToken=token)
    # Its answer was lost: the same request again is the same execution.
    stack.client.execute_change_set(ChangeSetName=arn, ClientRequestToken=token)
    refused(lambda: stack.client.execute_change_set(ChangeSetName=arn), "InvalidChangeSetStatus")
    stack.wait("stack_create_complete", StackName=stack.name)
    message = refused(lambda: stack.client.execute_change_set(ChangeSetName=arn), "InvalidChangeSetStatus")
    assert message.startswith(f"ChangeSet [{arn}] cannot be executed in its current execution status")
    assert len([event for event in stack.events() if event[1] == "CREATE_COMPLETE"]) == 4
    nowhere = arn.replace("my-set", "no-set")
    with pytest.raises(stack.client.exceptions.ChangeSetNotFoundException):
        stack.client.describe_change_set(ChangeSetName=nowhere)
    with pytest.raises(stack.client.exceptions.ChangeSetNotFoundException):
        stack.client.execute_change_set(ChangeSetName=nowhere)


def test_a_change_set_without_changes_fails_in_awss_words(sandbox):
    """Without it, a second deployment would look like a failure, or like work."""
    stack = Stack(sandbox, "nothing")
    stack.create(tags={"team": "a"})
    events = stack.events()
    change_set = stack.request(tags={"team": "a"})["ChangeSetId"]
    describe = lambda: stack.client.describe_change_set(ChangeSetName=change_set)
    described = until("the end of it", lambda: (found := describe())["Status"] == "FAILED" and found)
    assert described["ExecutionStatus"] == "UNAVAILABLE"
    assert described["StatusReason"] == (
        "The submitted information didn't contain changes. Submit different information to create a change set."
    )
    assert described["Changes"] == []
    refused(lambda: stack.client.execute_change_set(ChangeSetName=change_set), "InvalidChangeSetStatus")
    stack.client.delete_change_set(ChangeSetName=change_set)
    with pytest.raises(stack.client.exceptions.ChangeSetNotFoundException):
        describe()
    assert (stack.status(), stack.events()) == ("CREATE_COMPLETE", events)


def test_other_change_sets_are_obsolete_once_one_has_run(sandbox):
    """Without it, a plan that was made before another's change could be executed as if nothing had happened."""
    stack = Stack(sandbox, "obsolete")
    stack.create()
    one, other = stack.change_set(excludeCharacters="a"), stack.change_set(excludeCharacters="b")
    stack.client.execute_change_set(ChangeSetName=one)
    stack.wait("stack_update_complete", StackName=stack.name)
    assert stack.client.describe_change_set(ChangeSetName=other)["ExecutionStatus"] == "OBSOLETE"
    refused(lambda: stack.client.execute_change_set(ChangeSetName=other), "InvalidChangeSetStatus")
    assert stack.parameters()["excludeCharacters"] == "a"


def test_a_creation_that_fails_is_rolled_back_with_its_reason(sandbox):
    """Without it, a stack's events wouldn't say why it failed, or its parts would stay behind."""
    sandbox.client("lambda").create_function(
        FunctionName="SecretsManager-taken",
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/rotation",
        Handler="rotate.handler",
        Code={"ZipFile": zipped({"rotate.py": "def handler(event, context): pass"})},
    )
    stack = Stack(sandbox, "taken")
    arn = stack.execute()
    until("the roll-back", lambda: stack.status() == "ROLLBACK_COMPLETE")
    events = stack.events()
    failed = [event for event in events if event[1] == "CREATE_FAILED"]
    assert [event[0] for event in failed] == [FUNCTION]
    assert "SecretsManager-taken" in failed[0][2] and "already exist" in failed[0][2]
    rolled = next(event for event in events if event[1] == "ROLLBACK_IN_PROGRESS")
    assert f"[{FUNCTION}]" in rolled[2]
    assert set(statuses(stack).values()) == {"DELETE_COMPLETE"}
    # What stood in the way is another's, and stays; the stack can only be deleted.
    stack.functions.get_function(FunctionName="SecretsManager-taken")
    message = refused(lambda: stack.request(functionName="SecretsManager-free"), "BadRequestException")
    assert message == f"Stack:{arn} is in ROLLBACK_COMPLETE state and can not be updated."
    stack.client.delete_stack(StackName=stack.name)
    stack.wait("stack_delete_complete", StackName=arn)
    stack.create(functionName="SecretsManager-free")
    assert statuses(stack) == CREATED


def test_an_update_modifies_what_changed_and_nothing_else(sandbox):
    """Without it, an update would touch what isn't the template's business, or a client would expect less than happens."""
    stack = Stack(sandbox, "modify")
    stack.create()
    before, resources = stack.function()["Configuration"], stack.resources()
    change_set = stack.change_set(excludeCharacters="xyz", vpcSubnetIds="subnet-1,subnet-2", vpcSecurityGroupIds="sg-1")
    assert stack.changes(change_set) == {FUNCTION: ("Modify", "False"), ROLE: ("Modify", "False")}
    stack.client.execute_change_set(ChangeSetName=change_set)
    stack.wait("stack_update_complete", StackName=stack.name)
    after = stack.function()["Configuration"]
    assert after["FunctionArn"] == before["FunctionArn"]
    assert after["CodeSha256"] == before["CodeSha256"]
    assert after["Environment"]["Variables"]["EXCLUDE_CHARACTERS"] == "xyz"
    assert sorted(after["VpcConfig"]["SubnetIds"]) == ["subnet-1", "subnet-2"]
    assert {key: physical for key, (physical, _) in stack.resources().items()} == {
        key: physical for key, (physical, _) in resources.items()
    }
    # What isn't said takes the default again.
    stack.update()
    after = stack.function()["Configuration"]
    assert after["Environment"] == before["Environment"]
    assert not after.get("VpcConfig", {}).get("SubnetIds")


def test_another_name_is_another_function(sandbox):
    """Without it, a renamed function would look like a changed one, and its code and permissions would be thought kept."""
    stack = Stack(sandbox, "rename")
    stack.create()
    change_set = stack.change_set(functionName="SecretsManager-renamed")
    assert stack.changes(change_set)[FUNCTION] == ("Modify", "True")
    assert stack.changes(change_set)[PERMISSION][1] in ("True", "Conditional")
    stack.client.execute_change_set(ChangeSetName=change_set)
    stack.wait("stack_update_complete", StackName=stack.name)
    assert stack.resources()[FUNCTION][0] == "SecretsManager-renamed"
    refused(lambda: stack.functions.get_function(FunctionName="SecretsManager-rename"), "ResourceNotFoundException")
    assert "secretsmanager.amazonaws.com" in stack.functions.get_policy(FunctionName="SecretsManager-renamed")["Policy"]
    words = [(status, reason) for resource, status, reason in stack.events() if resource == FUNCTION]
    assert ("DELETE_COMPLETE", None) in words
    assert any("creation of a new physical resource" in (reason or "") for _, reason in words)
    output = stack.describe()["Outputs"][0]
    assert (output["OutputKey"], output["OutputValue"].rsplit(":", 1)[1]) == ("RotationLambdaARN", "SecretsManager-renamed")


def test_changes_by_other_hands_stay_until_the_template_touches_them(sandbox):
    """Without it, uploaded code would survive an update here that puts the template's back on AWS, or the other way round."""
    stack = Stack(sandbox, "hands")
    stack.create(version="1.1.560")
    name = "SecretsManager-hands"
    uploaded = stack.functions.update_function_code(
        FunctionName=name, ZipFile=zipped({"lambda_function.py": "def lambda_handler(event, context): pass"})
    )["CodeSha256"]
    settled = stack.functions.get_waiter("function_updated_v2")
    settled.wait(FunctionName=name, WaiterConfig=QUICK)
    stack.functions.update_function_configuration(FunctionName=name, Timeout=111, Description="mine")
    settled.wait(FunctionName=name, WaiterConfig=QUICK)
    stack.functions.add_permission(
        FunctionName=name, StatementId="mine", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com"
    )

    # The template's environment changes, and that alone.
    stack.update(version="1.1.560", excludeCharacters="abc")
    live = stack.function()["Configuration"]
    assert (live["CodeSha256"], live["Timeout"], live["Description"]) == (uploaded, 111, "mine")
    assert live["Environment"]["Variables"]["EXCLUDE_CHARACTERS"] == "abc"
    # A stack doesn't see what others did: the same again is nothing to do.
    nothing = stack.request(version="1.1.560", excludeCharacters="abc")["ChangeSetId"]
    describe = lambda: stack.client.describe_change_set(ChangeSetName=nothing)["Status"]
    until("the end of it", lambda: describe() == "FAILED")
    # A version with code of its own puts that in the place of what was uploaded.
    stack.update(excludeCharacters="abc")
    live = stack.function()["Configuration"]
    assert live["CodeSha256"] != uploaded
    assert (live["Timeout"], live["Runtime"]) == (111, "python3.12")
    policy = stack.functions.get_policy(FunctionName=name)["Policy"]
    assert '"mine"' in policy


def test_a_failed_update_leaves_the_stack_as_it_was(sandbox, broken):
    """Without it, a failed update could leave half of its changes, or take what worked before."""
    stack = Stack(sandbox, "undone")
    stack.create(tags={"team": "a"})
    before, parameters = stack.function()["Configuration"], stack.parameters()
    stack.execute(vpcSubnetIds="subnet-invalid", vpcSecurityGroupIds="sg-1", excludeCharacters="z", tags={"team": "b"})
    until("the roll-back", lambda: stack.status() == "UPDATE_ROLLBACK_COMPLETE")
    failed = [event for event in stack.events() if event[1] == "UPDATE_FAILED"]
    assert [event[0] for event in failed] == [FUNCTION]
    assert "subnet-invalid" in failed[0][2]
    rolled = next(event for event in stack.events() if event[1] == "UPDATE_ROLLBACK_IN_PROGRESS")
    assert f"[{FUNCTION}]" in rolled[2]
    after = stack.function()["Configuration"]
    assert after["Environment"] == before["Environment"]
    assert not after.get("VpcConfig", {}).get("SubnetIds")
    assert stack.parameters() == parameters
    assert {"Key": "team", "Value": "a"} in stack.describe()["Tags"]
    # It can be updated again, to something that works.
    stack.update(excludeCharacters="z")
    assert stack.status() == "UPDATE_COMPLETE"

    # A replacement that fails keeps the old function.
    broken("CreateFunction", "not this one")
    stack.execute(functionName="SecretsManager-undone-2")
    until("the roll-back", lambda: stack.status() == "UPDATE_ROLLBACK_COMPLETE")
    assert "not this one" in next(event[2] for event in reversed(stack.events()) if event[1] == "UPDATE_FAILED")
    assert stack.function()["Configuration"]["FunctionName"] == "SecretsManager-undone"


def test_a_stuck_roll_back_is_continued(sandbox, broken):
    """Without it, `UPDATE_ROLLBACK_FAILED`, which needs a hand on AWS, could never be practised."""
    stack = Stack(sandbox, "stuck")
    stack.create()
    # The update fails, and what would undo it fails as well.
    broken("UpdateFunctionConfiguration")
    stack.execute(excludeCharacters="q")
    until("the end", lambda: stack.status() == "UPDATE_ROLLBACK_FAILED")
    refused(lambda: stack.request(excludeCharacters="r"), "BadRequestException")
    sandbox.faults()
    stack.client.continue_update_rollback(StackName=stack.name)
    until("the roll-back", lambda: stack.status() == "UPDATE_ROLLBACK_COMPLETE")
    stack.update(excludeCharacters="r")


def test_deletion_removes_what_was_made(sandbox, broken):
    """Without it, functions would stay behind a deleted stack, or a stack could never go whose function went before it."""
    stack = Stack(sandbox, "gone")
    arn = stack.create()
    stack.client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=True)
    message = refused(lambda: stack.client.delete_stack(StackName=stack.name), "ValidationError")
    assert message == f"Stack [{arn}] cannot be deleted while TerminationProtection is enabled"
    stack.client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
    stack.delete()
    refused(lambda: stack.functions.get_function(FunctionName="SecretsManager-gone"), "ResourceNotFoundException")
    # By name it is no more; by ARN it is told of, with all that happened.
    message = refused(stack.describe, "ValidationError")
    assert message == f"Stack with id {stack.name} does not exist"
    assert stack.status(arn) == "DELETE_COMPLETE"
    assert set(statuses(stack, arn).values()) == {"DELETE_COMPLETE"}
    assert stack.events(arn)[-1][:2] == (stack.name, "DELETE_COMPLETE")
    # What isn't there is deleted, and its name is free.
    stack.client.delete_stack(StackName=stack.name)
    again = stack.create()
    assert again != arn
    # What somebody else deleted counts as deleted.
    stack.functions.delete_function(FunctionName="SecretsManager-gone")
    stack.delete()

    kept = Stack(sandbox, "kept")
    arn = kept.create()
    broken("DeleteFunction", "not yours to delete")
    kept.client.delete_stack(StackName=kept.name)
    until("the failure", lambda: kept.status() == "DELETE_FAILED")
    assert FUNCTION in kept.describe()["StackStatusReason"]
    assert "not yours to delete" in next(event[2] for event in kept.events() if event[1] == "DELETE_FAILED")
    kept.client.delete_stack(StackName=kept.name, RetainResources=[FUNCTION])
    kept.wait("stack_delete_complete", StackName=arn)
    kept.functions.get_function(FunctionName="SecretsManager-kept")


def test_the_stack_carries_what_identifies_its_application(sandbox):
    """Without it, a tool that finds its stacks by their tags, as most do, would find none."""
    stack = Stack(sandbox, "tagged")
    arn = stack.create(version="1.1.500", tags={"team": "payments"})
    tags = {tag["Key"]: tag["Value"] for tag in stack.describe()["Tags"]}
    assert tags == {
        "serverlessrepo:applicationId": GENERIC,
        "serverlessrepo:semanticVersion": "1.1.500",
        "team": "payments",
    }
    on_function = stack.function()["Tags"]
    assert on_function["team"] == "payments"
    assert on_function["aws:cloudformation:stack-id"] == arn
    assert on_function["aws:cloudformation:logical-id"] == FUNCTION
    assert on_function["SecretsManagerLambda"] == "Rotation"
    # The oldest version lets no one invoke the function: that is left to those who deploy it.
    assert PERMISSION not in stack.resources()
    refused(lambda: stack.functions.get_policy(FunctionName="SecretsManager-tagged"), "ResourceNotFoundException")
    stack.update(version="1.1.618", tags={"team": "payments"})
    assert stack.resources()[PERMISSION][1] == "CREATE_COMPLETE"
    resource = stack.client.describe_stack_resource(StackName=stack.name, LogicalResourceId=FUNCTION)
    assert resource["StackResourceDetail"]["PhysicalResourceId"] == "SecretsManager-tagged"
    found = stack.client.describe_stack_resources(PhysicalResourceId="SecretsManager-tagged")["StackResources"]
    assert {each["StackName"] for each in found} == {stack.name}


def test_stacks_of_a_region_are_its_own(sandbox):
    """Without it, two regions' deployments of one manifest would be taken for one another."""
    stack = Stack(sandbox, "regional")
    arn = stack.create()
    assert f":{REGION}:" in arn
    other = sandbox.client("cloudformation", region="eu-west-1")
    refused(lambda: other.describe_stacks(StackName=stack.name), "ValidationError")
    assert other.list_stacks()["StackSummaries"] == []
