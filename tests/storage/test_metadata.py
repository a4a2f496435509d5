"""The DICOM JSON model of a data set: compared with pydicom over real files, with the standard by hand."""

import mmap
import struct
from pathlib import Path

import orjson
import pytest
from pydicom import dcmread

from storage.metadata import Limits, inflated, number, person_name, scan, text, texts, to_json
from storage.part10 import EXPLICIT_BIG, EXPLICIT_LITTLE, FileMeta, read_file_meta
from tests.storage.encoding import BIG, IMPLICIT, LITTLE, SEQUENCE_END, UNDEFINED, explicit, implicit, item
from tests.storage.oracle import (
    SHARED,
    WHEEL,
    comparable,
    expected_elements,
    read,
    shared_files,
    wheel_files,
)
from tests.storage.test_part10 import NO_DICOM
from vna.model.errors import CannotUnderstand

CT_SMALL = (WHEEL / "test_files" / "CT_small.dcm").read_bytes()

REFUSED = {  # file of pydicom's wheel: why it cannot be taken
    "MR_truncated.dcm": r"\(7FE0,0010\) at offset 1488 runs past the end: truncated",
    "rtplan_truncated.dcm": r"\(300A,00B0\) at offset 1410 runs past the end: truncated",
    "SC_rgb_jpeg.dcm": "the data set is Implicit VR, its transfer syntax says otherwise",
    "DICOMDIR-nooffset": r"an item of \(00041220\) at offset 10860 runs past the end",
}
BEYOND_PYDICOM = {"badVR.dcm"}  # NumberOfFrames "1A" and DS of letters: pydicom raises, a scan keeps the text
WARNED = {  # files that are read with a remark
    "made__made_cs_turkish_ir148_2022.dcm": "has bytes that are no characters of its character set",
}


def files() -> list[Path]:
    return [path for path in wheel_files() + shared_files() if path.name not in NO_DICOM]


def test_the_shared_samples_are_among_the_files() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: only the files of pydicom's wheel are compared")
    assert len(shared_files()) > 100


@pytest.mark.claim("PS3.18-F.2")
@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_elements_are_those_pydicom_reads(path: Path) -> None:
    """Bulk values and nested items included, but for the differences listed in `oracle`."""
    file = path.read_bytes()
    meta = read_file_meta(file)
    if reason := REFUSED.get(path.name):
        with pytest.raises(CannotUnderstand, match=reason):
            scan(file, meta)
        return
    found = scan(file, meta)
    assert [w for w in found.warnings if WARNED.get(path.name, "none") not in w] == []
    assert list(found.elements) == sorted(found.elements)
    orjson.loads(to_json(found.elements))
    if path.name in BEYOND_PYDICOM:
        return
    big = meta.transfer_syntax_uid == EXPLICIT_BIG
    assert comparable(found.elements, found, inflated(file, meta), big) == expected_elements(read(path), big)


@pytest.mark.parametrize("path", [path for path in files() if path.name not in REFUSED], ids=lambda path: path.name)
def test_the_header_ends_where_pixel_data_begins(path: Path) -> None:
    file = path.read_bytes()
    meta = read_file_meta(file)
    found = scan(file, meta)
    plain = bytes(inflated(file, meta))
    pixels = [tag for tag in ("7FE00008", "7FE00009", "7FE00010") if tag in found.elements]
    if not pixels:
        assert found.header_end == len(plain)
        return
    if plain is file:
        with path.open("rb") as stream:
            dcmread(stream, stop_before_pixels=True, force=True)
            assert found.header_end == stream.tell()
    head = scan(plain[: found.header_end], FileMeta("", "", _plain(meta.transfer_syntax_uid), meta.dataset_offset))
    before = {tag: element for tag, element in found.elements.items() if tag < pixels[0]}
    assert head.elements == before


def _plain(syntax: str) -> str:
    return EXPLICIT_LITTLE if syntax.endswith(".1.99") else syntax


def test_badvr_keeps_what_is_no_number_as_text() -> None:
    file = (WHEEL / "test_files" / "badVR.dcm").read_bytes()
    found = scan(file, read_file_meta(file)).elements
    assert found["00280008"] == {"vr": "IS", "Value": ["1A"]}


# --- one element at a time -----------------------------------------------------------------------------------------

