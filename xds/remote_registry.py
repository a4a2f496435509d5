"""A document registry elsewhere, called by ITI-42 (ITI TF-2 3.42), and asked by ITI-18 what it has."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vna.documents.identifiers import settled
from vna.documents.problems import ErrorCode, Problem, Problems, Refused, refused
from vna.model.documents import DocumentEntry, Submission
from vna.model.errors import NotAuthorized, Unavailable
from vna.soap.client import call
from vna.soap.faults import FaultCode, SoapFault
from vna.soap.limits import Limits
from xds.ebrim.writing import submit_request
from xds.iti42 import ACTION
from xds.registry_client import RegistryClient
from xds.responses import has_succeeded, problems_in

_LIMITS = Limits(attachments=10, attachment_bytes=1 << 20, message_bytes=32 << 20)


class RemoteRegistry:
    """At this address; `timeout` is in seconds, for each wait on the network."""

    def __init__(self, url: str, spool_folder: Path, *, timeout: float = 60.0) -> None:
        self._url = url
        self._spool_folder = spool_folder
        self._timeout = timeout

    def register(self, submission: Submission) -> Sequence[Problem]:
        """Register it there; the warnings. Refused with what that registry finds wrong, a fault that blames us among
        it; Unavailable without it, and when a fault blames that registry: nobody knows what it did before."""
        problems = Problems()
        request = submit_request(settled(submission, problems))
        problems.refuse()
        try:
            with call(
                self._url, ACTION, request, timeout=self._timeout, limits=_LIMITS, spool_folder=self._spool_folder
            ) as answer:
                found = [replace(one, context=problems.worded(one.context)) for one in problems_in(answer.body)]
                if not has_succeeded(answer.body):
                    has_reason = any(not problem.is_warning for problem in found)
                    none = Problem(ErrorCode.REGISTRY, "the registry refuses and gives no reason")
                    raise Refused(found if has_reason else [*found, none])
                return found
        except SoapFault as fault:
            what = f"the registry answers with a fault: {fault.reason}"
            if fault.code is FaultCode.RECEIVER:
                raise Unavailable(what) from fault
            raise refused(ErrorCode.REGISTRY, what) from fault
        except NotAuthorized as error:
            raise Unavailable(str(error)) from error

    def documents(self, *, unique_ids: Iterable[str]) -> Sequence[DocumentEntry]:
        """What is registered there under these uniqueIds. Refused or Unavailable when it does not say."""
        try:
            return RegistryClient(self._url, self._spool_folder, timeout=self._timeout).documents(unique_ids=unique_ids)
        except SoapFault as fault:
            raise Unavailable(f"the registry answers a query with a fault: {fault.reason}") from fault
        except NotAuthorized as error:
            raise Unavailable(str(error)) from error
