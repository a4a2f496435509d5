"""Input that is broken or means harm: one clear refusal, quickly, and never another error."""

import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.metadata import Limits, Scan, scan, to_json
from storage.part10 import FileMeta, read_file_meta
from tests.storage.encoding import (
    IMPLICIT,
    ITEM_END,
    LITTLE,
    SEQUENCE_END,
    UNDEFINED,
    explicit,
    implicit,
    item,
)
from tests.storage.oracle import WHEEL
from vna.model.comments import LONGEST
from vna.model.errors import CannotUnderstand

FIRST = explicit(0x00080060, b"CS", b"CT")
DEFLATED = FileMeta("", "", "1.2.840.10008.1.2.1.99", 0)
SAMPLES = [
    (WHEEL / "test_files" / name).read_bytes()
    for name in (
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "SC_rgb_rle_2frame.dcm",
        "UN_sequence.dcm",
        "image_dfl.dcm",
        "nested_priv_SQ.dcm",
        "reportsi.dcm",
        "rtplan.dcm",
        "waveform_ecg.dcm",
    )
] + [(WHEEL / "charset_files" / name).read_bytes() for name in ("chrH32.dcm", "chrSQEncoding.dcm")]


@contextmanager
def refused(match: str, within: float = 2.0) -> Iterator[None]:
    begin = time.perf_counter()
    with pytest.raises(CannotUnderstand, match=match) as caught:
        yield
    assert time.perf_counter() - begin < within
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= LONGEST, "it fits an Error Comment whole"


def read(file: bytes) -> Scan:
    return scan(file, read_file_meta(file))


def nested(depth: int, *, implicit_vr: bool, undefined: bool) -> bytes:
    inner = b""
    for _ in range(depth):
        if undefined:
            body = item(inner + ITEM_END, UNDEFINED) + SEQUENCE_END
            inner = (
                implicit(0x00081140, body, UNDEFINED) if implicit_vr else explicit(0x00081140, b"SQ", body, UNDEFINED)
            )
        else:
            inner = implicit(0x00081140, item(inner)) if implicit_vr else explicit(0x00081140, b"SQ", item(inner))
    return inner


@pytest.mark.parametrize("implicit_vr", [True, False])
@pytest.mark.parametrize("undefined", [True, False])
def test_deeply_nested_sequences_are_refused(implicit_vr: bool, undefined: bool) -> None:
    meta = IMPLICIT if implicit_vr else LITTLE
    with refused(r"nested deeper than 64: \(0008,1140\) at offset \d+"):
        scan(nested(1000, implicit_vr=implicit_vr, undefined=undefined), meta)
    assert len(to_json(scan(nested(64, implicit_vr=implicit_vr, undefined=undefined), meta).elements)) > 64
    with refused("nested deeper than 64"):
        scan(nested(65, implicit_vr=implicit_vr, undefined=undefined), meta)


def test_nesting_past_what_python_takes_is_refused_too() -> None:
    with refused("nested too deep"):
        scan(nested(5000, implicit_vr=False, undefined=True), LITTLE, Limits(max_depth=10_000))


def test_nested_sequences_of_unknown_vr_stay_bytes() -> None:
    inner = b""
    for _ in range(1000):
        inner = explicit(0x00081140, b"UN", item(inner)) if len(inner) < 60_000 else inner
    assert read_json(inner)


def read_json(data: bytes) -> bytes:
    return to_json(scan(data, LITTLE).elements)


@pytest.mark.parametrize("meta", [LITTLE, IMPLICIT])
@pytest.mark.parametrize("fill", [b"", item(b"") * 1000, item(b"", UNDEFINED)], ids=["nothing", "items", "item"])
def test_a_sequence_that_never_ends_is_refused(meta: FileMeta, fill: bytes) -> None:
    head = explicit(0x00081140, b"SQ", fill, UNDEFINED) if meta is LITTLE else implicit(0x00081140, fill, UNDEFINED)
    with refused("never ends: .*truncated"):
        scan(head, meta)


