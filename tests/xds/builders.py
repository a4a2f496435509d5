"""Submissions of invented patients, and requests that bring them."""

from __future__ import annotations

import itertools
from typing import Any

from lxml import etree

from tests.xds.registries import PATIENT
from vna.model.documents import (
    Association,
    AssociationKind,
    Author,
    Code,
    DocumentEntry,
    Folder,
    RegistryObject,
    Submission,
    SubmissionSet,
)
from vna.xml.namespaces import QUERY, RIM

_NUMBERS = itertools.count(1)
CONFIDENTIAL = Code("N", "2.16.840.1.113883.5.25", "Normal")


def oid() -> str:
    return f"1.2.826.0.1.3680043.10.1561.9.{next(_NUMBERS)}"


def code(text: str) -> Code:
    return Code(text, "1.2.3.4.5", text.capitalize())


def document(entry_uuid: str = "Document01", **changes: Any) -> DocumentEntry:
    """A stable document of which everything is said that has to be."""
    values: dict[str, Any] = {
        "patient_id": PATIENT,
        "unique_id": oid(),
        "source_patient_id": "4711^^^&1.2.3.4&ISO",
        "mime_type": "application/pdf",
        "class_code": code("REPORTS"),
        "type_code": code("RADIOLOGY"),
        "format_code": Code("urn:ihe:rad:PDF", "1.3.6.1.4.1.19376.1.2.3"),
        "healthcare_facility_type_code": code("HOSPITAL"),
        "practice_setting_code": code("RADIOLOGY"),
        "confidentiality_codes": (CONFIDENTIAL,),
        "language_code": "tr-TR",
        "creation_time": "20260301",
        "repository_unique_id": "1.2.3.4.5.6",
        "hash": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "size": "1234",
        "authors": (Author(person=("^Yılmaz^Ayşe",), institution=("Örnek Hastanesi",)),),  # noqa: RUF001
        "title": "Toraks BT",
    }
    return DocumentEntry(entry_uuid=entry_uuid, **values | changes)


def on_demand(entry_uuid: str = "Document01", **changes: Any) -> DocumentEntry:
    """A document that is made when it is retrieved."""
    return document(entry_uuid, **{"on_demand": True, "creation_time": "", "hash": "", "size": ""} | changes)


def folder(entry_uuid: str = "Folder01", **changes: Any) -> Folder:
    values: dict[str, Any] = {
        "patient_id": PATIENT,
        "unique_id": oid(),
        "codes": (code("REFERRAL"),),
        "title": "Sevk",
    }
    return Folder(entry_uuid=entry_uuid, **values | changes)


def submission_set(**changes: Any) -> SubmissionSet:
    values: dict[str, Any] = {
        "entry_uuid": "SubmissionSet01",
        "patient_id": PATIENT,
        "unique_id": oid(),
        "source_id": "1.2.3.4.5.7",
        "submission_time": "20260302101112",
        "content_type_code": code("REPORTS"),
    }
    return SubmissionSet(**values | changes)


def link(source: str, kind: AssociationKind | str, target: str, entry_uuid: str = "", **changes: Any) -> Association:
    entry_uuid = entry_uuid or f"as{next(_NUMBERS)}"
    return Association(
        entry_uuid=entry_uuid, association=AssociationKind(kind), source=source, target=target, **changes
    )


def submission(
    *things: RegistryObject, own: SubmissionSet | None = None, member: dict[str, Any] | None = None
) -> Submission:
    """These, as members of a submission set; `member` are attributes of the memberships."""
    own = own or submission_set()
    documents = tuple(thing for thing in things if isinstance(thing, DocumentEntry))
    folders = tuple(thing for thing in things if isinstance(thing, Folder))
    links = tuple(thing for thing in things if isinstance(thing, Association))
    original = {"submission_set_status": "Original"}
    memberships = [
        link(own.entry_uuid, "HasMember", thing.entry_uuid, **(original if thing in documents else {}), **member or {})
        for thing in (*documents, *folders)
    ]
    return Submission(own, documents, folders, (*memberships, *links))


def query(query_id: str, *, returns: str = "LeafClass", home: str = "", **slots: str | list[str]) -> etree._Element:
    """An AdhocQueryRequest; names without the dollar, a list for a slot that is given several times."""
    request = etree.Element(f"{{{QUERY}}}AdhocQueryRequest", nsmap={"query": QUERY, "rim": RIM})
    etree.SubElement(request, f"{{{QUERY}}}ResponseOption", returnType=returns, returnComposedObjects="true")
    adhoc = etree.SubElement(request, f"{{{RIM}}}AdhocQuery", id=query_id)
    if home:
        adhoc.set("home", home)
    for name, texts in slots.items():
        for text in [texts] if isinstance(texts, str) else texts:
            slot = etree.SubElement(adhoc, f"{{{RIM}}}Slot", name=f"${name}")
            values = etree.SubElement(slot, f"{{{RIM}}}ValueList")
            for value in text.split("|"):
                etree.SubElement(values, f"{{{RIM}}}Value").text = value
    return request
