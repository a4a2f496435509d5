"""Deflated data sets, taken out of their compression with a bound (PS3.5 A.5)."""

import tempfile
import zlib
from mmap import ACCESS_READ, mmap
from typing import IO

from storage.frames import Buffer
from storage.limits import Limits
from storage.part10 import FileMeta
from vna.model.errors import CannotUnderstand, OutOfResources

DEFLATED = frozenset(
    {
        "1.2.840.10008.1.2.1.99",  # Deflated Explicit VR Little Endian
        "1.2.840.10008.1.2.4.95",  # JPIP Referenced Deflate
        "1.2.840.10008.1.2.4.205",  # JPIP HTJ2K Referenced Deflate
    }
)
"""Transfer syntaxes whose data set is one deflate stream. Deflated Image Frame Compression (1.2.840.10008.1.2.8.1) is
none: there each frame is deflated."""

MEMORY = 16 << 20
_STEP = 1 << 20


def inflated(buf: Buffer, meta: FileMeta, limits: Limits = Limits()) -> Buffer:  # noqa: B008
    """The File Meta Information as it is, and the data set out of its deflate stream.

    Offsets in a scan of a deflated instance are offsets in this. What is past 16 MiB is kept in an anonymous file.
    """
    if meta.transfer_syntax_uid not in DEFLATED:
        return buf
    try:
        with _Sink(bytes(buf[: meta.dataset_offset])) as sink, memoryview(buf) as whole:
            _inflate(whole[meta.dataset_offset :], sink, meta.dataset_offset + limits.max_inflated_bytes)
            return sink.content()
    except zlib.error as exc:
        raise CannotUnderstand(f"the deflated data set at offset {meta.dataset_offset} is corrupt") from exc
    except OSError as exc:
        raise OutOfResources("no space left for a data set on its way out of compression") from exc


def _inflate(source: memoryview, sink: "_Sink", most: int) -> None:
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    with source:
        for start in range(0, len(source), _STEP):
            data = bytes(source[start : start + _STEP])
            while data and not engine.eof:
                sink.write(engine.decompress(data, _STEP))
                data = engine.unconsumed_tail
                if sink.size > most:
                    raise CannotUnderstand("the data set is larger than the archive takes once inflated")
            if engine.eof:
                return
    sink.write(engine.flush())  # what the last bits of input still held
    if not engine.eof:
        raise CannotUnderstand("the deflated data set does not end: the instance is truncated")


class _Sink:
    """Bytes in memory while they are few, in a file without a name after that."""

    def __init__(self, head: bytes) -> None:
        self._memory = bytearray(head)
        self._file: IO[bytes] | None = None
        self.size = len(head)

    def __enter__(self) -> "_Sink":
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self._file is None and self.size <= MEMORY:
            self._memory += data
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="vna-inflated-")  # noqa: SIM115
            self._file.write(self._memory)
            self._memory.clear()
        self._file.write(data)

    def content(self) -> Buffer:
        """What was written; a file stays for as long as its mapping."""
        if self._file is None:
            return bytes(self._memory)
        self._file.flush()
        return mmap(self._file.fileno(), 0, access=ACCESS_READ)
