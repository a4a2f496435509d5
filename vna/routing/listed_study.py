"""The instances of one study, as a source names them: its series first, then those of each (PS3.4 C.4.1.1.3.1)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from storage.index.takeovers import StudyRow
from vna.model.errors import NotFound, TooLarge
from vna.model.identifiers import is_uid
from vna.model.query import Key, Level, Match, Query, series_keys
from vna.model.sources import Searching
from vna.routing.walk import number, values

_STUDY, _SERIES, _MODALITY, _SOP_CLASS, _OF_SERIES = "0020000D", "0020000E", "00080060", "00080016", "00201209"
_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Listed:
    """An instance as the source lists it; `sop_class_uid` is empty where it does not say."""

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    modality: str


@dataclass(frozen=True, slots=True)
class _Series:
    uid: str
    modality: str
    said: int


def named(searching: Searching, study: StudyRow, go_on: Callable[[], None]) -> tuple[dict[str, Listed], dict[str, str]]:
    """Its instances by UID, and the modality of each of its series. `go_on` is called often, and may raise."""
    found: dict[str, Listed] = {}
    several = _several(searching, study, go_on)
    for series in several:
        keys = series_keys(study.study_instance_uid, series.uid)
        query = Query(Level.IMAGE, keys, returns=frozenset({_SOP_CLASS}))
        for match in _all(searching, query, series.said.__le__, go_on):
            uid, sop_class = match.sop_instance_uid, "".join(values(match.elements, _SOP_CLASS)[:1])
            if is_uid(uid) and match.series_instance_uid in ("", series.uid):
                known = sop_class if is_uid(sop_class) else ""
                found[uid] = Listed(uid, series.uid, known, series.modality)
            if len(found) > _MOST:
                raise TooLarge(f"the source lists more than {_MOST} instances of the study")
    if not found:
        raise NotFound("the source lists no instance of the study")
    return found, {series.uid: series.modality for series in several}


def _several(searching: Searching, study: StudyRow, go_on: Callable[[], None]) -> list[_Series]:
    """Its series. No search is left open while the next one is made: a source has few connections."""
    found: list[_Series] = []

    def is_enough(_: int) -> bool:
        return any(one.said < 0 for one in found) or sum(one.said for one in found) >= study.said

    of_study = Key((_STUDY,), "UI", (study.study_instance_uid,))
    query = Query(Level.SERIES, (of_study,), returns=frozenset({_MODALITY, _OF_SERIES}))
    for match in _all(searching, query, is_enough, go_on):
        uid = match.series_instance_uid
        if match.study_instance_uid in ("", study.study_instance_uid) and is_uid(uid):
            modality = "".join(values(match.elements, _MODALITY)[:1])[:16]
            found.append(_Series(uid, modality, number(match.elements, _OF_SERIES)))
    return found


def _all(
    searching: Searching, query: Query, is_enough: Callable[[int], bool], go_on: Callable[[], None]
) -> Iterator[Match]:
    """Matches; where fewer come than the source says that there are, also those after them."""
    seen: set[str] = set()
    while True:
        before = len(seen)
        for match in searching.search(replace(query, offset=before)):
            go_on()
            uid = match.sop_instance_uid or match.series_instance_uid
            if uid not in seen:
                seen.add(uid)
                yield match
        if len(seen) == before or is_enough(len(seen)):
            return
