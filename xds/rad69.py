"""Retrieve Imaging Document Set (RAD TF-2 4.69)."""

import logging
from collections.abc import Iterator

from lxml import etree

from vna.documents.imaging_source import Given, ImagingSource, Wanted
from vna.documents.problems import ErrorCode, Problem
from vna.model.access import Actor
from vna.model.errors import NotAuthorized, OutOfResources, VnaError
from vna.soap.exchange import Operation
from vna.soap.faults import sender
from vna.soap.message import Message, Reply
from vna.xml.namespaces import IHERAD, XDSB, qname
from xds.retrieved import Retrieved, retrieve_response

log = logging.getLogger(__name__)

ACTION = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
ANSWER = "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
_REQUEST = qname(IHERAD, "RetrieveImagingDocumentSetRequest")
_SYNTAX = f"{qname(IHERAD, 'TransferSyntaxUIDList')}/{qname(IHERAD, 'TransferSyntaxUID')}"
_MEDIA_TYPE = "application/dicom"


def operation(source: ImagingSource) -> Operation:
    """Gives instances as Part 10 files, one at a time."""

    def retrieve(message: Message, actor: Actor) -> Reply:
        wanted, syntaxes = list(_wanted(message.body)), _syntaxes(message.body)
        assert message.scratch is not None
        try:
            given, problems = source.retrieve(actor, wanted, syntaxes, message.scratch)
        except NotAuthorized:
            raise
        except VnaError as error:
            given, problems = [], [_problem(error)]
        if problems:
            codes = sorted({problem.code for problem in problems})
            fields = {"given": len(given), "refused": len(problems), "codes": codes, "address": actor.address}
            log.warning("instances refused", extra={"action": ACTION, **fields})
        body, contents = retrieve_response(map(_retrieved, given), problems)
        return Reply(ANSWER, body, contents)

    return retrieve


def _wanted(body: etree._Element) -> Iterator[Wanted]:
    if body.tag != _REQUEST:
        raise sender(f"the Body holds no RetrieveImagingDocumentSetRequest but {etree.QName(body).localname[:60]}")
    for study in body.iterchildren(qname(IHERAD, "StudyRequest")):
        for series in study.iterchildren(qname(IHERAD, "SeriesRequest")):
            for document in series.iterchildren(qname(XDSB, "DocumentRequest")):
                yield Wanted(
                    study.get("studyInstanceUID", "").strip(),
                    series.get("seriesInstanceUID", "").strip(),
                    _text(document, "RepositoryUniqueId"),
                    _text(document, "DocumentUniqueId"),
                    _text(document, "HomeCommunityId"),
                )


def _text(document: etree._Element, name: str) -> str:
    return (document.findtext(qname(XDSB, name)) or "").strip()


def _syntaxes(body: etree._Element) -> list[str]:
    return [(element.text or "").strip() for element in body.iterfind(_SYNTAX)]


def _problem(error: VnaError) -> Problem:
    is_full = isinstance(error, OutOfResources)
    return Problem(ErrorCode.REPOSITORY_OUT_OF_RESOURCES if is_full else ErrorCode.REPOSITORY, str(error))


def _retrieved(given: Given) -> Retrieved:
    wanted = given.wanted
    return Retrieved(
        wanted.repository_unique_id, wanted.sop_instance_uid, _MEDIA_TYPE, given.pieces, given.size, wanted.home
    )
