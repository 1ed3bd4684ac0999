"""Prints the errors that the public API models list for the operations of the table that is given: code and HTTP status."""

import json
import sys

import botocore.loaders
import botocore.model

loader = botocore.loaders.Loader()
models = {}


def errors(service, operation):
    """As the service answers with them."""
    if service not in models:
        models[service] = botocore.model.ServiceModel(loader.load_service_model(service, "service-2"))
    shapes = models[service].operation_model(operation).error_shapes
    return {shape.error_code: shape.metadata.get("error", {}).get("httpStatusCode", 400) for shape in shapes}


with open(sys.argv[1], encoding="utf-8") as file:
    names = sorted(json.load(file))
lines = [f'  "{name}": {json.dumps(errors(*name.split(".")), sort_keys=True)}' for name in names]
print("{\n" + ",\n".join(lines) + "\n}")
