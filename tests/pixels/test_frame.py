"""Single frames by the header that the archive keeps, against pydicom's own decoding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels.utils import pixel_array

from tests.peers import samples
from vna.model import transfer_syntaxes as ts
from vna.model.errors import CannotUnderstand, NotAcceptable
from vna.pixels.frame import transcode_frame, transcode_frames
from vna.pixels.header import Header, image_of_header
from vna.pixels.image import decoded_image, interleaved

from .objects import encoded, image, part10, ramp, transcoded_bytes
from .stored import Stored, stored
from .test_compress import _with_pixels

NOT_DECODED_BY_PYDICOM = {"JPEG-lossy.dcm", "JPGExtended.dcm"}


@pytest.mark.parametrize("path", _with_pixels()[::2], ids=samples.name)
def test_the_last_frame_of_a_sample_is_as_pydicom_decodes_it(path: Path) -> None:
    kept = stored(path.read_bytes())
    number = len(kept.frames)
    if not number:  # only described
        return
    frame = transcode_frame(kept.header, kept.syntax_uid, kept.frames[-1], ts.EXPLICIT_LE, number=number)
    if path.name in NOT_DECODED_BY_PYDICOM:
        return
    ds = pydicom.dcmread(path)
    described = image_of_header(Header(kept.header))
    made = decoded_image(described, kept.syntax_uid)
    if not ts.TRANSFER_SYNTAXES[kept.syntax_uid].encapsulated and described.bits_allocated > 1:
        frame = interleaved(frame, described)
    raw = made.photometric_interpretation != "RGB"
    if described.bits_allocated == 32 and kept.syntax_uid == ts.EXPLICIT_BE:
        return  # pydicom reads 32-bit words, see test_transcode.py
    expected = np.asarray(pixel_array(ds, index=number - 1, raw=raw))
    if described.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(frame, "u1"), bitorder="little")
        assert np.array_equal(bits[: expected.size], expected.reshape(-1))
    else:
        little = expected.dtype.newbyteorder("<")
        assert np.array_equal(np.frombuffer(frame, little).reshape(expected.shape), expected)


def native(pixels: np.ndarray[Any, Any], **attributes: Any) -> Stored:
    return stored(encoded(image(pixels, **attributes), ts.EXPLICIT_LE))


@pytest.mark.parametrize(
    "target",
    [ts.RLE, ts.JPEG_LS, ts.JPEG_2000_LOSSLESS, ts.JPEG_LOSSLESS_SV1, ts.HTJ2K_LOSSLESS, ts.HTJ2K_LOSSLESS_RPCL],
)
def test_a_frame_goes_into_a_compression_and_back(target: str) -> None:
    kept = native(ramp(2, 24, 40))
    made = transcode_frame(kept.header, kept.syntax_uid, kept.frames[1], target)
    assert transcode_frame(kept.header, target, made, ts.IMPLICIT_LE) == kept.frames[1]


def test_frames_are_taken_one_at_a_time() -> None:
    kept = native(ramp(3, 24, 40))
    taken = []

    def frames() -> Iterator[bytes]:
        for number, frame in enumerate(kept.frames):
            taken.append(number)
            yield frame

    made = transcode_frames(kept.header, kept.syntax_uid, frames(), ts.RLE)
    next(made)
    assert taken == [0]
    assert len(list(made)) == 2


def test_big_endian_frames_are_given_little() -> None:
    pixels = ramp(2, 8, 8)
    kept = stored(part10(transcoded_bytes(encoded(image(pixels), ts.EXPLICIT_LE), ts.EXPLICIT_BE), ts.EXPLICIT_BE))
    assert transcode_frame(kept.header, kept.syntax_uid, kept.frames[1], ts.EXPLICIT_LE) == pixels[1].tobytes()
    made = transcode_frame(kept.header, kept.syntax_uid, kept.frames[1], ts.JPEG_LS)
    assert transcode_frame(kept.header, ts.JPEG_LS, made, ts.EXPLICIT_LE) == pixels[1].tobytes()


def test_a_damaged_frame_fails_alone() -> None:
    kept = native(ramp(2, 24, 40))
    good = transcode_frame(kept.header, kept.syntax_uid, kept.frames[0], ts.RLE)
    with pytest.raises(CannotUnderstand):
        transcode_frame(kept.header, ts.RLE, b"\x01" * 100, ts.EXPLICIT_LE)
    with pytest.raises(CannotUnderstand):
        transcode_frame(kept.header, ts.EXPLICIT_LE, kept.frames[0][:-1], ts.RLE)
    assert transcode_frame(kept.header, ts.RLE, good, ts.EXPLICIT_LE) == kept.frames[0]


def test_frames_that_a_target_cannot_hold_are_refused() -> None:
    kept = native(ramp(1, 8, 8, "<i2"))
    with pytest.raises(NotAcceptable, match="16 bits allocated"):
        transcode_frame(kept.header, kept.syntax_uid, kept.frames[0], ts.JPEG_BASELINE)
    with pytest.raises(NotAcceptable, match="transfer syntax"):
        transcode_frame(kept.header, "1.2.840.10008.1.2.4.102", b"", ts.EXPLICIT_LE)
    with pytest.raises(NotAcceptable, match="no pixels"):
        transcode_frame({}, ts.EXPLICIT_LE, b"", ts.RLE)
