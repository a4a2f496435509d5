"""Reading messages: delimiters, fields, escapes, character sets, and bounds."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hl7.messages import adt, encoded
from vna.hl7.message import MAX_REPETITIONS, MAX_SEGMENTS, Message, read, read_header
from vna.hl7.refusal import Condition, Refused
from vna.model.message_charsets import codec_of


def message(data: bytes | str, undeclared: str = "utf-8") -> Message:
    data = data.encode() if isinstance(data, str) else data
    header = read_header(data, undeclared)
    assert header is not None
    return read(data, header, undeclared)


def refusal(data: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        message(data)
    return caught.value


def test_fields_are_counted_as_the_standard_counts_them() -> None:
    found = message(adt("A01", "11^^^A&1.2&ISO~22^^^&1.3&ISO", name="Öztürk^Şule"))
    pid = found.one("PID")
    assert found.type == ("ADT", "A01")
    assert [found.header.value(number) for number in (1, 3, 10, 12)] == ["|", "HIS", "MSG1", "2.3.1"]
    assert found.header.raw(2) == "^~\\&"
    assert (pid.value(3), pid.value(3, 4), pid.value(3, 4, 2)) == ("11", "A", "1.2")
    assert pid.value(3, 4, 2, repetition=2) == "1.3"
    assert pid.value(5, 2) == "Şule"
    assert pid.value(99) == pid.value(3, 9) == pid.value(3, 4, 9) == pid.value(3, repetition=9) == ""
    assert pid.repetitions(3) == ["11^^^A&1.2&ISO", "22^^^&1.3&ISO"]
    assert pid.repetitions(2) == []


def test_delimiters_are_those_of_the_message() -> None:
    found = message("MSH#*+!%#HIS#H#V#A#2026##ADT*A04#1#P#2.5\rPID###7***%1.2%ISO+8#\r")
    assert found.type == ("ADT", "A04")
    assert found.one("PID").value(3, 4, 2) == "1.2"
    assert found.one("PID").value(3, repetition=2) == "8"


@pytest.mark.parametrize("signs", ["", "^", "^~", "^~\\"])
def test_delimiters_that_are_left_out_are_the_usual_ones(signs: str) -> None:
    header = read_header(f"MSH|{signs}|HIS|H|V|A|2026||ADT^A04|1".encode())
    assert header is None if not signs else header is not None
    if header is not None:
        assert header.value(9, 2) == "A04"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MSH",
        b"MSH|",
        b"MSH|||||",
        b"MSHAAAAAAA",
        b"MSH|^^^^|",
        b"MSH^^~\\&^HIS",
        b"MSH\r|",
        b"PID|1",
        b"M\0S\0H\0",
    ],
)
def test_what_does_not_begin_a_message_is_none(data: bytes) -> None:
    assert read_header(data) is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
        (r"x\X0D0A\y", "x\r\ny"),
        (r"\XC59E\ule", "Şule"),
        (r"line\.br\next", "line\nnext"),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"\Zxy\ \Xzz\ \XFF\ ", r"\Zxy\ \Xzz\ \XFF" + "\\"),
        ("one \\ alone", "one \\ alone"),
        ("\\\\\\", "\\\\\\"),
        ("", ""),
    ],
)
def test_escapes_are_undone(raw: str, text: str) -> None:
    assert message(adt(name=raw)).one("PID").value(5) == text


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_segments_end_as_senders_end_them(end: str) -> None:
    found = message(adt().replace("\r", end) + end)
    assert [segment.name for segment in found.segments] == ["MSH", "EVN", "PID", "PV1"]
    assert found.one("PID").value(8) == "F"


def test_a_line_that_is_no_segment_is_refused_and_named() -> None:
    refused = refusal(encoded(adt() + "more of a text that lost its escape\r"))
    assert (refused.condition, str(refused)) == (Condition.SEQUENCE, "line 5 of the message is no segment")
    assert refused.rejects


@pytest.mark.parametrize("count", [0, 2])
def test_a_segment_that_is_not_there_once_is_refused(count: int) -> None:
    found = message(adt().replace("EVN|A04|20260102030405\r", "EVN|A04\r" * count))
    with pytest.raises(Refused, match="no EVN segment" if not count else "2 EVN segments"):
        found.one("EVN")


@pytest.mark.parametrize(
    ("term", "codec"),
    [
        ("8859/9", "iso8859-9"),
        ("UNICODE UTF-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("utf-8", "utf-8"),
        ("Windows1254", "cp1254"),
        ("WINDOWS-1254", "cp1254"),
        ("ISO-8859-9", "iso8859-9"),
        ("ISO_8859-9", "iso8859-9"),
        ("8859/1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("GB 18030-2000", "gb18030"),
        ("KS X 1001", "euc_kr"),
        ("BIG-5", "big5"),
        ("ASCII~8859/9", "iso8859-9"),
    ],
)
def test_texts_are_read_in_the_character_set_of_msh_18(term: str, codec: str) -> None:
    name = "Çağ^İl"
    text = name if _can(name, codec) else "Test"
    found = message(encoded(adt(charset=term, name=text), codec))
    assert (found.one("PID").value(5), found.one("PID").codec) == (text.split("^")[0], codec)


def _can(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def test_japanese_is_read_with_its_escape_sequences_before_delimiters_are_looked_for() -> None:
    text = adt(charset="ASCII~ISO IR87", name="山田^太郎")
    assert message(encoded(text, "iso2022_jp_2")).one("PID").value(5, 2) == "太郎"


def test_a_message_without_msh_18_is_read_as_agreed() -> None:
    data = encoded(adt(name="Şahin^Gül"), "cp1254")
    assert message(data, "cp1254").one("PID").value(5) == "Şahin"
    assert message(encoded(adt(name="Şahin"))).one("PID").value(5) == "Şahin"


def test_bytes_of_another_character_set_are_refused_and_not_guessed() -> None:
    refused = refusal(encoded(adt(name="Şahin"), "cp1254"))
    assert refused.condition is Condition.DATA_TYPE
    assert refused.place == ("MSH", 18)
    assert refused.rejects
    assert "Ş" not in str(refused)
    assert "hin" not in str(refused)


@pytest.mark.parametrize("term", ["KLINGON", "8859/77", "8859/9~8859/5", "UNICODE UTF-16"])
def test_a_character_set_that_is_not_known_is_refused(term: str) -> None:
    refused = refusal(encoded(adt(charset=term)))
    assert (refused.condition, refused.place, refused.rejects) == (Condition.TABLE_VALUE, ("MSH", 18), True)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert message(b"\xef\xbb\xbf" + encoded(adt())).type == ("ADT", "A04")


def test_every_codec_exists() -> None:
    for term in ("8859/1", "8859/6", "8859/8", "ISO IR14", "ISO IR159", "cp874", "CP1250", ""):
        codec = codec_of([term])
        assert codec is not None
        assert "MSH|".encode(codec).decode(codec) == "MSH|"


@pytest.mark.parametrize("sign", ["|", "^", "~", "&", "\\", "\r", "a"])
def test_a_message_of_delimiters_takes_neither_time_nor_memory(sign: str) -> None:
    data = encoded(adt()[:-1]) + b"|" + sign.encode() * (8 << 20)
    tracemalloc.start()
    began = time.monotonic()
    with suppress(Refused):
        for segment in message(data).segments:
            segment.value(3, 4, 2)
            segment.value(5000)
            segment.repetitions(3)
    assert time.monotonic() - began < 5
    assert tracemalloc.get_traced_memory()[1] < 16 * len(data)
    tracemalloc.stop()


def test_more_segments_and_repetitions_than_anyone_needs_are_refused() -> None:
    assert "segments" in str(refusal(encoded(adt() + "NTE|1\r" * MAX_SEGMENTS)))
    pid = message(adt(pid="1~" * (MAX_REPETITIONS + 1))).one("PID")
    with pytest.raises(Refused, match="PID-3 repeats too often"):
        pid.repetitions(3)
    assert pid.value(3) == "1"


_SIGNS = st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"], blacklist_characters="|^~\\& ")
_TEXT = st.text(_SIGNS, max_size=5)
_PID = st.lists(
    st.lists(st.lists(st.lists(_TEXT, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=3),
    min_size=1,
    max_size=5,
)


@given(_PID)
def test_another_reader_finds_the_same(fields: list[list[list[list[str]]]]) -> None:
    line = "|".join("~".join("^".join("&".join(parts) for parts in one) for one in field) for field in fields)
    text = f"MSH|^~\\&|HIS|H|V|A|2026||ADT^A04|1|P|2.5\rPID|{line}|end"
    ours, theirs = message(text).one("PID"), hl7.parse(text).segment("PID")
    for number, repetitions in enumerate(fields, 1):
        for at, one in enumerate(repetitions, 1):
            for component, parts in enumerate(one, 1):
                for subcomponent in range(1, len(parts) + 1):
                    found = ours.value(number, component, subcomponent, repetition=at)
                    assert found == theirs.extract_field(1, number, at, component, subcomponent)
