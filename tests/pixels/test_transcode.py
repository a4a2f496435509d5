"""Transcoding: samples in every syntax against pydicom's own decoding, and made objects for the odd cases."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.sequence import Sequence

from tests.peers import samples
from tests.peers.dcmtk import Dcmtk
from vna.model.errors import CannotUnderstand, NotAcceptable
from vna.model.transfer_syntaxes import (
    DEFLATED_LE,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    HTJ2K_LOSSLESS,
    IMPLICIT_LE,
    RLE,
    TRANSFER_SYNTAXES,
)
from vna.pixels.transcode import transcode

from .objects import compressed, encoded, image, part10, ramp, read_as, rle, transcoded, transcoded_bytes, values

PIXELS = {0x7FE00010, 0x00280004, 0x00280006}
OFFSETS = {0x7FE00001, 0x7FE00002, 0x7FE00003}
NATIVE = (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE)

UNREADABLE = {  # why a sample cannot be transcoded
    "JPEG2000-embedded-sequence-delimiter.dcm": "its code stream was made for a parser test and decodes nowhere",
    "made__made_video_h264.dcm": "video is not decoded",
}
NOT_DECODED_BY_PYDICOM = {"JPEG-lossy.dcm", "JPGExtended.dcm"}  # 12 bits: compared with dcmtk below
DAMAGED = {"MR_truncated.dcm", "rtplan_truncated.dcm"}


def _readable(path: Path) -> Dataset | None:
    try:
        ds = pydicom.dcmread(path, stop_before_pixels=True)
    except Exception:  # noqa: BLE001 - whatever a sample is not
        return None
    uid = ds.file_meta.get("TransferSyntaxUID") if hasattr(ds, "file_meta") else None
    return ds if uid in TRANSFER_SYNTAXES and "SOPInstanceUID" in ds else None


def _of(encapsulated: bool) -> list[Path]:
    found = ((path, _readable(path)) for path in samples.all_files())
    return [
        path
        for path, ds in found
        if ds is not None and TRANSFER_SYNTAXES[ds.file_meta.TransferSyntaxUID].encapsulated is encapsulated
    ]


@pytest.mark.parametrize("path", _of(encapsulated=True), ids=samples.name)
def test_compressed_samples_come_out_as_pydicom_decodes_them(path: Path) -> None:
    if path.name in UNREADABLE:
        with pytest.raises((NotAcceptable, CannotUnderstand)):
            transcoded(path.read_bytes(), EXPLICIT_LE)
        return
    source = pydicom.dcmread(path)
    kept = {tag: value for tag, value in values(source).items() if tag not in PIXELS | OFFSETS}
    for target in (EXPLICIT_LE, IMPLICIT_LE):
        made = transcoded(path.read_bytes(), target)
        assert {tag: value for tag, value in values(made).items() if tag not in PIXELS} == kept
        assert made.get("PlanarConfiguration", 0) == 0
        if path.name not in NOT_DECODED_BY_PYDICOM:
            raw = "YBR" in made.PhotometricInterpretation
            assert np.array_equal(pixel_array(source, raw=raw), pixel_array(made, raw=raw))


@pytest.mark.parametrize("path", _of(encapsulated=False), ids=samples.name)
def test_native_samples_keep_every_element_and_pixel(path: Path) -> None:
    source = pydicom.dcmread(path)
    syntax = source.file_meta.TransferSyntaxUID
    kept = values(source)
    has_pixels = "PixelData" in source and "BitsAllocated" in source and path.name != "badVR.dcm"
    for target in NATIVE:
        if path.name in DAMAGED:
            with pytest.raises(CannotUnderstand):
                transcoded(path.read_bytes(), EXPLICIT_BE)
            return
        made = transcoded(path.read_bytes(), target)
        if EXPLICIT_BE not in (target, syntax):
            assert values(made) == kept
        elif source.get("BitsAllocated") == 32:
            continue  # pydicom reads 32-bit words where PS3.5 Table 6.2-1 and dcmtk have words of 16 bits, see below
        if has_pixels:
            assert np.array_equal(made.pixel_array, source.pixel_array)


@pytest.mark.parametrize("path", _of(encapsulated=False), ids=samples.name)
def test_native_samples_are_unchanged_after_big_endian_and_back(path: Path) -> None:
    source = pydicom.dcmread(path)
    if path.name in DAMAGED or source.file_meta.TransferSyntaxUID == EXPLICIT_BE:
        return
    there = transcoded_bytes(path.read_bytes(), EXPLICIT_BE)
    back = transcoded_bytes(part10(there, EXPLICIT_BE), EXPLICIT_LE)
    assert values(read_as(back, EXPLICIT_LE)) == values(source)


@pytest.mark.parametrize("name", sorted(NOT_DECODED_BY_PYDICOM))
def test_jpeg_of_twelve_bits_comes_out_as_dcmtk_decodes_it(name: str, dcmtk: Dcmtk, tmp_path: Path) -> None:
    (path,) = (path for path in samples.pydicom_files() if path.name == name)
    ran = dcmtk("dcmdjpeg", path, tmp_path / "native.dcm")
    assert ran.returncode == 0, ran.stdout
    made = transcoded(path.read_bytes(), EXPLICIT_LE)
    assert np.array_equal(made.pixel_array, pydicom.dcmread(tmp_path / "native.dcm").pixel_array)


def test_dcmtk_swaps_words_as_we_do(dcmtk: Dcmtk, tmp_path: Path) -> None:
    pixels = ramp(2, 6, 5, "<u4")
    (tmp_path / "little.dcm").write_bytes(encoded(image(pixels), EXPLICIT_LE))
    ran = dcmtk("dcmconv", "+tb", tmp_path / "little.dcm", tmp_path / "big.dcm")
    assert ran.returncode == 0, ran.stdout
    ours = transcoded((tmp_path / "little.dcm").read_bytes(), EXPLICIT_BE)
    assert ours.PixelData == pydicom.dcmread(tmp_path / "big.dcm").PixelData


def test_high_throughput_jpeg_2000_is_decoded() -> None:
    pixels = (np.mgrid[0:48, 0:40][1] * 37 + np.mgrid[0:48, 0:40][0] * 53).astype("<u2")[None]
    frame = (Path(__file__).parent / "ramp_48x40_u16.jhc").read_bytes()
    made = transcoded(compressed(image(pixels), HTJ2K_LOSSLESS, [frame]), EXPLICIT_LE)
    assert np.array_equal(made.pixel_array, pixels[0])


def test_colour_kept_as_ybr_by_a_lossy_jpeg_becomes_rgb() -> None:
    (path,) = (path for path in samples.pydicom_files() if path.name == "SC_rgb_dcmtk_+eb+cy+np.dcm")
    made = transcoded(path.read_bytes(), IMPLICIT_LE)
    assert made.PhotometricInterpretation == "RGB"
    assert made.pixel_array[5, 50].tolist()[0] > 200  # the red bar


def test_colour_kept_as_ybr_without_loss_keeps_its_samples() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (1, 8, 8, 3), "u1")
    made = transcoded(compressed(image(pixels, "YBR_FULL"), RLE, [rle(pixels[0])]), EXPLICIT_LE)
    assert made.PhotometricInterpretation == "YBR_FULL"
    assert made.PixelData == pixels.tobytes()


@pytest.mark.parametrize(("fragments", "has_bot"), [(1, True), (1, False), (3, True)])
def test_frames_are_told_apart_by_number_or_offset_table(fragments: int, has_bot: bool) -> None:
    pixels = ramp(4, 16, 16)
    frames = [rle(frame) for frame in pixels]
    source = compressed(image(pixels), RLE, frames, fragments_per_frame=fragments, has_bot=has_bot)
    assert np.array_equal(transcoded(source, EXPLICIT_LE).pixel_array, pixels)


def test_frames_without_offset_table_are_told_apart_by_how_they_begin() -> None:
    (path,) = (path for path in samples.pydicom_files() if path.name == "MR_small_jp2klossless.dcm")
    ds = pydicom.dcmread(path)
    (frame,) = pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1)
    expected, ds.NumberOfFrames = ds.pixel_array, 2
    made = transcoded(
        compressed(ds, ds.file_meta.TransferSyntaxUID, [frame, frame], fragments_per_frame=3, has_bot=False),
        EXPLICIT_LE,
    )
    assert np.array_equal(made.pixel_array, np.stack([expected, expected]))


def test_fragments_that_make_no_frames_are_refused() -> None:
    pixels = ramp(4, 16, 16)
    source = compressed(image(pixels), RLE, [rle(frame) for frame in pixels[:3]])
    with pytest.raises(CannotUnderstand, match="3 fragments"):
        transcode(io.BytesIO(source), EXPLICIT_LE)


def test_frames_that_were_never_compressed_are_joined() -> None:
    pixels = ramp(3, 5, 5, "u1")
    source = compressed(image(pixels), ENCAPSULATED_UNCOMPRESSED, [frame.tobytes() + b"\0" for frame in pixels])
    assert np.array_equal(transcoded(source, EXPLICIT_LE).pixel_array, pixels)


def test_bits_outside_bits_stored_survive_decoding() -> None:
    """Overlays once lived there (PS3.5 8.1.2)."""
    pixels = ramp(1, 8, 8) | 0xF000
    source = compressed(image(pixels, BitsStored=12, HighBit=11), RLE, [rle(pixels[0])])
    assert transcoded(source, EXPLICIT_LE).PixelData == pixels.tobytes()


def test_an_icon_inside_a_compressed_image_is_decompressed_too() -> None:
    pixels, icon = ramp(1, 16, 16), ramp(1, 4, 4, "u1")
    small = image(icon)
    del small.NumberOfFrames, small.SOPClassUID, small.SOPInstanceUID, small.PatientName
    small.PixelData = pydicom.encaps.encapsulate([rle(icon[0])])
    small["PixelData"].is_undefined_length = True
    source = compressed(image(pixels, IconImageSequence=Sequence([small])), RLE, [rle(pixels[0])])
    made = transcoded(source, EXPLICIT_LE)
    assert made.IconImageSequence[0].PixelData == icon.tobytes()
    assert np.array_equal(made.pixel_array, pixels[0])


def test_offset_tables_of_encapsulated_pixel_data_do_not_outlive_it() -> None:
    pixels = ramp(1, 16, 16)
    extended: dict[str, Any] = {"ExtendedOffsetTable": bytes(8), "ExtendedOffsetTableLengths": struct.pack("<Q", 100)}
    source = compressed(image(pixels, **extended), RLE, [rle(pixels[0])], has_bot=False)
    made = transcoded(source, EXPLICIT_LE)
    assert "ExtendedOffsetTable" not in made
    assert "ExtendedOffsetTableLengths" not in made


def test_representations_that_depend_on_the_sign_of_pixels_are_found_even_before_it_is_told() -> None:
    item = Dataset()
    item.add_new(0x00280106, "SS", -5)
    ds = image(ramp(1, 4, 4, "<i2"))
    ds.ReferencedImageSequence = Sequence([item])  # group 0008, before Pixel Representation
    ds.add_new(0x00280120, "SS", -2000)
    made = transcoded(encoded(ds, IMPLICIT_LE), EXPLICIT_LE)
    assert (made[0x00280120].VR, made[0x00280120].value) == ("SS", -2000)
    inner = made.ReferencedImageSequence[0][0x00280106]
    assert (inner.VR, inner.value) == ("SS", -5)


def test_a_value_too_long_for_its_representation_becomes_unknown() -> None:
    ds = image(ramp(1, 4, 4))
    ds.add_new(0x00104000, "LT", "x" * 70_000)
    made = transcoded(encoded(ds, IMPLICIT_LE), EXPLICIT_LE)
    assert made.get_item(0x00104000).value == b"x" * 70_000


def test_private_elements_that_are_known_get_their_representation() -> None:
    ds = Dataset()
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    made = transcoded(encoded(ds, IMPLICIT_LE), EXPLICIT_LE)
    assert made[0x0019100C].VR == "IS"


def test_a_sequence_inside_an_unknown_element_is_read_as_implicit() -> None:
    """PS3.5 6.2.2, note on UN of undefined length."""
    inner = struct.pack("<HHL", 0x0008, 0x0100, 4) + b"CODE"
    items = struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    dataset = struct.pack("<HH2sHL", 0x0040, 0xA043, b"UN", 0, 0xFFFFFFFF) + items
    made = transcoded(part10(dataset, EXPLICIT_LE), IMPLICIT_LE)
    assert made.ConceptNameCodeSequence[0].CodeValue == "CODE"


def test_a_data_set_mislabelled_as_explicit_is_read_as_it_is() -> None:
    plain = transcoded_bytes(encoded(image(ramp(1, 4, 4)), EXPLICIT_LE), IMPLICIT_LE)
    made = transcoded_bytes(part10(plain, DEFLATED_LE.removesuffix(".99")), EXPLICIT_BE)
    assert read_as(made, EXPLICIT_BE).Rows == 4


def test_memory_does_not_grow_with_the_number_of_frames() -> None:
    pixels = ramp(1, 512, 512)
    source = compressed(image(pixels, NumberOfFrames=60), RLE, [rle(pixels[0])] * 60)
    stream = io.BytesIO(source)
    transcode(io.BytesIO(encoded(image(ramp(1, 4, 4)), EXPLICIT_LE)), IMPLICIT_LE).close()  # imports
    tracemalloc.start()
    try:
        with transcode(stream, EXPLICIT_LE) as made:
            assert made.seek(0, 2) > 60 * 512 * 512 * 2
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20  # the 4 MiB kept in memory and some frames, of 31 MB


def test_a_long_native_value_passes_in_pieces() -> None:
    source = io.BytesIO(encoded(image(ramp(1, 4096, 4096)), EXPLICIT_LE))
    tracemalloc.start()
    try:
        transcode(source, IMPLICIT_LE).close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20


def test_what_was_compressed_is_refused_in_another_compression() -> None:
    with pytest.raises(NotAcceptable):
        transcode(io.BytesIO(compressed(image(ramp(1, 4, 4)), RLE, [b"\0" * 64])), "1.2.840.10008.1.2.4.50")


@pytest.mark.parametrize("cut", [1, 9, 200, 700])
def test_truncated_data_sets_are_refused(cut: int) -> None:
    source = encoded(image(ramp(1, 16, 16)), EXPLICIT_LE)
    with pytest.raises(CannotUnderstand):
        transcode(io.BytesIO(source[:-cut]), IMPLICIT_LE)


def test_a_length_that_lies_costs_no_memory() -> None:
    dataset = struct.pack("<HH2sHL", 0x0042, 0x0011, b"OB", 0, 0xFFFFFFFE) + b"x" * 100
    tracemalloc.start()
    try:
        with pytest.raises(CannotUnderstand):
            transcode(io.BytesIO(part10(dataset, EXPLICIT_LE)), IMPLICIT_LE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_sequences_nested_beyond_the_bound_are_refused() -> None:
    level = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    with pytest.raises(CannotUnderstand, match="nested"):
        transcode(io.BytesIO(part10(level * 1000, EXPLICIT_LE)), IMPLICIT_LE)


def test_a_damaged_frame_is_refused() -> None:
    pixels = ramp(1, 16, 16)
    with pytest.raises(CannotUnderstand):
        transcode(io.BytesIO(compressed(image(pixels), RLE, [b"\x01" * 64])), EXPLICIT_LE)


def test_bytes_that_are_no_dicom_file_are_refused() -> None:
    with pytest.raises(CannotUnderstand):
        transcode(io.BytesIO(b"hello"), EXPLICIT_LE)
