"""One encoded frame to the bytes that a native transfer syntax keeps (PS3.5 section 8, A.4).

Codecs are loaded here and only here: `vna.pixels.codecs` runs this in processes of its own.
"""

from io import BytesIO
from struct import unpack_from
from typing import Any, Final

import gdcm
import imagecodecs
import numpy as np
import PIL.Image
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import get_j2k_parameters

from vna.model import transfer_syntaxes as ts
from vna.model.errors import Damaged, NotAcceptable, TooLarge
from vna.pixels.image import DCT, MOST_FRAME_BYTES, PICTURES, WAVELET, Image, interleaved, kept_plain

_SIGN_CORRECTED: Final = WAVELET | {ts.JPEG_LS, ts.JPEG_LS_NEAR}


def decode(frame: bytes, image: Image, syntax_uid: str) -> bytes:
    """Decode one frame into little endian samples of Bits Allocated, by pixel; Damaged when it cannot be."""
    image.check()
    if syntax_uid in PICTURES:
        return _decode_picture(frame, image, syntax_uid)
    if kept_plain(syntax_uid):
        return interleaved(frame, image)
    _check_size(frame, image, syntax_uid)
    if syntax_uid == ts.JPEG_EXTENDED and image.bits_stored > 8:
        decoded = _decode_extended(frame, image)
    else:
        decoded = _decode_with_pydicom(frame, image, syntax_uid)
    if len(decoded) != image.frame_bytes:
        raise Damaged("a frame does not have the size that rows and columns say")
    return decoded


def _decode_picture(content: bytes, image: Image, media_type: str) -> bytes:
    """All pictures in it, one behind the other, without the alpha channel of what is opaque."""
    png, _ = PICTURES
    try:
        count = 1 if media_type == png else getattr(PIL.Image.open(BytesIO(content)), "n_frames", 1)
        if count * image.frame_bytes > MOST_FRAME_BYTES:
            raise TooLarge(f"a picture is larger than {MOST_FRAME_BYTES} bytes without compression")
        decoded = imagecodecs.png_decode(content) if media_type == png else imagecodecs.gif_decode(content)
    except TooLarge:
        raise
    except Exception as exc:  # codecs raise whatever they like
        raise Damaged("a picture cannot be decoded") from exc
    samples = decoded.reshape(count, image.rows, image.columns, -1) if decoded.size % count == 0 else decoded
    if samples.ndim != 4 or decoded.dtype.itemsize * 8 != image.bits_allocated:
        raise Damaged("a picture does not have the size that it says")
    if samples.shape[3] == image.samples_per_pixel + 1:
        if (samples[..., -1] != np.iinfo(decoded.dtype).max).any():
            raise NotAcceptable("a picture with transparent parts has no pixels there")
        samples = samples[..., :-1]
    if samples.shape[3] != image.samples_per_pixel:
        raise Damaged("a picture does not have the size that it says")
    return samples.astype(decoded.dtype.newbyteorder("<")).tobytes()


def _check_size(frame: bytes, image: Image, syntax_uid: str) -> None:
    """Before anything is decoded: a few bytes may say that they are a picture of gigabytes."""
    size = _size(frame, syntax_uid)
    if size and (size[0] * size[1] > image.rows * image.columns or size[2] > 4):
        raise Damaged("a frame does not have the size that rows and columns say")


def _size(frame: bytes, syntax_uid: str) -> tuple[int, int, int] | None:
    """Rows, columns and components, as the code stream says in its first segments."""
    if syntax_uid in WAVELET:
        at = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
        if at < 0 or len(frame) < at + 44:
            return None
        x, y, x0, y0 = unpack_from(">4L", frame, at + 8)
        return max(0, y - y0), max(0, x - x0), int(unpack_from(">H", frame, at + 40)[0])
    return _jpeg_size(frame) if frame[:2] == b"\xff\xd8" else None


def _jpeg_size(frame: bytes) -> tuple[int, int, int] | None:
    at = 2
    while at + 10 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = unpack_from(">HH", frame, at + 5)
            return rows, columns, frame[at + 9]
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def _decode_with_pydicom(frame: bytes, image: Image, syntax_uid: str) -> bytes:
    if syntax_uid in WAVELET and (get_j2k_parameters(frame).get("precision") or 0) > image.bits_allocated:
        raise Damaged("a frame has more bits than Bits Allocated says")
    options: dict[str, Any] = {
        "rows": image.rows,
        "columns": image.columns,
        "number_of_frames": 1,
        "samples_per_pixel": image.samples_per_pixel,
        "bits_allocated": image.bits_allocated,
        "bits_stored": image.bits_stored,
        "pixel_representation": image.pixel_representation,
        "photometric_interpretation": image.photometric_interpretation,
        "planar_configuration": image.planar_configuration,
        "pixel_keyword": "PixelData",
    }
    if syntax_uid not in _SIGN_CORRECTED:  # overlays may live in unused bits
        options["correct_unused_bits"] = False
    try:
        samples, _ = get_decoder(syntax_uid).as_array(
            _encapsulated(frame), index=0, raw=syntax_uid not in DCT, **options
        )
    except Exception as exc:  # codecs raise whatever they like over damaged bytes
        raise Damaged("a frame cannot be decoded") from exc
    return np.ascontiguousarray(samples).astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()


def _encapsulated(frame: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0" + len(frame).to_bytes(4, "little") + frame


def _decode_extended(frame: bytes, image: Image) -> bytes:
    """JPEG Extended of 12 bits: pydicom refuses what GDCM of today does decode."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    picture = gdcm.Image()
    picture.SetNumberOfDimensions(2)
    picture.SetDimensions((image.columns, image.rows, 1))
    picture.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(image.photometric_interpretation)
    picture.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    picture.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(ts.JPEG_EXTENDED)))
    picture.SetPixelFormat(
        gdcm.PixelFormat(
            image.samples_per_pixel,
            image.bits_allocated,
            image.bits_stored,
            image.bits_stored - 1,
            image.pixel_representation,
        )
    )
    text = picture.GetBuffer()
    if text is None:
        raise Damaged("a frame cannot be decoded")
    return bytes(text.encode("utf-8", "surrogateescape"))
