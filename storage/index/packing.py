"""Headers as they lie in the index: compressed, quick rather than small."""

import zlib


def pack(json_bytes: bytes) -> bytes:
    """Compressed at level 1."""
    return zlib.compress(json_bytes, 1)


def unpack(blob: bytes) -> bytes:
    """What `pack` was given."""
    return zlib.decompress(blob)
