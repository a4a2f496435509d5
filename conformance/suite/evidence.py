"""What was sent and what came, kept for the reader of the report; bounded, and without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

_MOST_ENTRIES: Final = 60
_MOST_CHARACTERS: Final = 6_000
_MOST_BYTES: Final = 1_024
_SECRET_FIELDS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})


class Direction(Enum):
    """Which way it went."""

    SENT = "sent"
    CAME = "came"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message, or a remark of the check."""

    direction: Direction
    title: str
    text: str = ""


@dataclass(slots=True)
class Evidence:
    """The record of one check, in the order in which things happened."""

    entries: list[Entry] = field(default_factory=list)
    left_out: int = 0

    def sent(self, title: str, content: str | bytes = "") -> None:
        """Something that the suite sent."""
        self._add(Direction.SENT, title, content)

    def came(self, title: str, content: str | bytes = "") -> None:
        """Something that the server sent."""
        self._add(Direction.CAME, title, content)

    def note(self, title: str, content: str | bytes = "") -> None:
        """What the check has to say of it."""
        self._add(Direction.NOTE, title, content)

    def _add(self, direction: Direction, title: str, content: str | bytes) -> None:
        if len(self.entries) >= _MOST_ENTRIES:
            self.left_out += 1
            return
        text = content if isinstance(content, str) else shown(content)
        cut = f"{text[:_MOST_CHARACTERS]}\n... {len(text) - _MOST_CHARACTERS} characters more"
        self.entries.append(Entry(direction, title, text if len(text) <= _MOST_CHARACTERS else cut))


def shown(content: bytes) -> str:
    """Bytes for reading: as text where they are text, else the first of them in hexadecimal."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if all(char.isprintable() or char in "\r\n\t" for char in text):
        return text
    rows = [_row(offset, content[offset : offset + 16]) for offset in range(0, min(len(content), _MOST_BYTES), 16)]
    more = [f"... {len(content) - _MOST_BYTES} bytes more"] if len(content) > _MOST_BYTES else []
    return "\n".join([f"{len(content)} bytes", *rows, *more])


def _row(offset: int, piece: bytes) -> str:
    letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
    return f"{offset:06x}  {piece.hex(' '):<47}  {letters}"


def shown_fields(fields: Mapping[str, str]) -> str:
    """Header fields, one a line; what lets somebody in is not shown."""
    return "\n".join(f"{name}: {'(not shown)' if name.lower() in _SECRET_FIELDS else fields[name]}" for name in fields)
