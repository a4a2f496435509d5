"""Retrieve Imaging Document Set (RAD TF-2 4.69)."""

from collections.abc import Iterable, Iterator

from lxml import etree

from storage.scratch import Scratch
from vna.documents.imaging_source import Given, ImagingSource, Wanted
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.faults import sender
from vna.soap.message import Message
from vna.xml.namespaces import IHERAD, XDSB, qname
from xds.retrieved import Outcome, Retrieved, retrieving

ACTION = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
ANSWER = "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
_REQUEST = qname(IHERAD, "RetrieveImagingDocumentSetRequest")
_LIST, _UID = qname(IHERAD, "TransferSyntaxUIDList"), qname(IHERAD, "TransferSyntaxUID")
_STUDY, _SERIES = qname(IHERAD, "StudyRequest"), qname(IHERAD, "SeriesRequest")
_DOCUMENT = qname(XDSB, "DocumentRequest")
_MEDIA_TYPE = "application/dicom"


def operation(source: ImagingSource) -> Operation:
    """Gives instances as Part 10 files, one at a time."""

    def retrieve(message: Message, actor: Actor) -> Outcome:
        wanted, syntaxes = read(message.body)
        given, problems = source.retrieve(actor, wanted, syntaxes, scratch_of(message))
        return map(retrieved, given), problems

    return retrieving(ACTION, ANSWER, retrieve)


def read(body: etree._Element) -> tuple[list[Wanted], list[str]]:
    """The instances and the transfer syntaxes of a RetrieveImagingDocumentSetRequest; SoapFault for another body."""
    if body.tag != _REQUEST:
        raise sender(f"the Body holds no RetrieveImagingDocumentSetRequest but {etree.QName(body).localname[:60]}")
    return list(_wanted(body)), [(element.text or "").strip() for element in body.iterfind(f"{_LIST}/{_UID}")]


def request(wanted: Iterable[Wanted], syntaxes: Iterable[str]) -> etree._Element:
    """The body that asks for these."""
    body = etree.Element(_REQUEST, nsmap={"iherad": IHERAD, "xdsb": XDSB})
    studies: dict[str, etree._Element] = {}
    series: dict[tuple[str, str], etree._Element] = {}
    for one in wanted:
        uid, key = one.study_instance_uid, (one.study_instance_uid, one.series_instance_uid)
        if uid not in studies:
            studies[uid] = etree.SubElement(body, _STUDY, studyInstanceUID=uid)
        if key not in series:
            series[key] = etree.SubElement(studies[uid], _SERIES, seriesInstanceUID=one.series_instance_uid)
        asked = etree.SubElement(series[key], _DOCUMENT)
        if one.home:
            etree.SubElement(asked, qname(XDSB, "HomeCommunityId")).text = one.home
        etree.SubElement(asked, qname(XDSB, "RepositoryUniqueId")).text = one.repository_unique_id
        etree.SubElement(asked, qname(XDSB, "DocumentUniqueId")).text = one.sop_instance_uid
    listed = etree.SubElement(body, _LIST)
    for syntax in syntaxes:
        etree.SubElement(listed, _UID).text = syntax
    return body


def retrieved(given: Given) -> Retrieved:
    """As it is answered, with the home community that was asked for."""
    wanted = given.wanted
    return Retrieved(
        wanted.repository_unique_id, wanted.sop_instance_uid, _MEDIA_TYPE, given.pieces, given.size, wanted.home
    )


def scratch_of(message: Message) -> Scratch:
    """Where what is made for the answer waits: it lives as long as the answer is being sent."""
    assert message.scratch is not None
    return message.scratch


def _wanted(body: etree._Element) -> Iterator[Wanted]:
    for study in body.iterchildren(_STUDY):
        for series in study.iterchildren(_SERIES):
            for document in series.iterchildren(_DOCUMENT):
                yield Wanted(
                    study.get("studyInstanceUID", "").strip(),
                    series.get("seriesInstanceUID", "").strip(),
                    _text(document, "RepositoryUniqueId"),
                    _text(document, "DocumentUniqueId"),
                    _text(document, "HomeCommunityId"),
                )


def _text(document: etree._Element, name: str) -> str:
    return (document.findtext(qname(XDSB, name)) or "").strip()
