"""Transcoding to compressed syntaxes: samples there and back, dcmtk as the other reader, and refusals with reasons."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import parse_basic_offsets
from pydicom.pixels.utils import pixel_array
from pydicom.sequence import Sequence

from tests.peers import samples
from tests.peers.dcmtk import Dcmtk
from vna.model import transfer_syntaxes as ts
from vna.model.errors import CannotUnderstand, NotAcceptable
from vna.pixels.compress import CompressedFrames
from vna.pixels.held import HOLDS
from vna.pixels.image import Image
from vna.pixels.transcode import transcode

from .objects import compressed, encoded, image, part10, ramp, read_as, rle, transcoded, transcoded_bytes

Pixels = np.ndarray[Any, Any]

LOSSLESS = tuple(uid for uid in HOLDS if not ts.TRANSFER_SYNTAXES[uid].lossy)
LOSSY = tuple(uid for uid in HOLDS if ts.TRANSFER_SYNTAXES[uid].lossy)
MOST_BYTES = 3_000_000
LEAST_PSNR = 35.0
LUMINANCE = np.asarray([0.299, 0.587, 0.114])

NOT_READ = {  # samples that do not come out as native either, see test_transcode.py
    "JPEG2000-embedded-sequence-delimiter.dcm",
    "made__made_video_h264.dcm",
    "MR_truncated.dcm",
    "rtplan_truncated.dcm",
    "badVR.dcm",
}


def _with_pixels() -> list[Path]:
    found = []
    for path in samples.all_files():
        try:
            ds = pydicom.dcmread(path, stop_before_pixels=True)
        except Exception:  # noqa: BLE001 - whatever a sample is not
            continue
        uid = ds.file_meta.get("TransferSyntaxUID") if hasattr(ds, "file_meta") else None
        whole = "Rows" in ds and "BitsAllocated" in ds and "SOPInstanceUID" in ds
        if uid in ts.TRANSFER_SYNTAXES and whole and path.name not in NOT_READ and path.stat().st_size < MOST_BYTES:
            found.append(path)
    return found


def _all_turns() -> list[Any]:
    """Each sample with a lossless target, every other one with a lossy one too, in turns."""
    turns = []
    for number, path in enumerate(_with_pixels()):
        targets = (LOSSLESS[number % len(LOSSLESS)], *([] if number % 2 else [LOSSY[number // 2 % 4]]))
        turns += [pytest.param(path, uid, id=f"{samples.name(path)}-{uid}") for uid in targets]
    return turns


@pytest.mark.parametrize(("path", "target"), _all_turns())
def test_samples_come_back_from_every_compression(path: Path, target: str) -> None:
    """Compared with our own decoding of the stored one, which test_transcode.py compares with pydicom's."""
    native = transcoded(path.read_bytes(), ts.EXPLICIT_LE)
    if "PixelData" not in native or native.BitsAllocated == 1:
        with pytest.raises(NotAcceptable):
            transcoded_bytes(path.read_bytes(), target)
        return
    expected = pixel_array(native, raw=True)
    if native.PhotometricInterpretation == "YBR_FULL_422":
        native.PhotometricInterpretation = "YBR_FULL"  # pydicom has given each pixel its chrominance
    if reason := _refused(native, target):
        with pytest.raises(NotAcceptable, match=reason):
            transcoded_bytes(path.read_bytes(), target)
        return
    made = transcoded_bytes(path.read_bytes(), target)
    back = transcoded(part10(made, target), ts.EXPLICIT_LE)
    found = pixel_array(back, raw=True)
    if target in LOSSLESS:
        assert np.array_equal(found, expected)
        assert np.array_equal(pixel_array(read_as(made, target), raw=True), expected)
    elif target == ts.JPEG_LS_NEAR:
        assert np.abs(found.astype("f8") - expected).max() <= 2
    else:
        assert psnr(luminance(found, back), luminance(expected, native), native.BitsStored) > LEAST_PSNR
    assert back.SOPInstanceUID == native.SOPInstanceUID
    kept_as_is = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID == target
    assert "LossyImageCompressionRatio" in back or target in LOSSLESS or kept_as_is


