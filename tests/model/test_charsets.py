"""Specific Character Set to text and back (PS3.5 6.1, Annexes H to K)."""

# ruff: noqa: RUF001 - letters that look like others are the point here

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import charset

from vna.model.charsets import (
    CODECS,
    NAME_DELIMITERS,
    TEXT_DELIMITERS,
    VALUE_DELIMITERS,
    choose_charset,
    codecs_of,
    decode,
)


@pytest.mark.parametrize(
    ("terms", "codecs"),
    [
        ((), ("ascii",)),
        (("",), ("ascii",)),
        (("ISO_IR 6",), ("ascii",)),
        (("ISO_IR 100",), ("latin_1",)),
        (("ISO_IR 148",), ("iso_ir_148",)),
        (("ISO-IR 148",), ("iso_ir_148",)),
        (("iso_ir_148 ",), ("iso_ir_148",)),
        (("UTF-8",), ("utf-8",)),
        (("", "ISO 2022 IR 87"), ("ascii", "iso2022_jp")),
        (("ISO_2022_IR_6", "ISO-2022-IR-149"), ("ascii", "euc_kr")),
        (("ISO_IR 192", "ISO 2022 IR 87"), ("utf-8",)),
        (("ISO 2022 IR 6", "GB18030"), ("ascii",)),
    ],
)
def test_terms_name_their_codecs(terms: tuple[str, ...], codecs: tuple[str, ...]) -> None:
    assert codecs_of(terms) == (codecs, "")


@pytest.mark.parametrize("term", ["ISO_IR 999", "utf-16", "zlib_codec", "rot13", "idna", "\0x", "LATIN"])
def test_an_unknown_term_reads_as_the_default_repertoire_and_is_named(term: str) -> None:
    codecs, problem = codecs_of((term,))
    assert codecs == ("ascii",)
    assert "unknown character set" in problem


def test_an_unknown_extension_is_left_out() -> None:
    assert codecs_of(("ISO_IR 100", "ISO 2022 IR 999"))[0] == ("latin_1",)


