"""Whose turn it is: somebody waits for a picture, somebody will want it, or a machine copies an archive."""

from enum import IntEnum
from typing import Final

from vna.model.errors import BadRequest


class Priority(IntEnum):
    """The class of a request; a greater one goes first, on our doors and on links to archives elsewhere."""

    BULK = 0
    ROUTINE = 1
    INTERACTIVE = 2

    @property
    def word(self) -> str:
        """As people write it."""
        return self.name.lower()


WORDS: Final = tuple(one.word for one in sorted(Priority, reverse=True))


def priority_of(word: str) -> Priority:
    """The class of that name; empty is the highest. BadRequest for other words."""
    if not word:
        return Priority.INTERACTIVE
    try:
        return Priority[word.upper()] if word in WORDS else Priority[""]
    except KeyError as exc:
        raise BadRequest(f"{word[:32]} is no priority: it is one of {', '.join(WORDS)}") from exc
