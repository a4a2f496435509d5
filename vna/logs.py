"""The log: one line an event on standard error, fields beside words, and nothing that names a patient.

Our own loggers say an event in words with fields in `extra`. What libraries say is taken down to one short line, as a
library may quote the values it stumbled over. For the same reason an exception keeps its kind and the way to it, and
loses its text, unless it is a VnaError.
"""

import logging
import os
import re
import sys
import warnings
from datetime import UTC, datetime
from logging import LogRecord
from typing import Any, Literal, TextIO

import orjson

from vna.model.errors import VnaError

OUR_LOGGERS = ("vna", "dimse", "dicomweb", "xds", "storage", "conformance")
LIBRARY_LEVELS = {
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx": logging.WARNING,
    "pydicom": logging.ERROR,
    "pynetdicom": logging.WARNING,
    "sqlalchemy": logging.ERROR,
    "urllib3": logging.ERROR,
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.CRITICAL,
}
"""uvicorn.access writes addresses with their queries, and a query may hold a patient's name."""

FORBIDDEN_FIELDS = frozenset(
    {"patient_name", "patient_id", "patient", "issuer", "birth_date", "national_number", "password", "token", "secret"}
)
_STANDARD = frozenset(vars(LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "taskName", "color_message"}
_LOOKS_LIKE_AN_ELEMENT = re.compile(r"\([0-9A-Fa-f]{4}, ?[0-9A-Fa-f]{4}\)|\^")
_LONGEST_FOREIGN = 200


def configure(
    *, level: str = "info", style: Literal["auto", "json", "console"] = "auto", stream: TextIO | None = None
) -> None:
    """Send every logger of this process through one handler; call it once, and again only to change it."""
    target = stream or sys.stderr
    console = style == "console" or (style == "auto" and target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(ConsoleFormatter() if console else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(level.upper())
    for name, least in LIBRARY_LEVELS.items():
        library = logging.getLogger(name)
        library.setLevel(least)
        library.handlers.clear()
        library.propagate = True
    logging.captureWarnings(capture=True)
    warnings.filterwarnings("ignore", module="pydicom")
    warnings.filterwarnings("ignore", module="pynetdicom")


def harmless(record: LogRecord) -> LogRecord:
    """A copy of the record with what could name a patient taken out."""
    record = logging.makeLogRecord(vars(record))
    if record.name.split(".")[0] not in OUR_LOGGERS:
        record.msg, record.args = _foreign(record), ()
    for name in FORBIDDEN_FIELDS & vars(record).keys():
        setattr(record, name, "(kept out of the log)")
    return record


def _foreign(record: LogRecord) -> str:
    if isinstance(record.msg, BaseException):
        return type(record.msg).__name__
    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        text = str(record.msg)
    first = text.split("\n", 1)[0][:_LONGEST_FOREIGN]
    return "(a message that quotes a data set)" if _LOOKS_LIKE_AN_ELEMENT.search(text) else first


def trace(error: BaseException) -> tuple[str, list[str]]:
    """What it was, and the way to it, innermost last: code, never values."""
    text = type(error).__name__
    if isinstance(error, VnaError):
        text = f"{text}: {error}"
    elif isinstance(error, OSError) and isinstance(error.errno, int):
        text = f"{text}: {os.strerror(error.errno)}"
    frames: list[str] = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/site-packages/')[2]}:{step.tb_lineno} {code.co_name}")
        step = step.tb_next
    return text, frames


def fields_of(record: LogRecord) -> dict[str, Any]:
    """What was given in `extra`, and the exception where there is one."""
    found = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if record.exc_info and record.exc_info[1] is not None:
        found["error"], found["trace"] = trace(record.exc_info[1])
        cause = record.exc_info[1].__cause__
        if cause is not None:
            found["cause"], found["cause_trace"] = trace(cause)
    return found


class JsonFormatter(logging.Formatter):
    """A JSON object a line: at (UTC), level, logger, event, pid, then the fields."""

    def format(self, record: LogRecord) -> str:
        """One line."""
        record = harmless(record)
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            "pid": record.process,
            **fields_of(record),
        }
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class ConsoleFormatter(logging.Formatter):
    """For eyes: local time, level, words, then the fields as name=value."""

    def format(self, record: LogRecord) -> str:
        """One line, and the trace below it where there is one."""
        record = harmless(record)
        found = fields_of(record)
        frames = [*found.pop("trace", ()), *found.pop("cause_trace", ())]
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        pairs = " ".join(f"{name}={_quoted(value)}" for name, value in found.items())
        line = f"{at} {record.levelname.lower():<7} {record.getMessage()}  {pairs}".rstrip()
        return "\n".join([line, *(f"    {frame}" for frame in frames)])


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(c in text for c in ' "\n\r\t=') else text
