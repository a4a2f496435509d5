"""Searching: the same for C-FIND, QIDO-RS and the web pages (PS3.4 C.4.1, PS3.18 10.6)."""

import logging
import time
from dataclasses import replace

from storage.index.engine import Database
from storage.index.search import Bounds, count, search
from vna.audit.queries import asked as asked_for
from vna.audit.queries import queried
from vna.model.access import Action, Actor
from vna.model.audit import NO_TRAIL, Trail
from vna.model.query import Element, Match, Query, SearchPage, Total
from vna.security.policy import WITHIN_REACH, Policy, without_patient_counts

log = logging.getLogger(__name__)


class Search:
    """Answers queries for those who may ask."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        ae_title: str,
        max_matches: int = 10_000,
        max_scanned: int = 200_000,
        *,
        phonetic: bool = False,
        trail: Trail = NO_TRAIL,
    ) -> None:
        """`max_scanned` bounds the rows that are looked at for keys which the database cannot decide; `phonetic` lets
        fuzzy matching find names that sound alike.
        """
        self._database = database
        self._policy = policy
        self._bounds = Bounds(max_matches, max_scanned)
        self._phonetic = phonetic
        self._trail = trail
        self._said: dict[str, Element] = {
            "00080054": {"vr": "AE", "Value": [ae_title]},
            "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        }

    def find(self, actor: Actor, query: Query) -> SearchPage:
        """One page of what matches, in an order that is the same on every page.

        Raises NotAuthorized; BadRequest when a key has a value that its VR does not allow; Unavailable.
        """
        self._policy.check(actor, Action.QUERY, actor.study_instance_uid or WITHIN_REACH)
        asked, query = query, self._policy.narrowed(actor, query)
        started = time.perf_counter()
        page = search(self._database, self._heard(query), self._said, self._bounds)
        if query is not asked:
            page = replace(page, matches=tuple(map(_uncounted, page.matches)))
        queried(self._trail, actor, "query", asked_for(asked), len(page.matches))
        log.debug(
            "search answered",
            extra={
                "level": query.level.name,
                "keys": len(query.keys),
                "matches": len(page.matches),
                "capped": page.capped,
                "seconds": round(time.perf_counter() - started, 4),
            },
        )
        return page

    def count(self, actor: Actor, query: Query) -> Total:
        """How many match in all, whatever `limit` and `offset` say. Raises as `find` does."""
        self._policy.check(actor, Action.QUERY, actor.study_instance_uid or WITHIN_REACH)
        total = count(self._database, self._heard(self._policy.narrowed(actor, query)), self._bounds)
        queried(self._trail, actor, "count", asked_for(query), total.number)
        return total

    def _heard(self, query: Query) -> Query:
        return replace(query, phonetic=True) if self._phonetic and query.fuzzy else query


def _uncounted(match: Match) -> Match:
    return replace(match, own=without_patient_counts(match.own), above=without_patient_counts(match.above))
