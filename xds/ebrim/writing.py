"""From the model to ebRIM: whole objects, each on its own, and lists of them."""

import re
import uuid
from collections.abc import Iterable, Sequence
from functools import singledispatch

from lxml import etree

from vna.model.documents import (
    Association,
    Author,
    Code,
    DocumentEntry,
    ExtraMetadata,
    Folder,
    Registered,
    RegistryObject,
    Submission,
    SubmissionSet,
)
from vna.xml.namespaces import LCM, RIM, qname
from vna.xml.text import carried
from xds.ebrim.vocabulary import (
    ASSOCIATION_SLOTS,
    ASSOCIATION_URN,
    AUTHOR,
    DOCUMENTATION,
    FORMS,
    OBJECT_TYPE,
    ON_DEMAND,
    PROPAGATION,
    STABLE,
    STATUS_SLOTS,
    STATUS_URN,
    Slot,
)

_Element = etree._Element
_NSMAP = {"rim": RIM}
_DECLARATION = f' xmlns:rim="{RIM}"'.encode()
_TAGS = {
    name: qname(RIM, name)
    for name in (
        "Slot",
        "ValueList",
        "Value",
        "Name",
        "Description",
        "LocalizedString",
        "VersionInfo",
        "Classification",
        "ExternalIdentifier",
        "RegistryObjectList",
        "ObjectRef",
    )
}
_STATUS_TEXT = {status.value: urn for status, urn in STATUS_URN.items()}
_START = re.compile(rb'<rim:(?P<name>ExtrinsicObject|RegistryPackage)(?P<attributes>(?: [^\s="]+="[^"]*")*)')
_ATTRIBUTE = re.compile(rb' (?P<name>[^\s="]+)="[^"]*"')
_IDS = uuid.UUID("8f4cf2c4-0f5e-4f2b-9d0c-3a2a7d8f6f51")


def rendition(thing: RegistryObject) -> bytes:
    """The object as a fragment in which `rim` is the prefix of ebRIM, declared by what it is put into."""
    return etree.tostring(element(thing), encoding="UTF-8").replace(_DECLARATION, b"", 1)


def submit_request(submission: Submission) -> _Element:
    """A lcm:SubmitObjectsRequest, as a source of documents sends it."""
    made = etree.Element(qname(LCM, "SubmitObjectsRequest"), nsmap={"lcm": LCM, "rim": RIM})
    etree.SubElement(made, _TAGS["RegistryObjectList"]).extend(map(element, submission))
    return made


def remove_request(entry_uuids: Iterable[str]) -> _Element:
    """A lcm:RemoveObjectsRequest."""
    made = etree.Element(qname(LCM, "RemoveObjectsRequest"), nsmap={"lcm": LCM, "rim": RIM})
    listed = etree.SubElement(made, qname(RIM, "ObjectRefList"))
    for entry_uuid in entry_uuids:
        etree.SubElement(listed, _TAGS["ObjectRef"], {"id": entry_uuid})
    return made


def object_list(parts: Iterable[bytes]) -> bytes:
    """Renditions as a rim:RegistryObjectList that stands on its own."""
    return b"".join((b"<rim:RegistryObjectList", _DECLARATION, b">", *parts, b"</rim:RegistryObjectList>"))


def at_home(rendition: bytes, home: str) -> bytes:
    """The rendition of a document, folder or submission set as of this community, whatever was said before; others as
    they are (ITI TF-2 3.38.4.1.3)."""
    start = _START.match(rendition)
    if start is None:
        return rendition
    kept = (one[0] for one in _ATTRIBUTE.finditer(start["attributes"]) if one["name"] != b"home")
    said = f' home="{home}"'.encode()
    return b"".join((b"<rim:", start["name"], *kept, said, rendition[start.end() :]))


def object_ref(entry_uuid: str, home: str) -> bytes:
    """A reference as a fragment, as `rendition` makes them."""
    made = etree.Element(_TAGS["ObjectRef"], {"id": entry_uuid, "home": home}, nsmap=_NSMAP)
    return etree.tostring(made, encoding="UTF-8").replace(_DECLARATION, b"", 1)


def object_refs(entry_uuids: Iterable[str], parent: _Element) -> None:
    """A rim:RegistryObjectList of references only."""
    listed = etree.SubElement(parent, _TAGS["RegistryObjectList"], nsmap=_NSMAP)
    for entry_uuid in entry_uuids:
        etree.SubElement(listed, _TAGS["ObjectRef"], {"id": entry_uuid})


@singledispatch
def element(thing: RegistryObject) -> _Element:
    """The object as an element."""
    raise TypeError(thing)


@element.register
def _document(thing: DocumentEntry) -> _Element:
    attributes = {"objectType": ON_DEMAND if thing.on_demand else STABLE, "mimeType": thing.mime_type}
    return _registered(thing, "ExtrinsicObject", attributes)


