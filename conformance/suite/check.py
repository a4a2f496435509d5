"""What a check is: a function that asks a server and judges what comes, under the clause that it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from conformance.suite.session import Session


class Target(Enum):
    """The doors of a server that can be named; the value is the option of `vna conformance run`."""

    DIMSE = "dimse"
    DICOMWEB = "dicomweb"
    WADO = "wado"
    XDS_REGISTRY = "xds-registry"
    XDS_REPOSITORY = "xds-repository"
    XDS_IMAGING_SOURCE = "xds-imaging-source"
    HL7 = "hl7"
    SGK = "sgk"
    TLS = "tls"


class Failed(Exception):
    """The server did something else than the clause says: the reason, in one sentence."""


class NotApplicable(Exception):
    """Nothing can be said: the server does not offer it, or what has to be there first is not."""


Run = Callable[["Session"], None]


@dataclass(frozen=True, slots=True)
class Check:
    """One claim that a client can see.

    `also` are targets that it needs beside its own; `covers` names the services of the conformance statement that it
    is a check of; `last` is for what could bring a server down: it comes after all others.
    """

    id: str
    clause: str
    title: str
    target: Target
    run: Run
    also: tuple[Target, ...] = ()
    covers: tuple[str, ...] = ()
    last: bool = False


_CHECKS: Final[dict[str, Check]] = {}


def check(
    id: str,  # noqa: A002  it is the word of a report's reader
    clause: str,
    title: str,
    target: Target,
    *,
    also: tuple[Target, ...] = (),
    covers: tuple[str, ...] = (),
    last: bool = False,
) -> Callable[[Run], Run]:
    """Register a function as a check. Its id is a dotted path that begins with its module's subject; it is unique."""

    def register(run: Run) -> Run:
        if id in _CHECKS:
            raise ValueError(f"two checks are called {id}")
        _CHECKS[id] = Check(id, clause, title, target, run, also, covers, last)
        return run

    return register


def registered(*patterns: str) -> Iterator[Check]:
    """The checks that were imported, those that could bring a server down at the end; of these `patterns`, or all."""
    chosen = [one for one in _CHECKS.values() if not patterns or any(fnmatchcase(one.id, p) for p in patterns)]
    yield from sorted(chosen, key=lambda one: one.last)