@pytest.mark.parametrize(
    ("raw", "terms", "text"),
    [  # PS3.5 H.3, I.2, J.3, K.2
        (
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            ("", "ISO 2022 IR 87"),
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            ("ISO 2022 IR 13", "ISO 2022 IR 87"),
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            ("", "ISO 2022 IR 149"),
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", ("", "ISO 2022 IR 58"), "Zhang^XiaoDong=张^小东="),
        ("Wang^XiaoDong=王^小東=".encode(), ("ISO_IR 192",), "Wang^XiaoDong=王^小東="),
        ("Wang^XiaoDong=王^小东=".encode("gb18030"), ("GB18030",), "Wang^XiaoDong=王^小东="),
        (b"\xd6ZT\xdcRK^\xde\xfckr\xfc", ("ISO_IR 148",), "ÖZTÜRK^Şükrü"),
        (b"\x1b-M\xd6ZT\xdcRK^\x1b-M\xde\xfckr\xfc", ("", "ISO 2022 IR 148"), "ÖZTÜRK^Şükrü"),
    ],
)
def test_names_in_every_kind_of_character_set(raw: bytes, terms: tuple[str, ...], text: str) -> None:
    assert decode(raw, codecs_of(terms)[0], NAME_DELIMITERS) == (text, True)


def test_a_delimiter_ends_a_code_extension() -> None:
    codecs = ("latin_1", "iso_ir_126")
    assert decode(b"\x1b-F\xe1\\\xe9", codecs, VALUE_DELIMITERS) == ("α\\é", True)
    assert decode(b"\x1b-F\xe1\\\xe9", codecs, TEXT_DELIMITERS) == ("α\\ι", True)
    assert decode(b"\x1b-F\xe1^\xe9=\x1b-F\xe1", codecs, NAME_DELIMITERS) == ("α^é=α", True)


def test_a_writer_that_does_not_repeat_its_escape_sequence_is_understood() -> None:
    assert decode(b"\x1b-M\xd6z^\xde\xfc", ("ascii", "iso_ir_148"), NAME_DELIMITERS) == ("Öz^Şü", True)


def test_a_backslash_byte_inside_a_character_is_no_delimiter() -> None:
    raw = "乗\\b".encode("gb18030")
    assert raw.count(b"\\") == 2
    assert decode(raw, ("GB18030",)) == ("乗\\b", True)


@pytest.mark.parametrize(
    ("raw", "codecs", "text"),
    [
        ("Şule".encode(), ("ascii",), "Şule"),
        (b"M\xfcller", ("ascii",), "Müller"),
        (b"\xdeule", ("ascii", "iso_ir_148"), "Şule"),
        (b"a\xffb", ("utf-8",), "a�b"),
        (b"a\x1b-Q\xe9", ("latin_1",), "aé"),
        (b"\x1b$B\x7f\x7f", ("ascii", "iso2022_jp"), "�"),
    ],
)
def test_bytes_that_are_no_characters_are_replaced_and_said(raw: bytes, codecs: tuple[str, ...], text: str) -> None:
    assert decode(raw, codecs) == (text, False)


@given(st.binary(max_size=64), st.lists(st.sampled_from(sorted(CODECS)), max_size=4))
def test_any_bytes_in_any_character_set_are_some_text(raw: bytes, terms: list[str]) -> None:
    codecs, _ = codecs_of(tuple(terms))
    for delimiters in (TEXT_DELIMITERS, VALUE_DELIMITERS, NAME_DELIMITERS):
        decode(raw, codecs, delimiters)[0].encode("utf-8")


@pytest.mark.parametrize(
    ("texts", "wanted", "chosen"),
    [
        (["Yilmaz"], [], ""),
        ([], [], ""),
        (["Yılmaz"], [], "ISO_IR 192"),
        (["Yılmaz", "İnci"], ["ISO_IR 148"], "ISO_IR 148"),
        (["Yılmaz"], ["ISO_IR 100"], "ISO_IR 192"),
        (["Yilmaz"], ["ISO_IR 100"], "ISO_IR 100"),
        (["Yilmaz"], [""], ""),
        (["é"], ["ISO_IR 6"], "ISO_IR 192"),
        (["山田", "ﾔﾏﾀﾞ"], ["ISO 2022 IR 13", "ISO 2022 IR 87"], "ISO 2022 IR 13\\ISO 2022 IR 87"),
        (["山田"], ["ISO 2022 IR 87"], "ISO_IR 192"),  # no initial character set
        (["é"], ["", "ISO 2022 IR 100"], "ISO_IR 192"),  # pydicom leaves the escape sequence out
        (["Şule"], ["ISO_IR 148", "ISO_IR 999"], "ISO_IR 192"),
        (["ﾔﾏﾀﾞ"], ["ISO_IR 13"], "ISO_IR 13"),
        (["ﾔﾏa"], ["ISO_IR 13"], "ISO_IR 192"),  # pydicom cannot mix the halves of JIS X 0201
        (["山田"], ["ISO_IR 13"], "ISO_IR 192"),
        (["Şule"], ["ISO_IR 999"], "ISO_IR 192"),
        (["€"], ["ISO_IR 203"], "ISO_IR 192"),  # pydicom cannot write it
    ],
)
def test_the_character_set_of_an_answer_carries_every_text(texts: list[str], wanted: list[str], chosen: str) -> None:
    assert choose_charset(texts, wanted) == chosen


@given(
    st.lists(st.text(alphabet="aZ^=çĞıİşéßñЖдαΩ山田やﾔ홍王", min_size=1, max_size=8), max_size=4),
    st.lists(st.sampled_from(sorted(charset.python_encoding)), max_size=3),
)
def test_what_pydicom_writes_in_the_chosen_character_set_reads_back(texts: list[str], wanted: list[str]) -> None:
    terms = tuple(choose_charset(texts, wanted).split("\\"))
    for text in texts:
        written = charset.encode_string(text, charset.convert_encodings(list(terms)))
        assert decode(written, codecs_of(terms)[0], TEXT_DELIMITERS) == (text, True)
