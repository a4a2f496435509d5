"""Files of code lists: which are understood, and what is said of the others."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vna.model.codes import Code
from vna.model.errors import BadRequest, TooLarge, VnaError
from vna.teleradiology import code_files, demonstration
from vna.teleradiology.code_files import parse
from vna.teleradiology.code_lists import LISTS

SUT = "SUTKODU;ADI;ISTEMSURESI;ACIKLAMA;AKTIF\n804000;BT, beyin;6;;1\n804101;MR ĞÜŞİÖÇ ışık;12;x;0\n"


@pytest.mark.parametrize(
    "content",
    [
        SUT.encode(),
        b"\xef\xbb\xbf" + SUT.encode(),
        SUT.encode("cp1254"),
        SUT.replace("\n", "\r\n").encode(),
        SUT.replace("SUTKODU", "sut kodu").replace("ADI", "adı").encode(),
        'code,name,months,explanation,active\n804000,"BT, beyin",6,,1\n\n804101,MR ĞÜŞİÖÇ ışık,12,x,0\n'.encode(),
    ],
    ids=["utf-8", "with a mark", "Windows-1254", "CR LF", "other spelling", "commas and our names"],
)
def test_a_list_reads_the_same_in_every_form(content: bytes) -> None:
    assert tuple(parse(content, LISTS["periods"])) == (
        Code("804000", "BT, beyin", {"months": "6", "active": "1"}),
        Code("804101", "MR ĞÜŞİÖÇ ışık", {"months": "12", "explanation": "x", "active": "0"}),
    )


def test_a_facility_keeps_each_of_its_codes_and_columns_of_other_names() -> None:
    content = "KURUMKODU;KURUMADI;Medula Kodu;FirmaKodu;TELETIPONEK;Yatak\n500059;Örnek;11069901;FK1;OD;120\n"
    (code,) = parse(content.encode(), LISTS["facilities"])
    values = {"medula_code": "11069901", "company_code": "FK1", "prefix": "OD", "Yatak": "120"}
    assert code == Code("500059", "Örnek", values)


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("sut", b"", "line 1: no column is named code or SUTKODU"),
        ("sut", b"ADI\nx\n", "line 1: no column is named code or SUTKODU"),
        ("periods", b"SUTKODU;ADI\n804000;x\n", "line 1: no column is named months or ISTEMSURESI"),
        ("sut", b"KODU;SUTKODU;ADI\n1;2;3\n", "line 1: two columns say code"),
        ("sut", b"KODU;ADI\n1;a\n;b\n", "line 3: there is no code"),
        ("sut", b"KODU;ADI\n1;a\n2;b;c\n", "line 3: there are 3 cells, and 2 columns"),
        ("sut", b"KODU;ADI\n1;a\n2;b\n1;c\n", "line 4: the code 1 is there a second time"),
        ("sut", b"KODU;ADI\n" + b"1" * 65 + b";a\n", "line 2: a code is at most 64 printable characters"),
        ("sut", b"KODU;ADI\n1\x01;a\n", "line 2: a code is at most 64 printable characters"),
        ("sut", b"KODU;ADI\n1;" + b"a" * 4001 + b"\n", "line 2: a cell is longer than 4000 characters"),
        ("sut", b"KODU;ADI\n1;" + b"a" * 200_000 + b"\n", "line 2: field larger than field limit"),
        ("sut", b'KODU;ADI\n1;"a\n', "line 2: unexpected end of data"),
        ("sut", b"KODU;ADI\n1;\x81\xff\n", "line 2: this is neither UTF-8 nor Windows-1254"),
        ("periods", b"SUTKODU;ISTEMSURESI\n1;six\n", "line 2: months is a whole number"),
        ("periods", b"SUTKODU;ISTEMSURESI\n1;\n", "line 2: months is a whole number"),
        ("facilities", b"SKRS;MEDULAKODU\n1;11\n2;1a\n", "line 3: medula_code is digits alone"),
        ("facilities", b"SKRS;MEDULAKODU\n1;11\n2;\n3;\n4;11\n", "line 5: the medula_code 11 is there a second time"),
        ("radiologists", b"TCKN;ADI\n10000000383;x\n", "line 2: this is no national number"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_its_line(kind: str, content: bytes, words: str) -> None:
    with pytest.raises((BadRequest, TooLarge)) as refused:
        tuple(parse(content, LISTS[kind], "list.csv"))
    assert str(refused.value).startswith(f"list.csv, {words}")


def test_a_number_of_a_foreigner_is_no_wrong_national_number() -> None:
    assert [code.code for code in parse(b"TCKN;ADI\n99000000001;x\n", LISTS["radiologists"])] == ["99000000001"]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_files, "MOST_BYTES", 1 << 20)
    (tmp_path / "sut.csv").write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(TooLarge, match=r"sut.csv is larger than 1 MiB"):
        code_files.read(tmp_path / "sut.csv", LISTS["sut"])


@given(st.binary(max_size=400), st.sampled_from(sorted(LISTS)))
def test_whatever_bytes_come_there_are_codes_or_one_clear_error(content: bytes, kind: str) -> None:
    refusals: list[str] = []
    codes: tuple[Code, ...] = ()
    try:
        codes = tuple(parse(b"KODU;ADI;ISTEMSURESI\n" + content, LISTS[kind]))
    except VnaError as refused:
        refusals.append(str(refused))
    assert [words for words in refusals if not words.startswith("the file, line ")] == []
    assert len({code.code for code in codes}) == len(codes)


def test_the_demonstration_set_has_every_list_with_a_code_of_its_own() -> None:
    read = {name: code_files.read(path, LISTS[name]) for name, path in demonstration.files()}
    assert set(read) | {"exemptions"} == set(LISTS)
    assert all(read.values())
