"""The Native DICOM Model in XML to the DICOM JSON model (PS3.19 A.1, PS3.18 F)."""

from typing import Any

from lxml import etree

from dicomweb.native_xml import NAMESPACE
from vna.model.errors import BadRequest, CannotUnderstand, TooLarge
from vna.model.query import Element
from vna.xml.parser import Bounds, parse

_DEEPEST = 64
_BOUNDS = Bounds(size=64 << 20, marks=5_000_000)
_NUMBERS = {
    "DS": float,
    "FL": float,
    "FD": float,
    "IS": int,
    "SL": int,
    "SS": int,
    "SV": int,
    "UL": int,
    "US": int,
    "UV": int,
}
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def native_model(document: bytes) -> dict[str, Element]:
    """The data set of one document; no DTD, no entities, nothing fetched."""
    try:
        root = parse(document, _BOUNDS)
    except (BadRequest, TooLarge) as exc:
        raise CannotUnderstand(f"the metadata {exc}") from exc
    if _local(root) != "NativeDicomModel":
        raise CannotUnderstand("the metadata is no Native DICOM Model")
    return _dataset(root, 0)


def _dataset(parent: etree._Element, depth: int) -> dict[str, Element]:
    if depth > _DEEPEST:
        raise CannotUnderstand("the metadata is nested too deep")
    found = {}
    for attribute in parent.iterchildren(f"{{{NAMESPACE}}}DicomAttribute", "DicomAttribute"):
        tag, vr = attribute.get("tag", "").upper(), attribute.get("vr", "UN")
        found[tag] = _element(attribute, vr, depth)
    return found


def _element(attribute: etree._Element, vr: str, depth: int) -> Element:
    element: Element = {"vr": vr}
    values: list[Any] = []
    for child in attribute.iterchildren(etree.Element):
        kind = _local(child)
        if kind == "BulkData":
            element["BulkDataURI"] = child.get("uri", "")
        elif kind == "InlineBinary":
            element["InlineBinary"] = "".join((child.text or "").split())
        elif kind == "Item":
            values.append(_dataset(child, depth + 1))
        elif kind == "PersonName":
            values.append(_person(child))
        elif kind == "Value":
            values.append(_number(vr, child.text or ""))
    if values:
        element["Value"] = values
    return element


def _number(vr: str, text: str) -> Any:
    kind = _NUMBERS.get(vr)
    try:
        return kind(text) if kind and text.strip() else text or None
    except ValueError as exc:
        raise CannotUnderstand(f"the metadata has a value that {vr} does not allow") from exc


def _person(name: etree._Element) -> dict[str, str]:
    groups = {}
    for child in name.iterchildren(etree.Element):
        if _local(child) in _GROUPS:
            parts = {_local(part): part.text or "" for part in child.iterchildren(etree.Element)}
            groups[_local(child)] = "^".join(parts.get(component, "") for component in _COMPONENTS).rstrip("^")
    return groups


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname
