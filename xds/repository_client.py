"""Asking a document repository elsewhere: ITI-41 as a Document Source, ITI-43 as a Document Consumer, ITI-86."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

import httpx
from lxml import etree

from vna.documents.problems import ErrorCode, Problem, Refused
from vna.documents.repository import Content, WantedDocument
from vna.model.documents import Submission
from vna.model.errors import Unavailable
from vna.soap import message as soap
from vna.soap.client import call
from vna.soap.limits import Limits
from vna.soap.message import Attachment, Message, Packaging, include, new_content_id
from vna.xml.namespaces import LCM, RIM, RMD, RS, XDSB, qname
from xds import iti41, iti43, iti86
from xds.ebrim.writing import submit_request
from xds.responses import has_succeeded, problems_in

_PIECE = 256 << 10
_SAID = (
    *("HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId"),
    *("NewRepositoryUniqueId", "NewDocumentUniqueId", "mimeType"),
)


@dataclass(frozen=True, slots=True)
class Received:
    """One document that came; it can be read until its answer is closed."""

    repository_unique_id: str
    unique_id: str
    mime_type: str
    content: Attachment
    home: str = ""
    new_repository_unique_id: str = ""
    new_unique_id: str = ""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was given, and what was not, with the reasons. Close it, or use it in a `with`."""

    documents: Sequence[Received]
    problems: Sequence[Problem]
    message: Message

    def __enter__(self) -> "Retrieved":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.message.close()


class RepositoryClient:
    """A repository at this address; `timeout` is in seconds, for each wait on the network, and `http` brings a login.

    Everything raises Unavailable when it does not answer, and SoapFault when it answers with one.
    """

    def __init__(
        self,
        url: str,
        spool_folder: Path,
        *,
        timeout: float = 60.0,
        limits: Limits | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._url = url
        self._spool_folder = spool_folder
        self._timeout = timeout
        self._limits = limits or Limits()
        self._http = http

    def provide(self, submission: Submission, contents: Mapping[str, Content]) -> Sequence[Problem]:
        """Give it documents to keep and to register; the warnings. Refused with what it finds wrong."""
        body, attached = provide_request(submission, contents)
        with self._call(iti41.ACTION, body, attached) as answer:
            return _judged(answer.body)

    def retrieve(self, wanted: Sequence[WantedDocument]) -> Retrieved:
        """Documents by the identifiers that a registry gives."""
        answer = self._call(iti43.ACTION, retrieve_request(wanted))
        try:
            response = answer.body.find(qname(RS, "RegistryResponse"))
            if response is None:
                raise Unavailable("the repository's answer has no RegistryResponse")
            return Retrieved(list(documents_in(answer)), problems_in(response), answer)
        except BaseException:
            answer.close()
            raise

    def remove(self, wanted: Sequence[WantedDocument]) -> Sequence[Problem]:
        """Have documents removed; the warnings. Refused with what could not be done."""
        with self._call(iti86.ACTION, remove_request(wanted)) as answer:
            return _judged(answer.body)

    def _call(self, action: str, body: etree._Element, contents: Sequence[soap.Content] = ()) -> Message:
        return call(
            self._url,
            action,
            body,
            contents,
            packaging=Packaging.XOP,
            timeout=self._timeout,
            limits=self._limits,
            spool_folder=self._spool_folder,
            http=self._http,
        )


def provide_request(
    submission: Submission, contents: Mapping[str, Content]
) -> tuple[etree._Element, list[soap.Content]]:
    """The body of ITI-41, and the attachments that it refers to."""
    body = etree.Element(qname(XDSB, "ProvideAndRegisterDocumentSetRequest"), nsmap={"xdsb": XDSB, "lcm": LCM})
    body.append(submit_request(submission))
    mime_types = {document.entry_uuid: document.mime_type for document in submission.documents}
    attached = []
    for name, content in contents.items():
        media_type = mime_types.get(name) or "application/octet-stream"
        attached.append(soap.Content(new_content_id(), media_type, partial(_pieces, content), content.size))
        include(etree.SubElement(body, qname(XDSB, "Document"), id=name), attached[-1].content_id)
    return body, attached


def retrieve_request(wanted: Iterable[WantedDocument]) -> etree._Element:
    """The body of ITI-43."""
    return _listing(qname(XDSB, "RetrieveDocumentSetRequest"), wanted)


def remove_request(wanted: Iterable[WantedDocument]) -> etree._Element:
    """The body of ITI-86."""
    return _listing(qname(RMD, "RemoveDocumentsRequest"), wanted)


def _listing(name: str, wanted: Iterable[WantedDocument]) -> etree._Element:
    body = etree.Element(name, nsmap={"xdsb": XDSB, "rim": RIM})
    for one in wanted:
        asked = etree.SubElement(body, qname(XDSB, "DocumentRequest"))
        texts = (
            ("HomeCommunityId", one.home),
            ("RepositoryUniqueId", one.repository_unique_id),
            ("DocumentUniqueId", one.unique_id),
        )
        for local, text in texts:
            if text or local != "HomeCommunityId":
                etree.SubElement(asked, qname(XDSB, local)).text = text
    return body


def _judged(response: etree._Element) -> Sequence[Problem]:
    problems = problems_in(response)
    if not has_succeeded(response):
        none = Problem(ErrorCode.REPOSITORY, "the repository refuses and gives no reason")
        raise Refused(problems if any(not one.is_warning for one in problems) else [*problems, none])
    return problems


def documents_in(answer: Message) -> Iterator[Received]:
    """The documents of a RetrieveDocumentSetResponse; Unavailable or SoapFault when they cannot be read."""
    for element in answer.body.iterchildren(qname(XDSB, "DocumentResponse")):
        document = element.find(qname(XDSB, "Document"))
        if document is None:
            raise Unavailable("a DocumentResponse of the repository's answer has no Document")
        said = {name: (element.findtext(qname(XDSB, name)) or "").strip() for name in _SAID}
        yield Received(
            said["RepositoryUniqueId"],
            said["DocumentUniqueId"],
            said["mimeType"],
            answer.content(document),
            said["HomeCommunityId"],
            said["NewRepositoryUniqueId"],
            said["NewDocumentUniqueId"],
        )


def _pieces(content: Content) -> Iterator[bytes]:
    with content.open() as file:
        while piece := file.read(_PIECE):
            yield piece
