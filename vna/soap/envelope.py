"""Envelopes: read into messages, and written (SOAP 1.1 4, SOAP 1.2 part 1 5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from storage.scratch import Scratch
from vna.model.errors import BadRequest, TooLarge
from vna.soap import addressing
from vna.soap.faults import FaultCode, SoapFault, sender, version_mismatch
from vna.soap.message import Message
from vna.soap.package import Package
from vna.soap.versions import Version
from vna.xml.namespaces import SOAP12, WSA, XML, qname
from vna.xml.parser import Bounds, parse
from vna.xml.text import carried

_TRUE = ("1", "true")
_OURS = {  # roles that this node plays (SOAP 1.1 4.2.2, SOAP 1.2 part 1 2.2)
    Version.SOAP11: ("actor", ("", "http://schemas.xmlsoap.org/soap/actor/next")),
    Version.SOAP12: (
        "role",
        ("", f"{Version.SOAP12.value}/role/next", f"{Version.SOAP12.value}/role/ultimateReceiver"),
    ),
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope that could be read: what its version and headers say is known before its body is judged."""

    version: Version
    blocks: Sequence[etree._Element]
    root: etree._Element

    def not_understood(self, understood: frozenset[str]) -> list[str]:
        """Names of blocks for us that must be understood and are not (SOAP 1.2 part 1 2.4)."""
        attribute, roles = _OURS[self.version]
        must, role = self.version.name_of("mustUnderstand"), self.version.name_of(attribute)
        return [
            str(block.tag)
            for block in self.blocks
            if block.get(must, "").strip() in _TRUE
            and block.get(role, "").strip() in roles
            and not addressing.is_addressing(block)
            and block.tag not in understood
        ]

    def body(self) -> etree._Element:
        """The first child of Body."""
        body = self.root.find(self.version.name_of("Body"))
        if body is None:
            raise sender("the envelope has no Body")
        first = next(body.iterchildren(), None)
        if first is None:
            raise sender("the Body of the envelope is empty")
        return first


def read(package: Package, bounds: Bounds) -> Envelope:
    """The envelope of a package; SoapFault where there is none."""
    try:
        root = parse(package.envelope, bounds, charset=package.charset)
    except TooLarge as error:
        raise TooLarge(f"the envelope {error}") from error
    except BadRequest as error:
        raise sender(f"the envelope {error}") from error
    name = etree.QName(root)
    if name.localname != "Envelope":
        raise sender(f"the message is no SOAP envelope: its root element is {name.localname[:60]}")
    try:
        version = Version(name.namespace)
    except ValueError:
        raise version_mismatch("the envelope is of another version than SOAP 1.1 and 1.2", *Version) from None
    header = root.find(version.name_of("Header"))
    return Envelope(version, () if header is None else list(header.iterchildren()), root)


def message(envelope: Envelope, package: Package, said: addressing.Addressing, scratch: Scratch | None) -> Message:
    """All of it, put together."""
    return Message(
        version=envelope.version,
        action=said.action,
        message_id=said.message_id,
        body=envelope.body(),
        attachments=package.attachments,
        headers=[block for block in envelope.blocks if not addressing.is_addressing(block)],
        relates_to=said.relates_to,
        reply_to=said.reply_to,
        packaging=package.packaging,
        scratch=scratch,
    )


def write(version: Version, body: etree._Element | bytes, headers: Sequence[etree._Element] = ()) -> bytes:
    """An envelope around a body and header blocks, which move into it."""
    root, _ = _begun(version, headers)
    around = etree.SubElement(root, version.name_of("Body"))
    if isinstance(body, bytes):
        around.append(etree.Comment("body"))
        before, _, after = _bytes(root).rpartition(b"<!--body-->")
        return b"".join((before, body, after))
    around.append(body)
    return _bytes(root)


