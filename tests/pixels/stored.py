"""A Part 10 file as the archive keeps it: header as DICOM JSON, frames as they are stored, bulk by address."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from storage.inflate import inflated
from storage.metadata import Scan, scan
from storage.part10 import read_file_meta
from vna.model.errors import Damaged
from vna.model.transfer_syntaxes import EXPLICIT_BE
from vna.pixels.recode import swapped
from vna.pixels.value_representations import SWAPPED_UNITS


@dataclass(frozen=True, slots=True)
class Stored:
    """`header`, `syntax_uid`, `frames` and `bulk` are what the functions of vna.pixels take."""

    header: Mapping[str, Any]
    syntax_uid: str
    frames: list[bytes]
    content: bytes
    scanned: Scan

    def bulk(self, uri: str) -> bytes:
        """In little endian."""
        offset, length = self.scanned.bulk[uri]
        return self._turned(self.content[offset : offset + length], self.header[uri]["vr"])

    def _turned(self, value: bytes, vr: str) -> bytes:
        return swapped(value, SWAPPED_UNITS.get(vr, 1)) if self.syntax_uid == EXPLICIT_BE else value


def stored(part10: bytes) -> Stored:
    """What the archive makes of a file."""
    meta = read_file_meta(part10)
    found = scan(part10, meta)
    content = bytes(inflated(part10, meta))
    made = Stored(found.elements, meta.transfer_syntax_uid, [], content, found)
    vr = found.elements.get("7FE00010", {}).get("vr", "OW")
    ranges = []
    for number in range(1, found.frames.count + 1):
        with suppress(Damaged):  # of a frame that is cut nothing is given
            ranges.append(found.frames.ranges(number))
    if ranges and not found.encapsulated:
        first = ranges[0][0][0]
        content = content[:first] + made._turned(content[first:], vr)
    made.frames.extend(b"".join(content[at : at + length] for at, length in pieces) for pieces in ranges)
    return made