NOT_FINITE = "NaN", "Infinity", "-Infinity"
A, I, P = "Alphabetic", "Ideographic", "Phonetic"  # noqa: E741
CHARSET = explicit(0x00080005, b"CS", b"ISO_IR 148")


@pytest.mark.claim("PS3.18-F.2")
@pytest.mark.parametrize(
    ("vr", "raw", "values"),
    [
        ("AE", b" VNA \\ B ", ["VNA", "B"]),
        ("AS", b"034Y", ["034Y"]),
        ("AT", bytes.fromhex("08001800e07f1000"), ["00080018", "7FE00010"]),
        ("CS", b"ORIGINAL\\\\ AXIAL ", ["ORIGINAL", None, "AXIAL"]),
        ("DA", b"20260101\\20260102 ", ["20260101", "20260102"]),
        ("DS", b"1\\1.0\\ 2.50 \\-3E2\\", [1, 1.0, 2.5, -300.0, None]),
        ("DS", b"1e999\\nan\\inf\\1_0\\abc\\0x10", ["1e999", "nan", "inf", "1_0", "abc", "0x10"]),
        ("DT", b"20260101120000.5+0300 ", ["20260101120000.5+0300"]),
        ("FL", struct.pack("<ff", 0.5, -2), [0.5, -2.0]),
        ("FD", struct.pack("<4d", 0.1, float("nan"), float("inf"), float("-inf")), [0.1, *NOT_FINITE]),
        ("FD", struct.pack("<2d", 1.7e308, 1.7e308), [1.7e308, 1.7e308]),
        ("IS", b"12\\ -3 \\+4\\1.5\\x", [12, -3, 4, 1.5, "x"]),
        ("IS", b"99999999999999999999", ["99999999999999999999"]),
        ("LO", b" lead\\trail \0", [" lead", "trail"]),
        ("LT", b"a\\b \r\n ", ["a\\b \r\n"]),
        ("PN", b"A^B=C^D=E^F\\G\\\\=H", [{A: "A^B", I: "C^D", P: "E^F"}, {A: "G"}, None, {I: "H"}]),
        ("SH", b"", []),
        ("SH", b"  ", []),
        ("SH", b"\\", [None, None]),
        ("SL", struct.pack("<i", -(2**31)), [-(2**31)]),
        ("SS", struct.pack("<2h", -1, 2), [-1, 2]),
        ("ST", b"x\\y", ["x\\y"]),
        ("SV", struct.pack("<q", -(2**63)), [-(2**63)]),
        ("TM", b"1200 ", ["1200"]),
        ("UC", b"long\\text", ["long", "text"]),
        ("UI", b"1.2.3\\4.5\0", ["1.2.3", "4.5"]),
        ("UL", struct.pack("<I", 2**32 - 1), [2**32 - 1]),
        ("UR", b"http://a/\\b ", ["http://a/\\b"]),
        ("US", struct.pack("<3H", 0, 1, 65535), [0, 1, 65535]),
        ("UT", b"unlimited ", ["unlimited"]),
        ("UV", struct.pack("<Q", 2**64 - 1), [2**64 - 1]),
    ],
)  # fmt: skip
def test_each_vr_has_its_json_form(vr: str, raw: bytes, values: list[object]) -> None:
    found = scan(explicit(0x00091001, vr.encode(), raw), LITTLE).elements["00091001"]
    assert found == ({"vr": vr, "Value": values} if values else {"vr": vr})
    assert orjson.loads(to_json({"00091001": found})) == {"00091001": found}
    assert [type(value) for value in found.get("Value", [])] == [type(value) for value in values]


@pytest.mark.parametrize("vr", ["OB", "OD", "OF", "OL", "OV", "OW", "UN"])
def test_binary_is_inline_while_short_and_left_in_the_file_when_long(vr: str) -> None:
    found = scan(explicit(0x00091001, vr.encode(), b"\x01\x02\x03\x04\x05\x06\x07\x08"), LITTLE)
    assert found.elements["00091001"] == {"vr": vr, "InlineBinary": "AQIDBAUGBwg="}
    found = scan(explicit(0x00091001, vr.encode(), bytes(1024)), LITTLE)
    assert "InlineBinary" in found.elements["00091001"]
    found = scan(explicit(0x00091001, vr.encode(), bytes(1026)), LITTLE)
    assert found.elements["00091001"] == {"vr": vr, "BulkDataURI": "00091001"}
    assert found.bulk == {"00091001": (12, 1026)}
    assert scan(explicit(0x00091001, vr.encode(), b""), LITTLE).elements["00091001"] == {"vr": vr}


