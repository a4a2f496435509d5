"""An archive that publishes to itself, with places where it can be made to fail."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pydicom
from pydicom import Dataset

from storage.index import documents
from storage.index.document_queries import Depth
from tests.archives import put
from tests.objects import ct, part10
from vna.app import Application
from vna.documents.descriptions import Describing
from vna.documents.own_repository import OwnMetadata, OwnRepository
from vna.documents.problems import ErrorCode, refused
from vna.documents.profile import Profile
from vna.documents.publisher import Publisher
from vna.documents.removing import REMOVE, Removing
from vna.documents.repository import WantedDocument
from vna.jobs.workers import Workers
from vna.model.access import Actor
from vna.model.documents import DocumentEntry, DocumentQuery, Kind, Status, Submission

OWN = "1.2.826.0.1.3680043.10.1561.77"


class Killed(BaseException):
    """The process ends here."""


@dataclass(slots=True)
class Repository:
    """Registers in the archive's own registry and keeps documents here; `fails` happens before or after that."""

    archive: Application
    kept: dict[str, bytes] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None

    def __call__(self, actor: Actor, submission: Submission, contents: Mapping[str, bytes]) -> None:
        self.before()
        for document in submission.documents:
            data = contents[document.entry_uuid]
            assert document.size == str(len(data))
            assert document.hash == hashlib.sha1(data).hexdigest()
        self.archive.documents.register(actor, submission)
        self.submissions.append(submission)
        self.kept.update({document.unique_id: contents[document.entry_uuid] for document in submission.documents})
        self.after()

    def discard(self, _actor: Actor, wanted: Sequence[WantedDocument]) -> None:
        for one in wanted:
            assert one.repository_unique_id == OWN
            self.kept.pop(one.unique_id, None)


class Metadata(OwnMetadata):
    """The archive's own registry; `refuses` says what it does not do, and `killed` is called when it has removed."""

    refuses: tuple[str, ...] = ()
    code = ErrorCode.REGISTRY

    def killed(self) -> None:
        """Nothing happens."""

    def update(self, submission: Submission) -> object:
        self._ask("update")
        return super().update(submission)

    def remove(self, entry_uuids: Sequence[str]) -> None:
        self._ask("remove")
        super().remove(entry_uuids)
        self.killed()

    def _ask(self, what: str) -> None:
        if what in self.refuses:
            raise refused(self.code, f"no {what}")


@dataclass(slots=True)
class Site:
    """An archive that publishes to itself."""

    archive: Application
    repository: Repository
    publisher: Publisher
    metadata: Metadata
    removing: Removing

    def publish(self, study: str) -> None:
        self.publisher(study)

    def drain(self) -> None:
        """Do the removals that are due."""
        Workers(self.archive.database, {REMOVE: self.removing}).drain()

    def entries(self, *statuses: Status) -> list[DocumentEntry]:
        """What is registered, oldest first."""
        query = DocumentQuery(Kind.DOCUMENT, statuses=frozenset(statuses or Status), conditions=())
        with self.archive.database.read() as connection:
            every = connection.exec_driver_sql("select entry_uuid from document_objects order by id").all()
            uuids = tuple(row[0] for row in every)
            if not uuids:
                return []
            found = documents.held(connection, replace(query, entry_uuids=uuids), Depth.OBJECT)
            by_uuid = {one.entry_uuid: one.object for one in found}
        return [entry for uuid in uuids if isinstance(entry := by_uuid.get(uuid), DocumentEntry)]

    def approved(self) -> DocumentEntry:
        (entry,) = self.entries(Status.APPROVED)
        return entry

    def manifest(self) -> Dataset:
        return pydicom.dcmread(io.BytesIO(self.repository.kept[self.approved().unique_id]))

    def listed(self) -> set[str]:
        """The instances that the current manifest names."""
        (study,) = self.manifest().CurrentRequestedProcedureEvidenceSequence
        return {
            one.ReferencedSOPInstanceUID
            for series in study.ReferencedSeriesSequence
            for one in series.ReferencedSOPSequence
        }


def make_site(archive: Application, profile: Profile | None = None) -> Site:
    repository = Repository(archive)
    metadata = Metadata(archive.documents)
    destination = OwnRepository(archive.database, archive.patients, repository, repository.discard, metadata)
    publisher = Publisher(
        archive.database, lambda: Describing(profile or Profile(), OWN), destination, archive.settings.dimse.ae_title
    )
    return Site(archive, repository, publisher, metadata, Removing(archive.database, destination))


def stored(archive: Application, study: str = "", **values: object) -> Dataset:
    ds = ct(**{**({"StudyInstanceUID": study} if study else {}), **values})
    put(archive, part10(ds))
    return ds
