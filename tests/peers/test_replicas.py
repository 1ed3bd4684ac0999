"""Secrets in several regions: what replicas are, what becomes of them, and what they leave alone."""

import json

import pytest
from conftest import REGION
from rotating import DAILY, function, refused

HERE, THERE, ELSEWHERE = REGION, "eu-west-1", "ap-south-1"


@pytest.fixture
def regions(sandbox):
    """Secrets Manager in three regions."""
    return {region: sandbox.client("secretsmanager", region=region) for region in (HERE, THERE, ELSEWHERE)}


def value(client, name):
    return client.get_secret_value(SecretId=name)["SecretString"]


def test_only_replicas_are_removed(regions):
    """Without it, leaving a region would delete whatever secret has the same name there, the primary itself included."""
    name = "removed"
    regions[ELSEWHERE].create_secret(Name=name, SecretString="its own")
    here = regions[HERE]
    here.create_secret(Name=name, SecretString="v", AddReplicaRegions=[{"Region": THERE}])

    def remove(*wanted):
        return here.remove_regions_from_replication(SecretId=name, RemoveReplicaRegions=list(wanted))

    for wanted in ([ELSEWHERE], [HERE], ["eu-north-1"], [THERE, ELSEWHERE]):
        refused(lambda: remove(*wanted), "InvalidParameterException")
        assert [value(regions[region], name) for region in (HERE, THERE, ELSEWHERE)] == ["v", "v", "its own"]
    assert remove(THERE)["ReplicationStatus"] == []
    refused(lambda: value(regions[THERE], name), "ResourceNotFoundException")

    # One that was promoted is no replica any more.
    here.replicate_secret_to_regions(SecretId=name, AddReplicaRegions=[{"Region": THERE}])
    regions[THERE].stop_replication_to_replica(SecretId=name)
    refused(lambda: remove(THERE), "InvalidParameterException")
    assert value(regions[THERE], name) == "v"


def statuses(answer):
    return {each["Region"]: (each["Status"], each["KmsKeyId"]) for each in answer["ReplicationStatus"]}


def test_each_replica_has_its_own_key(regions):
    """Without it, a search for replicas under the wrong key would find none, and a plan of keys would never be empty."""
    name = "keys"
    wanted = [{"Region": THERE, "KmsKeyId": "alias/there"}, {"Region": ELSEWHERE}]
    made = regions[HERE].create_secret(Name=name, KmsKeyId="alias/here", SecretString="v", AddReplicaRegions=wanted)
    expected = {THERE: ("InSync", "alias/there"), ELSEWHERE: ("InSync", "alias/aws/secretsmanager")}
    assert statuses(made) == expected
    regions[HERE].put_secret_value(SecretId=name, SecretString="w")
    assert statuses(regions[HERE].describe_secret(SecretId=name)) == expected
    keys = {region: client.describe_secret(SecretId=name).get("KmsKeyId") for region, client in regions.items()}
    assert keys == {HERE: "alias/here", THERE: "alias/there", ELSEWHERE: None}

    # Its key is all of a replica that can be changed.
    regions[ELSEWHERE].update_secret(SecretId=name, KmsKeyId="alias/elsewhere")
    expected[ELSEWHERE] = ("InSync", "alias/elsewhere")
    assert statuses(regions[HERE].describe_secret(SecretId=name)) == expected
    change = {"SecretId": name, "KmsKeyId": "alias/x", "Description": "d"}
    refused(lambda: regions[ELSEWHERE].update_secret(**change), "InvalidParameterException")


def test_a_name_that_is_taken_fails_its_replica_alone(regions):
    """Without it, a secret would overwrite another region's, or a create that AWS answers would leave half of itself."""
    name, here = "taken", regions[HERE]
    regions[THERE].create_secret(Name=name, SecretString="its own")
    for bad in ([HERE], [ELSEWHERE, HERE], [ELSEWHERE, ELSEWHERE]):
        wanted = [{"Region": region} for region in bad]
        create = {"Name": name, "SecretString": "v", "AddReplicaRegions": wanted}
        refused(lambda: here.create_secret(**create), "InvalidParameterException")
        for region in (HERE, ELSEWHERE):
            refused(lambda: value(regions[region], name), "ResourceNotFoundException")

    wanted = [{"Region": THERE}, {"Region": ELSEWHERE}]
    made = here.create_secret(Name=name, SecretString="v", AddReplicaRegions=wanted)
    assert {region: status for region, (status, _) in statuses(made).items()} == {THERE: "Failed", ELSEWHERE: "InSync"}
    failed = here.describe_secret(SecretId=name)["ReplicationStatus"]
    assert "already exists" in next(each["StatusMessage"] for each in failed if each["Region"] == THERE)
    here.put_secret_value(SecretId=name, SecretString="w")
    assert [value(regions[region], name) for region in (HERE, THERE, ELSEWHERE)] == ["w", "its own", "w"]

    # Leaving it leaves what is there; asked for with force, it is overwritten.
    here.remove_regions_from_replication(SecretId=name, RemoveReplicaRegions=[THERE])
    assert value(regions[THERE], name) == "its own"
    again = {"SecretId": name, "AddReplicaRegions": [{"Region": THERE}]}
    assert statuses(here.replicate_secret_to_regions(**again))[THERE][0] == "Failed"
    assert statuses(here.replicate_secret_to_regions(**again, ForceOverwriteReplicaSecret=True))[THERE][0] == "InSync"
    assert value(regions[THERE], name) == "w"


def test_replicas_are_read_only_until_they_are_promoted(sandbox, regions):
    """Without it, tags and policies of a replica would vanish with the primary's next change; or one that was promoted would
    say that it rotates, and never do."""
    name, replica = "promoted", regions[THERE]
    regions[HERE].create_secret(Name=name, SecretString="v", AddReplicaRegions=[{"Region": THERE}])
    arn = function(sandbox, "OfThePromoted")
    regions[HERE].rotate_secret(SecretId=name, RotationLambdaARN=arn, RotateImmediately=False, RotationRules=DAILY)
    assert replica.describe_secret(SecretId=name)["RotationEnabled"] is True
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    for write in (
        lambda: replica.tag_resource(SecretId=name, Tags=[{"Key": "k", "Value": "v"}]),
        lambda: replica.untag_resource(SecretId=name, TagKeys=["k"]),
        lambda: replica.put_resource_policy(SecretId=name, ResourcePolicy=policy),
        lambda: replica.delete_resource_policy(SecretId=name),
        lambda: replica.put_secret_value(SecretId=name, SecretString="w"),
    ):
        assert "replica" in refused(write, "InvalidParameterException")
    replica.stop_replication_to_replica(SecretId=name)
    promoted = replica.describe_secret(SecretId=name)
    assert not promoted.get("RotationEnabled") and "RotationLambdaARN" not in promoted
    replica.tag_resource(SecretId=name, Tags=[{"Key": "k", "Value": "v"}])
    assert "ReplicationStatus" not in regions[HERE].describe_secret(SecretId=name)
