"""What a registry holds, as the rules ask for it within one transaction."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.index import documents
from storage.index.document_queries import Depth
from storage.index.documents import Found, Link
from storage.index.engine import Connection
from vna.documents.changes import Changes
from vna.model.documents import (
    Association,
    AssociationKind,
    DocumentQuery,
    Folder,
    Kind,
    Registered,
    Status,
)


@dataclass(slots=True)
class Holdings:
    """Objects by entryUUID, read once; what this transaction changed is seen as it will be."""

    connection: Connection
    changes: Changes = field(default_factory=Changes)
    _objects: dict[str, Found | None] = field(default_factory=dict)
    _links: dict[str, Association | None] = field(default_factory=dict)

    def load(self, entry_uuids: Iterable[str]) -> None:
        """Read these at once."""
        wanted = [uuid for uuid in dict.fromkeys(entry_uuids) if uuid not in self._objects]
        if not wanted:
            return
        self._objects.update(dict.fromkeys(wanted))
        for kind in (Kind.DOCUMENT, Kind.FOLDER, Kind.SUBMISSION_SET):
            query = DocumentQuery(kind, entry_uuids=tuple(wanted))
            for found in documents.held(self.connection, query, Depth.OBJECT):
                self._objects[found.entry_uuid] = found
        everywhere = tuple(Status)
        for link in documents.associations(
            self.connection, wanted, Depth.OBJECT, ends=("entry_uuid",), statuses=everywhere
        ):
            self._links[link.entry_uuid] = link.object

    def get(self, entry_uuid: str) -> Registered | None:
        """A document, folder or submission set that was registered before."""
        changed = self.changes.changed.get(entry_uuid)
        if changed is not None and not isinstance(changed, Association):
            return changed
        self.load([entry_uuid])
        found = self._objects[entry_uuid]
        return found.object if found is not None else None

    def association(self, entry_uuid: str) -> Association | None:
        """An association that was registered before."""
        self.load([entry_uuid])
        return self._links.get(entry_uuid)

    def patient(self, entry_uuid: str) -> int:
        """The key of the patient that a registered object is of now."""
        self.load([entry_uuid])
        found = self._objects[entry_uuid]
        assert found is not None
        return found.patient

    def links(
        self,
        entry_uuids: Iterable[str],
        end: str,
        *kinds: AssociationKind,
        depth: Depth = Depth.REFERENCE,
        statuses: tuple[Status, ...] = (Status.APPROVED,),
    ) -> list[Link]:
        """Associations of some kinds, all of them by default, that have one of these as their `source` or `target`."""
        return documents.associations(
            self.connection, entry_uuids, depth, ends=(end,), kinds=kinds or AssociationKind, statuses=statuses
        )

    def folders_of(self, document: str) -> list[Folder]:
        """The approved folders that a document is in."""
        sources = [link.source for link in self.links([document], "target", AssociationKind.HAS_MEMBER)]
        self.load(sources)
        held = [self.get(source) for source in sources]
        return [one for one in held if isinstance(one, Folder) and one.status is Status.APPROVED]
