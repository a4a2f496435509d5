"""Every address of the door: method, path, what answers, and the right that its use case asks for (PS3.18 10.3)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from inspect import iscoroutinefunction

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from dicomweb.bulkdata import bulkdata, every_bulkdata, pixeldata
from dicomweb.capabilities import described
from dicomweb.changefeed import changefeed, latest
from dicomweb.commitment import check_commitment, request_commitment
from dicomweb.delete import delete
from dicomweb.errors import Endpoint, guarded
from dicomweb.frames import frames, frames_at_once
from dicomweb.metadata import metadata, metadata_at_once
from dicomweb.rendered import rendered, thumbnail
from dicomweb.retrieve import instances
from dicomweb.search import (
    count_instances,
    count_series,
    count_studies,
    search_instances,
    search_series,
    search_studies,
)
from dicomweb.service import PREFIX, StudiesService
from dicomweb.store import store
from dicomweb.wado_uri import wado
from vna.model.access import Action
from vna.model.errors import NotHere, Unavailable
from vna.model.priority import Priority
from vna.security.turns import in_turn, priority_of

Transaction = Callable[[Request, StudiesService], Response | Awaitable[Response]]
"""Use cases wait for the index and the disk, so a transaction is an ordinary function and runs in a thread, as a whole;
one that reads a body as it arrives is a coroutine."""


@dataclass(frozen=True, slots=True)
class Address:
    """One method on one path.

    `at_once` answers where no more than look-ups is needed, or says None. Where index and files are this machine's own
    it is called on the event loop: a trip to a thread costs as much as the whole answer. `priority` is the class of
    its requests, unless they or their actors are of a lower one.
    """

    method: str
    path: str
    transaction: Transaction
    action: Action
    at_once: Callable[[Request, StudiesService], Response | None] | None = None
    priority: Priority = Priority.INTERACTIVE

    @property
    def url(self) -> str:
        """The path on the origin: the URI service stands beside the others."""
        return self.path if self.path == WADO else PREFIX + self.path

    @property
    def name(self) -> str:
        """What the transaction is called."""
        return self.transaction.__name__


_STUDY = "/studies/{study}"
_SERIES = "/studies/{study}/series/{series}"
_INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"
_COMMITMENT = "/commitment-requests/{transaction}"
WADO = "/wado"
_SHOWN = (_STUDY, _SERIES, _INSTANCE, f"{_INSTANCE}/frames/{{frames}}")

MOST_ASKED = 4
"""How many of the addresses that follow viewers ask again and again."""
ADDRESSES = (
    Address("GET", f"{_INSTANCE}/frames/{{frames}}", frames, Action.RETRIEVE, frames_at_once),
    *(
        Address("GET", f"{path}/metadata", metadata, Action.RETRIEVE, metadata_at_once)
        for path in (_SERIES, _STUDY, _INSTANCE)
    ),
    Address("POST", "/studies", store, Action.STORE, priority=Priority.ROUTINE),
    Address("POST", _STUDY, store, Action.STORE, priority=Priority.ROUTINE),
    Address("GET", "/studies", search_studies, Action.QUERY),
    Address("GET", f"{_STUDY}/series", search_series, Action.QUERY),
    Address("GET", f"{_STUDY}/instances", search_instances, Action.QUERY),
    Address("GET", f"{_SERIES}/instances", search_instances, Action.QUERY),
    Address("GET", "/series", search_series, Action.QUERY),
    Address("GET", "/instances", search_instances, Action.QUERY),
    Address("GET", "/studies/count", count_studies, Action.QUERY),
    Address("GET", f"{_STUDY}/series/count", count_series, Action.QUERY),
    Address("GET", f"{_STUDY}/instances/count", count_instances, Action.QUERY),
    Address("GET", f"{_SERIES}/instances/count", count_instances, Action.QUERY),
    Address("GET", "/series/count", count_series, Action.QUERY),
    Address("GET", "/instances/count", count_instances, Action.QUERY),
    Address("GET", _STUDY, instances, Action.RETRIEVE, priority=Priority.ROUTINE),
    Address("GET", _SERIES, instances, Action.RETRIEVE, priority=Priority.ROUTINE),
    Address("GET", _INSTANCE, instances, Action.RETRIEVE),
    *(Address("DELETE", path, delete, Action.DELETE) for path in (_STUDY, _SERIES, _INSTANCE)),
    Address("POST", _COMMITMENT, request_commitment, Action.STORE, priority=Priority.ROUTINE),
    Address("GET", _COMMITMENT, check_commitment, Action.STORE),
    Address("GET", "/changefeed", changefeed, Action.QUERY, priority=Priority.ROUTINE),
    Address("GET", "/changefeed/latest", latest, Action.QUERY, priority=Priority.ROUTINE),
    Address("GET", f"{_INSTANCE}/bulkdata/{{path:path}}", bulkdata, Action.RETRIEVE),
    Address("GET", WADO, wado, Action.RETRIEVE),
    *(
        Address("GET", f"{path}/{name}", transaction, Action.RETRIEVE, priority=Priority.ROUTINE)
        for name, transaction in (("bulkdata", every_bulkdata), ("pixeldata", pixeldata))
        for path in (_STUDY, _SERIES, _INSTANCE)
    ),
    *(Address("GET", f"{path}/rendered", rendered, Action.RETRIEVE) for path in _SHOWN),
    *(Address("GET", f"{path}/thumbnail", thumbnail, Action.RETRIEVE) for path in _SHOWN),
)

_PICTURES = (rendered, thumbnail, wado)
"""They wait for decoders and have threads of their own: whatever else is asked is answered, however long those take."""
_MOST_PICTURES = 12
_ROUNDS = 8
"""How often a request is tried again because something of it had to be fetched first."""
_PICTURES_AT_ONCE: RunVar[CapacityLimiter] = RunVar("pictures made at once")
_MOST_SEARCHES = 20
_SEARCHES_AT_ONCE: RunVar[CapacityLimiter] = RunVar("searches made at once")
"""They wait for the index alone and have theirs too: readers may hold all others when bytes are slow to come."""


def routes(service: StudiesService) -> list[Route]:
    """The addresses, each bound to the use cases; HEAD goes with GET."""
    return [*(_route(address, service) for address in ADDRESSES), _capabilities(service)]


def _capabilities(service: StudiesService) -> Route:
    """What is there, by GET and by OPTIONS of the service itself (PS3.18 8.9)."""
    below = [address for address in ADDRESSES if address.path != WADO]

    async def endpoint(request: Request) -> Response:
        return described(request, service, below)

    return Route(f"{PREFIX}/", guarded(endpoint), methods=["GET", "OPTIONS"])


def _threads(address: Address) -> CapacityLimiter | None:
    """Whose threads an address takes: its own, or none of its own."""
    if address.transaction in _PICTURES:
        return _limiter(_PICTURES_AT_ONCE, _MOST_PICTURES)
    return _limiter(_SEARCHES_AT_ONCE, _MOST_SEARCHES) if address.action is Action.QUERY else None


def _limiter(kept: RunVar[CapacityLimiter], most: int) -> CapacityLimiter:
    """One for each event loop, as limiters belong to one."""
    try:
        return kept.get()
    except LookupError:
        kept.set(CapacityLimiter(most))
        return kept.get()


class _Answering:
    """An endpoint as ASGI: it raises nothing, so that nothing has to be put around it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def _route(address: Address, service: StudiesService) -> Route:
    transaction = address.transaction
    at_once = address.at_once if service.retrieval.is_prompt else None
    is_paced = any(service.turns.pace.limits(one) for one in Priority)

    async def endpoint(request: Request) -> Response:
        for _ in range(_ROUNDS):
            try:
                return await answered(request)
            except NotHere as away:
                if service.arriving is None:
                    raise
                await service.arriving.arrive(away.wanted, away.enough)
        raise Unavailable("what was fetched did not stay: ask again")

    async def answered(request: Request) -> Response:
        if at_once is not None and not (is_paced and priority_of(request, address.priority) < Priority.INTERACTIVE):
            prompt = at_once(request, service)
            if prompt is not None:
                return prompt
        return await in_turn(request, service.turns, address.priority, partial(made, request))

    async def made(request: Request) -> Response:
        answer: Response | Awaitable[Response]
        if iscoroutinefunction(transaction):
            answer = transaction(request, service)
        else:
            answer = await run_sync(partial(transaction, request, service), limiter=_threads(address))
        return await answer if isinstance(answer, Awaitable) else answer

    return Route(address.url, _Answering(guarded(endpoint)), methods=[address.method])
