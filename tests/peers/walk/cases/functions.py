"""Lambda, and the logs of functions."""

from conftest import zipped

from ..world import CASES, CODE, MISSING, ROLE, Refused, case

ABSENT = {"FunctionName": "absent"}
CONFLICT = "ResourceConflictException"
INVALID = "InvalidParameterValueException"
EVERYTHING = {
    "Description": "d",
    "Timeout": 9,
    "MemorySize": 256,
    "Environment": {"Variables": {"KEY": "v"}},
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "TracingConfig": {"Mode": "Active"},
    "EphemeralStorage": {"Size": 1024},
    "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "WARN", "LogGroup": "mine"},
    "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"},
    "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
    "Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"],
    "FileSystemConfigs": [
        {
            "Arn": "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0",
            "LocalMountPath": "/mnt/x",
        }
    ],
    "SnapStart": {"ApplyOn": "PublishedVersions"},
}


def of_a_function(operation, *more, setup=None):
    """A case that needs one function alone."""

    def make(world):
        world.function()
        if setup:
            setup(world)
        for params in more or ({},):
            yield {"FunctionName": "f", **params}
            world.client("lambda").get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.05})
        yield Refused({**(more[0] if more else {}), **ABSENT}, MISSING)

    CASES["lambda"][operation] = make


@case("lambda")
def create_function(world):
    code = {"ZipFile": zipped(CODE)}
    good = {"FunctionName": "f", "Role": ROLE, "Runtime": "provided.al2023", "Handler": "h", "Code": code}
    yield good
    more = {"Tags": {"k": "v"}, "Publish": True, "Architectures": ["arm64"]}
    yield {**good, **EVERYTHING, **more, "FunctionName": "everything"}
    yield Refused(good, CONFLICT)
    yield Refused({**good, "FunctionName": "g", "Runtime": "python1"}, INVALID)
    yield Refused({**good, "FunctionName": "g", "Code": {"S3Bucket": "bucket", "S3Key": "k"}}, INVALID)
    yield Refused({**good, "FunctionName": "g", "Code": {"ZipFile": b"no zip"}}, INVALID)


@case("lambda")
def delete_function(world):
    world.function(Publish=True)
    yield {"FunctionName": "f", "Qualifier": "1"}
    yield {"FunctionName": "f"}
    yield Refused(ABSENT, MISSING)


def everything_about_g(world):
    world.function("g", Publish=True, Tags={"k": "v"}, **EVERYTHING)
    world.client("lambda").put_function_concurrency(FunctionName="g", ReservedConcurrentExecutions=2)


for read in ("GetFunction", "GetFunctionConfiguration"):
    published = {"FunctionName": "g", "Qualifier": "1"}
    of_a_function(read, {}, {"FunctionName": "g"}, published, {"Qualifier": "$LATEST"}, setup=everything_about_g)
of_a_function("ListVersionsByFunction", {}, {"FunctionName": "g", "MaxItems": 1}, setup=everything_about_g)
of_a_function("GetFunctionConcurrency", {}, {"FunctionName": "g"}, setup=everything_about_g)
for simple in (
    "DeleteFunctionConcurrency",
    "GetFunctionCodeSigningConfig",
    "GetFunctionRecursionConfig",
    "GetRuntimeManagementConfig",
    "ListFunctionEventInvokeConfigs",
    "ListFunctionUrlConfigs",
    "ListProvisionedConcurrencyConfigs",
):
    of_a_function(simple)
