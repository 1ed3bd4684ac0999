"""CloudFormation and the Serverless Application Repository."""

from conftest import until

from ..world import CASES, GENERIC, Refused, case

GONE = "ValidationError"
PREVIOUS = [{"ParameterKey": name, "UsePreviousValue": True} for name in ("endpoint", "functionName")]


def of_a_stack(operation, *more):
    def make(world):
        stack = world.stack()
        for params in more or ({},):
            yield {"StackName": stack, **params}
        yield Refused({"StackName": "absent", **(more[0] if more else {})}, GONE)

    CASES["cloudformation"][operation] = make


of_a_stack("DescribeStackEvents")
of_a_stack("DescribeStackResources", {}, {"LogicalResourceId": "SecretsManagerRotationTemplate"})
of_a_stack("DescribeStackResource", {"LogicalResourceId": "SecretsManagerRotationTemplate"})
of_a_stack("ListStackResources")
of_a_stack("ListChangeSets")
of_a_stack("GetTemplate", {"TemplateStage": "Original"})
of_a_stack("UpdateTerminationProtection", {"EnableTerminationProtection": True}, {"EnableTerminationProtection": False})


@case("cloudformation")
def describe_events(world):
    made = world.change_set()
    yield {"ChangeSetName": made}
    stack = world.stack()
    yield {"StackName": stack}
    yield {"StackName": stack, "Filters": {"FailedEvents": True}}
    yield {"ChangeSetName": world.change_set(), "Filters": {"FailedEvents": True}}
    yield Refused({"StackName": "absent"}, GONE)
    yield Refused({"StackName": stack, "ChangeSetName": "absent"}, "ChangeSetNotFound")
    yield Refused({"OperationId": "absent"}, GONE)
    yield Refused({}, GONE)


@case("cloudformation")
def list_exports(world):
    yield {}


@case("cloudformation")
def describe_stacks(world):
    stack = world.stack()
    world.change_set("review")
    yield {"StackName": stack}
    yield {}
    world.client("cloudformation").delete_stack(StackName=stack)
    yield Refused({"StackName": "absent"}, GONE)


@case("cloudformation")
def list_stacks(world):
    world.stack()
    world.change_set("review")
    yield {"StackStatusFilter": ["CREATE_COMPLETE", "REVIEW_IN_PROGRESS"]}
    yield {}
    yield Refused({"NextToken": "x"}, GONE)


@case("cloudformation")
def create_change_set(world):
    stack = world.stack()
    good = {
        "StackName": stack,
        "ChangeSetName": "c",
        "UsePreviousTemplate": True,
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [*PREVIOUS, {"ParameterKey": "excludeCharacters", "ParameterValue": "abc"}],
        "Tags": [{"Key": "k", "Value": "v"}],
    }
    yield good
    yield Refused({**good, "StackName": "absent"}, GONE)
    yield Refused({**good, "ChangeSetName": "d", "Capabilities": []}, "InsufficientCapabilitiesException")
    yield Refused(good, "AlreadyExistsException")


@case("cloudformation")
def describe_change_set(world):
    made = world.change_set()
    yield {"ChangeSetName": made}
    stack = world.stack()
    yield {"ChangeSetName": world.change_set(excludeCharacters="abc")}
    yield {"ChangeSetName": world.change_set(functionName="other")}
    yield {"ChangeSetName": world.change_set()}
    yield Refused({"StackName": stack, "ChangeSetName": "absent"}, "ChangeSetNotFound")
    yield Refused({"StackName": "absent", "ChangeSetName": "absent"}, GONE)


@case("cloudformation")
def execute_change_set(world):
    made = world.change_set()
    yield {"ChangeSetName": made, "DisableRollback": False}
    world.settled("serverlessrepo-rotation")
    yield Refused({"ChangeSetName": made}, "InvalidChangeSetStatus")
    yield Refused({"StackName": "serverlessrepo-rotation", "ChangeSetName": "absent"}, "ChangeSetNotFound")


@case("cloudformation")
def delete_change_set(world):
    made = world.change_set()
    yield {"ChangeSetName": made}
    yield {"ChangeSetName": made}
    yield Refused({"ChangeSetName": "c"}, GONE)


@case("cloudformation")
def update_stack(world):
    stack = world.stack()
    good = {
        "StackName": stack,
        "UsePreviousTemplate": True,
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [*PREVIOUS, {"ParameterKey": "excludeCharacters", "ParameterValue": "abc"}],
    }
    yield good
    world.settled(stack)
    yield Refused(good, GONE)
    yield Refused({**good, "StackName": "absent"}, GONE)
    yield Refused({**good, "Capabilities": []}, "InsufficientCapabilitiesException")


