"""A stored object in another transfer syntax, for a receiver that does not take the stored one (PS3.5 section 10).

Into a lossy one only when it is asked for by name; the SOP Instance UID stays, since what is given is a view of the
object that is kept. Memory holds one frame, not the object.
"""

import errno
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, cast

from vna.model.errors import Damaged, NotAcceptable, OutOfResources
from vna.model.transfer_syntaxes import TRANSFER_SYNTAXES, TransferSyntax, can_transcode_lossily
from vna.pixels import value_representations as vrs
from vna.pixels.compress import Compressed, Compressing, Nowhere, PixelsRead
from vna.pixels.decompress import Decompressed
from vna.pixels.elements import (
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    Inflating,
    Source,
    read_header,
)
from vna.pixels.recode import PixelRecoder, Recoder

MEMORY_BYTES: Final = 4 << 20
_PIECE: Final = 1 << 20
_META: Final = Encoding()
_TRANSFER_SYNTAX_UID: Final = 0x00020010


def transcode(source: BinaryIO, target_uid: str, *, folder: Path | None = None) -> BinaryIO:
    """The data set of a Part 10 object in `target_uid`, without group 2, standing at its beginning.

    `source` can seek. The result is in memory while small, then in a file in `folder`; closing it removes it.
    NotAcceptable: not from this syntax to that one, or not these pixels. Damaged: damaged. OutOfResources: no
    space.
    """
    syntax = _transfer_syntax(source)
    if not can_transcode_lossily(syntax.uid, target_uid):
        raise NotAcceptable(f"{syntax.name} cannot be given in the transfer syntax {target_uid}")
    with _spool(folder) as out:
        if syntax.uid == target_uid:
            _copy(source, out)
        else:
            _recode(source, syntax, out, TRANSFER_SYNTAXES[target_uid], folder)
        out.seek(0)
        return out


@contextmanager
def _spool(folder: Path | None) -> Iterator[BinaryIO]:
    """A temporary file that is closed when the block raises, and left open when it does not."""
    where = str(folder) if folder else None
    out = cast("BinaryIO", tempfile.SpooledTemporaryFile(MEMORY_BYTES, dir=where))  # noqa: SIM115 - closed below, or by the caller
    try:
        yield out
    except OSError as exc:
        out.close()
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfResources("no space left to transcode") from exc
        raise
    except BaseException:
        out.close()
        raise


def _transfer_syntax(source: BinaryIO) -> TransferSyntax:
    """Read preamble and group 2; `source` then stands at the data set (PS3.10 7.1)."""
    if source.read(132)[128:] != b"DICM":
        raise Damaged("not a DICOM file: no DICM after the preamble")
    reader = Source(source)
    uid = ""
    while True:
        start = source.tell()
        if source.read(2) != b"\x02\x00":
            source.seek(start)
            break
        source.seek(start)
        header = read_header(reader, _META)
        if header is None or header.length == UNDEFINED:
            raise Damaged("the file meta information is damaged")
        value = reader.take(header.length)
        if header.tag == _TRANSFER_SYNTAX_UID:
            uid = value.decode("latin-1").strip(" \0")
    if uid not in TRANSFER_SYNTAXES:
        raise NotAcceptable("the stored transfer syntax is not one that is known")
    return TRANSFER_SYNTAXES[uid]


def _copy(source: BinaryIO, out: BinaryIO) -> None:
    while piece := source.read(_PIECE):
        out.write(piece)


def _recode(
    source: BinaryIO, syntax: TransferSyntax, out: BinaryIO, target: TransferSyntax, folder: Path | None
) -> None:
    if target.deflated:
        with _spool(folder) as plain, plain:
            _Plan(source, syntax, target, folder).run(plain)
            plain.seek(0)
            _deflate(plain, out)
    else:
        _Plan(source, syntax, target, folder).run(out)


class _Plan:
    """A source that can be gone through more than once."""

    def __init__(self, source: BinaryIO, syntax: TransferSyntax, target: TransferSyntax, folder: Path | None) -> None:
        self.source = source
        self.syntax = syntax
        self.target = target
        self.folder = folder
        self.encoding = _encoding(source, syntax)
        self._start = source.tell()
        self._pixel_representation = 0
        if not self.encoding.explicit:
            self._pixel_representation = _find_pixel_representation(Source(source), self.encoding)

    def run(self, out: BinaryIO) -> None:
        """Everything."""
        if self.target.encapsulated:
            self._compress(out)
        else:
            pixels = Decompressed(self.source, self.syntax.uid) if self.syntax.encapsulated else None
            self._carry(out, pixels, Encoding(self.target.explicit, self.target.little_endian), {})

    def _carry(
        self, out: BinaryIO, pixels: PixelRecoder | None, encoding: Encoding, put: Mapping[int, tuple[str, bytes]]
    ) -> None:
        self.source.seek(self._start)
        Recoder(
            Source(Inflating(self.source) if self.syntax.deflated else self.source),
            out,
            source_encoding=self.encoding,
            target_encoding=encoding,
            pixels=pixels,
            put=put,
        ).run(pixel_representation=self._pixel_representation)

    def _compress(self, out: BinaryIO) -> None:
        """Frames first, into a file of their own: how long they are is told before them."""
        with _spool(self.folder) as frames, frames:
            first = Compressing(self.source, self.syntax.uid, self.target.uid, frames, little=self.encoding.little)
            with suppress(PixelsRead):
                self._carry(Nowhere(), first, Encoding(), {})
            made = first.result()
            frames.seek(0)
            self._carry(out, Compressed(self.source, self.syntax.uid, made, frames), Encoding(), made.elements())


def _deflate(plain: BinaryIO, out: BinaryIO) -> None:
    """Raw deflate, padded to an even length (PS3.5 A.5)."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    while piece := plain.read(_PIECE):
        out.write(deflate.compress(piece))
    out.write(deflate.flush())
    if out.tell() % 2:
        out.write(b"\0")


def _encoding(source: BinaryIO, syntax: TransferSyntax) -> Encoding:
    """As the transfer syntax says, or as the first element shows: some writers label implicit data sets as explicit."""
    if syntax.deflated or not syntax.little_endian:
        return Encoding(syntax.explicit, syntax.little_endian)
    start = source.read(6)
    source.seek(-len(start), 1)
    return Encoding(explicit=start[4:].isalpha() and start[4:].isupper(), little=True)


def _find_pixel_representation(source: Source, encoding: Encoding) -> int:
    """Of the data set itself, looked up ahead: elements whose representation follows it may come before it."""
    depth = 0
    while (header := read_header(source, encoding)) is not None:
        if header.tag in (ITEM_END, SEQUENCE_END):
            depth -= 1
        elif header.length == UNDEFINED:
            depth += 1
        elif depth == 0 and header.tag >= vrs.PIXEL_REPRESENTATION:
            found = header.tag == vrs.PIXEL_REPRESENTATION and header.length == 2
            return int.from_bytes(source.take(2), "little") if found else 0
        else:
            source.skip(header.length)
    return 0