def _refused(ds: Dataset, target: str) -> str:
    """The reasons, by hand from PS3.5 8.2: what a target does not take of the samples."""
    grey, bits, allocated = ds.SamplesPerPixel == 1, ds.BitsStored, ds.BitsAllocated
    palette = ds.PhotometricInterpretation == "PALETTE COLOR"
    if target == ts.JPEG_BASELINE and allocated > 8:
        return "bits allocated"
    if target != ts.RLE and allocated > 16:
        return "32 bits"
    if target == ts.JPEG_EXTENDED and (bits > 12 or (not grey and bits > 8)):
        return "the most is"
    if target in (ts.JPEG_BASELINE, ts.JPEG_EXTENDED) and ds.PixelRepresentation:
        return "signed"
    return "palette" if target in LOSSY and palette else ""


def luminance(pixels: Pixels, ds: Dataset) -> Pixels:
    """Lossy JPEG halves the chrominance: what is left of it says nothing."""
    if ds.SamplesPerPixel == 1:
        return pixels.astype("f8")
    return pixels[..., 0].astype("f8") if ds.PhotometricInterpretation == "YBR_FULL" else pixels @ LUMINANCE


def psnr(found: Pixels, expected: Pixels, bits: int) -> float:
    """Decibels of the whole range."""
    error = float(np.mean((found - expected) ** 2))
    return 99.0 if error == 0 else 20 * np.log10((1 << bits) - 1) - 10 * np.log10(error)


SMOOTH = np.cumsum(np.cumsum(np.random.default_rng(1).normal(0, 1, (2, 64, 80)), 1), 2)
DCMTK = {
    ts.RLE: "dcmdrle",
    ts.JPEG_LOSSLESS_SV1: "dcmdjpeg",
    ts.JPEG_BASELINE: "dcmdjpeg",
    ts.JPEG_EXTENDED: "dcmdjpeg",
    ts.JPEG_LS: "dcmdjpls",
    ts.JPEG_LS_NEAR: "dcmdjpls",
}


@pytest.mark.parametrize("target", DCMTK)
@pytest.mark.parametrize("kind", ["12 bits", "signed", "colour"])
def test_dcmtk_decodes_what_is_made(kind: str, target: str, dcmtk: Dcmtk, tmp_path: Path) -> None:
    if kind == "12 bits":
        pixels = np.abs(SMOOTH).clip(0, 4095).astype("<u2")
        ds = image(pixels, BitsStored=12, HighBit=11)
    elif kind == "signed":
        pixels = SMOOTH.astype("<i2")
        ds = image(pixels)
    else:
        pixels = np.stack([np.abs(SMOOTH).clip(0, 255)] * 3, -1).astype("u1")
        ds = image(pixels, "RGB")
    if _refused(ds, target):
        return
    made = transcoded_bytes(encoded(ds, ts.EXPLICIT_LE), target)
    (tmp_path / "made.dcm").write_bytes(part10(made, target))
    ran = dcmtk(DCMTK[target], tmp_path / "made.dcm", tmp_path / "native.dcm")
    assert ran.returncode == 0, ran.stdout
    difference = np.abs(pydicom.dcmread(tmp_path / "native.dcm").pixel_array.astype(int) - pixels).max()
    assert difference <= (0 if target in LOSSLESS else 2 if target == ts.JPEG_LS_NEAR else 20)


@pytest.mark.parametrize(
    ("ds", "target", "reason"),
    [
        (image(ramp(1, 8, 8, "<i2")), ts.JPEG_BASELINE, "JPEG Baseline .* cannot hold pixels of 16 bits allocated"),
        (image(ramp(1, 8, 8, "i1")), ts.JPEG_BASELINE, "signed pixels"),
        (image(ramp(1, 8, 8, "<i2"), BitsStored=12, HighBit=11), ts.JPEG_EXTENDED, "signed pixels"),
        (image(ramp(1, 8, 8)), ts.JPEG_EXTENDED, "16 bits, the most is 12"),
        (image(ramp(1, 8, 8, "u1"), "PALETTE COLOR"), ts.JPEG_2000, "palette"),
        (image(ramp(1, 8, 8, "<u4")), ts.JPEG_LS, "32 bits allocated"),
        (image(np.zeros((1, 8, 8, 4), "u1"), "ARGB"), ts.RLE, "4 samples that are ARGB"),
        (image(np.full((1, 8, 8), -32768, "<i2")), ts.JPEG_LS_NEAR, "end of their range"),
        (image(ramp(1, 8, 8)), ts.HTJ2K, "cannot be given in the transfer syntax"),
    ],
)
def test_what_a_compression_cannot_hold_is_refused_in_a_sentence(ds: Dataset, target: str, reason: str) -> None:
    with pytest.raises(NotAcceptable, match=reason):
        transcode(io.BytesIO(encoded(ds, ts.EXPLICIT_LE)), target)


