"""Every sample that is taken is shown and given in every transfer syntax by `vna serve`, or refused for a reason.

The reasons are rules about what the sample is; a name stands here only for a file that was made broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from tests.archives import Backend, LiveArchive, start_archive
from tests.dicomweb.test_samples import expected_reason
from tests.peers.samples import all_files, name
from tests.pixels.test_compress import LEAST_PSNR, luminance, psnr
from vna.model import transfer_syntaxes as ts

LOSSLESS = (
    *(ts.RLE, ts.JPEG_LOSSLESS_SV1, ts.JPEG_LS, ts.JPEG_2000_LOSSLESS, ts.HTJ2K_LOSSLESS, ts.HTJ2K_LOSSLESS_RPCL),
    ts.DEFLATED_LE,
)
LOSSY = (ts.JPEG_BASELINE, ts.JPEG_EXTENDED, ts.JPEG_LS_NEAR, ts.JPEG_2000)
COMPRESSED = {*LOSSLESS, *LOSSY} - {ts.DEFLATED_LE}
DCT = {ts.JPEG_BASELINE, ts.JPEG_EXTENDED}
WAVELET = {ts.JPEG_2000_LOSSLESS, ts.JPEG_2000}
LARGE = 300_000
"""Values of pixels from which on a sample goes into one compressed syntax alone: smaller ones go into all."""

BROKEN = {"test_files/JPEG2000-embedded-sequence-delimiter.dcm": "a frame does not have the size"}
"""Made for a test of parsers: its code stream decodes nowhere."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why objects of a kind are not given in some syntaxes (PS3.5 8.2), and how that is said."""

    applies: Callable[[Dataset], bool]
    targets: set[str]
    words: str


def allocated(bits: int) -> Callable[[Dataset], bool]:
    return lambda ds: int(ds.BitsAllocated) == bits


REFUSALS = (  # the first that applies is the reason
    Refusal(lambda ds: "PixelData" not in ds, COMPRESSED, "without pixels cannot"),
    Refusal(lambda ds: not has_pixels(ds), COMPRESSED, "missing or malformed"),
    Refusal(allocated(1), COMPRESSED, "cannot hold pixels of 1 bits allocated"),
    Refusal(allocated(32), COMPRESSED - {ts.RLE} - WAVELET, "cannot hold pixels of 32 bits allocated"),
    Refusal(lambda ds: ds.BitsStored > 24, WAVELET, "of 32 bits, the most is"),
    Refusal(lambda ds: ds.PhotometricInterpretation == "PALETTE COLOR", set(LOSSY), "indices must not change"),
    Refusal(allocated(16), {ts.JPEG_BASELINE}, "cannot hold pixels of 16 bits allocated"),
    Refusal(lambda ds: ds.SamplesPerPixel == 3 and ds.BitsStored > 8, DCT, "the most is 8"),
    Refusal(lambda ds: ds.BitsStored > 12, DCT, "the most is 12"),
    Refusal(lambda ds: ds.PixelRepresentation == 1, DCT, "signed pixels"),
)


def has_pixels(ds: Dataset) -> bool:
    counted = str(ds.get("NumberOfFrames") or 1).isdigit()
    return counted and all(word in ds for word in ("PixelData", "Rows", "Columns", "BitsAllocated", "SamplesPerPixel"))


def samples_in(ds: Dataset) -> int:
    return int(ds.get("NumberOfFrames") or 1) * ds.Rows * ds.Columns * ds.SamplesPerPixel if has_pixels(ds) else 0


def syntax_of(ds: Dataset) -> ts.TransferSyntax:
    return ts.TRANSFER_SYNTAXES[ds.file_meta.get("TransferSyntaxUID", ts.IMPLICIT_LE)]


def is_video(ds: Dataset) -> bool:
    return syntax_of(ds).uid.startswith(("1.2.840.10008.1.2.4.10",))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """Several samples have the same UIDs: each takes the place of the one before."""
    backend = Backend("sqlite+folder", tmp_path_factory.mktemp("every"))
    archive = start_archive(backend, STORAGE__DUPLICATES="replace", DIMSE__UNKNOWN_SOP_CLASSES="true")
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=120) as made:
        yield made


TAKEN = [path for path in all_files() if not expected_reason(path)]


@pytest.mark.claim("PS3.18-8.7.3.5.2", "PS3.18-8.7.4/single", "PS3.18-10.4.1.1.3")
@pytest.mark.parametrize("path", TAKEN, ids=name)
def test_a_sample_is_shown_and_given_in_every_syntax_or_refused_for_its_reason(
    live: LiveArchive, client: httpx.Client, path: Path
) -> None:
    content = {"content": path.read_bytes(), "headers": {"Content-Type": "application/dicom"}}
    answer = client.post(f"{live.dicomweb}/studies", **content).json()  # type: ignore[arg-type]
    url = answer["00081199"]["Value"][0]["00081190"]["Value"][0]
    ds = pydicom.dcmread(path, force=True)
    check_shown(client, url, ds, BROKEN.get(name(path), ""))
    native = check_native(client, url, ds, BROKEN.get(name(path), ""))
    number = TAKEN.index(path)
    some = (LOSSLESS[number % len(LOSSLESS)],)
    targets = (*LOSSLESS, LOSSY[number % len(LOSSY)]) if samples_in(ds) < LARGE else some
    for target in targets:
        answer = client.get(url, headers={"Accept": f"application/dicom; transfer-syntax={target}"})
        check_transcoded(answer, ds, native, target, BROKEN.get(name(path), ""))


