"""Whether a medium is what its manifest says, and its DICOMDIR leads to what is there (PS3.10 8.6)."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from storage.media import dicomdir, manifest
from storage.part10 import read_file_meta
from vna.model.errors import CannotUnderstand, Damaged

OBJECTS = "DICOM"
"""The folder of a medium in which its objects are, and nothing else."""

_MOST_NAMED = 1000
_HEAD_BYTES = 4096
_ITEM = Struct("<HHI")
_SHORT = Struct("<HH2sH")
_LONG = Struct("<I")
_LONG_VRS = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR")
_LEAST_RECORD = 42


@dataclass(slots=True)
class Checked:
    """What was looked at; the first thousand problems, of all of them."""

    files: int = 0
    bytes: int = 0
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)

    def wrong(self, sentence: str) -> None:
        """Something is not as it should be."""
        self.problem_count += 1
        if len(self.problems) < _MOST_NAMED:
            self.problems.append(sentence)


def check(folder: Path, tell: Callable[[int], None], *, durable: bool = False) -> Checked:
    """Read every file of a medium; `tell` hears how many bytes each has."""
    found = Checked()
    with _Listed() as listed:
        for line in manifest.read(folder):
            _file(folder, line, found, durable=durable)
            if line.sop_instance_uid:
                listed.add(line)
            found.files += 1
            found.bytes += line.size
            tell(line.size)
        _strangers(folder, listed, found)
        if (folder / dicomdir.NAME).exists() or listed.count():
            _directory(folder / dicomdir.NAME, listed, found)
    return found


def _file(folder: Path, line: manifest.Line, found: Checked, *, durable: bool) -> None:
    path = folder / line.path
    try:
        if path.stat().st_size != line.size:
            found.wrong(f"{line.path} has another size")
        elif manifest.digest(path, durable=durable) != line.sha256:
            found.wrong(f"{line.path} is not what was written")
    except FileNotFoundError:
        found.wrong(f"{line.path} is missing")
    except OSError as exc:
        found.wrong(f"{line.path} cannot be read: {exc.strerror}")


def _strangers(folder: Path, listed: "_Listed", found: Checked) -> None:
    """Files among the objects that the manifest does not have."""
    for where, _, names in os.walk(folder / OBJECTS):
        for name in names:
            relative = (Path(where) / name).relative_to(folder).as_posix()
            if not listed.has(relative):
                found.wrong(f"{relative} is not in the manifest")


class _Listed:
    """Instances of the manifest, beside memory: there may be millions."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")

    def __enter__(self) -> "_Listed":
        self._rows.execute("CREATE TABLE lines (path TEXT PRIMARY KEY, uid TEXT, seen INTEGER DEFAULT 0)")
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()

    def add(self, line: manifest.Line) -> None:
        self._rows.execute("INSERT OR IGNORE INTO lines (path, uid) VALUES (?, ?)", (line.path, line.sop_instance_uid))

    def has(self, path: str) -> bool:
        return self._rows.execute("SELECT 1 FROM lines WHERE path = ?", (path,)).fetchone() is not None

    def count(self) -> int:
        return int(self._rows.execute("SELECT count(*) FROM lines").fetchone()[0])

    def see(self, path: str, uid: str) -> bool:
        """Whether it is there, and was not seen before."""
        update = "UPDATE lines SET seen = 1 WHERE path = ? AND uid = ? AND seen = 0"
        return self._rows.execute(update, (path, uid)).rowcount == 1

    def unseen(self) -> Iterator[str]:
        for row in self._rows.execute("SELECT path FROM lines WHERE seen = 0"):
            yield row[0]


def _directory(path: Path, listed: _Listed, found: Checked) -> None:
    try:
        with path.open("rb") as file:
            for reference, uid in _Records(file, path.stat().st_size):
                if not listed.see(reference, uid):
                    found.wrong(
                        f"the DICOMDIR refers to {reference}, which the manifest does not have as that instance"
                    )
    except FileNotFoundError:
        found.wrong("there is no DICOMDIR")
        return
    except (Damaged, CannotUnderstand) as exc:
        found.wrong(f"the DICOMDIR cannot be read: {exc}")
        return
    for unseen in listed.unseen():
        found.wrong(f"the DICOMDIR does not refer to {unseen}")


class _Records:
    """Files that records refer to, along their offsets from the first root record."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size // _LEAST_RECORD

    def __iter__(self) -> Iterator[tuple[str, str]]:
        start = read_file_meta(self._file.read(_HEAD_BYTES)).dataset_offset
        self._file.seek(start)
        head = dict(_elements(self._file.read(_HEAD_BYTES)))
        waiting = [_number(head, 0x00041200)]
        while waiting:
            at = waiting.pop()
            if not at:
                continue
            self._left -= 1
            if self._left < 0:
                raise Damaged("its records refer to each other in a circle")
            record = dict(_elements(self._record(at)))
            waiting += [_number(record, 0x00041400), _number(record, 0x00041420)]
            if 0x00041500 in record:
                yield _text(record[0x00041500]).replace("\\", "/"), _text(record.get(0x00041511, b""))

    def _record(self, at: int) -> bytes:
        self._file.seek(at)
        header = self._file.read(_ITEM.size)
        if len(header) < _ITEM.size or header[:4] != b"\xfe\xff\x00\xe0":
            raise Damaged(f"there is no record at {at}")
        return self._file.read(_ITEM.unpack(header)[2])


def _elements(buffer: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and values in Explicit VR Little Endian, as far as they are whole."""
    at = 0
    while at + 8 <= len(buffer):
        group, number, vr, length = _SHORT.unpack_from(buffer, at)
        at += 8
        if vr in _LONG_VRS:
            if at + 4 > len(buffer):
                return
            (length,) = _LONG.unpack_from(buffer, at)
            at += 4
        yield group << 16 | number, buffer[at : at + length]
        at += length


def _number(elements: dict[int, bytes], tag: int) -> int:
    return int.from_bytes(elements.get(tag, b""), "little")


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")
