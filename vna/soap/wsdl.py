"""A WSDL and the schemas that it imports, served at one address (WSDL 1.1 2.1.1, `?wsdl` and `?xsd=NAME`).

The files refer to each other by name, so that they are right in their folder too; what is served has absolute
addresses in their place, because clients differ in how they resolve an address that is only a query.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from urllib.parse import quote

from lxml import etree

from vna.xml.namespaces import WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD, qname
from vna.xml.parser import parse

_REFERENCES = {
    qname(XSD, "import"): "schemaLocation",
    qname(XSD, "include"): "schemaLocation",
    qname(WSDL, "import"): "location",
}
_ADDRESSES = (qname(WSDL_SOAP11, "address"), qname(WSDL_SOAP12, "address"))


@dataclass(frozen=True, slots=True)
class Wsdl:
    """The WSDL by this name in a folder; its schemas are those that it refers to, and theirs."""

    folder: Traversable
    name: str
    documents: Mapping[str, bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        documents: dict[str, bytes] = {}
        waiting = [self.name]
        while waiting:
            name = waiting.pop()
            if name not in documents:
                documents[name] = (self.folder / name).read_bytes()
                waiting += [reference for _, _, reference in _references(parse(documents[name]))]
        object.__setattr__(self, "documents", documents)

    def document(self, asked: Mapping[str, str], url: str) -> bytes | None:
        """What a query asks for, with the addresses of the service at `url`; None where it asks for nothing here."""
        lowered = {key.lower(): value for key, value in asked.items()}
        name = self.name if "wsdl" in lowered else lowered.get("xsd", "")
        if name not in self.documents:
            return None
        root = parse(self.documents[name])
        for element, attribute, reference in _references(root):
            element.set(attribute, f"{url}?xsd={quote(reference)}")
        for element in root.iter(*_ADDRESSES):
            element.set("location", url)
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _references(root: etree._Element) -> list[tuple[etree._Element, str, str]]:
    """Elements that name another document, the attribute in which they do, and the name."""
    found = ((element, _REFERENCES[str(element.tag)]) for element in root.iter(*_REFERENCES))
    return [(element, attribute, element.get(attribute, "")) for element, attribute in found if element.get(attribute)]
