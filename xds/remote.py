"""A repository and registry elsewhere, as manifests and reports go there (ITI TF-2 3.41, XDS Metadata Update 3.57)."""

from collections.abc import Mapping
from pathlib import Path

from vna.documents.problems import ErrorCode, Problem, Refused
from vna.documents.repository import InMemory
from vna.jobs.retries import GivenUp
from vna.model.documents import Submission
from vna.soap.client import call
from xds import iti57
from xds.ebrim.writing import submit_request
from xds.repository_client import RepositoryClient
from xds.responses import has_succeeded, problems_in


class RemoteUpdates:
    """A registry elsewhere, for changes of metadata; empty where it is not known. `timeout` is in seconds, for each
    wait."""

    def __init__(self, registry_url: str, spool_folder: Path, *, timeout: float = 60.0) -> None:
        self._url = registry_url
        self._spool_folder = spool_folder
        self._timeout = timeout

    def __call__(self, submission: Submission) -> None:
        """Refused with the reasons that were answered; Unavailable or SoapFault when no answer came; GivenUp when the
        registry's address is not known."""
        if not self._url:
            raise GivenUp("without the registry's address nothing can be withdrawn: set VNA_XDS__PUBLISH_REGISTRY")
        request = submit_request(submission)
        with call(self._url, iti57.ACTION, request, timeout=self._timeout, spool_folder=self._spool_folder) as answer:
            if not has_succeeded(answer.body):
                none = Problem(ErrorCode.REGISTRY, "the registry refuses and gives no reason")
                raise Refused([one for one in problems_in(answer.body) if not one.is_warning] or [none])


class RemoteRepository:
    """Without the address of its registry nothing can be withdrawn there."""

    def __init__(self, repository_url: str, registry_url: str, spool_folder: Path, *, timeout: float = 60.0) -> None:
        self._repository = RepositoryClient(repository_url, spool_folder, timeout=timeout)
        self._updates = RemoteUpdates(registry_url, spool_folder, timeout=timeout)

    def provide(self, submission: Submission, contents: Mapping[str, bytes]) -> None:
        """Refused with the reasons that were answered; Unavailable or SoapFault when no answer came."""
        self._repository.provide(submission, {name: InMemory(data) for name, data in contents.items()})

    def update(self, submission: Submission) -> None:
        """As RemoteUpdates does."""
        self._updates(submission)

    def survivor(self, patient_id: str) -> str:
        """Merges are the other side's business."""
        return patient_id
