"""Asking a document registry or an Initiating Gateway elsewhere: ITI-18 as a Document Consumer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from vna.documents.problems import ErrorCode, Problem, Refused
from vna.model.documents import DocumentEntry, Status
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
_ACCESSION = "urn:ihe:iti:xds:2013:accession"
_MOST = 100_000
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
    """A registry at this address; `timeout` is in seconds, for each wait on the network."""

    def __init__(self, url: str, spool_folder: Path, *, timeout: float = 60.0) -> None:
        self._url = url
        self._spool_folder = spool_folder
        self._timeout = timeout

    def find(
        self, patient_id: str, status: Status = Status.APPROVED, accession: str = "", *, home: str = ""
    ) -> FoundDocuments:
        """Stable documents of a patient; `accession` is a number, or `number^^^&OID&ISO`. `home` is the one community
        that a gateway is to ask.

        Refused with what is said when nothing could be answered, Unavailable when it does not answer, SoapFault when it
        answers with one.
        """
        slots = {
            "$XDSDocumentEntryPatientId": _quoted(patient_id),
            "$XDSDocumentEntryStatus": f"({_quoted(STATUS_URN[status])})",
        }
        if accession:
            slots["$XDSDocumentEntryReferenceIdList"] = f"({_quoted(_reference(accession))})"
        request = query_request(FIND_BY_REFERENCE_ID if accession else FIND_DOCUMENTS, slots, home)
        with call(
            self._url, ACTION, request, timeout=self._timeout, limits=_LIMITS, spool_folder=self._spool_folder
        ) as answer:
            if not has_succeeded(answer.body, partly=True):
                none = Problem(ErrorCode.REGISTRY, "the registry refuses and gives no reason")
                raise Refused(problems_in(answer.body) or [none])
            listed = answer.body.find(qname(RIM, "RegistryObjectList"))
            if listed is None:
                raise Unavailable("the registry's answer has no RegistryObjectList")
            return FoundDocuments(reading.documents(listed, _MOST), problems_in(answer.body))


def query_request(query_id: str, slots: dict[str, str], home: str = "") -> etree._Element:
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


def _reference(accession: str) -> str:
    """As a CXi (ITI TF-3 Table 4.2.3.1.7-2)."""
    return f"{accession}^{_ACCESSION}" if "^" in accession else f"{accession}^^^^{_ACCESSION}"
