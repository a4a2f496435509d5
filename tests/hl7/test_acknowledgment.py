"""Answers: whom they name, what they say is wrong, and that they are what the standard wants."""

from __future__ import annotations

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from tests.hl7.messages import adt, encoded
from vna.hl7.acknowledgment import acknowledge, escaped
from vna.hl7.message import Delimiters, Message, read, read_header
from vna.hl7.refusal import Condition, Refused

MISSING = Refused(Condition.REQUIRED, "PID-3 is empty: there is no patient | identifier", ("PID", 3))


def answer(data: bytes, refused: Refused | None = None) -> Message:
    raw = acknowledge(read_header(data), refused)
    header = read_header(raw)
    assert header is not None
    return read(raw, header)


def test_an_acceptance_goes_back_to_whom_the_message_came_from() -> None:
    found = answer(encoded(adt("A01", control_id="K-7", version="2.5")))
    assert [found.header.value(n) for n in (3, 4, 5, 6)] == ["VNA", "ARCHIVE", "HIS", "HOSPITAL"]
    assert [found.header.value(9, n) for n in (1, 2, 3)] == ["ACK", "A01", "ACK"]
    assert [found.header.value(n) for n in (11, 12)] == ["P", "2.5"]
    assert (found.one("MSA").value(1), found.one("MSA").value(2)) == ("AA", "K-7")
    assert [segment.name for segment in found.segments] == ["MSH", "MSA"]


def test_every_answer_has_an_identifier_of_its_own() -> None:
    ids = {answer(encoded(adt())).header.value(10) for _ in range(50)}
    assert len(ids) == 50
    assert max(map(len, ids)) <= 20


def test_an_error_is_told_the_old_way_to_old_versions() -> None:
    found = answer(encoded(adt(version="2.3.1")), MISSING)
    err = found.one("ERR")
    assert found.one("MSA").value(1) == "AE"
    assert found.one("MSA").value(3) == str(MISSING)
    assert [err.value(1, n) for n in (1, 2, 3)] == ["PID", "1", "3"]
    assert [err.value(1, 4, n) for n in (1, 2, 3)] == ["101", "Required field missing", "HL70357"]


def test_an_error_is_told_the_new_way_to_new_versions() -> None:
    err = answer(encoded(adt(version="2.5.1")), MISSING).one("ERR")
    assert err.value(1) == ""
    assert [err.value(2, n) for n in (1, 2, 3)] == ["PID", "1", "3"]
    assert [err.value(3, n) for n in (1, 2, 3)] == ["101", "Required field missing", "HL70357"]
    assert (err.value(4), err.value(8)) == ("E", str(MISSING))


@pytest.mark.parametrize("version", ["2.3.1", "2.4", "2.5", "2.5.1", "2.6"])
@pytest.mark.parametrize(
    "refused",
    [None, MISSING, Refused(Condition.EVENT, "of ADT only A01", ("MSH", 9, 2)), Refused(Condition.INTERNAL, "x" * 300)],
    ids=["AA", "AE", "AR", "long"],
)
def test_another_library_finds_every_answer_valid(version: str, refused: Refused | None) -> None:
    raw = acknowledge(read_header(encoded(adt(version=version))), refused).decode()
    found = parse_message(raw, validation_level=VALIDATION_LEVEL.STRICT)
    assert found.validate()
    assert found.msa.msa_2.value == "MSG1"


def test_what_had_no_header_is_answered_all_the_same() -> None:
    found = answer(b"hello", Refused(Condition.SEQUENCE, "this is no HL7 message", rejects=True))
    assert found.header.value(9) == "ACK"
    assert [found.one("MSA").value(n) for n in (1, 2)] == ["AR", ""]
    assert found.one("ERR").value(1, 4) == "100"


def test_the_answer_is_in_the_character_set_of_the_message() -> None:
    data = encoded(adt(charset="8859/9", application="HBYŞ"), "iso8859-9")
    raw = acknowledge(read_header(data))
    assert "|HBYŞ|".encode("iso8859-9") in raw
    assert answer(data).header.value(18) == "8859/9"


def test_the_answer_speaks_the_delimiters_of_the_message() -> None:
    found = answer(b"MSH#*+!%#HIS#H#V#A#2026##ADT*A04#1#P#2.5\r", Refused(Condition.DATA_TYPE, "a * b", ("PID", 3, 1)))
    assert found.header.raw(2) == "*+!%"
    assert found.one("ERR").value(8) == "a * b"
    assert found.one("ERR").value(2, 5) == "1"


def test_what_comes_back_of_a_header_is_cut_and_holds_no_marks() -> None:
    raw = acknowledge(read_header(encoded(adt(control_id="A\x0b" + "9" * 5000, charset="~" * 5000))))
    assert len(raw) < 2000
    assert b"\x0b" not in raw


def test_delimiters_in_words_are_escaped() -> None:
    assert escaped("a|b^c&d~e\\f", Delimiters()) == r"a\F\b\S\c\T\d\R\e\E\f"
