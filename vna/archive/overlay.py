"""What is changed on the way out: one function decides, whatever the door or the representation."""

from typing import Any

from storage.elements import text
from storage.metadata import Element
from vna.model.access import Coercion
from vna.model.dictionary import tag_of, vr_of
from vna.model.errors import BadRequest

UNTOUCHABLE = frozenset(
    {
        "00080005",
        "00080016",
        "00080018",
        "0020000D",
        "0020000E",
        "00280002",
        "00280004",
        "00280006",
        "00280008",
        "00280010",
        "00280011",
        "00280100",
        "00280101",
        "00280102",
        "00280103",
        "7FE00010",
    }
)
"""What identifies an object or describes its pixels: a rule on these would make another object of it."""

_SETTABLE = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)

Changes = dict[str, Element | None]


def changes(elements: dict[str, Element], coercion: Coercion | None) -> Changes:
    """The elements that differ on the way out, by tag; None for one that is removed."""
    if coercion is None:
        return {}
    changed: Changes = {}
    for keyword in coercion.remove:
        tag, _vr = _target(keyword)
        if tag in elements:
            changed[tag] = None
    for keyword, table in coercion.map:
        tag, vr = _target(keyword)
        new = dict(table).get(text(elements, tag))
        if new is not None:
            changed[tag] = _element(vr, new)
    for keyword, value in coercion.set:
        tag, vr = _target(keyword)
        changed[tag] = _element(vr, value)
    return {tag: element for tag, element in changed.items() if elements.get(tag) != element}


def applied(elements: dict[str, Element], changed: Changes) -> dict[str, Element]:
    """The elements as they go out, in tag order."""
    if not changed:
        return elements
    kept = {tag: element for tag, element in elements.items() if tag not in changed}
    kept.update({tag: element for tag, element in changed.items() if element is not None})
    return dict(sorted(kept.items()))


def check(coercion: Coercion) -> None:
    """BadRequest when a rule names what cannot be changed, or what is no attribute."""
    for keyword in (*coercion.remove, *(k for k, _ in coercion.map), *(k for k, _ in coercion.set)):
        tag, vr = _target(keyword)
        if tag in UNTOUCHABLE:
            raise BadRequest(f"{keyword} cannot be coerced: it identifies the object or describes its pixels")
        if vr not in _SETTABLE and keyword not in coercion.remove:
            raise BadRequest(f"{keyword} cannot be set: its value representation is {vr}")


def from_mapping(rules: dict[str, Any]) -> Coercion:
    """The rule set of a TOML or JSON table with `set`, `remove`, `map`; BadRequest in words."""
    unknown = set(rules) - {"set", "remove", "map"}
    if unknown:
        raise BadRequest(f"a coercion has set, remove and map, not {', '.join(sorted(unknown))}")
    try:
        coercion = Coercion(
            set=tuple(sorted((str(k), str(v)) for k, v in dict(rules.get("set", {})).items())),
            remove=tuple(sorted(str(k) for k in rules.get("remove", []))),
            map=tuple(
                (str(k), tuple(sorted((str(a), str(b)) for a, b in dict(t).items())))
                for k, t in sorted(dict(rules.get("map", {})).items())
            ),
        )
    except (TypeError, ValueError) as exc:
        raise BadRequest(
            "a coercion is: set = {Keyword = value}, remove = [Keyword], map = {Keyword = {old = new}}"
        ) from exc
    check(coercion)
    return coercion


def _target(keyword: str) -> tuple[str, str]:
    tag = tag_of(keyword)
    if tag is None:
        raise BadRequest(f"{keyword} is no DICOM attribute")
    return tag, vr_of(tag)


def _element(vr: str, value: str) -> Element:
    if not value:
        return {"vr": vr}
    if vr == "PN":
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), value.split("="), strict=False)
        return {"vr": vr, "Value": [{name: group for name, group in groups if group}]}
    if vr in ("IS", "DS"):
        return {"vr": vr, "Value": [_number(value)]}
    return {"vr": vr, "Value": value.split("\\")}


def _number(value: str) -> float | int:
    try:
        return float(value) if any(c in value for c in ".eE") else int(value)
    except ValueError as exc:
        raise BadRequest(f"{value} is no number") from exc
