"""A repository and registry elsewhere, as manifests and reports go there and leave (ITI TF-2 3.41, 3.62, XDS Metadata
Update 3.57, Remove Metadata and Documents 3.86)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lxml import etree

from vna.documents.problems import ErrorCode, Problem, Refused, refused
from vna.documents.repository import InMemory, WantedDocument
from vna.jobs.retries import GivenUp
from vna.model.documents import Association, DocumentEntry, Submission
from vna.soap.client import call
from vna.soap.faults import SoapFault
from xds import iti57, iti62
from xds.ebrim.writing import remove_request, submit_request
from xds.registry_client import RegistryClient
from xds.repository_client import RepositoryClient
from xds.responses import has_succeeded, problems_in


class RemoteMetadata:
    """A registry elsewhere, for changes of metadata; empty where it is not known. `timeout` is in seconds, for each
    wait.

    Everything raises Refused with the reasons that were answered, a fault among them; Unavailable when no answer came;
    GivenUp when the registry's address is not known.
    """

    def __init__(self, registry_url: str, spool_folder: Path, *, timeout: float = 60.0) -> None:
        self._url = registry_url
        self._spool_folder = spool_folder
        self._timeout = timeout

    def update(self, submission: Submission) -> None:
        """Change metadata (XDS Metadata Update 3.57)."""
        self._send(iti57.ACTION, submit_request(submission))

    def documents(self, *, entry_uuids: Iterable[str] = (), unique_ids: Iterable[str] = ()) -> Sequence[DocumentEntry]:
        """Every version (ITI TF-2 3.18, GetDocuments)."""
        with self._told():
            return self._client().documents(entry_uuids=entry_uuids, unique_ids=unique_ids)

    def associations(self, entry_uuids: Iterable[str]) -> Sequence[Association]:
        """Of whatever status (ITI TF-2 3.18, GetAssociations)."""
        with self._told():
            return self._client().associations(entry_uuids)

    def remove(self, entry_uuids: Sequence[str]) -> None:
        """Have objects forgotten (ITI TF-2 3.62)."""
        self._send(iti62.ACTION, remove_request(entry_uuids))

    def _client(self) -> RegistryClient:
        return RegistryClient(self._address(), self._spool_folder, timeout=self._timeout)

    def _address(self) -> str:
        if not self._url:
            raise GivenUp("without the registry's address nothing can be withdrawn: set VNA_XDS__PUBLISH_REGISTRY")
        return self._url

    def _send(self, action: str, request: etree._Element) -> None:
        with (
            self._told(),
            call(self._address(), action, request, timeout=self._timeout, spool_folder=self._spool_folder) as answer,
        ):
            if not has_succeeded(answer.body):
                none = Problem(ErrorCode.REGISTRY, "the registry refuses and gives no reason")
                raise Refused([one for one in problems_in(answer.body) if not one.is_warning] or [none])

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SoapFault as fault:
            raise refused(ErrorCode.REGISTRY, f"the registry answers with a fault: {fault.reason}") from fault


class RemoteRepository:
    """Without the address of its registry nothing can be withdrawn there."""

    def __init__(self, repository_url: str, registry_url: str, spool_folder: Path, *, timeout: float = 60.0) -> None:
        self._repository = RepositoryClient(repository_url, spool_folder, timeout=timeout)
        self.metadata = RemoteMetadata(registry_url, spool_folder, timeout=timeout)

    def provide(self, submission: Submission, contents: Mapping[str, bytes]) -> None:
        """Refused with the reasons that were answered; Unavailable or SoapFault when no answer came."""
        self._repository.provide(submission, {name: InMemory(data) for name, data in contents.items()})

    def discard(self, documents: Sequence[WantedDocument]) -> None:
        """Have documents removed (ITI-86); what is not there is gone already. GivenUp when the repository does not do
        that."""
        try:
            self._repository.remove(documents)
        except SoapFault as fault:
            raise GivenUp(f"the repository removes no documents: {fault.reason}") from fault
        except Refused as refusal:
            if {problem.code for problem in refusal.problems} != {ErrorCode.DOCUMENT_UNIQUE_ID}:
                raise

    def survivor(self, patient_id: str) -> str:
        """Merges are the other side's business."""
        return patient_id
