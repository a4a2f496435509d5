"""Is the data set that comes byte for byte the one that is held? Group 2 may differ: each door writes its own."""

from storage.blobs.base import BlobStore
from storage.index.lookup import Content
from storage.spool import Incoming
from vna.model.errors import NotFound


def same_dataset(blobs: BlobStore, held: Content, incoming: Incoming, dataset_offset: int) -> bool:
    """Compares piece by piece from both data set offsets on; False when what is held is gone."""
    at = dataset_offset
    try:
        with incoming.finish() as buffer:
            for piece in blobs.stream(held.blob, held.dataset_offset):
                if buffer[at : at + len(piece)] != piece:
                    return False
                at += len(piece)
            return at == len(buffer)
    except NotFound:
        return False
