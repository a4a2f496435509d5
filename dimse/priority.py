"""How a request says whose turn it is: Priority (0000,0700) (PS3.7 9.3.1.1, 9.3.2.1, 9.3.3.1, 9.3.4.1)."""

from collections.abc import Mapping
from typing import Final

from vna.model.access import Actor
from vna.model.priority import Priority

_CLASSES: Final[Mapping[int, Priority]] = {
    0x0000: Priority.ROUTINE,  # MEDIUM
    0x0001: Priority.INTERACTIVE,  # HIGH
    0x0002: Priority.BULK,  # LOW
}
_VALUES: Final = {one: value for value, one in _CLASSES.items()}


def priority_of(actor: Actor, value: int | None) -> Priority:
    """The class of a request, which is no higher than the application entity may have."""
    return min(actor.priority, _CLASSES.get(value or 0, Priority.ROUTINE))


def value_of(priority: Priority) -> int:
    """For a request of ours."""
    return _VALUES[priority]
