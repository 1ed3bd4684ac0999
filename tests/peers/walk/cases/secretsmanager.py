"""Secrets Manager."""

import json

from conftest import REGION

from ..world import MISSING, Refused, case, token

NOBODY = {"SecretId": "nobody"}


@case("secretsmanager")
def batch_get_secret_value(world):
    world.secret()
    yield {"SecretIdList": ["s", "nobody"]}
    yield {"Filters": [{"Key": "name", "Values": ["s"]}], "MaxResults": 1}
    yield Refused({"Filters": [{"Key": "all", "Values": ["s"]}], "NextToken": "x"}, "InvalidNextTokenException")


@case("secretsmanager")
def cancel_rotate_secret(world):
    world.secret()
    yield Refused({"SecretId": "s"}, "InvalidRequestException")
    world.rotating("s")
    yield {"SecretId": "s"}
    yield Refused(NOBODY, MISSING)


@case("secretsmanager")
def create_secret(world):
    yield {"Name": "a/b", "ClientRequestToken": token(), "SecretString": "v", "Tags": [{"Key": "k", "Value": "v"}]}
    yield {"Name": "empty", "Description": "d", "KmsKeyId": "k"}
    yield {"Name": "b", "ClientRequestToken": token(), "SecretBinary": b"\0\1"}
    yield {"Name": "r", "ClientRequestToken": token(), "SecretString": "v", "AddReplicaRegions": [{"Region": "eu-west-1"}]}
    yield Refused({"Name": "a/b", "ClientRequestToken": token(), "SecretString": "w"}, "ResourceExistsException")
    yield Refused({"Name": "c", "SecretString": "w"}, "InvalidParameterException")


@case("secretsmanager")
def delete_resource_policy(world):
    world.secret()
    yield {"SecretId": "s"}
    yield Refused(NOBODY, MISSING)


@case("secretsmanager")
def delete_secret(world):
    world.secret()
    yield {"SecretId": "s", "RecoveryWindowInDays": 7}
    world.secret("t")
    yield {"SecretId": "t", "ForceDeleteWithoutRecovery": True}
    yield Refused(NOBODY, MISSING)
    yield Refused({"SecretId": "s", "RecoveryWindowInDays": 6}, "InvalidParameterException")


@case("secretsmanager")
def describe_secret(world):
    world.secret(Tags=[{"Key": "k", "Value": "v"}], AddReplicaRegions=[{"Region": "eu-west-1"}], Description="d")
    yield {"SecretId": "s"}
    client = world.client("secretsmanager")
    client.create_secret(Name="empty")
    yield {"SecretId": "empty"}
    world.secret("rotated")
    world.rotating("rotated", ScheduleExpression="cron(0 4 ? * SUN *)", Duration="2h")
    yield {"SecretId": "rotated"}
    client.cancel_rotate_secret(SecretId="rotated")
    yield {"SecretId": "rotated"}
    client.delete_secret(SecretId="rotated")
    yield {"SecretId": "rotated"}
    yield Refused(NOBODY, MISSING)


@case("secretsmanager")
def get_random_password(world):
    yield {"PasswordLength": 40}
    yield {}
    yield Refused({"PasswordLength": 3}, "InvalidParameterException")


@case("secretsmanager")
def get_resource_policy(world):
    world.secret()
    yield {"SecretId": "s"}
    world.client("secretsmanager").put_resource_policy(SecretId="s", ResourcePolicy=json.dumps(POLICY))
    yield {"SecretId": "s"}
    yield Refused(NOBODY, MISSING)


@case("secretsmanager")
def get_secret_value(world):
    version = world.secret()["VersionId"]
    yield {"SecretId": "s"}
    yield {"SecretId": "s", "VersionId": version, "VersionStage": "AWSCURRENT"}
    world.client("secretsmanager").create_secret(Name="b", SecretBinary=b"\0")
    yield {"SecretId": "b"}
    yield Refused(NOBODY, MISSING)
    yield Refused({"SecretId": "s", "VersionStage": "AWSPENDING"}, MISSING)


@case("secretsmanager")
def list_secret_version_ids(world):
    world.secret()
    world.client("secretsmanager").put_secret_value(SecretId="s", SecretString="w")
    yield {"SecretId": "s"}
    yield {"SecretId": "s", "MaxResults": 1, "IncludeDeprecated": True}
    yield Refused(NOBODY, MISSING)
    yield Refused({"SecretId": "s", "NextToken": "x"}, "InvalidNextTokenException")


@case("secretsmanager")
def list_secrets(world):
    for name in "st":
        world.secret(name, AddReplicaRegions=[{"Region": "eu-west-1"}])
    yield {}
    world.rotating("s", ScheduleExpression="rate(10 days)")
    yield {"MaxResults": 1, "SortBy": "name", "SortOrder": "desc", "Filters": [{"Key": "name", "Values": ["s", "!x"]}]}
    yield {"IncludePlannedDeletion": True, "SortBy": "last-changed-date"}
    yield Refused({"NextToken": "x"}, "InvalidNextTokenException")


POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "*",
        }
    ],
}
PUBLIC = {"Version": "2012-10-17", "Statement": {**POLICY["Statement"][0], "Principal": "*"}}


