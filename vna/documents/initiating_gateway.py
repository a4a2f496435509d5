"""The Initiating Gateway of XCA and XCA-I: asks the communities that a request is for, and puts together what they
answer (ITI TF-2 3.18.4.1.3, 3.38.4.1.3, 3.39.4.1.3, 3.43.4.1.3; RAD TF-2 4.69, 4.75).

How a community is asked is the door's business, which hands over `here`, for our own, and `there`, for the others.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from vna.documents.calls import Call, Closing, Lines
from vna.documents.communities import Asked, AtHome, Directory, unavailable_community
from vna.documents.imaging_source import Wanted
from vna.documents.problems import ErrorCode, Problem
from vna.documents.repository import MOST_DOCUMENTS, WantedDocument
from vna.model.access import Action, Actor
from vna.model.errors import OutOfResources, Unavailable, VnaError
from vna.security.policy import Policy

log = logging.getLogger(__name__)

_LONGEST_RETRIEVE = 3600.0
"""Seconds after which documents that still come are not waited for, however steadily they come."""

T = TypeVar("T", bound=Closing)
W = TypeVar("W", bound=AtHome)


@dataclass(frozen=True, slots=True)
class Gathered(Generic[T]):
    """What each community answered, our own first, and why there is nothing of others."""

    parts: Mapping[str, T]
    problems: Sequence[Problem]


class InitiatingGateway:
    """Asks the communities of its directory, all at once, and none of them longer than it may take.

    `seconds` are for a query, and for a community to begin with its documents.
    """

    def __init__(self, directory: Directory, policy: Policy, *, requests: int, seconds: float) -> None:
        self.directory = directory
        self._policy = policy
        self._lines = Lines(requests, directory.others)
        self._seconds = seconds

    @property
    def home(self) -> str:
        """Our own community."""
        return self.directory.own

    def query(self, actor: Actor, asked: Asked, here: Callable[[], T], there: Callable[[str], T]) -> Gathered[T]:
        """Ask whoever a stored query is for (ITI TF-2 3.18.4.1.3). Refused when it says too little of that."""
        self._policy.check(actor, Action.READ_DOCUMENTS)
        homes, problems = self.directory.of_query(asked)
        calls = {home: lambda home=home: there(home) for home in homes if home != self.home}
        return self._gather(here if self.home in homes else None, calls, problems, self._seconds)

    def retrieve(
        self,
        actor: Actor,
        wanted: Sequence[WantedDocument],
        here: Callable[[Sequence[WantedDocument]], T],
        there: Callable[[str, Sequence[WantedDocument]], T],
    ) -> Gathered[T]:
        """Have documents from wherever each is (ITI TF-2 3.43.4.1.3)."""
        self._policy.check(actor, Action.READ_DOCUMENTS)
        return self._documents(wanted, here, there)

    def images(
        self,
        actor: Actor,
        wanted: Sequence[Wanted],
        here: Callable[[Sequence[Wanted]], T],
        there: Callable[[str, Sequence[Wanted]], T],
    ) -> Gathered[T]:
        """Have instances from wherever each is. Those who may see one study alone may not."""
        self._policy.check(actor, Action.RETRIEVE)
        return self._documents(wanted, here, there)

    def _documents(
        self, wanted: Sequence[W], here: Callable[[Sequence[W]], T], there: Callable[[str, Sequence[W]], T]
    ) -> Gathered[T]:
        if len(wanted) > MOST_DOCUMENTS:
            raise OutOfResources(f"at most {MOST_DOCUMENTS} documents are asked for at once, not {len(wanted)}")
        places, problems = self.directory.of_documents(wanted)
        own = places.pop(self.home, None)
        calls = {home: lambda home=home, asked=asked: there(home, asked) for home, asked in places.items()}
        return self._gather((lambda: here(own)) if own is not None else None, calls, problems, _LONGEST_RETRIEVE)

    def _gather(
        self,
        here: Callable[[], T] | None,
        calls: Mapping[str, Callable[[], T]],
        problems: Sequence[Problem],
        seconds: float,
    ) -> Gathered[T]:
        parts: dict[str, T] = {}
        found = list(problems)
        with self._lines.admitted(), _closed_unless_done(parts):
            deadline = time.monotonic() + seconds
            with self._begun(calls, found) as begun:
                if here is not None:
                    parts[self.home] = here()
                for call in begun:
                    with self._told(call.home, found):
                        parts[call.home] = call.wait(deadline)
        return Gathered(parts, found)

    @contextmanager
    def _begun(self, calls: Mapping[str, Callable[[], T]], found: list[Problem]) -> Iterator[list[Call[T]]]:
        """Calls that are under way; those that nobody waited for are abandoned."""
        begun: list[Call[T]] = []
        try:
            for home, ask in calls.items():
                with self._told(home, found):
                    begun.append(self._lines.begin(home, ask))
            yield begun
        finally:
            for call in begun:
                call.abandon()

    @contextmanager
    def _told(self, home: str, found: list[Problem]) -> Iterator[None]:
        """A community that gives no answer is a problem of the answer. Its own words are not for logs."""
        try:
            yield
        except OutOfResources as error:
            log.warning("no room for the answer of a community", extra={"home": home, "reason": str(error)})
            what = f"the answer of the community {home}: {error}"
            found.append(Problem(ErrorCode.REPOSITORY_OUT_OF_RESOURCES, what, self.home))
        except VnaError as error:
            reason = str(error) if isinstance(error, Unavailable) else type(error).__name__
            log.warning("community not available", extra={"home": home, "reason": reason})
            found.append(unavailable_community(home, str(error)))


@contextmanager
def _closed_unless_done(parts: Mapping[str, Closing]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for part in parts.values():
            part.close()
        raise
