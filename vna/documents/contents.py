"""Bytes of documents: on their way in, into the blob store, and out again."""

import hashlib
import io
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from storage.blobs.base import BlobStore, Growing
from storage.index import lookup
from storage.index.engine import Database
from storage.index.held_documents import HeldDocument
from storage.spool import Incoming
from vna.archive.names import document_blob_name
from vna.model.documents import DocumentEntry
from vna.model.errors import VnaError

log = logging.getLogger(__name__)

_PIECE = 1 << 20


class Content(Protocol):
    """The bytes of one document, which can be read more than once; `sha1` is in hexadecimal."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def sha1(self) -> str:
        """Of all of them."""

    def open(self) -> BinaryIO:
        """From the beginning."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """A document that is small, or made here."""

    data: bytes

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data)

    @property
    def sha1(self) -> str:
        """Of all of them."""
        return hashlib.sha1(self.data, usedforsecurity=False).hexdigest()

    def open(self) -> BinaryIO:
        """From the beginning."""
        return io.BytesIO(self.data)


class Contents:
    """Keeps bytes under names that are new each time; durable before anything refers to them."""

    def __init__(self, database: Database, blobs: BlobStore, *, max_bytes: int, room: Callable[[], None]) -> None:
        self._database = database
        self._blobs = blobs
        self._max_bytes = max_bytes
        self._room = room

    def keep(self, document: DocumentEntry, content: Content, received_at: str) -> HeldDocument:
        """The document as it is held. TooLarge, OutOfResources and Unavailable; then nothing of it is left."""
        self._room()
        name = document_blob_name()
        blobs = self._blobs
        begin = (lambda _: blobs.begin(name)) if isinstance(blobs, Growing) else None
        with Incoming(blobs.spool_folder, max_bytes=self._max_bytes, begin=begin) as incoming:
            with content.open() as file:
                while piece := file.read(_PIECE):
                    incoming.write(piece)
            incoming.finish()
            incoming.keep(blobs, name)
            return HeldDocument(
                repository_unique_id=document.repository_unique_id,
                unique_id=document.unique_id,
                mime_type=document.mime_type,
                blob=name,
                size=incoming.size,
                sha1=bytes.fromhex(content.sha1),
                sha256=incoming.sha256,
                received_at=received_at,
            )

    def drop(self, names: Iterable[str]) -> None:
        """Remove bytes that no row names; what cannot be removed, or may have a row after all, is left for a sweep."""
        names = list(names)
        try:
            with self._database.read() as connection:
                known = lookup.known_blobs(connection, names)
            for name in names:
                if name not in known:
                    self._blobs.delete(name)
        except VnaError as exc:
            log.warning("orphans left behind", extra={"blobs": names[:100], "reason": str(exc)})