def test_any_other_value_past_64_kib_is_left_in_the_file() -> None:
    found = scan(explicit(0x00420010, b"ST", b"x") + explicit(0x00091001, b"UT", b"y" * 65537), LITTLE)
    assert found.elements["00091001"] == {"vr": "UT", "BulkDataURI": "00091001"}
    assert "Value" in scan(explicit(0x00091001, b"UT", b"y" * 65536), LITTLE).elements["00091001"]
    found = scan(implicit(0x00281201, bytes(65538)), IMPLICIT)
    assert found.bulk == {"00281201": (8, 65538)}


@pytest.mark.claim("PS3.18-F.2")
@pytest.mark.parametrize("size", [2, 4000])
def test_pixel_data_is_always_bulk(size: int) -> None:
    icon = explicit(0x00880200, b"SQ", item(explicit(0x7FE00010, b"OW", b"abcd")))
    found = scan(icon + explicit(0x7FE00010, b"OW", bytes(size)), LITTLE)
    assert found.elements["7FE00010"] == {"vr": "OW", "BulkDataURI": "7FE00010"}
    nested = found.elements["00880200"]["Value"][0]["7FE00010"]
    assert nested == {"vr": "OW", "BulkDataURI": "00880200/0/7FE00010"}
    assert found.bulk == {"00880200/0/7FE00010": (32, 4), "7FE00010": (len(icon) + 12, size)}
    assert found.header_end == len(icon)


def test_bulk_in_items_is_named_by_the_way_to_it() -> None:
    wave = item(explicit(0x54001010, b"OW", bytes(2000)))
    found = scan(explicit(0x54000100, b"SQ", item(b"") + wave, UNDEFINED) + SEQUENCE_END, LITTLE)
    assert found.elements["54000100"] == {
        "vr": "SQ",
        "Value": [{}, {"54001010": {"vr": "OW", "BulkDataURI": "54000100/1/54001010"}}],
    }
    assert found.bulk == {"54000100/1/54001010": (40, 2000)}


def test_encapsulated_pixel_data_is_the_whole_row_of_items() -> None:
    head = explicit(0x00280008, b"IS", b"2 ")
    items = item(b"") + item(b"frame1") + item(b"frame2")
    found = scan(head + explicit(0x7FE00010, b"OB", items, UNDEFINED) + SEQUENCE_END, LITTLE)
    assert found.bulk == {"7FE00010": (len(head) + 12, len(items))}
    assert found.header_end == len(head)
    assert found.frames.count == 2


@pytest.mark.parametrize(("syntax", "frames"), [("1.2.840.10008.1.2.4.102", 1), ("1.2.840.10008.1.2.4.50", 0)])
def test_a_video_is_one_frame_and_what_cannot_be_told_apart_none(syntax: str, frames: int) -> None:
    pieces = item(b"") + item(b"one ") + item(b"two ") + item(b"more")
    file = explicit(0x00280008, b"IS", b"25") + explicit(0x7FE00010, b"OB", pieces, UNDEFINED) + SEQUENCE_END
    found = scan(file, FileMeta("", "", syntax, 0))
    assert found.frames.count == frames
    assert found.warnings == (() if frames else ("25 frames are said to be in 7FE00010, 0 were found",))


def test_what_comes_after_pixel_data_is_read_and_trailing_padding_left_out() -> None:
    after = explicit(0xFFFAFFFA, b"SQ", b"") + explicit(0xFFFCFFFC, b"OB", bytes(5000))
    found = scan(explicit(0x7FE00010, b"OW", bytes(8)) + after, LITTLE)
    assert list(found.elements) == ["7FE00010", "FFFAFFFA"]
    assert found.header_end == 0


