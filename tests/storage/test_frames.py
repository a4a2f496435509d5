"""Where frames are: compared with pydicom over real files, and by hand where files are broken."""

import struct
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from storage.frames import FrameTable, Kind, encapsulated_frames, native_frames
from storage.inflate import inflated
from storage.metadata import Element, scan
from storage.part10 import read_file_meta
from tests.storage.oracle import expected_frames, read, read_frame, shared_files, wheel_files
from vna.model.errors import CannotUnderstand, Damaged, NotFound

REFUSED = {"MR_truncated.dcm", "SC_rgb_jpeg.dcm"}
JPEG = (b"\xff\xd8\xff\xe0start", b"middle", b"end\xff\xd9")


def with_pixels() -> list[Path]:
    def has_pixels(path: Path) -> bool:
        try:
            return "PixelData" in read(path)
        except (ValueError, TypeError, AttributeError, KeyError, OSError):
            return False

    return [path for path in wheel_files() + shared_files() if path.name not in REFUSED and has_pixels(path)]


@pytest.mark.parametrize("path", with_pixels(), ids=lambda path: path.name)
def test_frames_are_those_pydicom_finds(path: Path) -> None:
    file = path.read_bytes()
    meta = read_file_meta(file)
    table = scan(file, meta).frames
    plain, ds = inflated(file, meta), read(path)
    found = [read_frame(table, plain, n) for n in range(1, table.count + 1)]
    if ds["PixelData"].is_undefined_length:
        video = meta.transfer_syntax_uid.startswith("1.2.840.10008.1.2.4.10")  # one stream, however many frames
        assert found == list(expected_frames(ds, 1 if video else number_of_frames(ds)))
    elif ds.get("BitsAllocated") == 1:
        bits = np.concatenate(
            [pixels(found[n - 1], table.bit_offset(n), table.frame_bits) for n in range(1, len(found) + 1)]
        )
        assert np.array_equal(bits, ds.pixel_array.ravel())
    else:
        assert found == native_slices(ds)
    assert FrameTable.from_bytes(table.to_bytes()) == table


def number_of_frames(ds: Dataset) -> int:
    try:
        return int(ds.get("NumberOfFrames", 1) or 1)
    except ValueError:  # badVR.dcm has "1A"
        return 1


def native_slices(ds: Dataset) -> list[bytes]:
    if "Rows" not in ds:
        return [ds.PixelData]
    number = number_of_frames(ds)
    length = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated // 8
    if ds.PhotometricInterpretation == "YBR_FULL_422":
        length = length // 3 * 2
    return [ds.PixelData[at : at + length] for at in range(0, number * length, length)]


def pixels(covering: bytes, bit_offset: int, bits: int) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    return np.unpackbits(np.frombuffer(covering, np.uint8), bitorder="little")[bit_offset : bit_offset + bits]


def encapsulated(fragments: Sequence[bytes], table: Sequence[int] = (), offset: int = 7) -> bytes:
    """An encapsulated value some bytes into a file, with its Basic Offset Table."""
    items = [struct.pack(f"<{len(table)}I", *table), *fragments]
    body = b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item for item in items)
    return bytes(offset) + body + b"\xfe\xff\xdd\xe0" + bytes(4)


def starts(fragments: Sequence[bytes], which: Sequence[int]) -> list[int]:
    """Offsets of the items of some fragments, as offset tables count them."""
    at = list(accumulate((len(fragment) + 8 for fragment in fragments), initial=0))
    return [at[index] for index in which]


def frames(buf: bytes, number: int, *extended: Sequence[int]) -> list[bytes]:
    table = encapsulated_frames(buf, 7, number, *extended)
    assert FrameTable.from_bytes(table.to_bytes()) == table
    return [read_frame(table, buf, n) for n in range(1, table.count + 1)]


def test_a_basic_offset_table_groups_fragments() -> None:
    pieces = [b"a1", b"a2", b"b1", b"c1", b"c2"]
    buf = encapsulated(pieces, starts(pieces, [0, 2, 3]))
    assert frames(buf, 3) == [b"a1a2", b"b1", b"c1c2"]
    assert encapsulated_frames(buf, 7, 3).ranges(2) == ((buf.index(b"b1"), 2),)


def test_an_extended_offset_table_says_lengths_without_padding() -> None:
    pieces = [b"first ", b"second ", b"third "]
    assert frames(encapsulated(pieces), 3, starts(pieces, [0, 1, 2]), [5, 6, 5]) == [b"first", b"second", b"third"]


