"""Asking a document registry or an Initiating Gateway elsewhere: ITI-18 as a Document Consumer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx
from lxml import etree

from vna.documents.problems import ErrorCode, Problem, Refused
from vna.model.documents import Association, DocumentEntry, Status
from vna.model.errors import Unavailable
from vna.soap.client import call
from vna.soap.limits import Limits
from vna.xml.namespaces import QUERY, RIM, qname
from vna.xml.parser import Bounds
from xds.ebrim import reading
from xds.ebrim.vocabulary import STATUS_URN
from xds.iti18 import ACTION
from xds.responses import has_succeeded, problems_in

FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
FIND_BY_REFERENCE_ID = "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
_MOST = 100_000
_AT_ONCE = 100
_LIMITS = Limits(envelope=Bounds(size=256 << 20, marks=10_000_000), attachments=10, message_bytes=256 << 20)


@dataclass(frozen=True, slots=True)
class FoundDocuments:
    """What was found, and why it may not be everything: warnings, and the communities that gave a gateway nothing."""

    documents: Sequence[DocumentEntry]
    problems: Sequence[Problem]

    @property
    def is_partial(self) -> bool:
        """Whether there are errors among the problems."""
        return any(not problem.is_warning for problem in self.problems)


class RegistryClient:
    """A registry at this address; `timeout` is in seconds, for each wait on the network, and `http` brings a login.

    Everything raises Refused with what the registry says, Unavailable when it does not answer, and SoapFault when it
    answers with one.
    """

    def __init__(
        self, url: str, spool_folder: Path, *, timeout: float = 60.0, http: httpx.Client | None = None
    ) -> None:
        self._url = url
        self._spool_folder = spool_folder
        self._timeout = timeout
        self._http = http

    def find(
        self, patient_id: str, status: Status = Status.APPROVED, references: Sequence[str] = (), *, home: str = ""
    ) -> FoundDocuments:
        """Stable documents of a patient, or those that refer to any of some things (CXi, ITI TF-3 Table 4.2.3.1.7-2).

        `home` is the one community that a gateway is to ask. What only some communities answer is taken.
        """
        slots = {
            "$XDSDocumentEntryPatientId": _quoted(patient_id),
            "$XDSDocumentEntryStatus": _list([STATUS_URN[status]]),
        }
        if references:
            slots["$XDSDocumentEntryReferenceIdList"] = _list(references)
        query_id = FIND_BY_REFERENCE_ID if references else FIND_DOCUMENTS
        listed, problems = self._answered(query_id, slots, home, partly=True)
        return FoundDocuments(reading.documents(listed, _MOST), problems)

    def documents(self, *, entry_uuids: Iterable[str] = (), unique_ids: Iterable[str] = ()) -> list[DocumentEntry]:
        """Every version of documents by their entryUUIDs, or by their uniqueIds."""
        found: list[DocumentEntry] = []
        for by, values in (("EntryUUID", entry_uuids), ("UniqueId", unique_ids)):
            for several in _batches(values):
                listed = self._asked(GET_DOCUMENTS, {f"$XDSDocumentEntry{by}": _list(several)})
                found += reading.documents(listed, _MOST)
        return found

    def associations(self, entry_uuids: Iterable[str]) -> list[Association]:
        """Every association that has one of these at an end, of whatever status."""
        found: list[Association] = []
        for several in _batches(entry_uuids):
            slots = {"$uuid": _list(several), "$XDSAssociationStatus": _list(STATUS_URN.values())}
            found += reading.associations(self._asked(GET_ASSOCIATIONS, slots), _MOST)
        return found

    def _asked(self, query_id: str, slots: Mapping[str, str]) -> etree._Element:
        return self._answered(query_id, slots)[0]

    def _answered(
        self, query_id: str, slots: Mapping[str, str], home: str = "", *, partly: bool = False
    ) -> tuple[etree._Element, Sequence[Problem]]:
        request = query_request(query_id, slots, home)
        with call(
            self._url,
            ACTION,
            request,
            timeout=self._timeout,
            limits=_LIMITS,
            spool_folder=self._spool_folder,
            http=self._http,
        ) as answer:
            if not has_succeeded(answer.body, partly=partly):
                none = Problem(ErrorCode.REGISTRY, "the registry refuses and gives no reason")
                raise Refused(problems_in(answer.body) or [none])
            listed = answer.body.find(qname(RIM, "RegistryObjectList"))
            if listed is None:
                raise Unavailable("the registry's answer has no RegistryObjectList")
            return listed, problems_in(answer.body)


def query_request(query_id: str, slots: Mapping[str, str], home: str = "") -> etree._Element:
    """The body of ITI-18; values as ITI TF-2 3.18.4.1.2.3.5 codes them."""
    request = etree.Element(qname(QUERY, "AdhocQueryRequest"), nsmap={"query": QUERY, "rim": RIM})
    etree.SubElement(request, qname(QUERY, "ResponseOption"), returnType="LeafClass", returnComposedObjects="true")
    query = etree.SubElement(request, qname(RIM, "AdhocQuery"), id=query_id)
    if home:
        query.set("home", home)
    for name, value in slots.items():
        slot = etree.SubElement(query, qname(RIM, "Slot"), name=name)
        etree.SubElement(etree.SubElement(slot, qname(RIM, "ValueList")), qname(RIM, "Value")).text = value
    return request


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(values)
    while several := list(islice(iterator, _AT_ONCE)):
        yield several


def _list(texts: Iterable[str]) -> str:
    return f"({','.join(map(_quoted, texts))})"
