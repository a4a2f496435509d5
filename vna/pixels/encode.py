"""One native frame to a compressed one, and what the Image Pixel module then says of it (PS3.5 section 8.2, A.4).

Codecs are loaded here and in `vna.pixels.decode` only: `vna.pixels.codecs` runs both in processes of their own.
"""

from collections.abc import Callable, Mapping
from math import ceil, log2, log10
from struct import pack
from typing import Any, Final

import imagecodecs
import numpy as np
from jpeg_ls import encode_buffer as encode_jpeg_ls

from vna.model import transfer_syntaxes as ts
from vna.model.errors import Damaged, NotAcceptable
from vna.pixels.image import Image, samples_of

JPEG_QUALITY: Final = 90
NEAR: Final = 2
"""Largest difference of a sample in JPEG-LS near-lossless."""
JPEG_2000_PSNR: Final = 50
"""Decibels, of the range of values in a frame."""
_SMALL: Final = 64 * 64
"""Samples; in smaller frames the codec misses what it aims at."""

_BY_RESOLUTION: Final = 1
"""Of OpenJPH: a tile-part for each resolution. It writes in the order RPCL."""

Samples = np.ndarray[Any, Any]
Encoder = Callable[[Samples, Image], bytes]


def encode(frame: bytes, image: Image, target_uid: str) -> bytes:
    """Compress a little endian frame, interleaved by pixel, that `held_as` has taken; an odd length is padded."""
    samples = samples_of(frame, image)
    try:
        encoded = bytes(_ENCODERS[target_uid](samples, image))
    except NotAcceptable:
        raise
    except Exception as exc:  # codecs raise whatever they like
        raise Damaged("a frame cannot be encoded") from exc
    return encoded + b"\0" * (len(encoded) % 2)


def _precision(samples: Samples, image: Image) -> int:
    """Bits Stored, or all bits where others are used, so that nothing is lost: signs, overlays of old."""
    bits = image.bits_stored
    if image.bits_allocated == 16:
        bits = max(bits, 9)  # decoders make bytes of less
    if image.pixel_representation or samples.size == 0 or int(samples.max()) >> bits:
        return image.bits_allocated
    return max(bits, 2)


def _stored_bits(samples: Samples, image: Image) -> Samples:
    """The values without what is in bits that are not stored."""
    shift = image.bits_allocated - image.bits_stored
    return (samples << shift) >> shift if shift else samples


def _unsigned(samples: Samples) -> Samples:
    return samples.view(samples.dtype.str.replace("i", "u"))


def _rle(samples: Samples, image: Image) -> bytes:
    """Segments by sample, most significant byte first, each row on its own (PS3.5 G.3, G.4)."""
    size = samples.itemsize
    planes = samples.view("u1").reshape(image.rows, image.columns, image.samples_per_pixel, size)
    segments = [
        imagecodecs.packbits_encode(np.ascontiguousarray(planes[:, :, sample, size - 1 - byte]), axis=-1)
        for sample in range(image.samples_per_pixel)
        for byte in range(size)
    ]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = [64]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    return pack("<16L", len(segments), *offsets, *([0] * (15 - len(segments)))) + b"".join(segments)


def _jpeg_lossless(samples: Samples, image: Image) -> bytes:
    return _jpeg(_unsigned(samples), lossless=True, predictor=1, bitspersample=_precision(samples, image))


def _jpeg_dct(samples: Samples, image: Image) -> bytes:
    kept = _stored_bits(samples, image)
    if image.bits_allocated == 8:
        if image.samples_per_pixel == 1:
            return _jpeg(kept, level=JPEG_QUALITY)
        colour = "RGB" if image.photometric_interpretation == "RGB" else "YCBCR"
        return _jpeg(kept, level=JPEG_QUALITY, colorspace=colour, outcolorspace="YCBCR", subsampling="422")
    return _jpeg(kept, level=JPEG_QUALITY, bitspersample=12)


def _jpeg(samples: Samples, **options: Any) -> bytes:
    if samples.ndim == 3 and "colorspace" not in options:  # as it is, whatever the three samples mean
        options |= {"colorspace": "RGB", "outcolorspace": "RGB"}
    return bytes(imagecodecs.jpeg8_encode(samples, **options))


