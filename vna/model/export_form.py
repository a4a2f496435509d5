"""In which form objects are exported."""

from enum import StrEnum


class Form(StrEnum):
    """How pixels are written: as they are kept, or in JPEG Lossless SV1 where they are uncompressed."""

    ORIGINAL = "original"
    JPEG_LOSSLESS = "jpeg-lossless"
