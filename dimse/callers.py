"""Who is at the other end of an association."""

from typing import Any

from vna.model.access import Actor
from vna.model.errors import NotAuthorized


def actor_of(assoc: Any) -> Actor:
    """Whom admission found the requestor to be; without admission nobody is known."""
    actor = getattr(assoc, "actor", None)
    if not isinstance(actor, Actor):
        raise NotAuthorized("the calling application entity is not known", authenticated=False)
    return actor


def address_of(assoc: Any) -> str:
    """The requestor's address as text, empty when it is not known."""
    information = assoc.requestor.address_info
    return str(information.address) if information is not None else ""