def write_fault(version: Version, fault: SoapFault, headers: Sequence[etree._Element] = ()) -> bytes:
    """An envelope around a fault (SOAP 1.1 4.4, SOAP 1.2 part 1 5.4; WS-Addressing 1.0 SOAP Binding 6.4)."""
    root, header = _begun(version, headers)
    if fault.code is FaultCode.MUST_UNDERSTAND and version is Version.SOAP12:
        for name in map(etree.QName, fault.blocks):
            prefixes = {"n": name.namespace} if name.namespace else {}
            block = etree.SubElement(header, version.name_of("NotUnderstood"), nsmap=prefixes)
            block.set("qname", f"n:{name.localname}" if prefixes else name.localname)
    if fault.code is FaultCode.VERSION_MISMATCH and version is Version.SOAP12:
        upgrade = etree.SubElement(header, version.name_of("Upgrade"))
        for name in map(etree.QName, fault.blocks):
            block = etree.SubElement(upgrade, version.name_of("SupportedEnvelope"), nsmap={"n": str(name.namespace)})
            block.set("qname", f"n:{name.localname}")
    body = etree.SubElement(root, version.name_of("Body"))
    (_fault11 if version is Version.SOAP11 else _fault12)(etree.SubElement(body, version.name_of("Fault")), fault)
    return _bytes(root)


def _fault11(element: etree._Element, fault: SoapFault) -> None:
    code = fault.subcodes[0] if fault.subcodes else Version.SOAP11.name_of(fault.code.local_name(Version.SOAP11))
    _named(element, "faultcode", code)
    etree.SubElement(element, "faultstring").text = carried(fault.reason)


def _fault12(element: etree._Element, fault: SoapFault) -> None:
    version = Version.SOAP12
    code = etree.SubElement(element, version.name_of("Code"))
    etree.SubElement(code, version.name_of("Value")).text = f"soap:{fault.code.value}"
    for subcode in fault.subcodes:
        code = etree.SubElement(code, version.name_of("Subcode"))
        _named(code, version.name_of("Value"), subcode)
    reason = etree.SubElement(element, version.name_of("Reason"))
    text = etree.SubElement(reason, version.name_of("Text"), {qname(XML, "lang"): "en"})
    text.text = carried(fault.reason)
    if fault.is_addressing and fault.blocks:
        detail = etree.SubElement(element, version.name_of("Detail"))
        problem = etree.SubElement(detail, qname(WSA, "ProblemHeaderQName"))
        problem.text = _prefixed(element, fault.blocks[0])


def _begun(version: Version, headers: Sequence[etree._Element]) -> tuple[etree._Element, etree._Element]:
    root = etree.Element(version.name_of("Envelope"), nsmap={"soap": version.value, "wsa": WSA})
    header = etree.SubElement(root, version.name_of("Header"))
    header.extend(headers)
    return root, header


def _named(parent: etree._Element, tag: str, name: str) -> None:
    """An element whose text is a name, with a prefix of its own where none is in force."""
    namespace = etree.QName(name).namespace
    more = {} if namespace in parent.nsmap.values() else {"n": namespace}
    element = etree.SubElement(parent, tag, nsmap=more)
    element.text = _prefixed(element, name)


def _prefixed(element: etree._Element, name: str) -> str:
    """A name as text, with a prefix that is in force there."""
    found = etree.QName(name)
    prefix = next(prefix for prefix, namespace in element.nsmap.items() if namespace == found.namespace)
    return f"{prefix}:{found.localname}"


def _bytes(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


_SAID = {  # where a fault says its code and its reason
    Version.SOAP11: ("faultcode", "faultstring"),
    Version.SOAP12: (f"{{{SOAP12}}}Code/{{{SOAP12}}}Value", f"{{{SOAP12}}}Reason/{{{SOAP12}}}Text"),
}


def fault_of(envelope: Envelope) -> SoapFault | None:
    """The fault that an envelope brings, if it does."""
    version = envelope.version
    element = envelope.root.find(f"{version.name_of('Body')}/{version.name_of('Fault')}")
    if element is None:
        return None
    code, reason = ((element.findtext(path) or "").strip() for path in _SAID[version])
    local = code.rpartition(":")[2]
    kind = next((kind for kind in FaultCode if kind.local_name(version) == local), FaultCode.RECEIVER)
    return SoapFault(kind, reason or "a fault without words")
