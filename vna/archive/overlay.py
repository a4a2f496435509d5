"""What is changed on the way out: one function decides, whatever the door or the representation."""

from storage.elements import text
from storage.values import Element, decode_value
from vna.model.access import Coercion
from vna.model.dictionary import tag_of, vr_of
from vna.model.errors import BadRequest

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
    for keyword, value in (*coercion.set, *coercion.corrected):
        tag, vr = _target(keyword)
        if vr != "SQ":
            changed[tag] = _element(vr, value)
        elif tag in elements:  # a correction that leaves a sequence out
            changed[tag] = None
    return {tag: element for tag, element in changed.items() if elements.get(tag) != element}


def applied(elements: dict[str, Element], changed: Changes) -> dict[str, Element]:
    """The elements as they go out, in tag order."""
    if not changed:
        return elements
    kept = {tag: element for tag, element in elements.items() if tag not in changed}
    kept.update({tag: element for tag, element in changed.items() if element is not None})
    return dict(sorted(kept.items()))


def _target(keyword: str) -> tuple[str, str]:
    tag = tag_of(keyword)
    if tag is None:
        raise BadRequest(f"{keyword} is no DICOM attribute")
    return tag, vr_of(tag)


def _element(vr: str, value: str) -> Element:
    """The element that reading the value gives."""
    return decode_value(vr, value.encode(), ("utf-8",))[0]
