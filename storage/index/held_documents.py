"""Documents of the repository: where the bytes of each are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.index.events import time_text
from storage.index.schema import held_documents as table
from vna.model.events import Event

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class HeldDocument:
    """A document as it was provided once; `size` is in bytes."""

    repository_unique_id: str
    unique_id: str
    mime_type: str
    blob: str
    size: int
    sha1: bytes
    sha256: bytes
    received_at: str

    def detail(self) -> dict[str, Any]:
        """What the event that tells of it says, enough for `of_event`."""
        return {
            "repository": self.repository_unique_id,
            "unique_id": self.unique_id,
            "mime_type": self.mime_type,
            "blob": self.blob,
            "size": self.size,
            "sha1": self.sha1.hex(),
            "sha256": self.sha256.hex(),
        }


def of_event(event: Event) -> HeldDocument:
    """The document that an event told of."""
    detail = event.detail
    return HeldDocument(
        detail["repository"],
        detail["unique_id"],
        detail["mime_type"],
        detail["blob"],
        detail["size"],
        bytes.fromhex(detail["sha1"]),
        bytes.fromhex(detail["sha256"]),
        time_text(event.at),
    )


_NAMES = HeldDocument.__slots__
_COLUMNS = [table.c[name] for name in _NAMES]


def add(connection: sa.Connection, documents: Iterable[HeldDocument]) -> None:
    """Keep where they are."""
    rows = [{name: getattr(document, name) for name in _NAMES} for document in documents]
    if rows:
        connection.execute(sa.insert(table), rows)


def held(connection: sa.Connection, unique_ids: Iterable[str]) -> list[HeldDocument]:
    """Every document with one of these uniqueIds, the one that came first before the others."""
    return _where(connection, table.c.unique_id, unique_ids)


def of_blobs(connection: sa.Connection, blobs: Iterable[str]) -> list[HeldDocument]:
    """The documents whose bytes these are."""
    return _where(connection, table.c.blob, blobs)


def remove(connection: sa.Connection, blobs: Iterable[str]) -> list[HeldDocument]:
    """Forget the documents whose bytes these are; those that were there."""
    names = list(blobs)
    found = _where(connection, table.c.blob, names)
    for start in range(0, len(names), _CHUNK):
        connection.execute(sa.delete(table).where(table.c.blob.in_(names[start : start + _CHUNK])))
    return found


def _where(connection: sa.Connection, column: sa.Column[Any], values: Iterable[str]) -> list[HeldDocument]:
    wanted = list(dict.fromkeys(values))
    found: list[HeldDocument] = []
    for start in range(0, len(wanted), _CHUNK):
        rows = connection.execute(
            sa.select(*_COLUMNS).where(column.in_(wanted[start : start + _CHUNK])).order_by(table.c.id)
        )
        found += [HeldDocument(*row) for row in rows]
    return found
