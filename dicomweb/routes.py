"""Every address of the door: method, path, what answers, and the right that its use case asks for (PS3.18 10.3)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dicomweb.bulkdata import bulkdata
from dicomweb.errors import guarded
from dicomweb.frames import frames
from dicomweb.metadata import metadata
from dicomweb.retrieve import instances
from dicomweb.search import search_instances, search_series, search_studies
from dicomweb.service import PREFIX, StudiesService
from dicomweb.store import store
from vna.model.access import Action

Transaction = Callable[[Request, StudiesService], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Address:
    """One method on one path."""

    method: str
    path: str
    transaction: Transaction
    action: Action


_STUDY = "/studies/{study}"
_SERIES = "/studies/{study}/series/{series}"
_INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"

ADDRESSES = (
    Address("POST", "/studies", store, Action.STORE),
    Address("POST", _STUDY, store, Action.STORE),
    Address("GET", "/studies", search_studies, Action.QUERY),
    Address("GET", f"{_STUDY}/series", search_series, Action.QUERY),
    Address("GET", f"{_STUDY}/instances", search_instances, Action.QUERY),
    Address("GET", f"{_SERIES}/instances", search_instances, Action.QUERY),
    Address("GET", "/series", search_series, Action.QUERY),
    Address("GET", "/instances", search_instances, Action.QUERY),
    Address("GET", _STUDY, instances, Action.RETRIEVE),
    Address("GET", _SERIES, instances, Action.RETRIEVE),
    Address("GET", _INSTANCE, instances, Action.RETRIEVE),
    Address("GET", f"{_STUDY}/metadata", metadata, Action.RETRIEVE),
    Address("GET", f"{_SERIES}/metadata", metadata, Action.RETRIEVE),
    Address("GET", f"{_INSTANCE}/metadata", metadata, Action.RETRIEVE),
    Address("GET", f"{_INSTANCE}/frames/{{frames}}", frames, Action.RETRIEVE),
    Address("GET", f"{_INSTANCE}/bulkdata/{{path:path}}", bulkdata, Action.RETRIEVE),
)


def routes(service: StudiesService) -> list[Route]:
    """The addresses, each bound to the use cases; HEAD goes with GET."""
    return [_route(address, service) for address in ADDRESSES]


def _route(address: Address, service: StudiesService) -> Route:
    async def endpoint(request: Request) -> Response:
        return await address.transaction(request, service)

    return Route(PREFIX + address.path, guarded(endpoint), methods=[address.method])
