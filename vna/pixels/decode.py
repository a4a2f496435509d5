"""One encoded frame to the bytes that a native transfer syntax keeps (PS3.5 section 8, A.4).

Codecs are loaded here and only here: `vna.pixels.codecs` runs this in processes of its own.
"""

from typing import Any, Final

import gdcm
import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import get_j2k_parameters

from vna.model import transfer_syntaxes as ts
from vna.model.errors import CannotUnderstand
from vna.pixels.image import DCT, WAVELET, Image

_SIGN_CORRECTED: Final = WAVELET | {ts.JPEG_LS, ts.JPEG_LS_NEAR}


def decode(frame: bytes, image: Image, syntax_uid: str) -> bytes:
    """Decode one frame into little endian samples of Bits Allocated; CannotUnderstand when it cannot be."""
    if syntax_uid == ts.JPEG_EXTENDED and image.bits_stored > 8:
        decoded = _decode_extended(frame, image)
    else:
        decoded = _decode_with_pydicom(frame, image, syntax_uid)
    if len(decoded) != image.frame_bytes:
        raise CannotUnderstand("a frame does not have the size that rows and columns say")
    return decoded


def _decode_with_pydicom(frame: bytes, image: Image, syntax_uid: str) -> bytes:
    if syntax_uid in WAVELET and (get_j2k_parameters(frame).get("precision") or 0) > image.bits_allocated:
        raise CannotUnderstand("a frame has more bits than Bits Allocated says")
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
        raise CannotUnderstand("a frame cannot be decoded") from exc
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
        raise CannotUnderstand("a frame cannot be decoded")
    return bytes(text.encode("utf-8", "surrogateescape"))
