"""Is what comes the instance that is held? Bytes first, then meaning: each door and each sender writes its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from storage.blobs.base import BlobStore
from storage.frames import Buffer
from storage.index.lookup import Content
from storage.limits import Limits
from storage.metadata import Scan, scan
from storage.part10 import FileMeta, read_file_meta
from storage.spool import Incoming
from storage.temporary import whole
from storage.values import Element
from vna.model.errors import NotFound, VnaError
from vna.model.transfer_syntaxes import EXPLICIT_LE, IMPLICIT_LE

_PLAIN = {EXPLICIT_LE, IMPLICIT_LE}
_DEFLATED = "1.2.840.10008.1.2.1.99"


def same_dataset(blobs: BlobStore, held: Content, incoming: Incoming, meta: FileMeta, found: Scan) -> bool:
    """Whether both data sets say the same; False when what is held is gone.

    Group 2, group lengths, trailing padding, lengths of sequences and items, and Explicit or Implicit VR do not count.
    """
    try:
        with incoming.finish() as buffer:
            if _same_bytes(blobs, held, buffer, meta):
                return True
            one_form = meta.transfer_syntax_uid == held.transfer_syntax_uid or (
                meta.transfer_syntax_uid in _PLAIN and held.transfer_syntax_uid in _PLAIN
            )
            if not one_form or meta.transfer_syntax_uid == _DEFLATED:
                return False
            with whole(blobs, held.blob, held.size) as other:
                # both were read with these bounds when they came
                theirs = scan(other, read_file_meta(other), Limits())
                return _same_elements(found.elements, theirs.elements, (buffer, found.bulk), (other, theirs.bulk))
    except NotFound:
        return False
    except VnaError:  # what is held can no longer be read
        return False


def _same_bytes(blobs: BlobStore, held: Content, buffer: Buffer, meta: FileMeta) -> bool:
    at = meta.dataset_offset
    if held.transfer_syntax_uid != meta.transfer_syntax_uid or held.size - held.dataset_offset != len(buffer) - at:
        return False
    for piece in blobs.stream(held.blob, held.dataset_offset):
        if buffer[at : at + len(piece)] != piece:
            return False
        at += len(piece)
    return at == len(buffer)


_Source = tuple[Buffer, Mapping[str, tuple[int, int]]]
_STRIDE = 1 << 20


def _same_elements(ours: dict[str, Element], theirs: dict[str, Element], source: _Source, other: _Source) -> bool:
    if ours.keys() != theirs.keys():
        return False
    return all(_same_element(element, theirs[tag], source, other) for tag, element in ours.items())


def _same_element(ours: Element, theirs: Element, source: _Source, other: _Source) -> bool:
    if "BulkDataURI" in ours and "BulkDataURI" in theirs:  # OB in one form may be OW in the other
        return _same_bulk(_place(ours, source), _place(theirs, other))
    if ours["vr"] != "SQ" or theirs["vr"] != "SQ":
        return _plain(ours) == _plain(theirs)
    items, others = ours.get("Value", []), theirs.get("Value", [])
    return len(items) == len(others) and all(
        _same_elements(item, its, source, other) for item, its in zip(items, others, strict=True)
    )


def _plain(element: Element) -> tuple[Any, Any, Any]:
    return element.get("Value"), element.get("InlineBinary"), element.get("BulkDataURI")


def _place(element: Element, source: _Source) -> tuple[Buffer, int, int]:
    offset, length = source[1][element["BulkDataURI"]]
    return source[0], offset, length


def _same_bulk(ours: tuple[Buffer, int, int], theirs: tuple[Buffer, int, int]) -> bool:
    return ours[2] == theirs[2] and all(a == b for a, b in zip(_pieces(*ours), _pieces(*theirs), strict=True))


def _pieces(buffer: Buffer, offset: int, length: int) -> Iterator[bytes]:
    for at in range(offset, offset + length, _STRIDE):
        yield bytes(buffer[at : min(at + _STRIDE, offset + length)])
