"""The doors, each given the use cases it translates for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the doors really are, once they listen: a port of 0 in the settings has become a number."""

    http: tuple[str, int]
    dimse: tuple[str, int]


