"""What every transaction reads from a request beside its address."""

from starlette.requests import Request

from vna.model.access import Actor, ActorKind


def actor_of(request: Request) -> Actor:
    """Who asks, as `vna.security.http` found out; anonymous, who may do nothing, where it did not run."""
    actor = request.scope.get("state", {}).get("actor")
    return actor if isinstance(actor, Actor) else Actor(ActorKind.ANONYMOUS, "", address=peer_address(request))


def peer_address(request: Request) -> str:
    """The network address of the caller, or ""."""
    return request.client.host if request.client else ""
