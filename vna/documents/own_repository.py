"""Our own repository and registry as where manifests go: in this process, under the same rules as for everybody."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from storage.index import identities
from storage.index.engine import Database
from vna.documents.registry import Registry
from vna.documents.repository import WantedDocument
from vna.documents.withdrawal import Metadata
from vna.identity.patients import Patients
from vna.model.access import SYSTEM, Actor
from vna.model.documents import Association, DocumentEntry, Submission
from vna.model.identifiers import patient_identifier

Provide = Callable[[Actor, Submission, Mapping[str, bytes]], object]
"""The repository's use case: contents by entryUUID."""

Discard = Callable[[Actor, Sequence[WantedDocument]], object]
"""The repository's use case; what is not there is gone already."""


class OwnMetadata:
    """Our own registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def update(self, submission: Submission) -> object:
        """Refused with its reasons."""
        return self._registry.update(SYSTEM, submission)

    def documents(self, *, entry_uuids: Iterable[str] = (), unique_ids: Iterable[str] = ()) -> Sequence[DocumentEntry]:
        """Every version."""
        return self._registry.versions(SYSTEM, entry_uuids=entry_uuids, unique_ids=unique_ids)

    def associations(self, entry_uuids: Iterable[str]) -> Sequence[Association]:
        """Of whatever status."""
        return self._registry.associations(SYSTEM, entry_uuids)

    def remove(self, entry_uuids: Sequence[str]) -> None:
        """Refused with its reasons."""
        self._registry.remove(SYSTEM, entry_uuids)


class OwnRepository:
    """Makes the patients of our own images known, whatever becomes of the unknown patients of others.

    `metadata` is the registry that it registers in.
    """

    def __init__(
        self, database: Database, patients: Patients, provide: Provide, discard: Discard, metadata: Metadata
    ) -> None:
        self._database = database
        self._patients = patients
        self._provide = provide
        self._discard = discard
        self.metadata = metadata

    def provide(self, submission: Submission, contents: Mapping[str, bytes]) -> None:
        """Refused with the registry's reasons."""
        self._patients.register(SYSTEM, submission.submission_set.patient_id)
        self._provide(SYSTEM, submission, contents)

    def discard(self, documents: Sequence[WantedDocument]) -> None:
        """For good; what is not there is gone already."""
        self._discard(SYSTEM, documents)

    def survivor(self, patient_id: str) -> str:
        """By the merges that the identity feed told of."""
        identifier = patient_identifier(patient_id)
        if identifier is None:
            return patient_id
        with self._database.read() as connection:
            found = identities.find(connection, identifier)
            if found is None or found.merged_into is None:
                return patient_id
            return str(identities.survivors(connection, [found.key])[found.key].identifier)
