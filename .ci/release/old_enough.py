"""Refuses a binary that needs a newer glibc than its wheel promises: old_enough.py BINARY VERSION."""

import sys

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection


def needed(path: str) -> dict[str, tuple[int, ...]]:
    """The newest version of each symbol group of glibc that a binary asks for, with its library."""
    found = {}
    with open(path, "rb") as file:
        for section in ELFFile(file).iter_sections():
            if isinstance(section, GNUVerNeedSection):
                for library, versions in section.iter_versions():
                    for version in versions:
                        word, _, number = version.name.partition("_")
                        if word == "GLIBC" and number[:1].isdigit():
                            number = tuple(int(part) for part in number.split("."))
                            found[library.name] = max(found.get(library.name, (0,)), number)
    return found


allowed = tuple(int(part) for part in sys.argv[2].split("."))
newer = {library: number for library, number in needed(sys.argv[1]).items() if number > allowed}
for library, number in sorted(newer.items()):
    print(f"{library}: GLIBC_{'.'.join(map(str, number))} is needed, and {sys.argv[2]} was promised", file=sys.stderr)
sys.exit(1 if newer else 0)
