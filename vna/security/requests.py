"""What every HTTP door reads from a request beside its address: who asks, and how the archive was called."""

from starlette.requests import Request

from vna.model.access import Actor, ActorKind

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORWARDED = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
)


def actor_of(request: Request) -> Actor:
    """Who asks, as `vna.security.http` found out; anonymous, who may do nothing, where it did not run."""
    actor = request.scope.get("state", {}).get("actor")
    return actor if isinstance(actor, Actor) else Actor(ActorKind.ANONYMOUS, "", address=peer_address(request))


def peer_address(request: Request) -> str:
    """The network address of the caller, or ""."""
    return request.client.host if request.client else ""


def origin_of(request: Request, public_url: str) -> str:
    """Where absolute addresses begin, no slash at the end: the public address, else what the request was sent to."""
    if public_url:
        return public_url.rstrip("/")
    scheme = request.scope.get("scheme", "http")
    return f"{scheme}://{_authority(request, scheme)}{request.scope.get('root_path', '')}"


def _authority(request: Request, scheme: str) -> str:
    """The Host field, and our own port where it names none and no proxy stands between.

    dicomweb-client (0.61) leaves the port out, and would then follow our addresses to port 80.
    """
    host, port = request.scope.get("server") or ("localhost", None)
    named = request.headers.get("host", host)
    has_port = ":" in named.rpartition("]")[2]
    if has_port or port in (None, _DEFAULT_PORTS.get(scheme)) or any(one in request.headers for one in _FORWARDED):
        return named
    return f"{named}:{port}"
