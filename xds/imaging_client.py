"""Asking an Imaging Document Source elsewhere: RAD-69 as a consumer (RAD TF-2 4.69)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import httpx

from vna.archive.arriving import Answer
from vna.documents.imaging_source import Wanted
from vna.documents.problems import Problem
from vna.model.errors import NotAcceptable, NotAuthorized, NotFound, Rejected, Unavailable
from vna.model.priority import Priority
from vna.model.sources import Bounds, Fetched, RemoteArchive, StudyPart
from vna.model.transfer_syntaxes import STORAGE_TRANSFER_SYNTAXES
from vna.pacing import Pace, received
from vna.places import Places, in_use, sharing
from vna.soap.client import call
from vna.soap.faults import SoapFault
from vna.soap.limits import Limits
from vna.soap.message import Attachment, Message, Packaging
from vna.xml.namespaces import RS, XDSB, qname
from xds import rad69
from xds.repository_client import Received, documents_in
from xds.responses import problems_in

_BATCH: Final = 50
"""Instances of one message: its answer is spooled before the first of them is given."""

_PIECE: Final = 256 << 10
_NOBODYS_UID: Final = "2.25.0"


class ImagingClient:
    """Fetches from one source, in whatever transfer syntax it holds. `http` brings TLS and a login with it."""

    by_name: Final = True

    def __init__(
        self,
        name: str,
        url: str,
        repository_unique_id: str,
        http: httpx.Client,
        spool_folder: Path,
        *,
        room: Callable[[], None],
        bounds: Bounds | None = None,
        pace: Pace | None = None,
        places: Places | None = None,
    ) -> None:
        self._name = name
        self._url = url
        self._repository_unique_id = repository_unique_id
        self._http = http
        self._spool_folder = spool_folder
        self._room = room
        self._bounds = bounds or Bounds()
        self._pace = pace or Pace(0)
        self._places = places or Places(sharing(RemoteArchive().connections))

    def verify(self) -> None:
        """Ask for what nobody has: an answer that says so is one."""
        with self._asked(StudyPart(_NOBODYS_UID, _NOBODYS_UID), (_NOBODYS_UID,)) as answer:
            documents, _ = self._read(answer)
            if documents:
                raise Rejected(f"{self._name} gives something for an instance that is not there")

    def fetch(self, part: StudyPart) -> Iterator[Fetched]:
        """Instances, some of them at a time. NotAcceptable when none are named."""
        if not part.series_instance_uid or not part.sop_instance_uids:
            raise NotAcceptable(f"{self._name} gives only instances that are named, by RAD-69")
        answer = Answer(self._name, part, self._bounds)
        uids = iter(part.sop_instance_uids)
        while batch := tuple(islice(uids, _BATCH)):
            with self._asked(part, batch) as message:
                documents, problems = self._read(message)
                for one in documents:
                    yield answer.take(self._pieces(one.content, part.priority))
            if not documents and problems:
                raise NotFound(f"{self._name} gives nothing: {problems[0].context}"[:300])
        answer.finish()

    def _asked(self, part: StudyPart, uids: Sequence[str]) -> Message:
        wanted = [
            Wanted(part.study_instance_uid, part.series_instance_uid, self._repository_unique_id, uid) for uid in uids
        ]
        with self._connection(part.priority), self._told():
            return call(
                self._url,
                rad69.ACTION,
                rad69.request(wanted, STORAGE_TRANSFER_SYNTAXES),
                packaging=Packaging.XOP,
                timeout=self._bounds.wait_seconds,
                limits=self._limits(len(uids)),
                spool_folder=self._spool_folder,
                room=self._room,
                http=self._http,
            )

    @contextmanager
    def _connection(self, priority: Priority) -> Iterator[None]:
        with self._places.place(priority, self._bounds.wait_seconds) as has_place:
            if not has_place:
                raise Unavailable(in_use(self._name, self._places.most(priority), priority))
            yield

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong, in words."""
        try:
            yield
        except SoapFault as fault:
            raise Rejected(f"{self._name} answers with a fault: {fault.reason}"[:300]) from fault
        except (Unavailable, NotAuthorized) as error:
            raise type(error)(f"{self._name}: {error}"[:300]) from error

    def _limits(self, count: int) -> Limits:
        return Limits(
            attachments=count + 10,
            attachment_bytes=self._bounds.instance_bytes,
            message_bytes=count * self._bounds.instance_bytes,
            idle_seconds=self._bounds.wait_seconds,
            grace_seconds=self._bounds.grace_seconds,
            bytes_per_second=self._bounds.bytes_per_second,
        )

    def _read(self, answer: Message) -> tuple[list[Received], Sequence[Problem]]:
        response = answer.body.find(qname(RS, "RegistryResponse"))
        if answer.body.tag != qname(XDSB, "RetrieveDocumentSetResponse") or response is None:
            raise Unavailable(f"{self._name} answers something that is no RetrieveDocumentSetResponse")
        try:
            return list(documents_in(answer)), [one for one in problems_in(response) if not one.is_warning]
        except SoapFault as fault:  # of what was answered: attachments that are not there
            raise Unavailable(f"{self._name} answers what cannot be read: {fault.reason}"[:300]) from fault

    def _pieces(self, content: Attachment, priority: Priority) -> Iterator[bytes]:
        def read() -> Iterator[bytes]:
            with content.open() as file:
                while piece := file.read(_PIECE):
                    yield piece

        most = self._bounds.instance_bytes
        return received(read(), self._name, self._pace, self._bounds, most=most, priority=priority)
