"""The log: one line an event, fields beside words, and no patient in it whatever a library says."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydicom import Dataset, dcmwrite

from vna import logs
from vna.model.errors import CannotUnderstand

NAME = "Gizli^Hasta"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; everything is put back afterwards."""
    root = logging.getLogger()
    names = (*logs.OUR_LOGGERS, *logs.LIBRARY_LEVELS)
    before = [(logger, logger.level, logger.handlers[:]) for logger in (root, *map(logging.getLogger, names))]
    with warnings.catch_warnings():
        stream = io.StringIO()
        logs.configure(style="json", stream=stream)
        yield stream
        logging.captureWarnings(capture=False)
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_time_level_words_and_fields(stream: io.StringIO) -> None:
    logging.getLogger("dimse.store").info("instance stored", extra={"sop_instance_uid": "1.2", "bytes": 7})
    (line,) = _lines(stream)
    assert line["at"].endswith("Z")
    assert {name: line[name] for name in ("level", "logger", "event", "sop_instance_uid", "bytes")} == {
        "level": "info",
        "logger": "dimse.store",
        "event": "instance stored",
        "sop_instance_uid": "1.2",
        "bytes": 7,
    }


def test_line_ends_in_a_field_make_no_second_line(stream: io.StringIO) -> None:
    logging.getLogger("vna.x").warning("odd", extra={"reason": "a\nb\r\nc"})
    assert len(stream.getvalue().splitlines()) == 1


def test_the_console_writes_words_then_fields() -> None:
    record = logging.LogRecord("vna.x", logging.INFO, "", 0, "worker started", (), None)
    record.__dict__.update(kind="http", worker=7, note="two words")
    assert logs.ConsoleFormatter().format(record).split(" ", 1)[1] == (
        "info    worker started  kind=http worker=7 note='two words'"
    )


def test_fields_that_would_name_a_patient_are_kept_out(stream: io.StringIO) -> None:
    logging.getLogger("vna.x").info("seen", extra={"patient_name": NAME, "patient_id": "123"})
    assert NAME not in stream.getvalue()
    assert "123" not in json.dumps({k: v for k, v in _lines(stream)[0].items() if k not in ("at", "pid")})


@pytest.mark.parametrize("library", ["pynetdicom.acse", "pydicom", "uvicorn.error", "some.library"])
@pytest.mark.parametrize(
    "message",
    [
        f"(0010,0010) PN: '{NAME}'",
        f"Dataset:\n(0010,0010) PN: '{NAME}'",
        f"cannot parse {NAME}",
        f"A line\nand {NAME}",
    ],
)
def test_what_a_library_quotes_of_a_data_set_is_kept_out(stream: io.StringIO, library: str, message: str) -> None:
    logging.getLogger(library).error(message)
    (line,) = _lines(stream)
    assert NAME not in line["event"]
    assert line["logger"] == library


def test_an_exception_that_a_library_logs_keeps_its_kind_and_loses_its_text(stream: io.StringIO) -> None:
    try:
        raise ValueError(f"invalid value {NAME}")
    except ValueError as exc:
        logging.getLogger("pynetdicom").exception(exc)  # noqa: TRY401  as pynetdicom does
    (line,) = _lines(stream)
    assert NAME not in json.dumps(line)
    assert line["event"] == "ValueError"
    assert line["error"] == "ValueError"


def test_a_trace_shows_the_way_and_no_values(stream: io.StringIO) -> None:
    def inner() -> None:
        raise KeyError(NAME)

    try:
        inner()
    except KeyError:
        logging.getLogger("vna.x").exception("it failed")
    (line,) = _lines(stream)
    assert NAME not in json.dumps(line)
    assert line["trace"][-1].endswith(" inner")


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    "kind", [AttributeError, ImportError, KeyError, NameError, NotImplementedError, OSError, RuntimeError, TypeError]
)
def test_an_unexpected_exception_of_any_kind_loses_its_text(
    stream: io.StringIO, style: Literal["json", "console"], kind: type[Exception]
) -> None:
    logs.configure(style=style, stream=stream)
    try:
        try:
            raise kind(f"With tag (0028,0010) got exception: Rows US: '{NAME}'")
        except kind as error:
            raise kind(NAME) from error
    except kind:
        logging.getLogger("dimse.delivery").exception("instance not readable")
    said = stream.getvalue()
    assert NAME not in said
    assert "0028" not in said
    assert kind.__name__ in said
    assert re.search(r"test_logs\.py:\d+ test_an_unexpected_exception_of_any_kind_loses_its_text", said)


def test_what_pydicom_cannot_write_is_not_quoted(stream: io.StringIO) -> None:
    ds = Dataset()
    ds.add_new("Rows", "US", NAME)
    try:
        dcmwrite(io.BytesIO(), ds, implicit_vr=False, little_endian=True)
    except Exception:
        logging.getLogger("dicomweb.errors").exception("request failed")
    (line,) = _lines(stream)
    assert NAME not in json.dumps(line)
    assert "error" in line
    assert any("filewriter.py" in frame for frame in line["trace"])


def test_of_an_error_of_the_system_its_meaning_is_kept(stream: io.StringIO) -> None:
    try:
        raise OSError(28, NAME, f"/{NAME}")
    except OSError:
        logging.getLogger("vna.x").exception("it failed")
    assert _lines(stream)[0]["error"] == "OSError: No space left on device"


def test_an_error_of_ours_keeps_its_sentence(stream: io.StringIO) -> None:
    try:
        raise CannotUnderstand("SOPInstanceUID is missing or empty")
    except CannotUnderstand:
        logging.getLogger("vna.x").exception("it failed")
    assert _lines(stream)[0]["error"] == "CannotUnderstand: SOPInstanceUID is missing or empty"


def test_libraries_are_quiet(stream: io.StringIO) -> None:
    for library in ("pynetdicom", "uvicorn.access", "uvicorn.error", "sqlalchemy.engine", "httpx"):
        logging.getLogger(library).info("chatter")
    assert stream.getvalue() == ""


def test_warnings_of_pydicom_do_not_reach_the_log(stream: io.StringIO) -> None:
    warnings.warn_explicit(
        f"Invalid value for VR PN: '{NAME}'", UserWarning, "valuerep.py", 1, module="pydicom.valuerep"
    )
    assert stream.getvalue() == ""


def test_the_level_of_our_loggers_is_as_set(stream: io.StringIO) -> None:
    logs.configure(level="error", style="json", stream=stream)
    logging.getLogger("storage.x").warning("unheard")
    logging.getLogger("storage.x").error("heard")
    assert [line["event"] for line in _lines(stream)] == ["heard"]
