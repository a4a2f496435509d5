"""Submissions of documents that the suite makes, as ebRIM (ITI TF-3 4.2): invented, and marked as of one run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from conformance.suite.check import Failed, NotApplicable
from conformance.suite.messages import patient_message
from conformance.suite.mllp import tell
from conformance.suite.session import Session

RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
LCM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
STABLE: Final = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
UNIQUE_ID: Final = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
REPLACES: Final = "urn:ihe:iti:2007:AssociationType:RPLC"
_HAS_MEMBER: Final = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
_PACKAGE: Final = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:RegistryPackage"
_SET_NODE: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_SET: Final = "SubmissionSet01"
_NUMBERS: Final = count(1)

CODES: Final[Mapping[str, tuple[str, str, str]]] = {
    "classCode": ("41a5887f-8865-4c09-adf7-e362475b143a", "REPORTS", "1.3.6.1.4.1.19376.1.2.6.1"),
    "confidentialityCode": ("f4f85eac-e6cb-4883-b524-f2705394840f", "N", "2.16.840.1.113883.5.25"),
    "formatCode": ("a09d5840-386c-46f2-b5ad-9c3699a4309d", "urn:ihe:rad:TEXT", "1.3.6.1.4.1.19376.1.2.3"),
    "healthcareFacilityTypeCode": ("f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "22232009", "2.16.840.1.113883.6.96"),
    "practiceSettingCode": ("cccf5598-8b07-4b77-a05e-ae952c785ead", "394914008", "2.16.840.1.113883.6.96"),
    "typeCode": ("f0306f51-975f-434e-a61c-c59651d33983", "18748-4", "2.16.840.1.113883.6.1"),
}
"""Classification, code and coding scheme of what a DocumentEntry has to have (ITI TF-3 4.2.3.2)."""


@dataclass(frozen=True, slots=True)
class Document:
    """A DocumentEntry; `lacks` names attributes that are left out, and what is empty is left out too."""

    patient: str
    unique_id: str
    content: bytes = b"Nothing to see.\n"
    hash: str = ""
    size: str = ""
    repository: str = ""
    id: str = field(default_factory=lambda: f"Document{next(_NUMBERS)}")
    lacks: frozenset[str] = frozenset()

    def slots(self) -> dict[str, str]:
        """Its slots with one value."""
        said = {
            "creationTime": "20260102101112",
            "languageCode": "en-GB",
            "sourcePatientId": "4711^^^&1.2.3.4.5&ISO",
            "hash": self.hash,
            "size": self.size,
            "repositoryUniqueId": self.repository,
        }
        return {name: value for name, value in said.items() if value and name not in self.lacks}


def cx(session: Session, name: str) -> str:
    """A patient of the affinity domain, told of by the feed where that is named (ITI TF-2 3.8)."""
    if not session.caller.domain:
        raise NotApplicable("--domain is not named: the affinity domain whose patients are registered")
    patient = f"VC{session.mark}{name}^^^&{session.caller.domain}&ISO"

    def feed() -> str:
        if session.targets.hl7 is not None:
            answer = tell(session, patient_message(session, "A04", patient))
            if answer.code not in ("AA", "CA"):
                raise Failed(f"ADT^A04 is answered {answer.code}")
        return patient

    return session.once(f"the patient {name} of the affinity domain", feed)


def document(session: Session, patient: str, **changes: object) -> Document:
    """One that has to be registered: its hash and size are told."""
    content = changes.pop("content", None) or f"Nothing to see: {session.uid()}\n".encode()
    assert isinstance(content, bytes)
    said = {"hash": sha1(content), "size": str(len(content)), "repository": "1.3.6.1.4.1.21367.2005.99.1", **changes}
    return Document(patient, session.uid(), content, **said)  # type: ignore[arg-type]


def sha1(content: bytes) -> str:
    """As documents are known by (ITI TF-3 4.2.3.2.10)."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def submission(
    session: Session,
    documents: Iterable[Document],
    *,
    patient: str = "",
    unique_id: str = "",
    replaces: Mapping[str, str] | None = None,
) -> str:
    """A lcm:SubmitObjectsRequest; `patient` is that of the set, where it is another than that of the documents.

    `replaces` are the entryUUIDs of what is replaced, by the ids of the documents that do.
    """
    documents = tuple(documents)
    patient = patient or documents[0].patient
    things = [_set(session, patient, unique_id or session.uid()), *map(_entry, documents)]
    things += [_link(_HAS_MEMBER, _SET, one.id, "Original") for one in documents]
    things += [_link(REPLACES, new, old) for new, old in (replaces or {}).items()]
    return (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"><rim:RegistryObjectList>{"".join(things)}'
        "</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


def _set(session: Session, patient: str, unique_id: str) -> str:
    inside = [
        _slot("submissionTime", f"{session.started:%Y%m%d%H%M%S}"),
        f'<rim:Classification id="c{next(_NUMBERS)}" classifiedObject="{_SET}" classificationNode="{_SET_NODE}"/>',
        _code(_SET, "aa543740-bdda-424e-8c96-df4873be8500", "REPORTS", "1.3.6.1.4.1.19376.1.2.6.1"),
        _identifier(_SET, "6b5aea1a-874d-4603-a4bc-96a0a7b38446", "XDSSubmissionSet.patientId", patient),
        _identifier(_SET, "554ac39e-e3fe-47fe-b233-965d2a147832", "XDSSubmissionSet.sourceId", "1.2.3.4.5.6"),
        _identifier(_SET, "96fdda7c-d067-4183-912e-bf5ee74998a8", "XDSSubmissionSet.uniqueId", unique_id),
    ]
    return f'<rim:RegistryPackage id="{_SET}" objectType="{_PACKAGE}">{"".join(inside)}</rim:RegistryPackage>'


def _entry(one: Document) -> str:
    inside = [_slot(name, value) for name, value in one.slots().items()]
    inside.append('<rim:Name><rim:LocalizedString value="Conformance report"/></rim:Name>')
    inside += [_code(one.id, *code) for name, code in CODES.items() if name not in one.lacks]
    inside.append(
        _identifier(one.id, "58a6f841-87b3-4a3e-92fd-a8ffeff98427", "XDSDocumentEntry.patientId", one.patient)
    )
    inside.append(_identifier(one.id, UNIQUE_ID.removeprefix("urn:uuid:"), "XDSDocumentEntry.uniqueId", one.unique_id))
    attributes = f'id="{one.id}" objectType="{STABLE}" mimeType="text/plain"'
    return f"<rim:ExtrinsicObject {attributes}>{''.join(inside)}</rim:ExtrinsicObject>"


def _slot(name: str, value: str) -> str:
    values = f"<rim:ValueList><rim:Value>{escape(value)}</rim:Value></rim:ValueList>"
    return f'<rim:Slot name="{name}">{values}</rim:Slot>'


def _code(owner: str, scheme: str, code: str, coding: str) -> str:
    name = f'<rim:Name><rim:LocalizedString value="{escape(code)}"/></rim:Name>'
    return (
        f'<rim:Classification id="c{next(_NUMBERS)}" classificationScheme="urn:uuid:{scheme}" '
        f'classifiedObject="{owner}" nodeRepresentation="{escape(code)}">{_slot("codingScheme", coding)}{name}'
        "</rim:Classification>"
    )


def _identifier(owner: str, scheme: str, name: str, value: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="e{next(_NUMBERS)}" registryObject="{owner}" '
        f'identificationScheme="urn:uuid:{scheme}" value={quoteattr(value)}>'
        f'<rim:Name><rim:LocalizedString value="{name}"/></rim:Name></rim:ExternalIdentifier>'
    )


def _link(kind: str, source: str, target: str, status: str = "") -> str:
    inside = _slot("SubmissionSetStatus", status) if status else ""
    attributes = f'id="a{next(_NUMBERS)}" associationType="{kind}" sourceObject="{source}" targetObject="{target}"'
    return f"<rim:Association {attributes}>{inside}</rim:Association>"