def test_group_lengths_are_left_out() -> None:
    lengths = explicit(0x00080000, b"UL", bytes(4)) + explicit(0x00080060, b"CS", b"CT")
    found = scan(lengths, LITTLE)
    assert found.elements == {"00080060": {"vr": "CS", "Value": ["CT"]}}
    assert scan(implicit(0x00080000, bytes(4)) + implicit(0x00080060, b"CT"), IMPLICIT).elements == found.elements


@pytest.mark.parametrize("tag", [0x00000002, 0x00020010])
def test_elements_of_command_and_file_meta_have_no_place_in_a_data_set(tag: int) -> None:
    with pytest.raises(CannotUnderstand, match="has no place in a data set"):
        scan(explicit(tag, b"UI", b"1.2\0") + explicit(0x00080060, b"CS", b"CT"), LITTLE)


@pytest.mark.parametrize(
    ("bytes_", "meta"), [(explicit(0x00080060, b"CS", b"CT"), IMPLICIT), (implicit(0x00080060, b"CT"), LITTLE)]
)
def test_a_data_set_that_is_not_in_its_transfer_syntax_is_refused(bytes_: bytes, meta: FileMeta) -> None:
    with pytest.raises(CannotUnderstand, match="its transfer syntax says otherwise"):
        scan(bytes_, meta)


def test_elements_out_of_order_are_put_in_order() -> None:
    found = scan(explicit(0x00100020, b"LO", b"P1") + explicit(0x00080060, b"CS", b"CT"), LITTLE)
    assert list(found.elements) == ["00080060", "00100020"]


def test_items_inherit_the_character_set_or_have_their_own() -> None:
    name = explicit(0x00100010, b"PN", b"\xdeule")
    items = item(name) + item(explicit(0x00080005, b"CS", b"ISO_IR 192") + explicit(0x00100010, b"PN", "Şu".encode()))
    found = scan(CHARSET + name + explicit(0x00101002, b"SQ", items), LITTLE)
    assert person_name(found.elements, "00100010") == "Şule"
    assert [person_name(each, "00100010") for each in found.elements["00101002"]["Value"]] == ["Şule", "Şu"]
    assert found.elements["00080005"] == {"vr": "CS", "Value": ["ISO_IR 148"]}
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("charset", "raw", "text_", "warning"),
    [
        (b"ISO_IR 192", b"a\xffb", "a�b", "(0010,0020) at offset 26 has bytes that are no characters"),
        (b"ISO_IR 999", "Şu".encode(), "Şu", "(0008,0005) at offset 8 names an unknown character set"),
        (b"ISO_IR 999", b"\xfc", "ü", "(0008,0005) at offset 8 names an unknown character set"),
        (b"", "Şu".encode(), "Şu", "(0010,0020) at offset 16 has bytes that are no characters"),
    ],
)
def test_a_broken_character_set_is_a_warning(charset: bytes, raw: bytes, text_: str, warning: str) -> None:
    found = scan(explicit(0x00080005, b"CS", charset) + explicit(0x00100020, b"LO", raw), LITTLE)
    assert text(found.elements, "00100020") == text_
    assert warning in found.warnings[0]


def test_a_person_name_of_65_kb_is_read() -> None:
    found = scan(CHARSET + explicit(0x00100010, b"PN", b"A" * 65534), LITTLE)
    assert person_name(found.elements, "00100010") == "A" * 65534


# --- value representations that are not said -----------------------------------------------------------------------


@pytest.mark.parametrize(("representation", "vr", "value"), [(None, "US", 65535), (0, "US", 65535), (1, "SS", -1)])
def test_us_or_ss_follows_pixel_representation(representation: int | None, vr: str, value: int) -> None:
    """Also when it comes before it (0018,9810), and in items when it is around them."""
    mapped = implicit(0x00221452, b"\xff\xff")
    nested = implicit(0x00081140, item(mapped))
    sign = b"" if representation is None else implicit(0x00280103, struct.pack("<H", representation))
    found = scan(
        nested + implicit(0x00189810, b"\xff\xff") + sign + implicit(0x00280106, b"\xff\xff"), IMPLICIT
    ).elements
    for element in (found["00189810"], found["00280106"], found["00081140"]["Value"][0]["00221452"]):
        assert element == {"vr": vr, "Value": [value]}