@case("secretsmanager")
def put_resource_policy(world):
    world.secret()
    yield {"SecretId": "s", "ResourcePolicy": json.dumps(POLICY), "BlockPublicPolicy": True}
    public = {"SecretId": "s", "ResourcePolicy": json.dumps(PUBLIC), "BlockPublicPolicy": True}
    yield Refused(public, "PublicPolicyException")
    yield Refused({"SecretId": "s", "ResourcePolicy": "{"}, "MalformedPolicyDocumentException")
    yield Refused({**NOBODY, "ResourcePolicy": json.dumps(POLICY)}, MISSING)


@case("secretsmanager")
def put_secret_value(world):
    world.secret()
    used = token()
    yield {"SecretId": "s", "ClientRequestToken": used, "SecretString": "w", "VersionStages": ["AWSCURRENT", "x"]}
    yield {"SecretId": "s", "ClientRequestToken": token(), "SecretBinary": b"w"}
    yield Refused({"SecretId": "s", "ClientRequestToken": used, "SecretString": "other"}, "ResourceExistsException")
    yield Refused({**NOBODY, "ClientRequestToken": token(), "SecretString": "w"}, MISSING)
    yield Refused({"SecretId": "s", "ClientRequestToken": token()}, "InvalidRequestException")


@case("secretsmanager")
def remove_regions_from_replication(world):
    world.secret(AddReplicaRegions=[{"Region": "eu-west-1"}, {"Region": "eu-west-2"}])
    yield {"SecretId": "s", "RemoveReplicaRegions": ["eu-west-1"]}
    yield Refused({**NOBODY, "RemoveReplicaRegions": ["eu-west-1"]}, MISSING)


@case("secretsmanager")
def replicate_secret_to_regions(world):
    world.secret()
    yield {"SecretId": "s", "AddReplicaRegions": [{"Region": "eu-west-1", "KmsKeyId": "k"}]}
    yield Refused({**NOBODY, "AddReplicaRegions": [{"Region": "eu-west-1"}]}, MISSING)
    yield Refused({"SecretId": "s", "AddReplicaRegions": [{"Region": REGION}]}, "InvalidParameterException")


@case("secretsmanager")
def restore_secret(world):
    world.secret()
    world.client("secretsmanager").delete_secret(SecretId="s")
    yield {"SecretId": "s"}
    yield Refused(NOBODY, MISSING)


@case("secretsmanager")
def rotate_secret(world):
    world.secret()
    rules = {"AutomaticallyAfterDays": 30, "Duration": "3h"}
    function = world.rotator()
    yield {"SecretId": "s", "ClientRequestToken": token(), "RotationLambdaARN": function, "RotationRules": rules}
    yield Refused({**NOBODY, "ClientRequestToken": token()}, MISSING)
    world.secret("t")
    yield Refused({"SecretId": "t", "ClientRequestToken": token()}, "InvalidRequestException")
    denied = {"SecretId": "t", "ClientRequestToken": token(), "RotationLambdaARN": function + "x"}
    yield Refused(denied, "AccessDeniedException")
    yield Refused({"SecretId": "t", "RotationLambdaARN": function}, "InvalidParameterException")


@case("secretsmanager")
def stop_replication_to_replica(world):
    primary = world.client("secretsmanager", "eu-west-1")
    primary.create_secret(Name="s", SecretString="v", AddReplicaRegions=[{"Region": REGION}])
    yield {"SecretId": "s"}
    yield Refused({"SecretId": "s"}, "InvalidRequestException")
    yield Refused(NOBODY, MISSING)


@case("secretsmanager")
def tag_resource(world):
    world.secret()
    yield {"SecretId": "s", "Tags": [{"Key": "k", "Value": "v"}]}
    yield Refused({**NOBODY, "Tags": [{"Key": "k", "Value": "v"}]}, MISSING)
    yield Refused({"SecretId": "s", "Tags": [{"Key": "aws:k", "Value": "v"}]}, "InvalidParameterException")


@case("secretsmanager")
def untag_resource(world):
    world.secret()
    yield {"SecretId": "s", "TagKeys": ["k"]}
    yield Refused({**NOBODY, "TagKeys": ["k"]}, MISSING)


@case("secretsmanager")
def update_secret(world):
    world.secret()
    yield {"SecretId": "s", "ClientRequestToken": token(), "SecretString": "w", "Description": "d", "KmsKeyId": "k"}
    yield {"SecretId": "s", "Description": ""}
    yield Refused({**NOBODY, "Description": "d"}, MISSING)


@case("secretsmanager")
def update_secret_version_stage(world):
    old = world.secret()["VersionId"]
    new = world.client("secretsmanager").put_secret_value(SecretId="s", SecretString="w")["VersionId"]
    yield {"SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": old, "RemoveFromVersionId": new}
    yield {"SecretId": "s", "VersionStage": "mine", "MoveToVersionId": new}
    yield Refused({**NOBODY, "VersionStage": "AWSCURRENT", "MoveToVersionId": old}, MISSING)
    yield Refused({"SecretId": "s", "VersionStage": "mine", "MoveToVersionId": old}, "InvalidParameterException")


@case("secretsmanager")
def validate_resource_policy(world):
    world.secret()
    yield {"SecretId": "s", "ResourcePolicy": json.dumps(POLICY)}
    yield {"ResourcePolicy": json.dumps(PUBLIC)}
    yield Refused({**NOBODY, "ResourcePolicy": json.dumps(POLICY)}, MISSING)
    yield Refused({"ResourcePolicy": "{"}, "MalformedPolicyDocumentException")