def _jpeg_ls(samples: Samples, image: Image, near: int = 0) -> bytes:
    precision = _precision(samples, image)
    interleaved_by_pixel = 2 if image.samples_per_pixel > 1 else 0
    if samples.size < _SMALL:  # jpeg_ls leaves no room for the header of a very small one
        return bytes(imagecodecs.jpegls_encode(_unsigned(samples), level=near, out=2 * samples.nbytes + 4096))
    return bytes(
        encode_jpeg_ls(
            samples.tobytes(),
            image.rows,
            image.columns,
            image.samples_per_pixel,
            precision,
            near,
            interleaved_by_pixel,
        )
    )


def _jpeg_ls_near(samples: Samples, image: Image) -> bytes:
    kept = _stored_bits(samples, image)
    if image.pixel_representation:
        edge = (1 << image.bits_stored - 1) - NEAR
        if int(kept.max()) >= edge or int(kept.min()) < -edge:
            raise NotAcceptable("JPEG-LS near-lossless cannot hold signed pixels that reach the end of their range")
    return _jpeg_ls(kept, image, NEAR)


def _jpeg_2000_lossless(samples: Samples, image: Image) -> bytes:
    within = np.array_equal(samples, _stored_bits(samples, image))
    return _jpeg_2000(samples, image, image.bits_stored if within else image.bits_allocated)


def _jpeg_2000_lossy(samples: Samples, image: Image) -> bytes:
    kept = _stored_bits(samples, image)
    return _jpeg_2000(kept, image, image.bits_stored, level=_psnr(kept, image.bits_stored))


def _psnr(samples: Samples, bits: int) -> int:
    """Of the whole range of numbers, so that it is JPEG_2000_PSNR of the range in use; 0 is quantisation only."""
    used = int(samples.max()) - int(samples.min())
    if used == 0 or samples.size < _SMALL:
        return 0
    return JPEG_2000_PSNR + round(20 * log10((1 << bits) / used))


def _jpeg_2000(samples: Samples, image: Image, precision: int, level: int = 0) -> bytes:
    if samples.itemsize > 1:
        precision = max(precision, 9 if samples.itemsize == 2 else 17)  # decoders make smaller numbers of less
    rgb = image.photometric_interpretation == "RGB"
    return bytes(
        imagecodecs.jpeg2k_encode(
            samples,
            level=level,
            reversible=not level,
            codecformat="j2k",
            bitspersample=precision,
            mct=rgb,
            colorspace="SRGB" if rgb else "UNSPECIFIED",
            numthreads=1,
        )
    )


def _htj2k(samples: Samples, image: Image) -> bytes:
    rgb = image.photometric_interpretation == "RGB"
    return bytes(imagecodecs.htj2k_encode(samples, reversible=True, rgb=rgb))


def _htj2k_rpcl(samples: Samples, image: Image) -> bytes:
    """Resolution by resolution, the lowest with at most 64 pixels one way, and where each begins (PS3.5 10.18)."""
    halvings = max(5, ceil(log2(max(min(image.rows, image.columns), 1) / 64)))
    rgb = image.photometric_interpretation == "RGB"
    return bytes(
        imagecodecs.htj2k_encode(
            samples, reversible=True, rgb=rgb, resolutions=halvings, tlm=True, tilepart=_BY_RESOLUTION
        )
    )


_ENCODERS: Final[Mapping[str, Encoder]] = {
    ts.RLE: _rle,
    ts.JPEG_BASELINE: _jpeg_dct,
    ts.JPEG_EXTENDED: _jpeg_dct,
    ts.JPEG_LOSSLESS_SV1: _jpeg_lossless,
    ts.JPEG_LS: _jpeg_ls,
    ts.JPEG_LS_NEAR: _jpeg_ls_near,
    ts.JPEG_2000_LOSSLESS: _jpeg_2000_lossless,
    ts.JPEG_2000: _jpeg_2000_lossy,
    ts.HTJ2K_LOSSLESS: _htj2k,
    ts.HTJ2K_LOSSLESS_RPCL: _htj2k_rpcl,
}
