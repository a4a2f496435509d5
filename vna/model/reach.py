"""Whose studies somebody may know of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """Every study that one of these says: nothing is within an empty one.

    `facilities` made it, ordered it or were to perform what was ordered; `numbers` are national numbers of its
    patient, by whatever says them (`storage.index.reached`); `studies` are UIDs.
    """

    facilities: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    studies: frozenset[str] = frozenset()

    @property
    def is_named(self) -> bool:
        """Whether it says each study by its UID."""
        return not (self.facilities or self.numbers)