def test_an_item_has_its_own_pixel_representation() -> None:
    own = item(implicit(0x00189810, b"\xff\xff") + implicit(0x00280103, b"\x00\x00"))
    found = scan(implicit(0x00280103, b"\x01\x00") + implicit(0x00409096, own), IMPLICIT).elements
    assert found["00409096"]["Value"][0]["00189810"] == {"vr": "US", "Value": [65535]}


def test_the_number_of_entries_of_a_look_up_table_is_unsigned() -> None:
    descriptor = struct.pack("<Hhh", 65535, -5, 16)
    signed = explicit(0x00280103, b"US", b"\x01\x00") + explicit(0x00281101, b"SS", descriptor)
    assert scan(signed, LITTLE).elements["00281101"] == {"vr": "SS", "Value": [65535, -5, 16]}
    signed = implicit(0x00280103, b"\x01\x00") + implicit(0x00281101, descriptor)
    assert scan(signed, IMPLICIT).elements["00281101"] == {"vr": "SS", "Value": [65535, -5, 16]}


@pytest.mark.parametrize(
    ("entries", "expected"), [(1, {"vr": "US", "Value": [513]}), (2, {"vr": "OW", "InlineBinary": "AQI="})]
)
def test_lut_data_is_a_number_when_there_is_one(entries: int, expected: object) -> None:
    lut = implicit(0x00283002, struct.pack("<3H", entries, 0, 16)) + implicit(0x00283006, b"\x01\x02")
    assert scan(implicit(0x00283010, item(lut)), IMPLICIT).elements["00283010"]["Value"][0]["00283006"] == expected


def test_private_elements_in_implicit_vr_are_unknown_but_their_creators() -> None:
    found = scan(implicit(0x00090010, b"ACME") + implicit(0x00091001, b"1234"), IMPLICIT).elements
    assert found == {"00090010": {"vr": "LO", "Value": ["ACME"]}, "00091001": {"vr": "UN", "InlineBinary": "MTIzNA=="}}


def test_a_private_sequence_without_length_in_implicit_vr_is_a_sequence() -> None:
    found = scan(implicit(0x00091001, item(implicit(0x00080060, b"CT")), UNDEFINED) + SEQUENCE_END, IMPLICIT).elements
    assert found["00091001"] == {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}]}


@pytest.mark.parametrize("tag", [0x60003000, 0x601E3000])
def test_repeating_groups_are_known(tag: int) -> None:
    found = scan(implicit(tag, b"\x01\x02"), IMPLICIT).elements
    assert found[f"{tag:08X}"] == {"vr": "OW", "InlineBinary": "AQI="}


def test_un_that_the_dictionary_knows_is_read_so() -> None:
    found = scan(explicit(0x00100020, b"UN", b"P1") + explicit(0x00280010, b"UN", b"\x00\x02"), LITTLE).elements
    assert found == {"00100020": {"vr": "LO", "Value": ["P1"]}, "00280010": {"vr": "US", "Value": [512]}}


@pytest.mark.parametrize("length", [None, UNDEFINED])
@pytest.mark.parametrize("inside", [implicit(0x00080060, b"CT"), explicit(0x00080060, b"CS", b"CT")])
def test_un_that_is_a_sequence_has_items_in_implicit_vr(length: int | None, inside: bytes) -> None:
    """PS3.5 6.2.2; some writers put Explicit VR there."""
    end = SEQUENCE_END if length else b""
    found = scan(explicit(0x00400275, b"UN", item(inside), length) + end, LITTLE).elements
    assert found["00400275"] == {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}]}


def test_un_that_should_be_a_sequence_and_is_not_stays_bytes() -> None:
    wave = explicit(0x54001010, b"OW", bytes(2000))
    found = scan(explicit(0x00400275, b"UN", item(wave) + b"broken!!"), LITTLE)
    assert found.elements["00400275"] == {"vr": "UN", "BulkDataURI": "00400275"}
    assert list(found.bulk) == ["00400275"]


def test_an_element_without_vr_in_explicit_vr_is_read_as_implicit() -> None:
    found = scan(explicit(0x00080060, b"CS", b"CT") + implicit(0x00100020, b"P1"), LITTLE).elements
    assert text(found, "00100020") == "P1"


