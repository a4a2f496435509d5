"""A repository and registry elsewhere: manifests and reports go there over SOAP (ITI TF-2 3.41, XDS Metadata Update
3.57)."""

from collections.abc import Mapping
from pathlib import Path

import httpx
from lxml import etree

from vna.documents.problems import ErrorCode, Problem, Refused
from vna.documents.repository import Content as Document
from vna.documents.repository import InMemory
from vna.jobs.retries import GivenUp
from vna.model.documents import Submission
from vna.model.errors import Unavailable
from vna.soap.client import call
from vna.soap.message import Content, Packaging
from vna.xml.namespaces import RS, qname
from xds.ebrim.vocabulary import RESPONSE_STATUS, SEVERITY
from xds.ebrim.writing import submit_request
from xds.repository_client import provide_request

PROVIDE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
_CODES = {code.value: code for code in ErrorCode}
_MOST = 100


class RemoteRepository:
    """Without the address of its registry nothing can be withdrawn there. `timeout` is in seconds, for each wait."""

    def __init__(
        self,
        repository_url: str,
        registry_url: str,
        spool_folder: Path,
        *,
        timeout: float = 60.0,
        http: httpx.Client | None = None,
    ) -> None:
        self._repository_url = repository_url
        self._registry_url = registry_url
        self._spool_folder = spool_folder
        self._timeout = timeout
        self._http = http

    def provide(self, submission: Submission, contents: Mapping[str, bytes]) -> None:
        """Refused with the reasons that were answered; Unavailable when no answer came that can be read."""
        held: dict[str, Document] = {entry_uuid: InMemory(data) for entry_uuid, data in contents.items()}
        body, parts = provide_request(submission, held)
        self._ask(self._repository_url, PROVIDE, body, parts)

    def update(self, submission: Submission) -> None:
        """The same; GivenUp when the registry's address is not known."""
        if not self._registry_url:
            raise GivenUp("without the registry's address nothing can be withdrawn: set VNA_XDS__PUBLISH_REGISTRY")
        self._ask(self._registry_url, UPDATE, submit_request(submission), [])

    def survivor(self, patient_id: str) -> str:
        """Merges are the other side's business."""
        return patient_id

    def _ask(self, url: str, action: str, body: etree._Element, parts: list[Content]) -> None:
        packaging = Packaging.XOP if parts else Packaging.PLAIN
        with call(
            url,
            action,
            body,
            parts,
            packaging=packaging,
            timeout=self._timeout,
            spool_folder=self._spool_folder,
            http=self._http,
        ) as answer:
            problems = refusals(answer.body)
        if problems:
            raise Refused(problems)


def refusals(response: etree._Element) -> list[Problem]:
    """The errors of a rs:RegistryResponse; none when it says Success, whatever it warns of."""
    if response.tag != qname(RS, "RegistryResponse"):
        raise Unavailable(f"the other side answers {etree.QName(response).localname[:60]} where a response was due")
    if response.get("status") == f"{RESPONSE_STATUS}Success":
        return []
    errors = [
        _problem(error)
        for error in response.iterfind(f"{qname(RS, 'RegistryErrorList')}/{qname(RS, 'RegistryError')}")
        if error.get("severity") != f"{SEVERITY}Warning"
    ]
    return errors[:_MOST] or [Problem(ErrorCode.REGISTRY, "the other side refuses and does not say why")]


def _problem(error: etree._Element) -> Problem:
    code, context = error.get("errorCode", ""), error.get("codeContext", "")
    known = _CODES.get(code)
    return Problem(known, context) if known is not None else Problem(ErrorCode.REGISTRY, f"{code}: {context}")