@case("cloudformation")
def delete_stack(world):
    stack = world.stack()
    yield {"StackName": stack}
    until("the stack to go", lambda: not world.client("lambda").list_functions()["Functions"])
    yield {"StackName": "absent"}
    protected = world.stack("protected")
    world.client("cloudformation").update_termination_protection(StackName=protected, EnableTerminationProtection=True)
    yield Refused({"StackName": protected}, GONE)


@case("cloudformation")
def continue_update_rollback(world):
    stack = world.stack()
    world.client("lambda").delete_function(FunctionName="f-rotation")
    assert world.stack(excludeCharacters="abc") == stack and world.settled(stack) == "UPDATE_ROLLBACK_FAILED"
    yield {"StackName": stack, "ResourcesToSkip": ["SecretsManagerRotationTemplate"]}
    world.settled(stack)
    yield Refused({"StackName": stack}, GONE)
    yield Refused({"StackName": "absent"}, GONE)


@case("cloudformation")
def cancel_update_stack(world):
    # The update waits in its middle for longer than the walk can take.
    slow = {"service": "lambda", "operation": "UpdateFunctionConfiguration", "match": "a-slow-function"}
    world.sandbox.faults({**slow, "delay_ms": 600_000, "times": 1})
    stack = world.stack("slow", functionName="a-slow-function")
    made = world.change_set("slow", functionName="a-slow-function", excludeCharacters="abc")
    stacks = world.client("cloudformation")
    stacks.execute_change_set(ChangeSetName=made)

    def under_way():
        newest = stacks.describe_stack_events(StackName=stack)["StackEvents"][0]
        return newest["ResourceType"] == "AWS::Lambda::Function" and newest["ResourceStatus"] == "UPDATE_IN_PROGRESS"

    until("the update to be under way", under_way)
    yield {"StackName": stack}
    world.sandbox.faults()
    yield Refused({"StackName": world.stack()}, GONE)
    yield Refused({"StackName": "absent"}, GONE)



UNKNOWN = {"ApplicationId": GENERIC + "x"}
WITHOUT = "NotFoundException"


@case("serverlessrepo")
def list_applications(world):
    yield {}
    yield Refused({"NextToken": "x"}, "BadRequestException")


@case("serverlessrepo")
def get_application(world):
    yield {"ApplicationId": GENERIC}
    yield {"ApplicationId": GENERIC, "SemanticVersion": "1.1.500"}
    yield Refused(UNKNOWN, WITHOUT)
    yield Refused({"ApplicationId": GENERIC, "SemanticVersion": "0.0.1"}, WITHOUT)


@case("serverlessrepo")
def list_application_versions(world):
    yield {"ApplicationId": GENERIC}
    yield {"ApplicationId": GENERIC, "MaxItems": 1}
    yield Refused(UNKNOWN, WITHOUT)


@case("serverlessrepo")
def create_cloud_formation_change_set(world):
    good = {
        "ApplicationId": GENERIC,
        "StackName": "rotation",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"],
        "ParameterOverrides": [
            {"Name": "endpoint", "Value": "https://secretsmanager.us-east-1.amazonaws.com"},
            {"Name": "functionName", "Value": "f"},
        ],
        "Tags": [{"Key": "k", "Value": "v"}],
        "SemanticVersion": "1.1.618",
    }
    yield good
    yield Refused({**good, **UNKNOWN}, "BadRequestException")
    yield Refused({**good, "Capabilities": []}, "BadRequestException")
    yield Refused({**good, "ParameterOverrides": [{"Name": "x", "Value": "y"}]}, "BadRequestException")


@case("serverlessrepo")
def create_cloud_formation_template(world):
    yield {"ApplicationId": GENERIC, "SemanticVersion": "1.1.500"}
    yield Refused(UNKNOWN, WITHOUT)


@case("serverlessrepo")
def get_cloud_formation_template(world):
    made = world.client("serverlessrepo").create_cloud_formation_template(ApplicationId=GENERIC)["TemplateId"]
    yield {"ApplicationId": GENERIC, "TemplateId": made}
    yield Refused({"ApplicationId": GENERIC, "TemplateId": "x"}, WITHOUT)
    yield Refused({**UNKNOWN, "TemplateId": made}, WITHOUT)
