"""The one parser: what is refused, what it costs, and that it reads what is right."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from vna.model.errors import BadRequest, TooLarge
from vna.xml.parser import Bounds, parse
from vna.xml.text import carried


@pytest.mark.parametrize(
    "document",
    [
        b"<!DOCTYPE a><a/>",
        b"\xef\xbb\xbf<!DOCTYPE a><a/>",
        b" \n<!--c--><?p i?><!DOCTYPE a><a/>",
        "<!DOCTYPE a><a/>".encode("utf-16"),
        b"<!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///etc/passwd'> %x;]><a/>",
        b"<!doctype a><a/>",
        b"<!<a/>",
    ],
)
def test_a_document_type_is_refused(document: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(document)


def test_what_looks_like_a_document_type_inside_is_text() -> None:
    assert parse(b"<a><![CDATA[<!DOCTYPE a>]]></a>").text == "<!DOCTYPE a>"
    assert parse(b"<a b='&lt;!DOCTYPE'><!-- <!DOCTYPE a> --></a>").get("b") == "<!DOCTYPE"


def test_texts_around_comments_are_one_text() -> None:
    assert parse(b"<a>1<!-- x -->2<?p?>3</a>").text == "123"


def test_a_text_of_more_than_ten_megabytes_is_read() -> None:
    assert len(parse(b"<a>" + b"x" * 11_000_000 + b"</a>").text or "") == 11_000_000


@pytest.mark.parametrize(("text", "marks"), [("<a/>", 1), ("<a b='' c=\"\"/>", 3), ("<a></a>", 2)])
def test_tags_and_attributes_are_counted(text: str, marks: int) -> None:
    assert parse(text.encode(), Bounds(marks=marks)).tag == "a"
    with pytest.raises(TooLarge, match=f"more than {marks - 1} tags"):
        parse(text.encode(), Bounds(marks=marks - 1))


@pytest.mark.parametrize("document", [b"<" * 600_000, b"<a " + b"b='' " * 600_000, b"<a><!--" + b"<" * 600_000])
def test_hostile_documents_cost_neither_time_nor_memory(document: bytes) -> None:
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises((BadRequest, TooLarge)):
        parse(document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - started < 2
    assert peak < 10 * len(document)


def test_long_prologues_are_read_in_one_pass() -> None:
    started = time.monotonic()
    assert parse(b"<!--x-->\n<?p i?>" * 100_000 + b"<a/>").tag == "a"
    with pytest.raises(BadRequest):
        parse(b"<!--" + b"-" * 5_000_000)
    assert time.monotonic() - started < 3


def test_messages_of_the_parser_do_not_quote_the_document() -> None:
    with pytest.raises(BadRequest) as told:
        parse(b"<a b='Doe^John'>&Doe;</a>")
    assert "Doe" not in str(told.value)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=150, deadline=None)
@given(TEXT, TEXT, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_what_is_written_is_read_again_in_every_encoding(text: str, value: str, encoding: str) -> None:
    element = etree.Element("a", b=carried(value))
    element.text = carried(text)
    document = etree.tostring(element, encoding="unicode").encode(encoding)
    read = parse(document)
    assert (read.text or "", read.get("b")) == (element.text, carried(value))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text("<>!-[]&;'\"=/ abc?", max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused_in_words(document: bytes) -> None:
    assert outcome(document).isprintable()


def outcome(document: bytes) -> str:
    try:
        return str(parse(document).tag)
    except (BadRequest, TooLarge) as error:
        return str(error)