def test_encapsulated_data_that_never_ends_is_refused() -> None:
    with refused("does not end up to offset"):
        scan(explicit(0x7FE00010, b"OB", item(b"") + item(b"frame!"), UNDEFINED), LITTLE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (explicit(0x00100010, b"PN", b"A", 2), r"\(0010,0010\) at offset 0 runs past the end: truncated"),
        (explicit(0x00100010, b"PN", b"A^B ") + explicit(0x00420011, b"OB", b"", 2**31), r"\(0042,0011\) at offset 12"),
        (explicit(0x00100010, b"PN", b"A^B ") + b"\x10\x00\x20\x00LO\x05", "an element at offset 12 runs past"),
        (explicit(0x00420011, b"OB", b"")[:10], r"\(0042,0011\) at offset 0"),
        (explicit(0x00081140, b"SQ", item(b"", 8)), "an item of .00081140. at offset 12 runs past the end"),
        (explicit(0x00081140, b"SQ", item(explicit(0x00100010, b"PN", b"", 9))), r"\(0010,0010\) at offset 20"),
        (explicit(0x00081140, b"SQ", explicit(0x00100010, b"PN", b"")), "has no item at offset 12"),
        (explicit(0x00081140, b"SQ", item(b"")[:7]), "never ends: truncated"),
        (explicit(0x00100010, b"PN", b"") + ITEM_END, r"a delimiter \(FFFE,E00D\) at offset 8"),
        (FIRST + item(b""), r"a delimiter \(FFFE,E000\) at offset 10"),
        (implicit(0x00100020, b"", UNDEFINED), r"\(0010,0020\) at offset 0 has no length"),
    ],
)
def test_broken_structure_is_refused_in_words_that_say_where(data: bytes, reason: str) -> None:
    with refused(reason):
        scan(data, IMPLICIT if data.startswith(b"\x10\x00\x20\x00\xff") else LITTLE)


@pytest.mark.parametrize("zeros", [1, 7, 8, 9, 100_000])
def test_zeros_after_the_last_element_are_padding(zeros: int) -> None:
    found = scan(explicit(0x00100020, b"LO", b"P1") + bytes(zeros), LITTLE)
    assert list(found.elements) == ["00100020"]
    assert found.warnings == ("zero bytes after the last element, at offset 10",)


def test_a_header_past_the_limit_is_refused() -> None:
    line = explicit(0x00090000, b"LT", b"x" * 65_000)
    data = b"".join(line[:2] + struct.pack("<H", at) + line[4:] for at in range(1, 1100))
    with refused("header is larger than 67108864 bytes"):
        scan(data, LITTLE)


def test_bulk_values_are_no_header() -> None:
    found = scan(explicit(0x00420011, b"OB", bytes(70 << 20)) + explicit(0x00880140, b"UI", b"1.2\0"), LITTLE)
    assert found.bulk == {"00420011": (12, 70 << 20)}


@pytest.mark.parametrize(
    "data",
    [
        explicit(0x00081140, b"SQ", item(b"") * 300_000),
        explicit(0x00081140, b"SQ", item(item(b"")[4:] * 3) * 100_000),
        FIRST + b"".join(implicit(at << 16 | 0x1001, b"") for at in range(9, 60_000, 2)) * 20,
        explicit(0x7FE00010, b"OB", item(b"") * 300_000, UNDEFINED) + SEQUENCE_END,
    ],
    ids=["items", "elements in items", "elements", "fragments"],
)
def test_too_many_elements_are_refused(data: bytes) -> None:
    with refused("more than 20000 elements", within=5):
        scan(data, LITTLE, Limits(max_elements=20_000))


def test_zero_elements_are_not_looked_through_again_and_again() -> None:
    begin = time.perf_counter()
    scan((bytes(60_000) + implicit(0x00091001, b"x")) * 20, IMPLICIT)
    assert time.perf_counter() - begin < 2


def test_a_deflate_bomb_is_refused() -> None:
    packer = zlib.compressobj(9, wbits=-15)
    bomb = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(100)), packer.flush()])
    assert len(bomb) < 200_000
    with refused("larger than the archive takes once inflated", within=5):
        scan(bomb, DEFLATED, Limits(max_inflated_bytes=64 << 20))


