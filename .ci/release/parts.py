"""The crates that a binary is made of: their licences' texts, and a list of them as CycloneDX.

By `cargo metadata` of the lock file: no network, no build. Only what ends up in the binary counts, not what tests and build scripts use.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import uuid

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = ("license", "licence", "copying", "notice", "copyright", "unlicense")
# How deep below a crate such files are looked for: C libraries that crates bring along have their own.
DEPTH = 3


def shipped(target: str) -> tuple[dict, list[dict], dict[str, list[str]]]:
    """The tool itself, the crates that it is linked with, and which of them each uses, by their ids."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    tool = next(package for package in packages.values() if package["name"] == "rotator")
    uses, left = {}, [tool["id"]]
    while left:
        one = left.pop()
        if one in uses:
            continue
        is_linked = lambda dependency: any(kind["kind"] is None for kind in dependency["dep_kinds"])
        is_macro = lambda id: any("proc-macro" in kinds["kind"] for kinds in packages[id]["targets"])
        names = [dep["pkg"] for dep in nodes[one]["deps"] if is_linked(dep) and not is_macro(dep["pkg"])]
        uses[one] = names
        left.extend(names)
    # Packages of this project are the tool, whatever they are called.
    own = {one for one in uses if packages[one]["source"] is None}
    used = {name for one in own for name in uses.pop(one)} - own
    uses[tool["id"]] = sorted(used)
    crates = sorted((packages[one] for one in uses if one != tool["id"]), key=lambda one: (one["name"], one["version"]))
    return tool, crates, uses


def texts(crate: dict) -> list[str]:
    """The licences and notices that come with a crate."""
    folder = pathlib.Path(crate["manifest_path"]).parent
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        is_one = path.name.lower().startswith(NAMES) and path.suffix.lower() in ("", ".txt", ".md", ".apache", ".mit")
        if is_one and path.is_file() and len(inside) <= DEPTH and not {"tests", "test", "src"} & set(inside[:-1]):
            found.append(path.read_text(errors="replace").strip())
    return found


def notices(tool: dict, crates: list[dict]) -> str:
    """Each text once, with the crates that it comes with; crates without one, with what they say of themselves."""
    by_text, without = {}, []
    for crate in crates:
        name = f"{crate['name']} {crate['version']}"
        own = texts(crate)
        for text in own:
            by_text.setdefault(text, []).append(name)
        if not own:
            without.append(f"{name}: {crate['license']}, {crate['repository'] or 'no address'}")
    line = "=" * 80
    parts = [f"rotator {tool['version']} is made with {len(crates)} crates, whose licences and notices follow.\n"]
    if without:
        parts.append("These come without a text of their own:\n" + "\n".join(f"  {one}" for one in without) + "\n")
    for text, names in sorted(by_text.items(), key=lambda entry: entry[1]):
        parts.append(f"{line}\n{', '.join(dict.fromkeys(names))}\n{line}\n\n{text}\n")
    return "\n".join(parts)


def checksums() -> dict[tuple[str, str], str]:
    """The SHA-256 of each crate's archive, as the lock file has it."""
    found, name, version = {}, None, None
    for line in (ROOT / "Cargo.lock").read_text().splitlines():
        key, _, value = line.partition(" = ")
        value = value.strip('"')
        if key == "name":
            name = value
        elif key == "version":
            version = value
        elif key == "checksum":
            found[name, version] = value
    return found


def sbom(tool: dict, crates: list[dict], uses: dict[str, list[str]]) -> str:
    """All parts as CycloneDX, checked by its schema."""
    sums, licenses = checksums(), LicenseFactory()

    def component(crate: dict, kind: ComponentType) -> Component:
        name, version = crate["name"], crate["version"]
        checksum = sums.get((name, version))
        return Component(
            type=kind,
            name=name,
            version=version,
            bom_ref=f"{name}@{version}",
            purl=PackageURL("cargo", None, name, version) if kind is ComponentType.LIBRARY else None,
            # Cargo once took `/` for "or".
            licenses=[licenses.make_from_string((crate["license"] or "NOASSERTION").replace("/", " OR "))],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        )

    all_of_them = {crate["id"]: component(crate, ComponentType.LIBRARY) for crate in crates}
    all_of_them[tool["id"]] = component(tool, ComponentType.APPLICATION)
    seed = json.dumps(sorted(one.bom_ref.value for one in all_of_them.values()))
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, seed))
    bom.metadata.component = all_of_them[tool["id"]]
    moment = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    bom.metadata.timestamp = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
    for crate in crates:
        bom.components.add(all_of_them[crate["id"]])
    for one, names in uses.items():
        bom.register_dependency(all_of_them[one], [all_of_them[name] for name in names])
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise SystemExit(f"the list of parts isn't CycloneDX: {wrong}")
    return text + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--notices", type=pathlib.Path, required=True)
    parser.add_argument("--sbom", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    tool, crates, uses = shipped(arguments.target)
    arguments.notices.write_text(notices(tool, crates))
    arguments.sbom.write_text(sbom(tool, crates, uses))


if __name__ == "__main__":
    main()
