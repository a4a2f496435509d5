"""The rows of an object that is in the blob store: read again from its bytes and from what is known of it."""

from storage.blobs.base import BlobStore
from storage.index.instances import NewInstance
from storage.metadata import Limits, scan
from storage.part10 import read_file_meta
from storage.temporary import whole
from vna.archive import overlay
from vna.archive.store import Provenance, new_rows


def rows_again(
    blobs: BlobStore, name: str, size: int, sha256: bytes, provenance: Provenance, limits: Limits
) -> NewInstance:
    """NotFound when the object is gone, CannotUnderstand when its bytes are no longer what was accepted."""
    with whole(blobs, name, size) as buffer:
        meta = read_file_meta(buffer)
        scanned = scan(buffer, meta, limits)
    elements = overlay.applied(scanned.elements, overlay.changes(scanned.elements, provenance.coercion))
    return new_rows(meta, scanned, elements, provenance, name, size, sha256)