def test_an_object_without_pixels_is_not_compressed() -> None:
    ds = image(ramp(1, 4, 4))
    del ds.PixelData
    with pytest.raises(NotAcceptable, match="without pixels"):
        transcode(io.BytesIO(encoded(ds, ts.EXPLICIT_LE)), ts.RLE)


@pytest.mark.parametrize(
    ("target", "photometric"),
    [
        (ts.JPEG_2000_LOSSLESS, "YBR_RCT"),
        (ts.JPEG_2000, "YBR_ICT"),
        (ts.HTJ2K_LOSSLESS, "YBR_RCT"),
        (ts.HTJ2K_LOSSLESS_RPCL, "YBR_RCT"),
        (ts.JPEG_BASELINE, "YBR_FULL_422"),
        (ts.JPEG_LS, "RGB"),
        (ts.RLE, "RGB"),
    ],
)
@pytest.mark.claim("PS3.5-8.2")
def test_colour_is_named_as_the_compression_keeps_it(target: str, photometric: str) -> None:
    planes = np.ascontiguousarray(np.moveaxis(np.repeat(ramp(1, 64, 64, "u1")[..., None], 3, 3), 3, 1))
    ds = image(np.repeat(ramp(1, 64, 64, "u1")[..., None], 3, 3), "RGB", PlanarConfiguration=1)
    ds.PixelData = planes.tobytes()
    made = transcoded(encoded(ds, ts.EXPLICIT_LE), target)
    assert (made.PhotometricInterpretation, made.PlanarConfiguration) == (photometric, 0)
    if target in LOSSLESS:
        assert np.array_equal(made.pixel_array, np.moveaxis(planes[0], 0, 2))


@pytest.mark.parametrize("size", [(1, 1), (70, 90), (512, 400), (2100, 2300)])
@pytest.mark.claim("PS3.5-8.2")
def test_htj2k_by_resolution_is_in_the_order_and_with_the_markers_of_its_syntax(size: tuple[int, int]) -> None:
    pixels = ramp(1, *size)
    made = transcoded_bytes(encoded(image(pixels), ts.EXPLICIT_LE), ts.HTJ2K_LOSSLESS_RPCL)
    assert np.array_equal(transcoded(part10(made, ts.HTJ2K_LOSSLESS_RPCL), ts.EXPLICIT_LE).pixel_array, pixels[0])
    stream = made[made.index(b"\xff\x4f\xff\x51") :]
    style = stream[stream.index(b"\xff\x52") + 4 :]  # COD of ISO 15444-1 A.6.1: style, order, layers, transform, levels
    assert style[1] == 2  # RPCL
    assert min(size) / 2 ** style[5] <= 64
    assert stream.index(b"\xff\x55") < stream.index(b"\xff\x93")  # TLM, in the main header


