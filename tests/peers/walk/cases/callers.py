"""STS."""

from ..world import ROLE, Refused, case

@case("sts")
def get_caller_identity(world):
    yield {}


@case("sts")
def get_access_key_info(world):
    yield {"AccessKeyId": "ASIA0123456789ABCDEF"}


@case("sts")
def assume_role(world):
    yield {"RoleArn": ROLE, "RoleSessionName": "s1", "DurationSeconds": 900}
    yield Refused({"RoleArn": "arn:aws:iam::123456789012:user/me", "RoleSessionName": "s1"}, "ValidationError")


@case("sts")
def assume_role_with_web_identity(world):
    yield {"RoleArn": ROLE, "RoleSessionName": "s1", "WebIdentityToken": "token"}
    nobody = {"RoleArn": "arn:aws:iam::123456789012:user/me", "RoleSessionName": "s1", "WebIdentityToken": "token"}
    yield Refused(nobody, "ValidationError")
