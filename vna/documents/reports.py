"""Reports of studies as documents: PDF, text or CDA, provided to the repository that manifests go to
(RAD TF-2 4.68)."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from storage.index import contents
from storage.index.engine import Database
from vna.documents import manifest
from vna.documents.descriptions import REPORT_FORMATS, Describing
from vna.documents.identifiers import new_uuid
from vna.documents.publisher import Destination
from vna.model.access import Action, Actor
from vna.model.documents import Status
from vna.model.errors import BadRequest, NotFound, TooLarge
from vna.security.policy import Policy
from vna.xml.parser import Bounds, parse

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

    def publish(
        self,
        actor: Actor,
        study_instance_uid: str,
        data: bytes,
        media_type: str,
        *,
        title: str = "",
        replaces: str = "",
    ) -> str:
        """The document's uniqueId; `replaces` is that of an earlier report of the study, which is deprecated.

        NotFound when the study or the earlier report is not there; NotAcceptable when reports are of other media types;
        BadRequest when the content is of another; Refused or Unavailable when the repository does not take it.
        """
        self._policy.check(actor, Action.WRITE_DOCUMENTS, study_instance_uid)
        if not data or len(data) > MOST_BYTES:
            raise TooLarge(f"a report has at most {MOST_BYTES} bytes") if data else BadRequest("the report is empty")
        _check(data, media_type)
        with self._database.read() as connection:
            study = contents.of_study(connection, study_instance_uid, own=False)
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
        submission = describing.submission(
            document,
            entry_uuid=new_uuid(),
            unique_id=manifest.new_uid(),
            at=at,
            replaces=self._earlier(study_instance_uid, replaces) if replaces else "",
        )
        self._destination.provide(submission, {document.entry_uuid: data})
        return document.unique_id

    def _earlier(self, study_instance_uid: str, unique_id: str) -> str:
        """The entryUUID of a report of the study."""
        for entry in self._destination.metadata.documents(unique_ids=[unique_id]):
            is_of_it = any(one.startswith(f"{study_instance_uid}^") for one in entry.reference_ids)
            if is_of_it and entry.status is Status.APPROVED and entry.mime_type in REPORT_FORMATS:
                return entry.entry_uuid
        raise NotFound(f"{unique_id} is no report of this study that is in force")


def _check(data: bytes, media_type: str) -> None:
    """BadRequest when the content is not what its media type says."""
    match media_type:
        case "application/pdf":
            if not data.startswith(b"%PDF-"):  # ISO 32000-1 7.5.2
                raise BadRequest("the report is no PDF: it does not begin with %PDF-")
        case "text/plain":
            try:
                data.decode("utf-8")
            except UnicodeDecodeError as exc:
                raise BadRequest(f"the report is no text in UTF-8: byte {exc.start} is in another encoding") from exc
        case "text/xml":
            try:
                parse(data, Bounds(size=MOST_BYTES))
            except BadRequest as exc:
                raise BadRequest(f"the report {exc}") from exc
            except TooLarge as exc:
                raise TooLarge(f"the report {exc}") from exc
