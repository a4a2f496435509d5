"""Our own repository and registry as where manifests go: in this process, under the same rules as for everybody."""

from collections.abc import Callable, Mapping

from storage.index import identities
from storage.index.engine import Database
from vna.documents.registry import Registry
from vna.identity.patients import Patients
from vna.model.access import SYSTEM, Actor
from vna.model.documents import Submission
from vna.model.identifiers import patient_identifier

Provide = Callable[[Actor, Submission, Mapping[str, bytes]], object]
"""The repository's use case: contents by entryUUID."""


class OwnRepository:
    """Makes the patients of our own images known, whatever becomes of the unknown patients of others."""

    def __init__(self, database: Database, registry: Registry, patients: Patients, provide: Provide) -> None:
        self._database = database
        self._registry = registry
        self._patients = patients
        self._provide = provide

    def provide(self, submission: Submission, contents: Mapping[str, bytes]) -> None:
        """Refused with the registry's reasons."""
        self._patients.register(SYSTEM, submission.submission_set.patient_id)
        self._provide(SYSTEM, submission, contents)

    def update(self, submission: Submission) -> None:
        """Refused with the registry's reasons."""
        self._registry.update(SYSTEM, submission)

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
