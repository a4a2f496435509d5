"""What one archive elsewhere has of a patient, study by study: asked through one door, until a moment, and judged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vna.model.errors import TooLarge, Unavailable
from vna.model.query import Element, Key, Level, Match, Query
from vna.model.sources import Searching, Terms
from vna.routing.credible import BIRTH_DATE, ISSUER, PATIENT_ID, UIDS, Judge, asked_elsewhere
from vna.routing.merged import AVAILABILITY

_OF_STUDY = frozenset({ISSUER, BIRTH_DATE, "00081030", "00101002"})
_OF_SERIES = frozenset({"00080021", "00080031", "00180015"})
_OF_INSTANCE = frozenset({"00080016", "00200013"})


@dataclass(frozen=True, slots=True)
class Listed:
    """A match, and how quickly its archive says that it can be had (empty where it does not)."""

    match: Match
    availability: str

    @property
    def elements(self) -> Mapping[str, Element]:
        """Those of all levels."""
        return self.match.elements


class Listing:
    """`name` is the archive's, for what goes wrong."""

    def __init__(self, name: str, door: Searching, terms: Terms) -> None:
        self._name = name
        self._door = door
        self._terms = terms

    def studies(self, patient_id: str, most: int) -> list[Listed]:
        """Of a Patient ID, whoever's that is. TooLarge when there are more; Unavailable; each study once."""
        keys = (Key((PATIENT_ID,), "LO", (patient_id,)),)
        return list(self._matches(Query(Level.STUDY, keys, _OF_STUDY), most))

    def series(self, study: str, most: int) -> list[Listed]:
        """Of a study."""
        return list(self._matches(Query(Level.SERIES, (_key(Level.STUDY, study),), _OF_SERIES), most))

    def instances(self, study: str, series: str, most: int) -> list[Listed]:
        """Of a series."""
        keys = (_key(Level.STUDY, study), _key(Level.SERIES, series))
        return list(self._matches(Query(Level.IMAGE, keys, _OF_INSTANCE), most))

    def _matches(self, query: Query, most: int) -> Iterator[Listed]:
        judge, asked, seen = Judge(query), asked_elsewhere(query, most + 1), set()
        coming = self._door.search(replace(asked, returns=(asked.returns or frozenset()) | {AVAILABILITY}), self._terms)
        try:
            for count, match in enumerate(coming):
                if self._terms.over:
                    raise Unavailable(f"{self._name} does not answer in time")
                if count >= most:
                    raise TooLarge(f"{self._name} has more than {most} matches")
                found = judge.judged(match)
                uids = found and (found.study_instance_uid, found.series_instance_uid, found.sop_instance_uid)
                if found is not None and uids not in seen:
                    seen.add(uids)
                    yield Listed(found, _availability(match.elements.get(AVAILABILITY)))
        finally:
            coming.close()  # type: ignore[attr-defined]  # a generator


def _key(level: Level, uid: str) -> Key:
    return Key((UIDS[level],), "UI", (uid,))


def _availability(said: Any) -> str:
    values = said.get("Value") if isinstance(said, dict) else None
    return values[0].strip() if isinstance(values, list) and values and isinstance(values[0], str) else ""
