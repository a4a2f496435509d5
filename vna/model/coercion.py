"""Coercion rules: which are allowed, and as text: canonical JSON, equal for equal rules."""

from collections.abc import Mapping
from dataclasses import replace

import orjson
from pydicom.datadict import tag_for_keyword

from vna.model.access import Coercion
from vna.model.dictionary import vr_of
from vna.model.errors import BadRequest
from vna.model.values import FORMS, fault

UNTOUCHABLE = {
    "0000": "it belongs to messages",
    "0002": "it belongs to the file, not to the object",
    "0004": "it belongs to the directory of a medium",
    "00080005": "it says how characters are read",
    "0028": "it says how pixels are read",
    "00420012": "it says how the document is read",
    "5400": "it says how waveforms are read",
    "7FE0": "it is pixel data",
    "FF": "it is no attribute of an object",
}
"""What no rule may name, by the beginning of the tag: the object would become another, or its bytes be read as others.
UIDs, and whatever is no text, are refused by their VR."""


def require_allowed(coercion: Coercion) -> None:
    """BadRequest when a rule names no attribute, one that has to stay as it came, or a value that it cannot have."""
    values = [*coercion.set, *((keyword, new) for keyword, table in coercion.map for _old, new in table)]
    for keyword in (*coercion.remove, *(keyword for keyword, _ in (*coercion.map, *coercion.set))):
        _require_changeable(keyword)
    for keyword, value in values:
        reason = fault(_tag(keyword), value)
        if reason:
            raise BadRequest(f"{keyword} cannot have the value of its coercion rule: {reason}")


def _require_changeable(keyword: str) -> None:
    tag = _tag(keyword)
    vr = vr_of(tag)
    reason = next((reason for begin, reason in UNTOUCHABLE.items() if tag.startswith(begin)), "")
    if not reason and vr == "UI":
        reason = "it is a UID"
    if not reason and vr not in FORMS:
        reason = f"its VR is {vr}, which is no text"
    if reason:
        raise BadRequest(f"{keyword} cannot be coerced: {reason}")


def _tag(keyword: str) -> str:
    tag = tag_for_keyword(keyword) if keyword else None  # pydicom knows retired attributes without a keyword
    if tag is None:
        raise BadRequest(f"not the keyword of a DICOM attribute: {keyword}")
    return f"{tag:08X}"


def corrected(coercion: Coercion | None, values: Mapping[str, str]) -> Coercion:
    """The same rules, and these values whatever the rules or the object say."""
    rules = coercion or Coercion()
    return replace(rules, corrected=tuple(sorted({**dict(rules.corrected), **values}.items())))


def coercion_text(coercion: Coercion | None) -> str:
    """A rule set as canonical JSON, equal for equal rules; "" for none."""
    if coercion is None or coercion == Coercion():
        return ""
    rules: dict[str, object] = {
        "set": dict(coercion.set),
        "remove": sorted(coercion.remove),
        "map": {keyword: dict(table) for keyword, table in coercion.map},
    }
    if coercion.corrected:
        rules["corrected"] = dict(coercion.corrected)
    return orjson.dumps(rules, option=orjson.OPT_SORT_KEYS).decode()


def coercion_of(text: str) -> Coercion | None:
    """The rule set that `coercion_text` wrote."""
    if not text:
        return None
    rules = orjson.loads(text)
    return Coercion(
        tuple(rules["set"].items()),
        tuple(rules["remove"]),
        tuple((keyword, tuple(table.items())) for keyword, table in rules["map"].items()),
        tuple(rules.get("corrected", {}).items()),
    )