def check_shown(client: httpx.Client, url: str, ds: Dataset, broken: str) -> None:
    answer = client.get(f"{url}/rendered")
    kind = answer.headers["content-type"].partition(";")[0]
    if broken and "Rows" in ds:
        assert (answer.status_code, broken in answer.text) == (500, True)
    elif is_video(ds):
        assert kind.startswith("video/")
    elif "EncapsulatedDocument" in ds:
        assert kind == ds.MIMETypeOfEncapsulatedDocument
    elif ds.get("SOPClassUID", "").startswith("1.2.840.10008.5.1.4.1.1.88."):
        assert kind == "text/html"
    elif not any(word in ds for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        assert answer.status_code == 406
        assert "cannot be shown" in answer.json()["message"]
    else:
        assert (answer.status_code, kind) == (200, "image/jpeg")
        check_picture(client, url, ds)


SHAPES = ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing", "SharedFunctionalGroupsSequence")
"""What may say that pixels are no squares."""


def check_picture(client: httpx.Client, url: str, ds: Dataset) -> None:
    """Its size; and of colour in bytes that lost nothing every pixel, as pydicom has it."""
    picture = Image.open(BytesIO(client.get(f"{url}/rendered", headers={"Accept": "image/png"}).content))
    if not any(word in ds for word in SHAPES):
        assert picture.size == (ds.Columns, ds.Rows)
    if ds.get("PhotometricInterpretation") == "RGB" and ds.BitsAllocated == 8 and not syntax_of(ds).lossy:
        first = pixel_array(ds, index=0)
        if picture.size == (ds.Columns, ds.Rows):
            assert np.array_equal(np.asarray(picture.convert("RGB")), first)


def is_read_by_pydicom(ds: Dataset) -> bool:
    """JPEG of 12 bits it does not decode, 32 bits in big endian it takes for words of 32 bits: dcmtk is asked in
    tests/pixels/test_transcode.py."""
    uid = syntax_of(ds).uid
    return not (uid == ts.JPEG_EXTENDED and ds.BitsStored > 8) and not (
        uid == ts.EXPLICIT_BE and ds.BitsAllocated == 32
    )


def check_native(client: httpx.Client, url: str, ds: Dataset, broken: str) -> Dataset | None:
    """In Explicit VR Little Endian, with the pixels that pydicom finds in the file."""
    answer = client.get(url, headers={"Accept": f"application/dicom; transfer-syntax={ts.EXPLICIT_LE}"})
    if is_video(ds) or (broken and syntax_of(ds).encapsulated):
        assert answer.status_code == (406 if is_video(ds) else 500)
        return None
    assert answer.status_code == 200, answer.text
    native = pydicom.dcmread(BytesIO(answer.content), force=True)
    assert native.file_meta.get("TransferSyntaxUID", ts.EXPLICIT_LE) == ts.EXPLICIT_LE
    assert native.get("SOPInstanceUID") == ds.get("SOPInstanceUID")
    if not has_pixels(ds) or broken:
        return None
    if is_read_by_pydicom(ds):
        raw = "YBR" in native.PhotometricInterpretation
        assert np.array_equal(pixel_array(native, raw=raw), pixel_array(ds, raw=raw))
    return native


def check_transcoded(answer: httpx.Response, ds: Dataset, native: Dataset | None, target: str, broken: str) -> None:
    if reason := refused(native if native is not None else ds, target, is_video(ds), broken):
        assert answer.status_code in (406, 500), target
        assert reason in answer.json()["message"], target
        return
    assert answer.status_code == 200, answer.text
    made = pydicom.dcmread(BytesIO(answer.content))
    assert made.file_meta.TransferSyntaxUID == target
    if native is None or not is_read_by_pydicom(made):
        return
    expected, found = pixel_array(native, raw=True), pixel_array(made, raw=True)
    if target in LOSSLESS:
        assert np.array_equal(found, expected), target
    elif target == ts.JPEG_LS_NEAR:
        assert np.abs(found.astype("f8") - expected).max() <= 2
    elif native.SamplesPerPixel == 1:
        assert psnr(luminance(found, made), luminance(expected, native), native.BitsStored) > LEAST_PSNR
    else:
        assert found.shape == expected.shape


def refused(ds: Any, target: str, video: bool, broken: str) -> str:
    if video:
        return "this can be given as"
    reason = next((one.words for one in REFUSALS if target in one.targets and one.applies(ds)), "")
    return reason or (broken if target != syntax_of(ds).uid else "")
