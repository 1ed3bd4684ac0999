"""The public API models, and what the sandbox says it serves."""

import re

import botocore.loaders
import botocore.model
from conftest import REPOSITORY

SERVICES = ("secretsmanager", "lambda", "cloudformation", "serverlessrepo", "sts", "logs", "cloudtrail")
LOADER = botocore.loaders.Loader()
MODELS = {name: botocore.model.ServiceModel(LOADER.load_service_model(name, "service-2"), name) for name in SERVICES}


def served():
    """The operations of each service in the sandbox's own tables."""
    text = (REPOSITORY / "src/sandbox/README.md").read_text()
    tables = dict(re.findall(r"<!-- operations:(\w+) -->(.*?)<!-- end -->", text, re.DOTALL))
    return {service: re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) for service, table in tables.items()}


def is_query(service):
    return MODELS[service].protocol == "query"


def is_rest(service):
    return MODELS[service].protocol == "rest-json"


def wire_name(shape, name):
    """A member's name in a body."""
    return shape.members[name].serialization.get("name", name)
