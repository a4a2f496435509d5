"""Searching here and in archives elsewhere at once: one list, and what is missing of it said."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from vna import events as signals
from vna.archive.search import Search
from vna.model.access import Action, Actor, ActorKind
from vna.model.dictionary import vr_of
from vna.model.errors import BadRequest, NotAuthorized, Unavailable, VnaError
from vna.model.matching import criteria
from vna.model.query import Key, Lack, Level, Match, Query, SearchPage
from vna.model.sources import Doors, Searching, Source
from vna.model.wildcards import has_wildcard
from vna.routing.asking import Asking, Bounds, Heard
from vna.routing.credible import PATIENT_ID, UIDS, Judge, wanted_of
from vna.routing.merged import (
    AVAILABILITY,
    RETRIEVE_AE,
    Identity,
    Place,
    identity,
    in_order,
    known_elsewhere,
    united,
)
from vna.security.policy import Policy
from vna.security.sources import Sources

_AT_ONCE = 500
"""Things that are looked up here by one search."""


def _always() -> bool:
    return True


class Across:
    """Answers queries from our own index and from sources; `requests` are answered so at once in one process."""

    def __init__(
        self,
        policy: Policy,
        search: Search,
        sources: Sources,
        doors: Callable[[Source], Doors],
        bounds: Bounds = Bounds(),  # noqa: B008
        *,
        requests: int = 8,
        most: int = 10_000,
    ) -> None:
        """`most` bounds the matches of a page, as that of `search` does."""
        self._policy = policy
        self._search = search
        self._sources = sources
        self._doors = doors
        self._bounds = bounds
        self._asking = Asking(bounds)
        self._requests = threading.BoundedSemaphore(requests)
        self._most = most

    def find(
        self, actor: Actor, query: Query, names: Sequence[str] = (), *, wanted: Callable[[], bool] = _always
    ) -> SearchPage:
        """One page of what matches here and in the sources of these names, or in all; `lacking` says what is not whole.

        What is held here is told as it is here; of everything else where it is (`vna.routing.merged`). The rest is
        let go of when `wanted` says that nobody waits any more. NotAuthorized without the right to ask other archives,
        whose logins of ours are used, and for access links; BadRequest for a name of no archive that is known;
        Unavailable when as many such searches are under way as may be.
        """
        self._policy.check(actor, Action.QUERY, actor.study_instance_uid)
        if actor.kind is ActorKind.LINK:
            raise NotAuthorized("an access link is to one study of this archive")
        self._policy.check(actor, Action.QUERY_ACROSS)
        chosen, lacking = self._chosen(actor, names)
        criteria(query)  # BadRequest before anybody is asked
        with self._admitted():
            asked = self._asking.begin(query, chosen, wanted)
            try:
                page = self._held_here(actor, query)
                heard = asked.wait()
            finally:
                asked.end()
            for one in heard:
                signals.emit("source.searched", source=one.source.name, outcome=one.outcome)
            return self._together(actor, query, page, heard, lacking)

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if not self._requests.acquire(blocking=False):
            raise Unavailable("as many searches of other archives are under way as may be at once")
        try:
            yield
        finally:
            self._requests.release()

    def _chosen(
        self, actor: Actor, names: Sequence[str]
    ) -> tuple[list[tuple[Source, Sequence[tuple[str, Searching]]]], list[Lack]]:
        """Sources with their doors, in order of priority, and which of those that were meant cannot be asked."""
        known = {source.name: source for source in self._sources.archives()}
        for name in names:
            if name not in known:
                raise BadRequest(f"no archive {name[:64]!r} is known that could be asked")
        chosen: list[tuple[Source, Sequence[tuple[str, Searching]]]] = []
        lacking: list[Lack] = []
        for name, source in known.items():
            if (names and name not in names) or _is(actor, source):
                continue
            try:
                searching = self._doors(source).searching
            except VnaError as error:
                lacking.append(Lack(name, str(error)))
                continue
            if len(chosen) == self._bounds.sources:
                lacking.append(Lack(name, f"no more than {len(chosen)} archives are asked at once"))
            elif searching:
                chosen.append((source, searching))
            elif names:
                lacking.append(Lack(name, "it has no door that can be searched"))
        return chosen, lacking

    def _held_here(self, actor: Actor, query: Query) -> SearchPage:
        """As many of our own as the page can have at most, from the first."""
        count = query.offset + self._limit(query) + 1
        return self._search.find(actor, _local(query, limit=count if count <= self._most else None))

    def _limit(self, query: Query) -> int:
        return self._most if query.limit is None else min(query.limit, self._most)

    def _together(
        self, actor: Actor, query: Query, page: SearchPage, heard: Sequence[Heard], lacking: Sequence[Lack]
    ) -> SearchPage:
        limit = self._limit(query)
        held = {identity(match): match for match in page.matches}
        elsewhere = _gathered(held, heard)
        is_whole = len(page.matches) <= query.offset + limit and not page.capped
        self._settle(actor, query, elsewhere, is_whole=is_whole)
        merged = in_order(query, list(held.values()), elsewhere.values())
        matches = tuple(islice(merged, query.offset, query.offset + limit + 1))
        ours = query.limit is None or query.limit > self._most
        cap = f"{limit} matches" if ours and len(matches) > limit else page.cap
        missing = (*lacking, *(lack for one in heard for lack in _lacks(one)))
        return SearchPage(matches[:limit], bool(cap), cap, page.unsupported, missing)

    def _settle(self, actor: Actor, query: Query, elsewhere: dict[Identity, Match], *, is_whole: bool) -> None:
        """What of it is held here and was not on the page: it comes on a later page, or is no match as it is here."""
        judge = Judge(query)
        for name, match in self._known(actor, query, elsewhere).items():
            both = united(match, elsewhere[name])
            if judge.holds(both.elements) and (is_whole or not judge.holds(match.elements)):
                elsewhere[name] = both
            else:
                del elsewhere[name]

    def _known(self, actor: Actor, query: Query, elsewhere: dict[Identity, Match]) -> dict[Identity, Match]:
        """Those that are held here, whether they match or not."""
        tag = UIDS.get(query.level, PATIENT_ID)
        names = {name[-1] if query.level is not Level.PATIENT else name[0] for name in elsewhere}
        values = sorted(name for name in names if not has_wildcard(name))
        found: dict[Identity, Match] = {}
        for first in range(0, len(values), _AT_ONCE):
            key = Key((tag,), vr_of(tag), tuple(values[first : first + _AT_ONCE]))
            for match in self._search.find(actor, _local(replace(query, keys=(key,), order=()))).matches:
                if identity(match) in elsewhere:
                    found[identity(match)] = match
        return found


def _local(query: Query, limit: int | None = None) -> Query:
    """The same of our own, with what is needed to put it together with what others have."""
    returns = None if query.returns is None else query.returns | wanted_of(query) | {RETRIEVE_AE, AVAILABILITY}
    return replace(query, returns=returns, offset=0, limit=limit)


def _is(actor: Actor, source: Source) -> bool:
    """Whoever asks is not asked in turn: two archives that ask each other would do so for ever."""
    return actor.kind in (ActorKind.AE, ActorKind.LOCAL) and actor.name == source.archive.ae_title


def _gathered(held: dict[Identity, Match], heard: Sequence[Heard]) -> dict[Identity, Match]:
    """What is not among `held`, which is filled from what others say of the same."""
    elsewhere: dict[Identity, Match] = {}
    for one in heard:
        place = Place(one.source.archive)
        for match in one.matches:
            found, name = known_elsewhere(match, place), identity(match)
            if name in held:
                held[name] = united(held[name], found)
            else:
                elsewhere[name] = united(elsewhere[name], found) if name in elsewhere else found
    return elsewhere


def _lacks(heard: Heard) -> Iterator[Lack]:
    if heard.reason:
        yield Lack(heard.source.name, heard.reason)
    if heard.judge.dropped:
        yield Lack(heard.source.name, f"{heard.judge.dropped} of its answers are no matches of what was asked")
