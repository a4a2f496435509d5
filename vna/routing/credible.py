"""Matches of archives elsewhere, before they are believed: of the level that was asked, named, whole, and matching.

What is asked of an archive is what every archive understands; whether it matches is decided here once more, by the
rules of our own searches, since archives pass over keys that they do not know (PS3.4 C.2.2.1.3), and some say anything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from vna.model.attributes import ATTRIBUTES, BY_TAG, COMPUTED, COMPUTED_BY_TAG, Attribute, Computed
from vna.model.conditions import NUMERIC_VRS, UNMATCHABLE_VRS, number_of
from vna.model.dictionary import MAX_DEPTH, vr_of
from vna.model.identifiers import is_uid
from vna.model.matching import EMPTY_VALUE, criteria, satisfies
from vna.model.names import GROUPS
from vna.model.query import Element, Key, Level, Match, Query

UIDS: Final[Mapping[Level, str]] = {Level.STUDY: "0020000D", Level.SERIES: "0020000E", Level.IMAGE: "00080018"}
PATIENT_ID, ISSUER, BIRTH_DATE = "00100020", "00100021", "00100030"
_LEVEL = "00080052"
_OWN_WORDS: Final = frozenset({"00080005", _LEVEL, "00080054", "00080056", "00081190"})
"""What an archive says of itself and of its answer, not of the study: never passed on."""

_TAG = re.compile(r"[0-9A-F]{8}\Z")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f\ud800-\udfff]")
_BEYOND_ASCII = re.compile(r"\**[^\x00-\x7f]+[*\u0080-\U0010ffff]*")
_WITH_WILDCARDS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_IDENTITY = {Level.PATIENT: frozenset({PATIENT_ID, ISSUER, BIRTH_DATE})}


def wanted_of(query: Query) -> frozenset[str]:
    """The attributes to be asked for: those of the answer, and those that say whether it is one and where it stands."""
    table: tuple[Attribute | Computed, ...] = (*ATTRIBUTES, *COMPUTED)
    given = {one.tag for one in table if one.level <= query.level and (one.always or query.returns is None)}
    matched = {key.path[0] for key in query.keys} | {order.tag for order in query.order}
    needed = (query.returns or frozenset()) | given | matched | _IDENTITY.get(query.level, frozenset())
    return frozenset(needed - _OWN_WORDS)


def asked_elsewhere(query: Query, most: int) -> Query:
    """The query in words that every archive understands: what only some match by is given by them, and matched here."""
    keys = tuple(_understood(key) for key in query.keys)
    return Query(query.level, keys, wanted_of(query), fuzzy=query.fuzzy, limit=most)


def _understood(key: Key) -> Key:
    if EMPTY_VALUE in key.values or (key.vr != "UI" and len(key.values) > 1):
        return replace(key, values=())
    return replace(key, values=tuple(map(_widened, key.values))) if key.vr in _WITH_WILDCARDS else key


def _widened(text: str) -> str:
    """Letters outside ASCII become a wild card: many archives compare bytes, or know but one character set."""
    wide = _BEYOND_ASCII.sub("*", text)
    return wide if any(sign.isalnum() for sign in wide) else text


class Judge:
    """Judges what one archive answers to one query; `dropped` counts what was no match of what it was asked.

    What only we can tell to be none, since it was asked for more, is left out and not counted.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._criteria = criteria(query)
        self._asked = criteria(asked_elsewhere(query, 0))
        self._wanted = wanted_of(query)
        self._named = {
            level: key.values[0]
            for level, tag in UIDS.items()
            for key in query.keys
            if key.path == (tag,) and len(key.values) == 1 and is_uid(key.values[0])
        }
        self.dropped = 0

    def judged(self, match: Match) -> Match | None:
        """The match, as ours are: elements by level, named by UIDs; None when it is none."""
        elements = self._named_elements(match)
        if elements is not None and self.holds(elements):
            return _by_level(elements, self._query.level)
        if elements is None or not self._was_asked_for(elements):
            self.dropped += 1
        return None

    def holds(self, elements: Mapping[str, Element]) -> bool:
        """Whether these elements match."""
        return satisfies(elements, self._criteria)

    def _was_asked_for(self, elements: Mapping[str, Element]) -> bool:
        known = all(any("Value" in elements.get(tag, {}) for tag in one.tags) for one in self._criteria)
        return known and satisfies(elements, self._asked)

    def _named_elements(self, match: Match) -> dict[str, Element] | None:
        """Elements of ours, made of what it says; None when it is of another level, or nameless."""
        level, said = self._query.level, match.elements
        if _LEVEL in said and _texts(said[_LEVEL]) not in ([], [level.name]):
            return None
        uids = {one: self._uid(said, one) for one in UIDS if one <= level}
        elements = _elements(said, self._wanted)
        if not all(map(is_uid, uids.values())) or (level is Level.PATIENT and not _texts(elements.get(PATIENT_ID))):
            return None
        return elements | {UIDS[one]: {"vr": "UI", "Value": [uid]} for one, uid in uids.items()}

    def _uid(self, said: Mapping[str, Element], level: Level) -> str:
        """Some leave out what the question named already."""
        values = _texts(said.get(UIDS[level]))
        return values[0] if len(values) == 1 else self._named.get(level, "") if not values else ""


