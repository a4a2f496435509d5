"""DICOM JSON model to the Native DICOM Model in XML (PS3.18 F, PS3.19 A.1)."""

from collections.abc import Mapping
from typing import Any

from lxml import etree

from vna.model.dictionary import is_private, keyword_of
from vna.model.query import Element
from vna.xml.text import carried

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def native_xml(dataset: Mapping[str, Element]) -> bytes:
    """One data set as a document; characters that XML cannot carry are left out."""
    # None stands for the default namespace, which lxml's stubs do not know.
    root = etree.Element(_name("NativeDicomModel"), {_SPACE: "preserve"}, nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    _attributes(root, dataset)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _attributes(parent: etree._Element, dataset: Mapping[str, Element]) -> None:
    for tag in sorted(dataset):
        element = dataset[tag]
        attribute = etree.SubElement(parent, _name("DicomAttribute"), {"tag": tag, "vr": element["vr"]})
        keyword = keyword_of(tag)
        if keyword:
            attribute.set("keyword", keyword)
        creator = _creator(tag, dataset)
        if creator:
            attribute.set("privateCreator", _text(creator))
        _content(attribute, element)


def _content(attribute: etree._Element, element: Element) -> None:
    if "BulkDataURI" in element:
        etree.SubElement(attribute, _name("BulkData"), {"uri": _text(element["BulkDataURI"])})
    elif "InlineBinary" in element:
        etree.SubElement(attribute, _name("InlineBinary")).text = element["InlineBinary"]
    for number, value in enumerate(element.get("Value", ()), 1):
        if element["vr"] == "SQ":
            _attributes(etree.SubElement(attribute, _name("Item"), number=str(number)), value or {})
        elif element["vr"] == "PN":
            _person(etree.SubElement(attribute, _name("PersonName"), number=str(number)), value or {})
        elif value is not None:
            etree.SubElement(attribute, _name("Value"), number=str(number)).text = _text(value)


def _person(parent: etree._Element, name: Mapping[str, str]) -> None:
    for group in _GROUPS:
        if not name.get(group):
            continue
        element = etree.SubElement(parent, _name(group))
        for component, text in zip(_COMPONENTS, name[group].split("^"), strict=False):
            if text:
                etree.SubElement(element, _name(component)).text = _text(text)


def _creator(tag: str, dataset: Mapping[str, Element]) -> str:
    """The private creator of a private element, which is in the same data set (PS3.5 7.8.1)."""
    if not is_private(tag) or tag[4:6] == "00":
        return ""
    values = dataset.get(f"{tag[:4]}00{tag[4:6]}", {}).get("Value") or [""]
    return str(values[0] or "")


def _text(value: Any) -> str:
    return carried(str(value))


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"
