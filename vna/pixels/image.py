"""What the Image Pixel module says of frames, encoded and decoded (PS3.3 C.7.6.3).

Colour: what a lossy JPEG keeps as YBR and what JPEG 2000 transforms on its own (YBR_ICT, YBR_RCT) comes out as RGB,
which every reader shows alike. A lossless syntax that kept YBR_FULL samples gives back these very samples: turning them
into RGB would round them. The result is always interleaved by pixel (Planar Configuration 0).
"""

from dataclasses import dataclass
from typing import Final

from vna.model import transfer_syntaxes as ts

DCT: Final = frozenset({ts.JPEG_BASELINE, ts.JPEG_EXTENDED})
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