of_a_function("PutFunctionConcurrency", {"ReservedConcurrentExecutions": 3}, {"ReservedConcurrentExecutions": 0})
of_a_function("PublishVersion", {"Description": "d"}, {})
of_a_function(
    "UpdateFunctionCode",
    {"ZipFile": zipped(CODE), "Publish": True},
    {"ZipFile": zipped({**CODE, "more": "x"}), "DryRun": True},
)
of_a_function(
    "UpdateFunctionConfiguration",
    EVERYTHING,
    {"Environment": {"Variables": {}}, "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}},
)


def nothing_there(operation, code=MISSING, **params):
    """A case of something that no function has here: a good request is answered that there is none."""

    def make(world):
        world.function()
        yield Refused({"FunctionName": "f", **params}, code)
        yield Refused({"FunctionName": "absent", **params}, MISSING)

    CASES["lambda"][operation] = make


nothing_there("GetFunctionEventInvokeConfig")
nothing_there("GetFunctionUrlConfig")
nothing_there("GetProvisionedConcurrencyConfig", "ProvisionedConcurrencyConfigNotFoundException", Qualifier="1")


def with_alias(world):
    world.function(Publish=True)
    world.client("lambda").create_alias(FunctionName="f", Name="live", FunctionVersion="1", Description="d")


@case("lambda")
def create_alias(world):
    world.function(Publish=True)
    yield {"FunctionName": "f", "Name": "live", "FunctionVersion": "1", "Description": "d"}
    yield {"FunctionName": "f", "Name": "newest", "FunctionVersion": "$LATEST"}
    yield Refused({"FunctionName": "f", "Name": "none", "FunctionVersion": "7"}, MISSING)


@case("lambda")
def get_alias(world):
    with_alias(world)
    yield {"FunctionName": "f", "Name": "live"}
    yield Refused({"FunctionName": "f", "Name": "none"}, MISSING)


@case("lambda")
def list_aliases(world):
    with_alias(world)
    yield {"FunctionName": "f"}
    yield {"FunctionName": "f", "FunctionVersion": "$LATEST"}
    yield Refused({"FunctionName": "absent"}, MISSING)


@case("lambda")
def update_alias(world):
    with_alias(world)
    yield {"FunctionName": "f", "Name": "live", "FunctionVersion": "$LATEST"}
    yield {"FunctionName": "f", "Name": "live", "Description": "e"}
    yield Refused({"FunctionName": "f", "Name": "none", "FunctionVersion": "1"}, MISSING)


@case("lambda")
def delete_alias(world):
    with_alias(world)
    yield {"FunctionName": "f", "Name": "live"}
    yield {"FunctionName": "f", "Name": "live"}
    yield Refused({"FunctionName": "absent", "Name": "live"}, MISSING)


@case("lambda")
def get_account_settings(world):
    world.function()
    yield {}


@case("lambda")
def list_functions(world):
    world.function(**EVERYTHING, Publish=True)
    world.function("g")
    yield {}
    yield {"MaxItems": 1, "FunctionVersion": "ALL"}
    yield Refused({"Marker": "x"}, INVALID)


@case("lambda")
def get_policy(world):
    world.rotator()
    yield {"FunctionName": "f"}
    yield Refused(ABSENT, MISSING)
    world.function("g")
    yield Refused({"FunctionName": "g"}, MISSING)


PERMISSION = {"StatementId": "t", "Action": "lambda:InvokeFunction", "Principal": "secretsmanager.amazonaws.com"}


@case("lambda")
def add_permission(world):
    world.function(Publish=True)
    yield {"FunctionName": "f", **PERMISSION, "SourceAccount": "123456789012"}
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s"
    yield {"FunctionName": "f", "Qualifier": "1", **PERMISSION, "SourceArn": secret}
    yield Refused({"FunctionName": "f", **PERMISSION}, CONFLICT)
    yield Refused({"FunctionName": "f", **PERMISSION, "StatementId": "u", "Principal": "me"}, INVALID)
    yield Refused({"FunctionName": "f", **PERMISSION, "StatementId": "u", "RevisionId": "x"}, "PreconditionFailedException")
    yield Refused({**ABSENT, **PERMISSION}, MISSING)


@case("lambda")
def remove_permission(world):
    world.rotator()
    yield {"FunctionName": "f", "StatementId": "s"}
    yield Refused({"FunctionName": "f", "StatementId": "s"}, MISSING)
    yield Refused({**ABSENT, "StatementId": "s"}, MISSING)


@case("lambda")
def invoke(world):
    world.function()
    yield {"FunctionName": "f", "Payload": b'{"a": 1}', "LogType": "Tail"}
    yield {"FunctionName": "f", "Payload": b'"fail"'}
    yield {"FunctionName": "f", "InvocationType": "DryRun"}
    yield {"FunctionName": "f", "InvocationType": "Event", "Payload": b"{}"}
    yield Refused(ABSENT, MISSING)
    yield Refused({"FunctionName": "f", "Payload": b"{"}, "InvalidRequestContentException")


@case("lambda")
def list_tags(world):
    yield {"Resource": world.function(Tags={"k": "v"})}
    yield {"Resource": world.function("g")}
    yield Refused({"Resource": world.function("h") + "x"}, MISSING)


@case("lambda")
def tag_resource(world):
    function = world.function()
    yield {"Resource": function, "Tags": {"k": "v"}}
    yield Refused({"Resource": function + "x", "Tags": {"k": "v"}}, MISSING)


@case("lambda")
def untag_resource(world):
    function = world.function()
    yield {"Resource": function, "TagKeys": ["k", "l"]}
    yield Refused({"Resource": function + "x", "TagKeys": ["k"]}, MISSING)






@case("logs")
def delete_log_group(world):
    yield {"logGroupName": world.log_group()}
    yield Refused({"logGroupName": "absent"}, MISSING)


@case("logs")
def describe_log_groups(world):
    world.log_group("g")
    name = world.log_group()
    yield {}
    yield {"logGroupNamePrefix": name, "limit": 1}
    yield {"limit": 1}


@case("logs")
def describe_log_streams(world):
    name = world.log_group()
    yield {"logGroupName": name}
    yield {"logGroupName": name, "orderBy": "LastEventTime", "descending": True, "limit": 1}
    yield Refused({"logGroupName": "absent"}, MISSING)


@case("logs")
def filter_log_events(world):
    name = world.log_group()
    yield {"logGroupName": name}
    yield {"logGroupName": name, "filterPattern": "working", "limit": 1, "startTime": 0}
    yield Refused({"logGroupName": "absent"}, MISSING)


@case("logs")
def get_log_events(world):
    name = world.log_group()
    stream = world.client("logs").describe_log_streams(logGroupName=name)["logStreams"][0]["logStreamName"]
    yield {"logGroupName": name, "logStreamName": stream}
    yield {"logGroupName": name, "logStreamName": stream, "startFromHead": True, "limit": 1}
    yield Refused({"logGroupName": "absent", "logStreamName": stream}, MISSING)
    yield Refused({"logGroupName": name, "logStreamName": "absent"}, MISSING)
