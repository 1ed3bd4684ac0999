"""What hatchling can't know of a wheel that holds a program: its version, its platform, where its files go."""

import os
import pathlib

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface


class Version(MetadataHookInterface):
    """The version that the binary says of itself."""

    def update(self, metadata: dict) -> None:
        metadata["version"] = os.environ["ROTATOR_VERSION"]


class Files(BuildHookInterface):
    """Program, completions and man pages, where pip puts such."""

    def initialize(self, version: str, build_data: dict) -> None:
        files = pathlib.Path(self.root, "files")
        build_data["tag"] = os.environ["ROTATOR_TAG"]
        build_data["pure_python"] = False
        program = next(path for path in files.iterdir() if path.stem == "rotator" and path.suffix in ("", ".exe"))
        build_data["shared_scripts"][str(program)] = program.name
        completions = {
            "rotator.bash": "share/bash-completion/completions/rotator",
            "rotator.zsh": "share/zsh/site-functions/_rotator",
            "rotator.fish": "share/fish/vendor_completions.d/rotator.fish",
        }
        shared = build_data["shared_data"]
        for name, place in completions.items():
            shared[str(files / "completions" / name)] = place
        for folder, place in {"man/man1": "share/man/man1", "examples": "share/rotator/examples"}.items():
            for path in sorted((files / folder).rglob("*")):
                if path.is_file():
                    shared[str(path)] = f"{place}/{path.relative_to(files / folder).as_posix()}"
        # Not only in the metadata: scanners look for it by itself.
        shared[str(files / "rotator.cdx.json")] = "share/rotator/rotator.cdx.json"