@pytest.mark.parametrize(
    ("vr", "value", "head"), [(b"ZZ", b"abcd", b"\x04\x00"), (b"QQ", b"abcd", b"\0\0\x04\0\0\0"), (b"ZZ", b"", b"\0\0")]
)
def test_an_unknown_vr_is_bytes(vr: bytes, value: bytes, head: bytes) -> None:
    unknown = b"\x09\x00\x01\x10" + vr + head + value
    found = scan(explicit(0x00080060, b"CS", b"CT") + unknown + explicit(0x00100020, b"LO", b"P1"), LITTLE).elements
    assert found["00091001"] == ({"vr": "UN", "InlineBinary": "YWJjZA=="} if value else {"vr": "UN"})
    assert text(found, "00100020") == "P1"


def test_a_number_of_a_wrong_length_is_bytes_and_a_warning() -> None:
    found = scan(explicit(0x00280010, b"US", b"\x01\x02\x03"), LITTLE)
    assert found.elements["00280010"] == {"vr": "UN", "InlineBinary": "AQID"}
    assert "has a length that its VR does not allow" in found.warnings[0]


def test_big_endian_numbers_and_words_come_out_in_order() -> None:
    file = (
        explicit(0x00280010, b"US", b"\x02\x00", order=">")
        + explicit(0x00280009, b"AT", b"\x00\x18\x10\x63", order=">")
        + explicit(0x00283006, b"OW", b"\x01\x02\x03\x04", order=">")
        + explicit(0x00420011, b"OB", b"\x01\x02\x03\x04", order=">")
    )
    found = scan(file, BIG).elements
    assert found["00280010"] == {"vr": "US", "Value": [512]}
    assert found["00280009"] == {"vr": "AT", "Value": ["00181063"]}
    assert found["00283006"]["InlineBinary"] == "AgEEAw=="
    assert found["00420011"]["InlineBinary"] == "AQIDBA=="


def test_equal_elements_are_one_object() -> None:
    first, second = (scan(CT_SMALL, read_file_meta(CT_SMALL)).elements for _ in "12")
    assert first["00080060"] is second["00080060"]
    latin = explicit(0x00080005, b"CS", b"ISO_IR 100") + explicit(0x00080060, b"CS", b"CT")
    assert scan(latin, LITTLE).elements["00080060"] is first["00080060"]


def test_every_kind_of_buffer_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CT_SMALL)
    meta = read_file_meta(CT_SMALL)
    expected = scan(CT_SMALL, meta)
    assert scan(bytearray(CT_SMALL), meta) == scan(memoryview(CT_SMALL), meta) == expected
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert scan(mapped, meta) == expected


def test_a_data_set_larger_than_one_window_is_read_whole() -> None:
    lines = b"".join(explicit(0x00090000 + at, b"LT", b"%05d" % at + b"x" * (at % 300)) for at in range(0x1000, 0x2000))
    found = scan(lines + explicit(0x00100020, b"LO", b"P1"), LITTLE).elements
    assert len(found) == 0x1001
    assert all(text(found, f"0009{at:04X}") == f"{at:05d}" + "x" * (at % 300) for at in range(0x1000, 0x2000))


def test_values_are_read_back() -> None:
    file = CHARSET + explicit(0x00100010, b"PN", b"A^B=\xd6=") + explicit(0x00101000, b"LO", b"a\\\\b")
    found = scan(file + explicit(0x00201208, b"IS", b"12") + explicit(0x00280030, b"DS", b"x"), LITTLE).elements
    assert person_name(found, "00100010") == text(found, "00100010") == "A^B=Ö"
    assert texts(found, "00101000") == ["a", "", "b"]
    assert (number(found, "00201208"), number(found, "00280030"), number(found, "00280010")) == (12.0, None, None)
    assert (text(found, "00201208"), text(found, "00280010"), texts(found, "00280010")) == ("12", "", [])


def test_limits_are_the_callers() -> None:
    file = b"".join(explicit(0x00090000 + at, b"LO", b"x" * 60) for at in range(0x1000, 0x1100))
    assert len(scan(file, LITTLE, Limits(max_header_bytes=len(file))).elements) == 256
    with pytest.raises(CannotUnderstand, match="header is larger than"):
        scan(file, LITTLE, Limits(max_header_bytes=len(file) - 1))
    with pytest.raises(CannotUnderstand, match="more than 255 elements"):
        scan(file, LITTLE, Limits(max_elements=255))
