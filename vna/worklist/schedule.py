"""The modality worklist: what a station is to perform (PS3.4 K)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from storage.index.engine import Database
from storage.index.grams import dialect_of
from storage.index.worklist import Sight, scheduled
from vna.audit.queries import asked, queried
from vna.model.access import Action, Actor, ActorKind
from vna.model.audit import NO_TRAIL, Trail
from vna.model.matching import criteria, satisfies
from vna.model.orders import ANY_FACILITY, Order
from vna.model.query import Key, Level, Match, Query, SearchPage
from vna.model.wildcards import has_wildcard, is_universal
from vna.security.policy import WITHIN_REACH, Policy
from vna.worklist.scheduled_step import STEP, Elements, Shown, elements_of, is_matched, is_returned

Institution = Callable[[str], str]
"""The name of a facility by its code, empty where it is not known."""

Since = Callable[[], str]
"""The day (`YYYYMMDD`) before which orders were due long ago, empty where none is."""

INSTITUTION: Final = "00080080"
STATION: Final = (STEP, "00400001")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many answers a query has at most, and how many orders are looked at for them."""

    max_matches: int = 10_000
    max_scanned: int = 200_000

    def ended(self, matches: int, looked: int) -> str:
        """Which of them these are beyond, in words; empty for none."""
        if matches > self.max_matches:
            return f"{self.max_matches} matches"
        return f"{self.max_scanned} orders" if looked >= self.max_scanned else ""


def unnamed(_facility: str) -> str:
    """Where names of facilities are not known."""
    return ""


def ever() -> str:
    """Where nothing was due too long ago."""
    return ""


class Schedule:
    """Orders that are to be performed, as scheduled procedure steps. Whoever may query sees them: a known AE title
    those of its facility and of no other station, who is bound to a facility those of it,
    everybody else all."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        bounds: Bounds = Bounds(),
        *,
        phonetic: bool = False,
        institution: Institution = unnamed,
        since: Since = ever,
        trail: Trail = NO_TRAIL,
    ) -> None:
        self._database = database
        self._policy = policy
        self._bounds = bounds
        self._phonetic = phonetic
        self._institution = institution
        self._since = since
        self._trail = trail

    def find(self, actor: Actor, query: Query) -> SearchPage:
        """The steps that match, those in progress first. A worklist has no levels: that of the query says nothing.
        What was due long ago is for whoever asks by day, patient or number.

        Keys and attributes that the worklist does not know narrow nothing and are named, as keys are that it has no
        values for. BadRequest when a key has a
        value that its VR does not allow.
        """
        self._policy.check(actor, Action.QUERY, WITHIN_REACH)
        within = self._policy.within(actor)
        if within is not None and actor.facility not in within.facilities:
            return SearchPage()
        known = tuple(key for key in query.keys if is_matched(key.path))
        unknown = {key.path[0] for key in query.keys if key not in known}
        unknown |= {tag for tag in query.returns or () if tag != INSTITUTION and not is_returned(tag)}
        wanted = criteria(replace(query, keys=known, phonetic=self._phonetic and query.fuzzy))
        station = _station(actor, known)
        matches: list[tuple[Order, Elements]] = []
        cap = ""
        with self._database.read() as connection:
            orders = scheduled(
                connection,
                wanted,
                _sight(actor, is_bound=within is not None),
                dialect_of(self._database),
                self._since(),
            )
            for looked, one in enumerate(orders):
                elements = elements_of(Shown(one.order, actor.facility, station))
                is_match = satisfies(elements, wanted)
                cap = self._bounds.ended(len(matches) + is_match, looked)
                if cap:
                    break
                if is_match:
                    matches.append((one.order, elements))
        queried(self._trail, actor, "worklist", asked(query), len(matches))
        return SearchPage(tuple(self._match(actor, *match) for match in matches), bool(cap), cap, frozenset(unknown))

    def _match(self, actor: Actor, order: Order, elements: Elements) -> Match:
        """With the name of who performs it, which is looked up apart: it can be asked for, and is no key."""
        performed_at = actor.facility if order.performed_at == ANY_FACILITY else order.performed_at
        name = self._institution(performed_at) if performed_at else ""
        return Match(Level.PATIENT, {**elements, INSTITUTION: {"vr": "LO", "Value": [name]}} if name else elements, {})


def _sight(actor: Actor, *, is_bound: bool) -> Sight:
    if is_bound:
        return Sight(actor.facility)
    return Sight(actor.facility, actor.name) if actor.kind is ActorKind.AE else Sight()


def _station(actor: Actor, keys: tuple[Key, ...]) -> str:
    """The station that orders open to every station are shown for: the one that is asked for, else who asks."""
    for key in keys:
        if key.path == STATION and len(key.values) == 1:
            title = key.values[0]
            if title and not is_universal(title) and not has_wildcard(title):
                return title
    return actor.name if actor.kind is ActorKind.AE else ""