def _by_level(elements: Mapping[str, Element], level: Level) -> Match:
    own = {tag: one for tag, one in elements.items() if _level_of(tag, level) >= level}
    above = {tag: one for tag, one in elements.items() if tag not in own}
    return Match(level, own, above, *(elements[UIDS[one]]["Value"][0] if one <= level else "" for one in UIDS))


def _level_of(tag: str, level: Level) -> Level:
    known = BY_TAG.get(tag) or COMPUTED_BY_TAG.get(tag)
    return level if known is None else known.level


def _texts(element: Any) -> list[str]:
    values = element.get("Value") if isinstance(element, Mapping) else None
    return [one.strip(" \0") for one in values if isinstance(one, str)] if isinstance(values, list) else []


def _elements(said: Mapping[str, Any], wanted: Iterable[str] | None, depth: int = 0) -> dict[str, Element]:
    """Those that are wanted (all within items), each of the form that its VR has."""
    tags = said if wanted is None else [tag for tag in wanted if tag in said]
    found = {}
    for tag in tags:
        element = _element(tag, said[tag], depth) if _TAG.match(tag) else None
        if element is not None:
            found[tag] = element
    return found


def _element(tag: str, said: Any, depth: int) -> Element | None:
    vr, known = said.get("vr") if isinstance(said, Mapping) else None, vr_of(tag)
    if not isinstance(vr, str) or (known not in (vr, "UN") and not {vr, known} <= NUMERIC_VRS):
        return None
    if vr == "SQ":
        values: list[Any] = _items(said.get("Value"), depth)
    elif vr in UNMATCHABLE_VRS or vr == "UN":
        return None
    else:
        listed = said.get("Value")
        values = [_value(vr, one) for one in listed] if isinstance(listed, list) else []
    return {"vr": vr, "Value": values} if any(one is not None for one in values) else {"vr": vr}


def _items(listed: Any, depth: int) -> list[Any]:
    if not isinstance(listed, list) or depth >= MAX_DEPTH:
        return []
    return [_elements(item, None, depth + 1) for item in listed if isinstance(item, Mapping)]


def _value(vr: str, value: Any) -> Any:
    if vr == "PN":
        groups = value if isinstance(value, Mapping) else {GROUPS[0]: value}
        return {group: _text(groups[group]) for group in GROUPS if isinstance(groups.get(group), str)} or None
    if vr in NUMERIC_VRS:
        number = number_of(value) if isinstance(value, str | int | float) else None
        return number if number is None or abs(number) < 1 << 64 else None
    return _text(value) if isinstance(value, str) else None


def _text(value: str) -> str:
    return _CONTROL.sub("\ufffd", value.rstrip("\0"))