def test_what_is_inflated_past_memory_is_read_from_a_file() -> None:
    packer = zlib.compressobj(1, wbits=-15)
    plain = explicit(0x00420011, b"OB", bytes(20 << 20)) + explicit(0x00880140, b"UI", b"1.2\0")
    found = scan(packer.compress(plain) + packer.flush(), DEFLATED)
    assert found.bulk == {"00420011": (12, 20 << 20)}
    assert found.elements["00880140"]["Value"] == ["1.2"]


@pytest.mark.parametrize("cut", [1, 2, 100, 1000])
def test_a_deflated_data_set_that_ends_early_is_refused(cut: int) -> None:
    packer = zlib.compressobj(wbits=-15)
    stream = packer.compress(b"".join(explicit(0x00090000 + at, b"IS", b"%06d" % at) for at in range(1, 2000)))
    stream += packer.flush()
    assert len(scan(stream + b"\0", DEFLATED).elements) == 1999
    with refused("does not end: the instance is truncated"):
        scan(stream[:-cut], DEFLATED)


def test_a_deflated_data_set_that_is_corrupt_is_refused() -> None:
    file = bytearray((WHEEL / "test_files" / "image_dfl.dcm").read_bytes())
    offset = read_file_meta(file).dataset_offset
    file[offset : offset + 8] = b"\xff" * 8
    with refused(f"the deflated data set at offset {offset} is corrupt"):
        read(bytes(file))


@pytest.mark.parametrize("sample", range(len(SAMPLES)))
def test_a_truncated_file_is_refused_or_ends_between_elements(sample: int) -> None:
    """A cut between two elements cannot be told from a file that ends there; any other is refused."""
    file = SAMPLES[sample]
    meta = read_file_meta(file)
    whole = scan(file, meta)
    step = max(1, len(file) // 400)
    for end in range(meta.dataset_offset + 1, len(file), step):
        try:
            found = scan(file[:end], meta)
        except CannotUnderstand:
            continue
        kept = list(found.elements)
        assert kept == list(whole.elements)[: len(kept)]
        assert all(found.elements[tag] == whole.elements[tag] for tag in kept)
        if len(kept) == len(whole.elements):  # the cut was behind the last element
            assert (found.bulk, found.frames) == (whole.bulk, whole.frames)


FUZZ = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(st.sampled_from(SAMPLES), st.data())
def test_flipped_bytes_are_refused_or_read(file: bytes, data: st.DataObject) -> None:
    header = min(len(file), 4000)
    damaged = bytearray(file)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(128, header - 1))] = data.draw(st.integers(0, 255))
    survives(bytes(damaged))


@FUZZ
@given(st.sampled_from(SAMPLES), st.data())
def test_a_piece_cut_out_or_doubled_is_refused_or_read(file: bytes, data: st.DataObject) -> None:
    begin = data.draw(st.integers(132, min(len(file), 6000)))
    length = data.draw(st.integers(1, 300))
    piece = data.draw(st.sampled_from([b"", file[begin : begin + length] * 2, bytes(length), b"\xff" * length]))
    survives(file[:begin] + piece + file[begin + length :])


@FUZZ
@given(st.binary(max_size=400), st.sampled_from(["", ".1", ".2", ".1.99", ".5", ".4.90"]))
def test_any_bytes_at_all_are_refused_or_read(data: bytes, syntax: str) -> None:
    try:
        found = scan(data, FileMeta("", "", "1.2.840.10008.1.2" + syntax, 0))
    except CannotUnderstand:
        return
    to_json(found.elements)


def survives(file: bytes) -> None:
    begin = time.perf_counter()
    with suppress(CannotUnderstand):
        found = read(file)
        to_json(found.elements)
        found.frames.to_bytes()
        for n in range(1, min(found.frames.count, 5) + 1):
            assert all(offset >= 0 and length >= 0 for offset, length in found.frames.ranges(n))
        for offset, length in found.bulk.values():
            assert offset >= 0
            assert length >= 0
    assert time.perf_counter() - begin < 2
