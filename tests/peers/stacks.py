"""Stacks of the sandbox's applications, deployed as AWS's user guide does it, with boto3."""

GENERIC = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate"
WITH_TOKEN = "arn:aws:serverlessrepo:us-east-1:123456789012:applications/RotationWithToken"
ENDPOINT = "https://secretsmanager.us-east-1.amazonaws.com"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"]
FUNCTION = "SecretsManagerRotationTemplate"
ROLE = "SecretsManagerRotationTemplateRole"
PERMISSION = "LambdaPermission"

# What waiters are told: they would wait for 30 seconds between two looks.
QUICK = {"Delay": 0.02, "MaxAttempts": 1500}


class Stack:
    """A stack of the repository, by the name that it has there."""

    def __init__(self, sandbox, name, application=GENERIC):
        self.sandbox, self.application, self.short = sandbox, application, name
        self.name = f"serverlessrepo-{name}"
        self.client = sandbox.client("cloudformation")
        self.functions = sandbox.client("lambda")

    def wait(self, waiter, **names):
        self.client.get_waiter(waiter).wait(WaiterConfig=QUICK, **names)

    def request(self, version=None, tags=None, capabilities=None, set_name=None, **parameters):
        """Asks for a change set of the wanted parameters; the repository's answer."""
        parameters = {"endpoint": ENDPOINT, "functionName": f"SecretsManager-{self.short}", **parameters}
        request = {
            "ApplicationId": self.application,
            "StackName": self.short,
            "Capabilities": CAPABILITIES if capabilities is None else capabilities,
            "ParameterOverrides": [
                {"Name": key, "Value": value} for key, value in parameters.items() if value is not None
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()],
        }
        if version:
            request["SemanticVersion"] = version
        if set_name:
            request["ChangeSetName"] = set_name
        return self.sandbox.client("serverlessrepo").create_cloud_formation_change_set(**request)

    def change_set(self, **wanted):
        """A change set that is ready; its ARN."""
        change_set = self.request(**wanted)["ChangeSetId"]
        self.wait("change_set_create_complete", ChangeSetName=change_set)
        return change_set

    def execute(self, **wanted):
        """Starts what a new change set holds; the stack's ARN."""
        change_set = self.change_set(**wanted)
        self.client.execute_change_set(ChangeSetName=change_set)
        return self.client.describe_change_set(ChangeSetName=change_set)["StackId"]

    def create(self, **wanted):
        stack = self.execute(**wanted)
        self.wait("stack_create_complete", StackName=stack)
        return stack

    def update(self, **wanted):
        self.execute(**wanted)
        self.wait("stack_update_complete", StackName=self.name)

    def delete(self):
        stack = self.describe()["StackId"]
        self.client.delete_stack(StackName=stack)
        self.wait("stack_delete_complete", StackName=stack)

    def describe(self, name=None):
        return self.client.describe_stacks(StackName=name or self.name)["Stacks"][0]

    def status(self, name=None):
        return self.describe(name)["StackStatus"]

    def parameters(self):
        return {each["ParameterKey"]: each["ParameterValue"] for each in self.describe()["Parameters"]}

    def changes(self, change_set):
        """What a change set would do, by logical id: the action, and whether it replaces."""
        changes = self.client.describe_change_set(ChangeSetName=change_set)["Changes"]
        changes = [change["ResourceChange"] for change in changes]
        return {change["LogicalResourceId"]: (change["Action"], change.get("Replacement")) for change in changes}

    def events(self, name=None):
        """The events, oldest first: (logical id, status, reason)."""
        pages = self.client.get_paginator("describe_stack_events").paginate(StackName=name or self.name)
        events = [event for page in pages for event in page["StackEvents"]]
        return [
            (event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason"))
            for event in reversed(events)
        ]

    def resources(self, name=None):
        """The resources, by logical id: what they are called, and where they stand."""
        pages = self.client.get_paginator("list_stack_resources").paginate(StackName=name or self.name)
        return {
            each["LogicalResourceId"]: (each.get("PhysicalResourceId"), each["ResourceStatus"])
            for page in pages
            for each in page["StackResourceSummaries"]
        }

    def function(self):
        """What Lambda says of the stack's function; None where it doesn't have it."""
        try:
            return self.functions.get_function(FunctionName=self.resources()[FUNCTION][0])
        except self.functions.exceptions.ResourceNotFoundException:
            return None
