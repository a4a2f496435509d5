"""What is sent elsewhere, and what became of it: the seam between rules and the doors that send."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from vna.model.comments import reason_of
from vna.model.errors import NotAuthorized, Unavailable


class Encoded(Protocol):
    """A data set in one transfer syntax; the chunks are read once, and closed when they have a close()."""

    @property
    def transfer_syntax_uid(self) -> str: ...

    @property
    def chunks(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Item:
    """Something to send; `encode` gives it in one of the syntaxes it is offered, or raises a VnaError."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    encode: Callable[[Sequence[str]], Encoded]


class Verdict(StrEnum):
    """What became of an item."""

    COMPLETED = "completed"
    WARNING = "completed with a warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Sent:
    """The end of one item; `status` is the receiver's, None where it was not asked.

    `begun` is false for one that waited in vain for an association: its reason says nothing of the item. `answered` is
    false where the receiver could not be reached or asked, so that another time it may take the item.
    """

    item: Item
    verdict: Verdict
    status: int | None = None
    reason: str = ""
    begun: bool = True
    answered: bool = True


def failed(item: Item, error: BaseException, *, begun: bool = True) -> Sent:
    """The end of an item that never got an answer."""
    answered = not isinstance(error, (Unavailable, NotAuthorized))
    return Sent(item, Verdict.FAILED, None, reason_of(error), begun, answered)


class Destination(Protocol):
    """Somebody elsewhere to send to: C-STORE, STOW-RS."""

    def send(self, items: Sequence[Item]) -> Iterator[Sent]:
        """Send all; yields each item's end as it comes, in no order."""
