"""Telling the disk to begin writing a file that is not complete yet."""

import ctypes
import os
from collections.abc import Callable

_WRITE = 2  # SYNC_FILE_RANGE_WRITE of sync_file_range(2)


def _sync_file_range() -> Callable[[int, int, int], None] | None:
    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]

    def begin(descriptor: int, offset: int, count: int) -> None:
        function(descriptor, offset, count, _WRITE)

    return begin


def _advise(descriptor: int, offset: int, count: int) -> None:
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_DONTNEED)


begin_writing: Callable[[int, int, int], None] = _sync_file_range() or _advise
"""Start the writing of a range (descriptor, offset, count) without waiting; a hint: only fsync makes it durable."""
