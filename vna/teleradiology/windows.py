"""Outages that were announced: from when until when what was not possible is asked of nobody.

A file of lines `start,end,rule`, local times as `2022-02-14T10:00`. It is read again when it changes; a version that
cannot be read leaves the one before in force.
"""

import csv
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vna.model.errors import BadRequest

log = logging.getLogger(__name__)

DUPLICATE_QUERY, DOSE = "duplicate-query", "dose"
COLUMNS = ["start", "end", "rule"]
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Window:
    """Local times, both included."""

    start: str
    end: str
    rule: str


class Windows:
    """The windows of a file; none without one."""

    def __init__(self, path: Path | None = None) -> None:
        """BadRequest when the file cannot be read as one of windows."""
        self._path = path
        self._seen = self._state()
        self._windows = () if path is None else read(path)

    def excuse(self, rule: str, at: str) -> bool:
        """Whether a local time is within a window of this rule."""
        return any(one.rule == rule and one.start <= at <= one.end for one in self._current())

    def _current(self) -> tuple[Window, ...]:
        state = self._state()
        if self._path is not None and state != self._seen:
            self._seen = state
            try:
                self._windows = read(self._path)
            except BadRequest as exc:
                log.warning("windows cannot be read: the ones before hold", extra={"reason": str(exc)})
        return self._windows

    def _state(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_size)


def read(path: Path) -> tuple[Window, ...]:
    """The windows of a file; BadRequest names the line that is wrong."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadRequest(f"{path} is too large to be a list of windows")
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRequest(f"{path} cannot be read: {exc}") from exc
    return parse(lines, str(path))


def parse(lines: Iterable[str], name: str = "windows") -> tuple[Window, ...]:
    """The windows of lines; the first line names the columns."""
    rows = csv.reader(lines)
    if next(rows, []) != COLUMNS:
        raise BadRequest(f"{name}: the first line has to be {','.join(COLUMNS)}")
    found = []
    for number, row in enumerate(rows, 2):
        if not any(row):
            continue
        if len(row) != len(COLUMNS) or not row[2].strip():
            raise BadRequest(f"{name}: line {number} has to be a start, an end and a rule")
        start, end = _time(row[0], f"{name}: line {number}"), _time(row[1], f"{name}: line {number}")
        if end < start:
            raise BadRequest(f"{name}: line {number} ends before it starts")
        found.append(Window(start, end, row[2].strip()))
    return tuple(found)


def _time(text: str, where: str) -> str:
    try:
        return f"{datetime.fromisoformat(text.strip()).replace(tzinfo=None):%Y%m%d%H%M%S}"
    except ValueError as exc:
        raise BadRequest(f"{where}: {text.strip()!r} is no time like 2022-02-14T10:00") from exc
