"""One list of what several archives have: each thing once, what is held here before what is only known elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cmp_to_key
from heapq import merge
from typing import Any, Final

from vna.model.attributes import BY_TAG, COMPUTED_BY_TAG
from vna.model.conditions import NUMERIC_VRS, number_of, plain
from vna.model.identifiers import is_uid
from vna.model.names import normalised, text_of
from vna.model.query import Element, Level, Match, Order, Query
from vna.model.sources import RemoteArchive
from vna.routing.credible import BIRTH_DATE, ISSUER, PATIENT_ID

RETRIEVE_AE, AVAILABILITY, RETRIEVE_URL = "00080054", "00080056", "00081190"
_UNITED: Final = frozenset({"00080061", "00080062"})
"""Modalities and SOP Classes in Study."""
_COUNTS: Final = frozenset({"00201200", "00201202", "00201204", "00201206", "00201208", "00201209"})
_INSTANCES: Final = {Level.STUDY: "00201208", Level.SERIES: "00201209"}
_DEFAULT_ORDER: Final[Mapping[Level, tuple[Order, ...]]] = {  # as storage.index.planning has it
    Level.PATIENT: (Order("00100010"),),
    Level.STUDY: (Order("00080020", descending=True), Order("00080030", descending=True)),
    Level.SERIES: (Order("00200011"),),
    Level.IMAGE: (Order("00200013"),),
}

Identity = tuple[str, ...]


def identity(match: Match) -> Identity:
    """What it is, whoever says it: by UID; a patient by Patient ID and issuer, and birth date without one."""
    if match.level is Level.STUDY:
        return (match.study_instance_uid,)
    if match.level is Level.SERIES:
        return (match.study_instance_uid, match.series_instance_uid)
    if match.level is Level.IMAGE:
        return (match.sop_instance_uid,)
    issuer, patient_id = (_first(match.elements, tag) for tag in (ISSUER, PATIENT_ID))
    return (patient_id, issuer, "" if issuer else _first(match.elements, BIRTH_DATE))


@dataclass(frozen=True, slots=True)
class Place:
    """An archive elsewhere, as somewhere to retrieve from."""

    archive: RemoteArchive

    @property
    def ae_title(self) -> str:
        """What manifests and answers name it by."""
        return self.archive.retrieve_ae_title or self.archive.ae_title

    def url(self, match: Match) -> str:
        """The address of a study, series or instance there; empty when it has no WADO-RS."""
        if not self.archive.wado_rs or match.level is Level.PATIENT:
            return ""
        url = f"{self.archive.wado_rs.rstrip('/')}/studies/{match.study_instance_uid}"
        if match.series_instance_uid:
            url += f"/series/{match.series_instance_uid}"
        return f"{url}/instances/{match.sop_instance_uid}" if match.sop_instance_uid else url


def known_elsewhere(match: Match, place: Place) -> Match:
    """What is not held here, with where it is: NEARLINE (PS3.3 C.4.23.1.1) at the AE title of its source, if any."""
    url = place.url(match)
    own = {
        **match.own,
        RETRIEVE_AE: _element("AE", [place.ae_title] if place.ae_title else []),
        AVAILABILITY: _element("CS", ["NEARLINE"]),
        RETRIEVE_URL: _element("UR", [url] if url else []),
    }
    return replace(match, own=own)


def united(first: Match, other: Match) -> Match:
    """The same thing, said twice: `first` is believed, empty values are filled from the other, counts are the larger.

    Attributes of a patient are filled only from the same Patient ID. Where the other has more instances, not all are
    at hand.
    """
    mine, theirs = first.elements, other.elements
    same_patient = _first(mine, PATIENT_ID) == _first(theirs, PATIENT_ID)
    changed = {}
    for tag, element in theirs.items():
        is_patients = tag in BY_TAG and BY_TAG[tag].level is Level.PATIENT
        if tag == AVAILABILITY or (tag == RETRIEVE_URL and tag not in mine) or (is_patients and not same_patient):
            continue
        better = _better(tag, mine.get(tag), element)
        if better is not None and better != mine.get(tag):
            changed[tag] = better
    if _more(theirs, mine, _INSTANCES.get(first.level, "")) and _first(mine, AVAILABILITY) == "ONLINE":
        changed[AVAILABILITY] = _element("CS", ["NEARLINE"])
    above = {tag: changed.get(tag, element) for tag, element in first.above.items()}
    lifted = {tag for tag in changed if tag not in first.own and _is_above(tag, first.level)}
    own = {**first.own, **{tag: element for tag, element in changed.items() if tag not in lifted}}
    return replace(first, own=own, above={**above, **{tag: changed[tag] for tag in lifted}})


def _is_above(tag: str, level: Level) -> bool:
    known = BY_TAG.get(tag) or COMPUTED_BY_TAG.get(tag)
    return known is not None and known.level < level and tag != RETRIEVE_AE


def _better(tag: str, mine: Element | None, theirs: Element) -> Element | None:
    if tag in _UNITED or tag == RETRIEVE_AE:
        values = [*_values(mine), *_values(theirs)]
        ordered = sorted(set(values)) if tag in _UNITED else list(dict.fromkeys(values))
        return _element(theirs["vr"], ordered)
    if tag in _COUNTS:
        return max((mine, theirs), key=lambda one: _number(one) or 0)
    return mine if _values(mine) else theirs


def _more(theirs: Mapping[str, Element], mine: Mapping[str, Element], tag: str) -> bool:
    return (_number(theirs.get(tag)) or 0) > (_number(mine.get(tag)) or 0)


def in_order(query: Query, held: Sequence[Match], elsewhere: Iterable[Match]) -> Iterable[Match]:
    """Both lists as one. What is `held` stays as the index orders it, so that a first part of it is enough for a first
    part of the whole; without an order that both have (series of several studies) it comes first."""
    order = (*query.order, *_DEFAULT_ORDER[query.level])
    placed = cmp_to_key(_compared)

    def place(match: Match) -> Any:
        return placed([(_sorted_by(match, part.tag), part.descending) for part in order])

    rest = sorted(elsewhere, key=lambda match: (place(match), identity(match)))
    if query.order or query.level <= Level.STUDY or _is_within_one(query):
        return merge(held, rest, key=place)
    return [*held, *sorted(rest, key=lambda match: match.study_instance_uid)]


def _is_within_one(query: Query) -> bool:
    named = {key.path[0]: key.values for key in query.keys if len(key.path) == 1}
    tags = ("0020000D",) if query.level is Level.SERIES else ("0020000D", "0020000E")
    return all(len(named.get(tag, ())) == 1 and is_uid(named[tag][0]) for tag in tags)


_Rank = list[tuple[tuple[float, str], bool]]


def _compared(one: _Rank, other: _Rank) -> int:
    for (first, descending), (second, _) in zip(one, other, strict=True):
        if first != second:
            return 1 if (first > second) is not descending else -1
    return 0


def _sorted_by(match: Match, tag: str) -> tuple[float, str]:
    element = match.own.get(tag) or match.above.get(tag)
    vr = element["vr"] if element is not None else ""
    if vr in NUMERIC_VRS:
        number = _number(element)
        return (-1.0 if number is None else float(number), "")
    values = _values(element)
    if vr == "PN":
        return (0.0, normalised(text_of(values[0])) if values else "")
    if tag in _UNITED:
        return (0.0, "\\".join(map(plain, values)))
    return (0.0, plain(values[0]) if values else "")


def _element(vr: str, values: Sequence[Any]) -> Element:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def _values(element: Element | None) -> list[Any]:
    return [value for value in (element or {}).get("Value") or () if value not in (None, "")]


def _number(element: Element | None) -> float | None:
    values = _values(element)
    return number_of(values[0]) if values else None


def _first(elements: Mapping[str, Element], tag: str) -> str:
    values = _values(elements.get(tag))
    return plain(values[0]) if values else ""
