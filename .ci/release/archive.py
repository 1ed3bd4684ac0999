"""Packs a folder as .tar.gz: the same files are the same bytes, wherever and whenever it runs."""

import gzip
import os
import pathlib
import sys
import tarfile

folder, archive = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
moment = int(os.environ["SOURCE_DATE_EPOCH"])


def same(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = moment, 0, 0, "", ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


with open(archive, "wb") as file, gzip.GzipFile("", "wb", mtime=moment, fileobj=file) as packed:
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            tar.add(path, str(path.relative_to(folder.parent)), recursive=False, filter=same)
