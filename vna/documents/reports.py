"""Reports of studies as documents: PDF, text or CDA, provided to the repository that manifests go to
(RAD TF-2 4.68)."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from storage.index import contents
from storage.index.engine import Database
from vna.documents import manifest
from vna.documents.descriptions import Describing
from vna.documents.identifiers import new_uuid
from vna.documents.publisher import Destination
from vna.model.access import Action, Actor
from vna.model.errors import BadRequest, NotFound, TooLarge
from vna.security.policy import Policy

MOST_BYTES = 100 << 20


class Reports:
    """Provides what a radiologist wrote; the archive keeps nothing of it but what its own repository is given."""

    def __init__(
        self, database: Database, policy: Policy, describing: Callable[[], Describing], destination: Destination
    ) -> None:
        self._database = database
        self._policy = policy
        self._describing = describing
        self._destination = destination

    def publish(self, actor: Actor, study_instance_uid: str, data: bytes, media_type: str, *, title: str = "") -> str:
        """The document's uniqueId.

        NotFound when the study is not held; NotAcceptable when reports are of other media types; Refused or Unavailable
        when the repository does not take it.
        """
        self._policy.check(actor, Action.WRITE_DOCUMENTS, study_instance_uid)
        if not data or len(data) > MOST_BYTES:
            raise TooLarge(f"a report has at most {MOST_BYTES} bytes") if data else BadRequest("the report is empty")
        with self._database.read() as connection:
            study = contents.of_study(connection, study_instance_uid)
        if study is None:
            raise NotFound("no such study")
        describing, at = self._describing(), datetime.now(UTC)
        described = describing.report(
            study, media_type=media_type, title=title, entry_uuid=new_uuid(), unique_id=manifest.new_uid(), made_at=at
        )
        document = replace(
            described,
            patient_id=self._destination.survivor(described.patient_id),
            size=str(len(data)),
            hash=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        )
        submission = describing.submission(document, entry_uuid=new_uuid(), unique_id=manifest.new_uid(), at=at)
        self._destination.provide(submission, {document.entry_uuid: data})
        return document.unique_id
