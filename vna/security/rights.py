"""Rights as text: comma lists of actions."""

from collections.abc import Iterable

from vna.model.access import Action
from vna.model.errors import BadRequest

GIVEN_RIGHTS = (Action.STORE, Action.QUERY, Action.RETRIEVE)
"""What whoever is added may do when nothing else is said."""

PEER_RIGHTS = (
    *GIVEN_RIGHTS,
    Action.QUERY_ACROSS,
    Action.READ_DOCUMENTS,
    Action.WRITE_DOCUMENTS,
    Action.FEED,
)
"""What an application entity may be given; C-ECHO is for every known one. Rights to documents and feeds are for systems
that show their certificate over HTTPS."""


def parse_rights(text: str, known: Iterable[Action] = Action) -> frozenset[Action]:
    """`store,query` as a set; BadRequest names what is none of the known rights."""
    by_name = {action.value: action for action in known}
    words = [word for part in text.split(",") if (word := part.strip())]
    for word in words:
        if word not in by_name:
            raise BadRequest(f"{word} is no right: use {', '.join(by_name)}")
    return frozenset(by_name[word] for word in words)


def rights_text(rights: Iterable[Action]) -> str:
    """The set as text, in one order."""
    return ",".join(action.value for action in Action if action in frozenset(rights))
