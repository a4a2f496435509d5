"""C-FIND as provider: Patient Root, Study Root, Patient/Study Only and Modality Worklist (PS3.4 C.4.1, K.4.1, PS3.7
9.1.2)."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final, Protocol

from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.dsutils import decode, encode
from pynetdicom.presentation import PresentationContext

from dimse.answers import Answers
from dimse.callers import actor_of as admitted_actor
from dimse.extended import negotiated
from dimse.identifiers import Request, read_request, read_worklist
from dimse.models import MODELS
from vna import events as signals
from vna.archive.search import Search
from vna.model.access import Actor
from vna.model.comments import comment
from vna.model.errors import BadRequest, NotAuthorized, OutOfResources, TooLarge, VnaError
from vna.model.query import Lack, Query, SearchPage
from vna.routing.across import Across
from vna.worklist.schedule import Schedule

log = logging.getLogger(__name__)

SUCCESS: Final = 0x0000
CANCEL: Final = 0xFE00
PENDING: Final = 0xFF00
PENDING_WITH_UNSUPPORTED_KEYS: Final = 0xFF01
OUT_OF_RESOURCES: Final = 0xA700
DOES_NOT_MATCH_SOP_CLASS: Final = 0xA900
UNABLE_TO_PROCESS: Final = 0xC001
INCOMPLETE: Final = 0xC010
"""Ours, of the range Unable to Process: archives elsewhere are missing from the matches that were given."""

FIND_STATUS: Final[dict[type[VnaError], int]] = {  # PS3.4 Table C.4-1; for NotAuthorized PS3.7 C.5
    BadRequest: DOES_NOT_MATCH_SOP_CLASS,
    NotAuthorized: 0x0124,
    OutOfResources: OUT_OF_RESOURCES,
    TooLarge: OUT_OF_RESOURCES,
}
"""Every other error is UNABLE_TO_PROCESS."""

Response = tuple[Dataset, Dataset | None]
"""Status, with a comment where there is one, and the identifier of a match."""

ActorOf = Callable[[Any], Actor]
Service = Callable[[Any, Any, PresentationContext], None]
_Read = Callable[[], Dataset]
_IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Broker:
    """Another AE title of ours: who calls it has archives elsewhere asked as well.

    Of those that are missing the matches themselves can say nothing, and Success says that the matching is complete
    (PS3.4 Table C.4-1): `partial` is the last status then.
    """

    ae_title: str
    across: Across
    partial: int = INCOMPLETE


class Finds(Protocol):
    """What answers queries: the archive's search, or its worklist."""

    def find(self, actor: Actor, query: Query) -> SearchPage:
        """One page of what matches."""


class FindProvider:
    """Answers C-FIND requests; `ae_title` is ours, which answers name as the place to retrieve from."""

    door = "C-FIND"

    def __init__(
        self, search: Finds, ae_title: str, actor_of: ActorOf = admitted_actor, broker: Broker | None = None
    ) -> None:
        self._search = search
        self._ae_title = ae_title
        self._actor_of = actor_of
        self._broker = broker

    def handle(self, event: evt.Event) -> Iterator[Response]:
        """A handler for pynetdicom's EVT_C_FIND."""
        return self._responses(
            event.assoc, str(event.context.abstract_syntax), lambda: event.identifier, lambda: event.is_cancelled
        )

    def serve(self, assoc: Any, message: C_FIND, context: PresentationContext) -> None:
        """A service of our upper layer: one request to its last response."""
        syntax = context.transfer_syntax[0]
        coding = syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated

        def read() -> Dataset:
            return decode(message.Identifier or BytesIO(), *coding)

        def is_cancelled() -> bool:
            return bool(assoc.is_cancelled(message.MessageID))

        for status, identifier in self._responses(assoc, str(context.abstract_syntax), read, is_cancelled):
            if not assoc.is_established:
                return
            encoded = None if identifier is None else encode(identifier, *coding)
            if identifier is not None and not encoded:
                log.error("C-FIND answer cannot be encoded", extra={"peer_ae": assoc.requestor.ae_title})
                status = _status(UNABLE_TO_PROCESS, "an answer cannot be encoded")
            response = _response(message, status)
            response.Identifier = BytesIO(encoded) if encoded else None
            assoc.dimse.send_msg(response, context.context_id)
            if status.Status == UNABLE_TO_PROCESS:
                return

    def _responses(self, assoc: Any, sop_class_uid: str, read: _Read, is_cancelled: _IsCancelled) -> Iterator[Response]:
        fields = {"peer_ae": assoc.requestor.ae_title}
        try:
            request, page = self._found(assoc, sop_class_uid, read, is_cancelled)
            partial = self._broker.partial if self._broker else SUCCESS
            yield from _answered(self._answers(request), page, is_cancelled, fields, partial)
        except VnaError as exc:
            log.info("C-FIND refused", extra={**fields, "reason": str(exc)})
            yield _status(_status_of(exc), str(exc)), None
        except Exception:
            log.exception("C-FIND failed", extra=fields)
            yield _status(UNABLE_TO_PROCESS, "the archive could not process the query"), None

    def _found(
        self, assoc: Any, sop_class_uid: str, read: _Read, is_cancelled: _IsCancelled
    ) -> tuple[Request, SearchPage]:
        actor = replace(self._actor_of(assoc), service="C-FIND")
        try:
            request = self._request(assoc, sop_class_uid, read())
        except VnaError:
            raise
        except Exception as exc:
            raise BadRequest("the identifier cannot be read") from exc
        started = time.perf_counter()
        page = self._page(assoc, actor, request, is_cancelled)
        signals.emit(
            "query.answered",
            door=self.door,
            level=request.query.level.name,
            matches=len(page.matches),
            seconds=time.perf_counter() - started,
        )
        return request, page

    def _request(self, assoc: Any, sop_class_uid: str, identifier: Dataset) -> Request:
        return read_request(identifier, MODELS[sop_class_uid], negotiated(assoc, sop_class_uid))

    def _page(self, assoc: Any, actor: Actor, request: Request, is_cancelled: _IsCancelled) -> SearchPage:
        if self._broker is not None and str(getattr(assoc, "called_ae", "")).strip() == self._broker.ae_title:
            return self._broker.across.find(actor, request.query, wanted=lambda: not is_cancelled())
        return self._search.find(actor, request.query)

    def _answers(self, request: Request) -> Answers:
        return Answers(request, self._ae_title)


