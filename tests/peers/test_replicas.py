"""Secrets in several regions: what replicas are, what becomes of them, and what they leave alone."""

import pytest
from conftest import REGION
from rotating import refused

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

    # One that was promoted is nobody's replica any more.
    here.replicate_secret_to_regions(SecretId=name, AddReplicaRegions=[{"Region": THERE}])
    regions[THERE].stop_replication_to_replica(SecretId=name)
    refused(lambda: remove(THERE), "InvalidParameterException")
    assert value(regions[THERE], name) == "v"
