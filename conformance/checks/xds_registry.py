"""A Document Registry: Register Document Set-b and Registry Stored Query (ITI TF-2 3.42, 3.18)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from lxml import etree

from conformance.suite.check import Failed, Target, check
from conformance.suite.session import Session
from conformance.suite.sharing import (
    APPROVED,
    DEPRECATED,
    GET_DOCUMENTS,
    ask,
    by_unique_id,
    entries,
    find,
    objects,
    refused,
    register,
    response,
    succeeded,
)
from conformance.suite.submissions import CODES, Document, cx, document, submission

REGISTER, QUERY = ("ITI-42",), ("ITI-18",)
DOOR: Final = Target.XDS_REGISTRY


def registered(session: Session) -> Document:
    """The document of a patient of its own, that queries look for."""

    def put() -> Document:
        one = document(session, cx(session, "X1"))
        succeeded(register(session, submission(session, [one])), "the submission")
        return one

    return session.once("the registered document", put)


def _expect(found: dict[str, etree._Element], *wanted: str) -> None:
    if sorted(found) != sorted(wanted):
        raise Failed(f"{len(wanted)} documents were to be found, these came: {sorted(found)}")


# ----------------------------------------------------------------------------------------------------------- register


@check(
    "xds.registry.register.success",
    "ITI TF-2 3.42.4.1.3",
    "A document of a known patient is registered",
    DOOR,
    covers=REGISTER,
)
def success(session: Session) -> None:
    one = document(session, cx(session, "X2"))
    succeeded(register(session, submission(session, [one])), "the submission")
    _expect(entries(by_unique_id(session, one.unique_id)), one.unique_id)


@check(
    "xds.registry.register.approved",
    "ITI TF-2 3.42.4.1.3.3.5",
    "A document that was registered is Approved, and has an entryUUID of the registry",
    DOOR,
    covers=REGISTER,
)
def approved(session: Session) -> None:
    one = registered(session)
    (found,) = entries(by_unique_id(session, one.unique_id)).values()
    if found.get("status") != APPROVED:
        raise Failed(f"its status is {found.get('status')}")
    if not found.get("id", "").startswith("urn:uuid:") or found.get("lid") in (None, ""):
        raise Failed(f"its id is {found.get('id')!r}, its lid {found.get('lid')!r}")


@check(
    "xds.registry.register.replace",
    "ITI TF-2 3.42.4.1.3.5",
    "A document that is replaced (RPLC) becomes Deprecated, and is not replaced again",
    DOOR,
    covers=REGISTER,
)
def replaced(session: Session) -> None:
    patient = cx(session, "X3")
    old, new, third = (document(session, patient) for _ in range(3))
    succeeded(register(session, submission(session, [old])), "the submission")
    uuid = entries(by_unique_id(session, old.unique_id))[old.unique_id].get("id", "")
    succeeded(register(session, submission(session, [new], replaces={new.id: uuid})), "the replacement")
    _expect(entries(find(session, patient)), new.unique_id)
    _expect(entries(find(session, patient, DEPRECATED)), old.unique_id)
    again = register(session, submission(session, [third], replaces={third.id: uuid}))
    refused(again, "a second replacement", "XDSRegistryDeprecatedDocumentError")


@check(
    "xds.registry.register.unresolved",
    "ITI TF-2 3.42.4.1.3.5",
    "The replacement of a document that is not there is refused: UnresolvedReferenceException",
    DOOR,
    covers=REGISTER,
)
def unresolved(session: Session) -> None:
    one = document(session, cx(session, "X2"))
    request = submission(session, [one], replaces={one.id: "urn:uuid:00000000-0000-4000-8000-000000000001"})
    refused(register(session, request), "the replacement of nothing", "UnresolvedReferenceException")


@check(
    "xds.registry.register.unknown-patient",
    "ITI TF-2 3.42.4.1.3.3.2",
    "A document of a patient whom no identity feed told of is refused: XDSUnknownPatientId",
    DOOR,
    also=(Target.HL7,),
    covers=REGISTER,
)
def unknown_patient(session: Session) -> None:
    known = cx(session, "X2")
    one = document(session, known.replace("X2^", "NOBODY^", 1))
    refused(register(session, submission(session, [one])), "an unknown patient's document", "XDSUnknownPatientId")


@check(
    "xds.registry.register.other-patient",
    "ITI TF-2 3.42.4.1.3.3.2",
    "A submission set of another patient than its document is refused: XDSPatientIdDoesNotMatch",
    DOOR,
    covers=REGISTER,
)
def other_patient(session: Session) -> None:
    one = document(session, cx(session, "X2"))
    request = submission(session, [one], patient=cx(session, "X4"))
    refused(register(session, request), "a set of two patients", "XDSPatientIdDoesNotMatch")


@check(
    "xds.registry.register.set-twice",
    "ITI TF-2 3.42.4.1.3.3.7",
    "A submission set whose uniqueId is in use is refused: XDSDuplicateUniqueIdInRegistry",
    DOOR,
    covers=REGISTER,
)
def set_twice(session: Session) -> None:
    patient, unique_id = cx(session, "X2"), session.uid()
    succeeded(register(session, submission(session, [document(session, patient)], unique_id=unique_id)), "the set")
    again = register(session, submission(session, [document(session, patient)], unique_id=unique_id))
    refused(again, "another set of the same uniqueId", "XDSDuplicateUniqueIdInRegistry")


@check(
    "xds.registry.register.set-as-document",
    "ITI TF-3 4.2.4",
    "One uniqueId for two objects of a message is refused: XDSRegistryDuplicateUniqueIdInMessage",
    DOOR,
    covers=REGISTER,
)
def set_as_document(session: Session) -> None:
    one = document(session, cx(session, "X2"))
    request = submission(session, [one], unique_id=one.unique_id)
    refused(register(session, request), "a uniqueId of two objects", "XDSRegistryDuplicateUniqueIdInMessage")


@check(
    "xds.registry.register.other-hash",
    "ITI TF-2 3.42.4.1.3.3.1",
    "The uniqueId of a document with another hash is refused: XDSNonIdenticalHash",
    DOOR,
    covers=REGISTER,
)
def other_hash(session: Session) -> None:
    one = registered(session)
    request = submission(session, [replace(one, hash="0" * 40)])
    refused(register(session, request), "another document of the same uniqueId", "XDSNonIdenticalHash")


@check(
    "xds.registry.register.again",
    "ITI TF-2 3.42.4.1.3.3.1",
    "The same document with the same hash and size is registered again",
    DOOR,
    covers=REGISTER,
)
def again(session: Session) -> None:
    one = document(session, cx(session, "X5"))
    for _ in range(2):
        succeeded(register(session, submission(session, [one])), "the same document")


@check(
    "xds.registry.register.atomic",
    "ITI TF-2 3.42.4.1.3.1",
    "Of a submission that is refused nothing is registered",
    DOOR,
    covers=REGISTER,
)
def atomic(session: Session) -> None:
    good, bad = (document(session, cx(session, "X6")) for _ in range(2))
    request = submission(session, [good, replace(bad, lacks=frozenset({"typeCode"}))])
    refused(register(session, request), "a submission half of which is wrong")
    _expect(entries(by_unique_id(session, good.unique_id)))
    _expect(entries(find(session, good.patient)))


def _lacks(name: str, session: Session) -> None:
    one = document(session, cx(session, "X2"), lacks=frozenset({name}))
    refused(register(session, submission(session, [one])), f"a document without {name}", "XDSRegistryMetadataError")


for _name in (*CODES, "creationTime", "languageCode", "sourcePatientId", "hash", "size", "repositoryUniqueId"):
    check(
        f"xds.registry.register.lacks.{_name}",
        "ITI TF-3 4.3.1",
        f"A document without {_name} is refused: XDSRegistryMetadataError",
        DOOR,
        covers=REGISTER,
    )(partial(_lacks, _name))


# -------------------------------------------------------------------------------------------------------------- query


@check(
    "xds.registry.find.leaf-class",
    "ITI TF-2 3.18.4.1.3",
    "FindDocuments with LeafClass gives the whole document, as it was registered",
    DOOR,
    covers=QUERY,
)
def leaf_class(session: Session) -> None:
    one = registered(session)
    found = entries(find(session, one.patient))
    _expect(found, one.unique_id)
    (entry,) = found.values()
    text = etree.tostring(entry, encoding="unicode")
    missing = [said for said in (one.hash, one.size, one.repository, *(code for _, code, _ in CODES.values()))
               if said not in text]  # fmt: skip
    if missing:
        raise Failed(f"the document does not say {missing}")


@check(
    "xds.registry.find.object-ref",
    "ITI TF-2 3.18.4.1.3",
    "FindDocuments with ObjectRef gives references and nothing else",
    DOOR,
    covers=QUERY,
)
def object_ref(session: Session) -> None:
    one = registered(session)
    uuid = entries(by_unique_id(session, one.unique_id))[one.unique_id].get("id")
    found = objects(find(session, one.patient, returns="ObjectRef"))
    came = [(etree.QName(thing).localname, thing.get("id"), len(thing)) for thing in found]
    if came != [("ObjectRef", uuid, 0)]:
        raise Failed(f"the answer holds {came[:4]}")


@check(
    "xds.registry.find.status",
    "ITI TF-2 3.18.4.1.2.3.7",
    "FindDocuments gives documents of the statuses that are asked for alone",
    DOOR,
    covers=QUERY,
)
def status(session: Session) -> None:
    one = registered(session)
    _expect(entries(find(session, one.patient, DEPRECATED)))
    _expect(entries(find(session, one.patient, APPROVED, DEPRECATED)), one.unique_id)


@check(
    "xds.registry.find.code",
    "ITI TF-2 3.18.4.1.2.3.5",
    "A code with its scheme selects documents; one that none has finds none",
    DOOR,
    covers=QUERY,
)
def code(session: Session) -> None:
    one = registered(session)
    _, value, scheme = CODES["typeCode"]
    _expect(entries(find(session, one.patient, XDSDocumentEntryTypeCode=f"('{value}^^{scheme}')")), one.unique_id)
    _expect(entries(find(session, one.patient, XDSDocumentEntryTypeCode=f"('{value}-0^^{scheme}')")))


@check(
    "xds.registry.find.code-scheme",
    "ITI TF-2 3.18.4.1.2.3.5",
    "A code without its scheme is an error, not an empty answer",
    DOOR,
    covers=QUERY,
)
def code_scheme(session: Session) -> None:
    one = registered(session)
    refused(find(session, one.patient, XDSDocumentEntryTypeCode="('18748-4')"), "a code without its scheme")


@check(
    "xds.registry.find.time",
    "ITI TF-2 3.18.4.1.2.3.7",
    "A range of creationTime includes its begin and excludes its end",
    DOOR,
    covers=QUERY,
)
def time(session: Session) -> None:
    one = registered(session)
    for since, until, wanted in (
        ("20260102101112", "20260102101113", [one.unique_id]),
        ("20260102101111", "20260102101112", []),
        ("2026", "2027", [one.unique_id]),
    ):
        given = {"XDSDocumentEntryCreationTimeFrom": since, "XDSDocumentEntryCreationTimeTo": until}
        _expect(entries(find(session, one.patient, **given)), *wanted)


@check(
    "xds.registry.find.nobody",
    "ITI TF-2 3.18.4.1.3",
    "A query of a patient of whom there is nothing is Success and an empty list, or XDSUnknownPatientId",
    DOOR,
    covers=QUERY,
)
def nobody(session: Session) -> None:
    answer = find(session, registered(session).patient.replace("X1^", "NOBODY^", 1))
    if (response(answer).get("status") or "").endswith(":Failure"):
        refused(answer, "the query", "XDSUnknownPatientId")
    else:
        _expect(entries(answer))


@check(
    "xds.registry.get.by-entry-uuid",
    "ITI TF-2 3.18.4.1.2.3.7",
    "GetDocuments finds a document by its entryUUID",
    DOOR,
    covers=QUERY,
)
def by_entry_uuid(session: Session) -> None:
    one = registered(session)
    uuid = entries(by_unique_id(session, one.unique_id))[one.unique_id].get("id", "")
    _expect(entries(ask(session, GET_DOCUMENTS, {"XDSDocumentEntryEntryUUID": f"('{uuid}')"})), one.unique_id)


@check(
    "xds.registry.get.two-patients",
    "ITI TF-2 3.18.4.1.3",
    "Whole documents of two patients are not given by their ids: XDSResultNotSinglePatient",
    DOOR,
    covers=QUERY,
)
def two_patients(session: Session) -> None:
    one, other = registered(session), document(session, cx(session, "X7"))
    succeeded(register(session, submission(session, [other])), "the submission")
    uuids = [
        thing.get("id", "")
        for each in (one, other)
        for thing in entries(by_unique_id(session, each.unique_id)).values()
    ]
    listed = ",".join(f"'{uuid}'" for uuid in uuids)
    answer = ask(session, GET_DOCUMENTS, {"XDSDocumentEntryEntryUUID": f"({listed})"})
    refused(answer, "a question for documents of two patients", "XDSResultNotSinglePatient")


_UNKNOWN: Final = "urn:uuid:00000000-0000-4000-8000-00000000feed"
_WRONG: Final[tuple[tuple[str, str, str, dict[str, str], str], ...]] = (
    ("unknown", "A stored query that is not known is refused", _UNKNOWN, {}, "XDSUnknownStoredQuery"),
    ("no-parameter", "A query without the parameter that it has to have is refused", GET_DOCUMENTS, {},
     "XDSStoredQueryMissingParam"),
    ("both-parameters", "A query with both parameters of which it has one is refused", GET_DOCUMENTS,
     {"XDSDocumentEntryEntryUUID": f"('{_UNKNOWN}')", "XDSDocumentEntryUniqueId": "('1.2.3')"},
     "XDSStoredQueryParamNumber"),
)  # fmt: skip


def _wrong(query: str, slots: dict[str, str], wanted: str, session: Session) -> None:
    refused(ask(session, query, slots), "the query", wanted)


for _name, _title, _query, _slots, _code in _WRONG:
    check(
        f"xds.registry.query.{_name}", "ITI TF-2 3.18.4.1.3", f"{_title}: {_code}", DOOR, covers=QUERY
    )(partial(_wrong, _query, _slots, _code))  # fmt: skip
