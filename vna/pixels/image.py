"""What the Image Pixel module says of frames, encoded and decoded (PS3.3 C.7.6.3).

Colour: what a lossy JPEG keeps as YBR and what JPEG 2000 transforms on its own (YBR_ICT, YBR_RCT) comes out as RGB,
which every reader shows alike. A lossless syntax that kept YBR_FULL samples gives back these very samples: turning them
into RGB would round them. The result is always interleaved by pixel (Planar Configuration 0).
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from vna.model import transfer_syntaxes as ts
from vna.model.errors import Damaged, TooLarge

DCT: Final = frozenset({ts.JPEG_BASELINE, ts.JPEG_EXTENDED})
MOST_FRAME_BYTES: Final = 1 << 30
"""Of a frame without compression; more is not decoded."""

PICTURES: Final = ("image/png", "image/gif")
"""What codecs decode beside transfer syntaxes, under these names: pictures that become pixels (PS3.18 10.5.2)."""

_SUBSAMPLED: Final = ("YBR_FULL_422", "YBR_PARTIAL_422")

WAVELET: Final = frozenset({ts.JPEG_2000, ts.JPEG_2000_LOSSLESS, ts.HTJ2K, ts.HTJ2K_LOSSLESS, ts.HTJ2K_LOSSLESS_RPCL})


@dataclass(frozen=True, slots=True)
class Image:
    """What the Image Pixel module says of every frame (PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    photometric_interpretation: str
    planar_configuration: int = 0
    number_of_frames: int = 1

    @property
    def frame_bits(self) -> int:
        """Bits of one frame without compression."""
        return self.rows * self.columns * self.samples_per_pixel * self.bits_allocated

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame without compression, where frames end on a byte."""
        return self.frame_bits // 8

    @property
    def native_bytes(self) -> int:
        """Bytes of one frame as a native syntax keeps it: there chrominance may be subsampled (C.7.6.3.1.2)."""
        subsampled = self.samples_per_pixel == 3 and self.photometric_interpretation in _SUBSAMPLED
        return self.frame_bytes * 2 // 3 if subsampled else self.frame_bytes

    def check(self) -> None:
        """Damaged where the numbers make no picture, TooLarge where they make one beyond the bound."""
        if self.samples_per_pixel < 1 or self.rows < 1 or self.columns < 1 or self.number_of_frames < 1:
            raise Damaged("the attributes that describe the pixel data make no frames")
        if not 1 <= self.bits_stored <= self.bits_allocated:
            raise Damaged("Bits Stored does not fit Bits Allocated")
        if self.frame_bytes > MOST_FRAME_BYTES:
            raise TooLarge(f"a frame is larger than {MOST_FRAME_BYTES} bytes without compression")


def kept_plain(syntax_uid: str) -> bool:
    """Whether frames are plain numbers in this syntax, encapsulated or not."""
    return not ts.TRANSFER_SYNTAXES[syntax_uid].encapsulated or syntax_uid == ts.ENCAPSULATED_UNCOMPRESSED


def decoded_image(image: Image, syntax_uid: str) -> Image:
    """The description of frames after decode()."""
    if kept_plain(syntax_uid) and image.photometric_interpretation == "YBR_FULL_422":
        return replace(image, photometric_interpretation="YBR_FULL", planar_configuration=0)
    photometric = native_photometric(syntax_uid, image.photometric_interpretation, image.samples_per_pixel)
    return replace(image, photometric_interpretation=photometric, planar_configuration=0)


def samples_of(frame: bytes, image: Image) -> np.ndarray[Any, Any]:
    """A decoded frame as rows x columns (x samples)."""
    dtype = f"<{'i' if image.pixel_representation else 'u'}{image.bits_allocated // 8}"
    shape = (image.rows, image.columns, image.samples_per_pixel)
    samples = np.frombuffer(frame, dtype, image.rows * image.columns * image.samples_per_pixel).reshape(shape)
    return samples[:, :, 0] if image.samples_per_pixel == 1 else samples


def interleaved(frame: bytes, image: Image) -> bytes:
    """A native little endian frame with its samples by pixel, chrominance for each; bits are left packed."""
    if len(frame) < image.native_bytes:
        raise Damaged("a frame is shorter than rows and columns say")
    frame = frame[: image.native_bytes]
    if image.samples_per_pixel == 3 and image.native_bytes < image.frame_bytes:
        return _full_chrominance(frame, image)
    if image.samples_per_pixel > 1 and image.planar_configuration:
        planes = np.frombuffer(frame, f"u{image.bits_allocated // 8}")
        planes = planes.reshape(image.samples_per_pixel, image.rows * image.columns)
        return np.ascontiguousarray(planes.T).tobytes()
    return frame


def _full_chrominance(frame: bytes, image: Image) -> bytes:
    """Y1 Y2 Cb Cr as two pixels (PS3.3 C.7.6.3.1.2)."""
    quads = np.frombuffer(frame, f"u{image.bits_allocated // 8}")
    if quads.size % 4:
        raise Damaged("subsampled colour needs an even number of columns")
    quads = quads.reshape(-1, 4)
    return np.ascontiguousarray(quads[:, [0, 2, 3, 1, 2, 3]]).tobytes()


def native_photometric(syntax_uid: str, photometric: str, samples_per_pixel: int) -> str:
    """What Photometric Interpretation says of the pixels after decode()."""
    if samples_per_pixel != 3 or syntax_uid == ts.ENCAPSULATED_UNCOMPRESSED:
        return photometric
    if syntax_uid in DCT and photometric in ("YBR_FULL", "YBR_FULL_422"):
        return "RGB"
    if syntax_uid in WAVELET and photometric in ("YBR_ICT", "YBR_RCT"):
        return "RGB"
    if photometric == "YBR_FULL_422":  # no decoder leaves chrominance subsampled
        return "YBR_FULL"
    return photometric
