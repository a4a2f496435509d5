"""Frame tables that are large enough to take time: unpacked once, as viewers ask for frame after frame."""

from collections import OrderedDict
from threading import Lock

from storage.frames import FrameTable
from storage.offsets import unpack_frames

_SMALL = 2048
"""Bytes of a packed table up to which it is unpacked each time."""


class FrameTables:
    """By blob, which never changes: the least used are let go beyond `most` frames and fragments."""

    def __init__(self, most: int = 1_000_000) -> None:
        self._most = most
        self._held = 0
        self._lock = Lock()
        self._tables: OrderedDict[str, FrameTable] = OrderedDict()

    def of(self, blob: str, offsets: bytes) -> FrameTable:
        """The table of a blob, out of the column that its row has."""
        if len(offsets) <= _SMALL:
            return unpack_frames(offsets)
        with self._lock:
            table = self._tables.get(blob)
            if table is not None:
                self._tables.move_to_end(blob)
                return table
        table = unpack_frames(offsets)
        self._keep(blob, table)
        return table

    def _keep(self, blob: str, table: FrameTable) -> None:
        size = _size(table)
        if size > self._most // 2:
            return
        with self._lock:
            if blob in self._tables:
                return
            self._tables[blob] = table
            self._held += size
            while self._held > self._most:
                self._held -= _size(self._tables.popitem(last=False)[1])


def _size(table: FrameTable) -> int:
    return len(table.starts) + len(table.offsets)
