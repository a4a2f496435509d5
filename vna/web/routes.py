"""Every address of the door."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vna.archive.node_spool import PATH as SPOOL
from vna.web import reports, sources, spools
from vna.web.errors import Answer
from vna.web.health import healthz, metrics, readyz
from vna.web.links import PREFIX as LINK
from vna.web.links import open_link
from vna.web.page import page
from vna.web.site import Site
from vna.web.viewer import PREFIX as VIEWER
from vna.web.viewer import viewer

ADDRESSES: tuple[tuple[str, Answer], ...] = (
    ("/", page),
    ("/healthz", healthz),
    ("/readyz", readyz),
    ("/metrics", metrics),
    (VIEWER + "/{path:path}", viewer),
    (LINK + "/{token}", open_link),
)

OPEN_PATHS = frozenset(path for path, _ in ADDRESSES if "{" not in path)
"""What answers without a login, in `enforced` mode too: the page then shows no study, the others never do."""

OPEN_FOLDERS = (f"{VIEWER}/", f"{LINK}/", f"{SPOOL}/")
"""The same, with everything below: the viewer's own files, the same for everyone, links, which are the login, and what
other nodes ask, which have a proof of their own."""

_OTHERS = (*sources.ADDRESSES, *reports.ADDRESSES, *spools.ADDRESSES)


def routes(site: Site) -> list[Route]:
    """The addresses, bound to one archive."""
    return [
        *(_route("GET", path, answer, site) for path, answer in ADDRESSES),
        *(_route(method, path, answer, site) for method, path, answer in _OTHERS),
    ]


def _route(method: str, path: str, answer: Answer, site: Site) -> Route:
    async def endpoint(request: Request) -> Response:
        return await answer(request, site)

    return Route(path, endpoint, methods=[method])