@pytest.mark.parametrize("extended", [([0, 1, 2], [5, 6, 5]), ([0, 14], [6, 7]), ([0, 14, 29], [6, 7, 700])])
def test_an_extended_offset_table_that_does_not_fit_is_not_used(extended: tuple[list[int], list[int]]) -> None:
    pieces = [b"first ", b"second ", b"third "]
    assert frames(encapsulated(pieces), 3, *extended) == pieces


@pytest.mark.parametrize(
    "table", [[0, 9, 20], [0, 0, 0], [10, 0, 20], [8, 10, 20], [0, 20, 10], [0, 2**32 - 1, 10], [0]]
)
def test_a_basic_offset_table_that_does_not_fit_is_not_used(table: list[int]) -> None:
    pieces = [b"a1", b"b1", b"c1"]
    assert frames(encapsulated(pieces, table), 3) == pieces


def test_one_fragment_is_one_frame_whatever_the_number_says() -> None:
    assert frames(encapsulated([b"all"]), 10) == [b"all"]


def test_all_fragments_are_the_one_frame_there_is() -> None:
    assert frames(encapsulated([b"a1", b"a2", b"a3"]), 1) == [b"a1a2a3"]
    assert frames(encapsulated([b"a1", b"a2", b"a3"]), 0) == [b"a1a2a3"]


def test_frames_without_a_table_end_where_an_image_ends() -> None:
    assert frames(encapsulated([*JPEG, *JPEG, *JPEG]), 3) == [b"".join(JPEG)] * 3


def test_an_end_marker_in_the_middle_of_an_image_is_no_end_where_starts_say_so() -> None:
    thumb = (b"\xff\xd8\xff\xe0start", b"thumbnail\xff\xd9", b"end\xff\xd9")
    assert frames(encapsulated([*thumb, *thumb]), 2) == [b"".join(thumb)] * 2


def test_jpeg_2000_code_streams_are_told_apart() -> None:
    pieces = (b"\xff\x4f\xff\x51head", b"body\xff\xd9\0\0")
    assert frames(encapsulated([*pieces, *pieces]), 2) == [b"".join(pieces)] * 2


def test_fragments_that_nothing_groups_make_no_frames() -> None:
    assert encapsulated_frames(encapsulated([b"a", b"b", b"c", b"d"]), 7, 3) == FrameTable()
    assert encapsulated_frames(encapsulated([b"a", b"b"]), 7, 3) == FrameTable()


def test_an_empty_encapsulated_value_has_no_frames() -> None:
    assert encapsulated_frames(encapsulated([]), 7, 1).count == 0


@pytest.mark.parametrize("cut", range(1, 40))
def test_an_encapsulated_value_that_ends_early_is_refused(cut: int) -> None:
    buf = encapsulated([b"a1a1a1a1", b"b1b1b1b1"])
    with pytest.raises(CannotUnderstand, match="truncated"):
        encapsulated_frames(buf[: -cut - 4 if cut < 4 else -cut], 7, 2)


def test_an_item_without_length_is_refused() -> None:
    buf = encapsulated([b"a1"]).replace(b"\x02\x00\x00\x00a1", b"\xff\xff\xff\xffa1")
    with pytest.raises(CannotUnderstand, match="broken at offset 15"):
        encapsulated_frames(buf, 7, 1)


def image(
    rows: int, columns: int, bits: int, samples: int = 1, number: int = 1, photometric: str = ""
) -> dict[str, Element]:
    values = {"00280002": samples, "00280004": photometric, "00280008": number, "00280010": rows}
    return {
        tag: {"vr": "US", "Value": [value]} for tag, value in (values | {"00280011": columns, "00280100": bits}).items()
    }


def test_native_frames_follow_each_other() -> None:
    table = native_frames(image(4, 5, 16, number=3), 100, 120)
    assert (table.kind, table.count) == (Kind.NATIVE, 3)
    assert [table.ranges(n) for n in (1, 2, 3)] == [((100, 40),), ((140, 40),), ((180, 40),)]


@pytest.mark.parametrize("n", [-1, 0, 4])
def test_a_frame_that_is_not_there_is_not_found(n: int) -> None:
    with pytest.raises(NotFound, match="no frame"):
        native_frames(image(4, 5, 16, number=3), 100, 120).ranges(n)


def test_frames_of_single_bits_are_covered_by_their_bytes() -> None:
    table = native_frames(image(3, 5, 1, number=4), 0, 8)
    assert [table.ranges(n) for n in (1, 2, 3, 4)] == [((0, 2),), ((1, 3),), ((3, 3),), ((5, 3),)]
    assert [table.bit_offset(n) for n in (1, 2, 3, 4)] == [0, 7, 6, 5]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.randoms(use_true_random=False))
