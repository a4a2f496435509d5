"""Frame and bulk offset tables as one compressed column."""

import struct
import zlib

import orjson

from storage.frames import FrameTable

_LENGTH = struct.Struct("<I")


def pack_offsets(frames: FrameTable, bulk: dict[str, tuple[int, int]]) -> bytes:
    """Frames first, their length before them, then the bulk table compressed."""
    packed = frames.to_bytes()
    return _LENGTH.pack(len(packed)) + packed + (zlib.compress(orjson.dumps(bulk), 1) if bulk else b"")


def unpack_frames(column: bytes) -> FrameTable:
    """The frame table of the column."""
    (length,) = _LENGTH.unpack_from(column)
    return FrameTable.from_bytes(column[4 : 4 + length])


def unpack_bulk(column: bytes) -> dict[str, tuple[int, int]]:
    """The bulk table of the column: tag path to offset and length in the file."""
    (length,) = _LENGTH.unpack_from(column)
    rest = column[4 + length :]
    return (
        {path: (int(at), int(size)) for path, (at, size) in orjson.loads(zlib.decompress(rest)).items()} if rest else {}
    )
