"""Rights as text: comma lists of actions."""

from collections.abc import Iterable

from vna.model.access import Action
from vna.model.errors import BadRequest


def parse_rights(text: str) -> frozenset[Action]:
    """`store,query` as a set; BadRequest names what is no right."""
    rights = set()
    for word in filter(None, (part.strip() for part in text.split(","))):
        try:
            rights.add(Action(word))
        except ValueError:
            raise BadRequest(f"{word} is no right: use {', '.join(a.value for a in Action)}") from None
    return frozenset(rights)


def rights_text(rights: Iterable[Action]) -> str:
    """The set as text, in one order."""
    return ",".join(action.value for action in Action if action in frozenset(rights))
