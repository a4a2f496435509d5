"""The manifest of a medium: every file with its size and SHA-256, as CSV (RFC 4180)."""

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath

from vna.model.errors import Damaged, NotFound

NAME = "MANIFEST.CSV"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One file; UIDs are empty for those that are no instances."""

    path: str
    sop_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    size: int
    sha256: str
    created_at: str
    note: str = ""


def write(folder: Path, lines: Iterable[Line]) -> str:
    """Write it; its SHA-256."""
    with (folder / NAME).open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(Line.__slots__)
        writer.writerows(astuple(line) for line in lines)
    return digest(folder / NAME)


def read(folder: Path) -> Iterator[Line]:
    """Its lines; NotFound where there is none, Damaged where it cannot be read."""
    path = folder / NAME
    if not path.is_file():
        raise NotFound(f"there is no {NAME} in {folder}")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) != Line.__slots__:
                raise Damaged(f"{path} is no manifest of an export")
            for row in rows:
                where, sop, study, syntax, size, sha256, created, note = row
                yield Line(_inside(where), sop, study, syntax, int(size), sha256, created, note)
    except (ValueError, csv.Error) as exc:
        raise Damaged(f"{path} cannot be read") from exc


def _inside(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not path:
        raise Damaged("the manifest names a file that is not on the medium")
    return path


def digest(path: Path, *, durable: bool = False) -> str:
    """SHA-256 of a file, in hexadecimal digits; `durable` has it written to the medium first."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        if durable:
            os.fsync(file.fileno())
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