class WorklistProvider(FindProvider):
    """Answers C-FIND requests of the Modality Worklist (PS3.4 K.4.1); `search` is what knows of scheduled steps."""

    door = "worklist"

    def __init__(self, schedule: Schedule, actor_of: ActorOf = admitted_actor) -> None:
        super().__init__(schedule, "", actor_of)

    def _request(self, assoc: Any, sop_class_uid: str, identifier: Dataset) -> Request:
        return read_worklist(identifier, negotiated(assoc, sop_class_uid))

    def _answers(self, request: Request) -> Answers:
        return Answers(request, None)


def find_handler(
    search: Search, ae_title: str, actor_of: ActorOf = admitted_actor
) -> Callable[[evt.Event], Iterator[Response]]:
    """A handler for pynetdicom's EVT_C_FIND."""
    return FindProvider(search, ae_title, actor_of).handle


def find_service(
    search: Search, ae_title: str, actor_of: ActorOf = admitted_actor, broker: Broker | None = None
) -> Service:
    """A service for the profile of our upper layer, for each of `dimse.models.FIND_CLASSES`."""
    return FindProvider(search, ae_title, actor_of, broker).serve


def worklist_service(schedule: Schedule, actor_of: ActorOf = admitted_actor) -> Service:
    """The same for the Modality Worklist."""
    return WorklistProvider(schedule, actor_of).serve


def _answered(
    answers: Answers, page: SearchPage, is_cancelled: _IsCancelled, fields: dict[str, str], partial: int
) -> Iterator[Response]:
    pending = _status(PENDING_WITH_UNSUPPORTED_KEYS if page.unsupported else PENDING)
    for sent, match in enumerate(page.matches):
        if is_cancelled():
            log.info("C-FIND cancelled", extra={**fields, "answers": sent})
            yield _status(CANCEL), None
            return
        yield pending, answers.dataset(match)
    if page.lacking and is_cancelled():
        yield _status(CANCEL), None
        return
    told = {"missing": _names(page.lacking)} if page.lacking else {}  # what others say of errors may name patients
    log.info("C-FIND answered", extra={**fields, **told, "answers": len(page.matches), "capped": page.capped})
    if page.capped:
        yield _status(OUT_OF_RESOURCES, f"stopped at the limit of {page.cap}"), None
    elif page.lacking and partial != SUCCESS:
        yield _status(partial, _without(page.lacking)), None
    else:
        yield _status(SUCCESS), None


def _without(lacking: Sequence[Lack]) -> str:
    one = len({lack.source for lack in lacking}) == 1
    return f"not whole: {lacking[0]}" if one else f"not whole without {_names(lacking)}"


def _names(lacking: Sequence[Lack]) -> str:
    return ", ".join(dict.fromkeys(lack.source for lack in lacking))


def _status_of(error: VnaError) -> int:
    return next((status for kind, status in FIND_STATUS.items() if isinstance(error, kind)), UNABLE_TO_PROCESS)


def _status(status: int, reason: str = "") -> Dataset:
    ds = Dataset()
    ds.Status = status
    if reason:
        ds.ErrorComment = comment(reason)
    return ds


def _response(request: C_FIND, status: Dataset) -> C_FIND:
    response = C_FIND()
    response.MessageIDBeingRespondedTo = request.MessageID
    response.AffectedSOPClassUID = request.AffectedSOPClassUID
    response.Status = status.Status
    if "ErrorComment" in status:
        response.ErrorComment = status.ErrorComment
    return response