@element.register
def _submission_set(thing: SubmissionSet) -> _Element:
    return _registered(thing, "RegistryPackage", {"objectType": f"{OBJECT_TYPE}RegistryPackage"})


@element.register
def _folder(thing: Folder) -> _Element:
    return _registered(thing, "RegistryPackage", {"objectType": f"{OBJECT_TYPE}RegistryPackage"})


@element.register
def _association(thing: Association) -> _Element:
    made = etree.Element(
        qname(RIM, "Association"),
        {
            "id": thing.entry_uuid,
            "objectType": f"{OBJECT_TYPE}Association",
            "status": STATUS_URN[thing.status],
            "associationType": ASSOCIATION_URN[thing.association],
            "sourceObject": thing.source,
            "targetObject": thing.target,
        },
        nsmap=_NSMAP,
    )
    _slots(made, thing, ASSOCIATION_SLOTS)
    for slot in STATUS_SLOTS:
        status = getattr(thing, slot.field)
        if status:
            _slot(made, slot.name, (_STATUS_TEXT.get(status, status),))
    if not thing.propagates:
        _slot(made, PROPAGATION, ("no",))
    _slots(made, thing, (), thing.extra)
    if thing.documentation is not None:
        writer = _Parts(made, thing.entry_uuid)
        writer.code(DOCUMENTATION, thing.documentation)
    return made


def _registered(thing: Registered, name: str, attributes: dict[str, str]) -> _Element:
    form = FORMS[type(thing)]
    made = etree.Element(qname(RIM, name), {"id": thing.entry_uuid}, nsmap=_NSMAP)
    if thing.home:
        made.set("home", thing.home)
    made.set("lid", thing.logical_id or thing.entry_uuid)
    made.set("status", STATUS_URN[thing.status])
    for key, value in attributes.items():
        made.set(key, value)
    _slots(made, thing, form.slots, thing.extra)
    _text(made, "Name", thing.title)
    _text(made, "Description", thing.comments)
    etree.SubElement(made, _TAGS["VersionInfo"], {"versionName": str(thing.version)})
    parts = _Parts(made, thing.entry_uuid)
    for node in (form.node, form.limited if thing.limited else ""):
        if node:
            parts.classification({"classificationNode": node})
    for author in getattr(thing, "authors", ()):
        parts.author(form.author, author)
    for scheme in form.schemes:
        value = getattr(thing, scheme.field)
        for code in value if scheme.many else filter(None, (value,)):
            parts.code(scheme.urn, code)
    for identifier in form.identifiers:
        parts.identifier(identifier.urn, identifier.name, getattr(thing, identifier.field))
    return made


class _Parts:
    """Classifications and identifiers of one object; their ids follow from the object's, so that they stay."""

    def __init__(self, made: _Element, entry_uuid: str) -> None:
        self._made = made
        self._entry_uuid = entry_uuid
        self._count = 0

    def _id(self) -> str:
        self._count += 1
        return uuid.uuid5(_IDS, f"{self._entry_uuid}/{self._count}").urn

    def classification(self, attributes: dict[str, str]) -> _Element:
        given = {"id": self._id(), "objectType": f"{OBJECT_TYPE}Classification"}
        return etree.SubElement(
            self._made, _TAGS["Classification"], given | {"classifiedObject": self._entry_uuid} | attributes
        )

    def author(self, scheme: str, author: Author) -> None:
        made = self.classification({"classificationScheme": scheme, "nodeRepresentation": ""})
        _slots(made, author, AUTHOR)

    def code(self, scheme: str, code: Code) -> None:
        made = self.classification({"classificationScheme": scheme, "nodeRepresentation": code.code})
        _slot(made, "codingScheme", (code.scheme,))
        _text(made, "Name", code.display)

    def identifier(self, scheme: str, name: str, value: str) -> None:
        given = {
            "id": self._id(),
            "objectType": f"{OBJECT_TYPE}ExternalIdentifier",
            "registryObject": self._entry_uuid,
            "identificationScheme": scheme,
            "value": value,
        }
        _text(etree.SubElement(self._made, _TAGS["ExternalIdentifier"], given), "Name", name)


def _slots(made: _Element, thing: object, slots: Iterable[Slot], extra: Sequence[ExtraMetadata] = ()) -> None:
    for slot in slots:
        value = getattr(thing, slot.field)
        if value:
            _slot(made, slot.name, value if slot.many else (value,))
    for one in extra:
        _slot(made, one.name, one.values)


def _slot(made: _Element, name: str, values: Iterable[str]) -> None:
    listed = etree.SubElement(etree.SubElement(made, _TAGS["Slot"], {"name": name}), _TAGS["ValueList"])
    for value in values:
        etree.SubElement(listed, _TAGS["Value"]).text = carried(value)


def _text(made: _Element, name: str, text: str) -> None:
    if text:
        etree.SubElement(etree.SubElement(made, _TAGS[name]), _TAGS["LocalizedString"], {"value": carried(text)})
