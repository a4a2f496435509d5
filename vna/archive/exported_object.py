"""One object of an export: as retrieval gives it, or in JPEG Lossless where that is proven to be the same."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from storage.part10 import write_file_meta
from vna.archive.retrieve import Retrieval
from vna.model.access import Actor
from vna.model.errors import Damaged, NotAcceptable, OutOfResources, VnaError
from vna.model.instances import Instance
from vna.model.transfer_syntaxes import (
    DEFLATED_LE,
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    JPEG_LOSSLESS_SV1,
)
from vna.pixels.same_pixels import same_pixels
from vna.pixels.transcode import transcode

_UNCOMPRESSED: Final = frozenset({IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED_LE, ENCAPSULATED_UNCOMPRESSED})
_PIECE: Final = 1 << 20

LEFT_OVER: Final = "comparing-"
"""How folders begin that are there while pixels are compared."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written; `note` says why it is not in the form that was asked for."""

    transfer_syntax_uid: str
    size: int
    sha256: str
    note: str = ""


def write_object(retrieval: Retrieval, actor: Actor, instance: Instance, path: Path, *, lossless: bool) -> Exported:
    """Write it as a Part 10 file; Damaged when it is not what came."""
    retrieval.require_whole(actor, instance)
    note = ""
    if lossless:
        if instance.transfer_syntax_uid not in _UNCOMPRESSED:
            note = "left as it was: compressed already"
        else:
            made = _lossless(retrieval, actor, instance, path)
            if isinstance(made, Exported):
                return made
            note = made
    outgoing = retrieval.part10(actor, instance)
    return _written(path, outgoing.chunks, outgoing.transfer_syntax_uid, outgoing.size, note)


def _lossless(retrieval: Retrieval, actor: Actor, instance: Instance, path: Path) -> Exported | str:
    """In JPEG Lossless SV1, decoded again and compared; else why not."""
    try:
        outgoing = retrieval.part10(actor, instance, JPEG_LOSSLESS_SV1)
    except NotAcceptable as exc:
        return f"left as it was: {exc}"
    except OutOfResources:
        raise
    except VnaError as exc:
        return f"left as it was: its pixels cannot be compressed ({exc})"
    made = _written(path, outgoing.chunks, JPEG_LOSSLESS_SV1, outgoing.size, "")
    if _shows_the_same(retrieval, actor, instance, path):
        return made
    return "left as it was: JPEG Lossless gave other pixels"


def _shows_the_same(retrieval: Retrieval, actor: Actor, instance: Instance, path: Path) -> bool:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=LEFT_OVER) as folder:
        kept, again = Path(folder, "kept"), Path(folder, "again")
        try:
            native = retrieval.part10(actor, instance, EXPLICIT_LE)
            _written(kept, native.chunks, EXPLICIT_LE, native.size, "")
            head = write_file_meta(instance.sop_class_uid, instance.sop_instance_uid, EXPLICIT_LE)
            with path.open("rb") as source, transcode(source, EXPLICIT_LE, folder=Path(folder)) as plain:
                _copied(again, head, plain)
            return same_pixels(kept, again)
        except (NotAcceptable, Damaged, ValueError, AttributeError):  # pydicom raises the latter two of bad headers
            return False


def _copied(path: Path, head: bytes, plain: BinaryIO) -> None:
    with path.open("wb") as out:
        out.write(head)
        while piece := plain.read(_PIECE):
            out.write(piece)


def _written(path: Path, chunks: Iterable[bytes], syntax: str, size: int, note: str) -> Exported:
    digest, written = sha256(), 0
    with path.open("wb") as out:
        for chunk in chunks:
            out.write(chunk)
            digest.update(chunk)
            written += len(chunk)
    if written != size:
        raise Damaged("the object is shorter than it should be")
    return Exported(syntax, written, digest.hexdigest(), note)
