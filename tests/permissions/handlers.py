#!/usr/bin/env python3
"""Prints which actions CloudFormation needs for the resources of a rotation function's stack, in its caller's name.

Each resource type's published schema lists them for each of its handlers. AWS publishes the schemas in places that need an account or
a download; two packages carry copies, each of some types, or older than the other's: what either lists counts. `handlers.json` is what
this prints; `--check` compares the two.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

LINT = "cfnlint/data/schemas/providers/us_east_1"
STACK = "localstack/services"
# The last release of cfn-lint that keeps the handlers, and a newer copy of what changes most. No later release of cfn-lint has any.
SOURCES = {
    "cfn-lint==1.12.0": [f"{LINT}/aws-iam-role.json", f"{LINT}/aws-lambda-function.json", f"{LINT}/aws-lambda-permission.json"],
    "localstack-core==2026.3.0": [
        f"{STACK}/iam/resource_providers/aws_iam_role.schema.json",
        f"{STACK}/lambda_/resource_providers/generated/aws_lambda_function.schema.json",
    ],
}
# Those of a stack's operations; `list` is for tools that look for resources outside of stacks.
HANDLERS = ["create", "read", "update", "delete"]


def schemas(folder: pathlib.Path):
    """The schemas of all sources."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv/bin/pip", "--disable-pip-version-check", "--quiet", "download", "--no-deps", "--only-binary", ":all:"]
    for package, files in SOURCES.items():
        subprocess.run([*pip, "--dest", folder / package, package], check=True)
        (wheel,) = (folder / package).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            yield from ((package, json.loads(archive.read(file))) for file in files)


def derived() -> str:
    types: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as folder:
        for package, schema in schemas(pathlib.Path(folder)):
            found = types.setdefault(schema["typeName"], {"from": []})
            found["from"].append(package)
            for handler in HANDLERS:
                permissions = schema["handlers"].get(handler, {}).get("permissions", [])
                found[handler] = sorted({*found.get(handler, []), *permissions})
    return json.dumps(types, indent=2, sort_keys=True) + "\n"


def main() -> int:
    text = derived()
    if sys.argv[1:] != ["--check"]:
        print(text, end="")
        return 0
    if text == pathlib.Path(__file__).with_name("handlers.json").read_text():
        return 0
    print("tests/permissions/handlers.json isn't what tests/permissions/handlers.py prints", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