def test_frames_of_single_bits_keep_every_bit(rows: int, columns: int, number: int, random: object) -> None:
    size, total = rows * columns, rows * columns * number
    bits = [random.randint(0, 1) for _ in range(total)]  # type: ignore[attr-defined]
    whole = sum(bit << at for at, bit in enumerate(bits)).to_bytes((total + 7) // 8, "little")
    table = native_frames(image(rows, columns, 1, number=number), 0, len(whole))
    for n in range(1, number + 1):
        ((offset, length),) = table.ranges(n)
        frame = int.from_bytes(whole[offset : offset + length], "little") >> table.bit_offset(n)
        assert [frame >> at & 1 for at in range(size)] == bits[(n - 1) * size : n * size]


def test_only_frames_that_are_wholly_there_count() -> None:
    assert native_frames(image(4, 5, 16, number=3), 0, 119).count == 2
    assert native_frames(image(4, 5, 16), 0, 0) == FrameTable()
    for number, length, frame in ((3, 119, 3), (3, 81, 3), (1, 39, 1), (1, 1, 1)):
        table = native_frames(image(4, 5, 16, number=number), 0, length)
        assert FrameTable.from_bytes(table.to_bytes()) == table
        with pytest.raises(Damaged, match=f"frame {frame} is cut"):
            table.ranges(frame)
    with pytest.raises(NotFound):
        native_frames(image(4, 5, 16, number=3), 0, 80).ranges(3)


def test_subsampled_chrominance_makes_frames_shorter() -> None:
    assert native_frames(image(4, 4, 8, 3, 2, "YBR_FULL_422"), 0, 64).ranges(2) == ((32, 32),)
    assert native_frames(image(4, 4, 8, 3, 2, "RGB"), 0, 96).ranges(2) == ((48, 48),)


def test_float_pixels_have_the_bits_of_their_tag() -> None:
    assert native_frames(image(2, 2, 16), 0, 16, 0x7FE00008).ranges(1) == ((0, 16),)
    assert native_frames(image(2, 2, 16), 0, 32, 0x7FE00009).ranges(1) == ((0, 32),)


def test_without_rows_and_columns_only_a_single_frame_is_known() -> None:
    assert native_frames({}, 10, 20).ranges(1) == ((10, 20),)
    assert native_frames({"00280008": {"vr": "IS", "Value": [2]}}, 10, 20) == FrameTable()


@pytest.mark.parametrize("value", [1e300, "many", -5, float("inf"), 0])
def test_absurd_numbers_are_no_frames(value: object) -> None:
    elements = image(4, 4, 8) | {"00280010": {"vr": "DS", "Value": [value]}}
    table = native_frames(elements, 0, 16)
    assert FrameTable.from_bytes(table.to_bytes()) == table
    assert table.count <= 1


@given(st.lists(st.lists(st.integers(0, 2**40), min_size=1, max_size=4), max_size=20), st.integers(0, 2**50))
def test_a_table_comes_out_of_its_packed_form(sizes: list[list[int]], offset: int) -> None:
    lengths = tuple(length for frame in sizes for length in frame)
    offsets = tuple(offset + at * 8 for at in accumulate(lengths, initial=0))[: len(lengths)]
    starts = tuple(accumulate((len(frame) for frame in sizes), initial=0))
    table = FrameTable(Kind.ENCAPSULATED, len(sizes), 0, 0, offsets, lengths, starts)
    assert FrameTable.from_bytes(table.to_bytes()) == table


def test_a_packed_table_is_small() -> None:
    lengths = (10_000,) * 100_000
    offsets = tuple(range(1000, 1000 + 10_008 * 100_000, 10_008))
    table = FrameTable(Kind.ENCAPSULATED, 100_000, 0, 0, offsets, lengths, tuple(range(100_001)))
    assert len(table.to_bytes()) < 10_000
    assert len(native_frames(image(512, 512, 16, number=1000), 2000, 2**29).to_bytes()) < 40


@pytest.mark.parametrize(
    "damage", [b"", b"\x01", b"\x09\x01", b"\x01\x02", b"\x01\x02" + bytes(8) + b"junk", b"\x01\x07abc"]
)
def test_a_damaged_packed_table_is_said_to_be_damaged(damage: bytes) -> None:
    with pytest.raises(CannotUnderstand, match="damaged"):
        FrameTable.from_bytes(damage)
