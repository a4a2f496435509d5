"""Parts of a STOW body on their way into the archive, and what became of each (PS3.18 10.5.2)."""

import logging
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from dicomweb.identify import identify
from dicomweb.media_types import DICOM
from vna.archive.store import Incoming, Store
from vna.mime.media_type import parse_media_type
from vna.mime.reader import Event, PartBegins, PartBytes
from vna.model.access import Actor
from vna.model.errors import BadRequest, CannotUnderstand, NotAuthorized, VnaError
from vna.model.instances import Accepted, Arrival

log = logging.getLogger(__name__)
_BATCH = 1 << 20
_HEAD = 64 << 10
_PLAIN_ENCODINGS = ("", "binary", "8bit", "7bit")


@dataclass(frozen=True, slots=True)
class Refused:
    """A part that is not stored: why, and what it is where that can be told."""

    error: VnaError | None
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


Result = Accepted | Refused


class Intake:
    """Takes the events of a body one after another.

    A part of up to a megabyte waits in memory and is stored by one trip to a thread; a larger one goes to its spool
    megabyte by megabyte.
    """

    def __init__(self, store: Store, actor: Actor, arrival: Arrival) -> None:
        self._store = store
        self._actor = actor
        self._arrival = arrival
        self._buffer = bytearray()
        self._head = b""
        self._incoming: Incoming | None = None
        self._error: VnaError | None = None
        self.results: list[Result] = []

    async def take(self, event: Event) -> None:
        """Raises NotAuthorized alone: who may not store one instance may not store the next."""
        match event:
            case PartBegins(headers):
                self._begin(dict(headers))
            case PartBytes(piece):
                if self._error is None:
                    self._buffer += piece
                    if len(self._buffer) >= _BATCH:
                        await run_in_threadpool(self._write)
            case _:
                self.results.append(await run_in_threadpool(self._finish))

    async def finish(self) -> None:
        """The body is complete: every part has been stored, or not, as it came."""

    def broken_off(self, error: VnaError) -> None:
        """The body ended in a malformed place: the part that was being read is lost."""
        self._head = self._head or bytes(self._buffer[:_HEAD])
        self.results.append(self._refused(error))

    def abandon(self) -> None:
        """Leave nothing of a part that was not finished."""
        if self._incoming is not None:
            self._incoming.abandon()
            self._incoming = None

    def _begin(self, headers: dict[str, str]) -> None:
        self._buffer = bytearray()
        self._head = b""
        self._error = _wrong_part(headers)

    def _write(self) -> None:
        """Hand the bytes on; what goes wrong is kept, and the rest of the part is passed over."""
        self._head = self._head or bytes(self._buffer[:_HEAD])
        try:
            if self._incoming is None:
                self._incoming = self._store.open(self._actor, self._arrival)
            self._incoming.write(self._buffer)
        except NotAuthorized:
            self.abandon()
            raise
        except VnaError as error:
            arrival = self._arrival
            fields = {"door": arrival.door.value, "source": arrival.calling_ae, "address": arrival.address}
            uid = identify(self._head)[1]
            log.warning("instance refused", extra={**fields, "sop_instance_uid": uid, "reason": str(error)})
            self._error = error
            self.abandon()
        self._buffer = bytearray()

    def _finish(self) -> Result:
        if self._error is None:
            self._write()
        incoming, self._incoming = self._incoming, None
        if incoming is None or self._error is not None:
            return self._refused(self._error)
        try:
            accepted = self._store.accept(incoming, self._actor, self._arrival)
            self._head = b""
            return accepted
        except NotAuthorized:
            raise
        except VnaError as error:
            return self._refused(error)
        except Exception:
            log.exception("instance not stored")
            incoming.abandon()
            return self._refused(None)

    def _refused(self, error: VnaError | None) -> Refused:
        head, self._head = self._head, b""
        return Refused(error, *identify(head))


def _wrong_part(headers: dict[str, str]) -> VnaError | None:
    """A part that cannot be an instance by what its header says; without Content-Type it is what the body says."""
    try:
        media = parse_media_type(headers.get("content-type", DICOM))
    except BadRequest as error:
        return error
    if media.name != DICOM:
        return CannotUnderstand(f"a part is {media.name[:64]}, not {DICOM}")
    if headers.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
        return CannotUnderstand("a part has a Content-Transfer-Encoding, which HTTP does not use")
    return None
