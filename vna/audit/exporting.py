"""Records in a file, for an inspector."""

import csv as csv_
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import orjson

from storage.index.audit import AuditRow
from vna.audit.reading import plain
from vna.model.errors import BadRequest, OutOfResources

_COLUMNS = tuple(name for name in AuditRow.__slots__ if name != "mac")
_OFTEN = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(file: Path, rows: Iterable[AuditRow], *, csv: bool, told: Callable[[int], object]) -> int:
    """A JSON object a line, or CSV; how many. BadRequest where the file is there already or cannot be made."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise BadRequest(f"{file} cannot be made: {exc.strerror}") from exc
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
            count = _written(out, rows, csv=csv, told=told)
            out.flush()
            os.fsync(out.fileno())
    except OSError as exc:
        raise OutOfResources(f"{file} cannot be written: {exc.strerror}") from exc
    return count


def _written(out: IO[str], rows: Iterable[AuditRow], *, csv: bool, told: Callable[[int], object]) -> int:
    table = csv_.writer(out) if csv else None
    if table is not None:
        table.writerow([*_COLUMNS, "mac"])
    count = 0
    for row in rows:
        if table is not None:
            table.writerow([*(_cell(getattr(row, name)) for name in _COLUMNS), row.mac.hex()])
        else:
            out.write(orjson.dumps(plain(row)).decode() + "\n")
        count += 1
        if count % _OFTEN == 0:
            told(count)
    return count


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula is told apart: who writes a name does not write a command."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