def test_a_loss_is_told_behind_those_before_it() -> None:
    history: dict[str, Any] = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": "10",
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    made = transcoded(encoded(image(ramp(1, 64, 64), **history), ts.IMPLICIT_LE), ts.JPEG_LS_NEAR)
    assert made.LossyImageCompression == "01"
    assert list(made.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_14495_1"]
    assert float(made.LossyImageCompressionRatio[0]) == 10
    assert float(made.LossyImageCompressionRatio[1]) > 1


def test_nothing_is_told_of_losses_where_there_are_none() -> None:
    made = transcoded(encoded(image(ramp(1, 64, 64)), ts.IMPLICIT_LE), ts.JPEG_LS)
    assert "LossyImageCompression" not in made


@pytest.mark.parametrize("source", [ts.EXPLICIT_BE, ts.DEFLATED_LE, ts.IMPLICIT_LE, ts.ENCAPSULATED_UNCOMPRESSED])
def test_frames_are_compressed_from_every_encoding(source: str) -> None:
    pixels = ramp(3, 15, 17)
    if source == ts.ENCAPSULATED_UNCOMPRESSED:
        content = compressed(image(pixels), source, [frame.tobytes() for frame in pixels])
    else:
        content = part10(transcoded_bytes(encoded(image(pixels), ts.EXPLICIT_LE), source), source)
    assert np.array_equal(transcoded(content, ts.JPEG_LS).pixel_array, pixels)


def test_the_offset_table_says_where_each_frame_is() -> None:
    made = transcoded(encoded(image(ramp(4, 32, 32)), ts.EXPLICIT_LE), ts.RLE)
    offsets = parse_basic_offsets(made.PixelData)
    first = 8 + 4 * 4
    assert len(offsets) == 4
    assert all(made.PixelData[first + at : first + at + 4] == b"\xfe\xff\x00\xe0" for at in offsets)
    assert "ExtendedOffsetTable" not in made


@pytest.mark.claim("PS3.5-A.4")
def test_offsets_beyond_four_gigabytes_are_in_the_extended_table() -> None:
    grey = Image(1, 1, 1, 8, 8, 0, "MONOCHROME2")
    small = CompressedFrames(grey, ts.RLE, 1, (100, 200))
    large = CompressedFrames(grey, ts.RLE, 1, (1 << 31, 1 << 31, 4))
    assert not small.extended
    assert large.elements()[0x7FE00001][1] == b"".join(at.to_bytes(8, "little") for at in large.offsets())
    assert list(large.offsets()) == [0, (1 << 31) + 8, (1 << 32) + 16]


def test_an_icon_inside_what_is_compressed_is_native() -> None:
    pixels, icon = ramp(1, 16, 16), ramp(1, 4, 4, "u1")
    small = image(icon)
    del small.NumberOfFrames, small.SOPClassUID, small.SOPInstanceUID, small.PatientName
    for source in (ts.EXPLICIT_LE, ts.RLE):
        ds = image(pixels, IconImageSequence=Sequence([small]))
        if source == ts.RLE:
            small.PixelData = pydicom.encaps.encapsulate([rle(icon[0])])
            small["PixelData"].is_undefined_length = True
            content = compressed(ds, ts.RLE, [rle(pixels[0])])
        else:
            content = encoded(ds, source)
        made = transcoded(content, ts.JPEG_LS)
        assert made.IconImageSequence[0].PixelData == icon.tobytes()
        assert np.array_equal(made.pixel_array, pixels[0])


def test_bits_that_are_not_stored_survive_lossless_compression() -> None:
    pixels = ramp(1, 16, 16) | 0xF000
    made = transcoded_bytes(encoded(image(pixels, BitsStored=12, HighBit=11), ts.EXPLICIT_LE), ts.RLE)
    assert transcoded(part10(made, ts.RLE), ts.EXPLICIT_LE).PixelData == pixels.tobytes()


def test_memory_does_not_grow_with_the_number_of_frames_compressed() -> None:
    source = io.BytesIO(encoded(image(np.zeros((60, 512, 512), "<u2"), BitsStored=12, HighBit=11), ts.EXPLICIT_LE))
    transcode(io.BytesIO(encoded(image(ramp(1, 8, 8)), ts.EXPLICIT_LE)), ts.RLE).close()  # imports
    tracemalloc.start()
    try:
        transcode(source, ts.RLE).close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20


def test_pixel_data_that_ends_early_is_refused() -> None:
    ds = image(ramp(2, 8, 8))
    ds.PixelData = ds.PixelData[:-2]
    with pytest.raises(CannotUnderstand, match="shorter"):
        transcode(io.BytesIO(encoded(ds, ts.EXPLICIT_LE)), ts.RLE)


def test_a_few_bytes_that_say_they_are_a_picture_of_gigabytes_are_not_decoded() -> None:
    frame = bytes.fromhex("ffd8ffc0000b08ffffffff01011100") + bytes(64)
    with pytest.raises(CannotUnderstand, match="size that rows and columns say"):
        transcode(io.BytesIO(compressed(image(ramp(1, 8, 8, "u1")), ts.JPEG_BASELINE, [frame])), ts.EXPLICIT_LE)
