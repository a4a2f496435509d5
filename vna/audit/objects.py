"""What an audit message tells of: patients, studies, documents, queries, alerts (PS3.15 A.5.3, ITI TF-2 3.Y.5.1)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vna.audit import codes
from vna.audit.codes import Code
from vna.audit.message_forms import Form, Parties
from vna.model.audit import AuditRecord

PERSON, SYSTEM_OBJECT = "1", "2"  # ParticipantObjectTypeCode
PATIENT, REPORT, SECURITY_RESOURCE, JOB, QUERY = "1", "3", "13", "20", "24"  # ParticipantObjectTypeCodeRole


@dataclass(frozen=True, slots=True)
class Object:
    """A ParticipantObjectIdentification; query and details are plain text, which the message has in Base64."""

    id: str
    type: Code
    kind: str
    role: str
    name: str = ""
    query: str = ""
    details: tuple[tuple[str, str], ...] = ()
    accessions: tuple[str, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)


_SAID = frozenset(
    {
        *("endpoint", "process", "user", "reply_to", "destination", "destination_address", "query", "query_id"),
        *("home_community_id", "submission_set", "documents", "objects", "accession", "sop_classes", "transfer_syntax"),
    }
)
"""Details that have a place of their own in the message; all others go along as they are."""


def objects(record: AuditRecord, form: Form) -> Iterator[Object]:
    """All of a record, in the order in which they are written.

    Details that have no place of their own go with the first that is no patient.
    """
    found = [*_studies(record), *_documents(record), *_queries(record, form), *_alerts(record, form)]
    found = found or [*_anything(record, form)]
    if record.patient:
        yield Object(record.patient, codes.PATIENT_NUMBER, PERSON, PATIENT)
    rest = {name: value for name, value in record.detail.items() if name not in _SAID}
    if record.facility:
        rest["facility"] = record.facility
    for number, one in enumerate(found):
        more = tuple((name, _text(value)) for name, value in sorted(rest.items())) if number == 0 else ()
        yield replace(one, details=one.details + more)


def _studies(record: AuditRecord) -> Iterator[Object]:
    """Studies (PS3.15 A.5.3.6, A.5.3.7): one, or those that an export names."""
    several = record.detail.get("studies")
    named = several if isinstance(several, list) else []
    uids = [record.study_instance_uid] if record.study_instance_uid else [str(one) for one in named]
    for uid in uids:
        accession = str(record.detail.get("accession", ""))
        classes = record.detail.get("sop_classes")
        yield Object(
            uid,
            codes.STUDY_INSTANCE_UID,
            SYSTEM_OBJECT,
            REPORT,
            name=uid,
            accessions=(accession,) if accession else (),
            classes=classes if isinstance(classes, dict) else {},
        )


def _documents(record: AuditRecord) -> Iterator[Object]:
    """What was submitted, retrieved or removed (ITI TF-2 3.41.5.1, 3.43.5.1, 3.62.5.1)."""
    if submission_set := record.detail.get("submission_set"):
        yield Object(str(submission_set), codes.SUBMISSION_SET, SYSTEM_OBJECT, JOB)
    for document in _listed(record, "documents"):
        said = document if isinstance(document, dict) else {"unique_id": document}
        details = (
            ("Repository Unique Id", str(said.get("repository", ""))),
            ("ihe:homeCommunityID", str(said.get("home", ""))),
        )
        yield Object(
            str(said.get("unique_id", "")),
            codes.REPORT_NUMBER,
            SYSTEM_OBJECT,
            REPORT,
            details=tuple(one for one in details if one[1]),
        )
    for reference in _listed(record, "objects"):
        yield Object(str(reference), codes.OBJECT_REFERENCE, SYSTEM_OBJECT, REPORT)


def _queries(record: AuditRecord, form: Form) -> Iterator[Object]:
    """The query (PS3.15 A.5.3.10, ITI TF-2 3.18.5.1), as the record has it: never its answer."""
    if form.event is not codes.QUERY:
        return
    named, asked = str(record.detail.get("query_id", "")), _text(record.detail.get("query", {}))
    home, syntax = record.detail.get("home_community_id"), record.detail.get("transfer_syntax")
    if form.kind is not None:
        details: tuple[tuple[str, str], ...] = (("QueryEncoding", "UTF-8"),)
        if home:
            details += (("urn:ihe:iti:xca:2010:homeCommunityId", str(home)),)
        yield Object(named, form.kind, SYSTEM_OBJECT, QUERY, query=asked, details=details)
        return
    yield Object(
        named or record.what,
        codes.SOP_CLASS_UID if named else codes.SEARCH_CRITERIA,
        SYSTEM_OBJECT,
        REPORT if named else QUERY,
        query=asked,
        details=(("TransferSyntax", str(syntax)),) if syntax else (),
    )


def _alerts(record: AuditRecord, form: Form) -> Iterator[Object]:
    """The subject of an alert (PS3.15 A.5.3.11)."""
    if form.parties is Parties.REPORTING:
        words = f"{record.what}: {record.reason}" if record.reason else record.what
        yield Object(
            f"urn:vna:{record.what}",
            codes.URI,
            SYSTEM_OBJECT,
            SECURITY_RESOURCE,
            details=(("Alert Description", words),),
        )


def _anything(record: AuditRecord, form: Form) -> Iterator[Object]:
    """Where a record is of nothing that has a form: the log that was read, or what happened under its own name."""
    if form.event is codes.AUDIT_LOG_USED:
        yield Object("urn:vna:audit", codes.URI, SYSTEM_OBJECT, SECURITY_RESOURCE, name="Security Audit Log")
    elif form.parties is not Parties.STARTING and form.event is not codes.USER_AUTHENTICATION:
        yield Object(f"urn:vna:{record.what}", codes.URI, SYSTEM_OBJECT, REPORT)


def _listed(record: AuditRecord, name: str) -> list[Any]:
    value = record.detail.get(name)
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    )
