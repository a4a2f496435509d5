"""From ebRIM to the model: what can be read is read, whatever the rules will say of it (ITI TF-3 4.2.1.4)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from vna.documents.problems import ErrorCode, Problems, refused
from vna.model.documents import (
    Association,
    Author,
    Code,
    DocumentEntry,
    ExtraMetadata,
    Folder,
    Registered,
    Submission,
    SubmissionSet,
)
from vna.xml.namespaces import LCM, RIM, qname
from xds.ebrim.vocabulary import (
    ASSOCIATION_SLOTS,
    ASSOCIATIONS,
    AUTHOR,
    DOCUMENTATION,
    FORMS,
    ON_DEMAND,
    PROPAGATION,
    STABLE,
    STATUS_SLOTS,
    STATUSES,
    Form,
    Slot,
)

_SLOT, _VALUES, _VALUE = qname(RIM, "Slot"), qname(RIM, "ValueList"), qname(RIM, "Value")
_NAME, _DESCRIPTION, _LOCALIZED = qname(RIM, "Name"), qname(RIM, "Description"), qname(RIM, "LocalizedString")
_CLASSIFICATION, _IDENTIFIER = qname(RIM, "Classification"), qname(RIM, "ExternalIdentifier")
_PACKAGE, _EXTRINSIC, _ASSOCIATION = (qname(RIM, n) for n in ("RegistryPackage", "ExtrinsicObject", "Association"))
_LIST = qname(RIM, "RegistryObjectList")
_KINDS = frozenset((_PACKAGE, _EXTRINSIC, _ASSOCIATION, _CLASSIFICATION, qname(RIM, "ObjectRef")))
_PACKAGES: dict[str, type[SubmissionSet] | type[Folder]] = {FORMS[cls].node: cls for cls in (SubmissionSet, Folder)}

_Element = etree._Element
_Slots = dict[str, tuple[str, ...]]


def submission(request: _Element, most: int) -> Submission:
    """What a lcm:SubmitObjectsRequest brings; Refused when it cannot be read, or brings more than `most` objects."""
    if request.tag != qname(LCM, "SubmitObjectsRequest"):
        raise refused(
            ErrorCode.REGISTRY, f"the message has no SubmitObjectsRequest, but {etree.QName(request).localname}"
        )
    listed = request.find(_LIST)
    if listed is None:
        raise refused(ErrorCode.METADATA, "the SubmitObjectsRequest has no RegistryObjectList")
    if len(listed) > most:
        raise refused(ErrorCode.OUT_OF_RESOURCES, f"a submission has at most {most} objects, not {len(listed)}")
    return _Reader(listed).read()


def documents(listed: _Element, most: int) -> list[DocumentEntry]:
    """The documents of a rim:RegistryObjectList; Refused when they cannot be read, or are more than `most`."""
    if len(listed) > most:
        raise refused(ErrorCode.OUT_OF_RESOURCES, f"an answer has at most {most} objects, not {len(listed)}")
    return _Reader(listed).documents()


def associations(listed: _Element, most: int) -> list[Association]:
    """The same for associations."""
    if len(listed) > most:
        raise refused(ErrorCode.OUT_OF_RESOURCES, f"an answer has at most {most} objects, not {len(listed)}")
    return _Reader(listed).associations()


@dataclass(slots=True)
class _Reader:
    """One list of objects, with the classifications that stand beside them put to them."""

    listed: _Element
    problems: Problems = field(default_factory=Problems)
    beside: dict[str, list[_Element]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for element in self.listed.iterchildren(_CLASSIFICATION):
            self.beside[element.get("classifiedObject", "")].append(element)

    def documents(self) -> list[DocumentEntry]:
        found = [self._document(element) for element in self.listed.iterchildren(_EXTRINSIC)]
        self.problems.refuse()
        return found

    def associations(self) -> list[Association]:
        found = [link for element in self.listed.iterchildren(_ASSOCIATION) if (link := self._association(element))]
        self.problems.refuse()
        return found

    def read(self) -> Submission:
        sets: list[SubmissionSet] = []
        folders: list[Folder] = []
        for element in self.listed.iterchildren(_PACKAGE):
            package = self._package(element)
            if isinstance(package, SubmissionSet):
                sets.append(package)
            elif package is not None:
                folders.append(package)
        documents = [self._document(element) for element in self.listed.iterchildren(_EXTRINSIC)]
        links = [link for element in self.listed.iterchildren(_ASSOCIATION) if (link := self._association(element))]
        for element in self.listed.iterchildren(etree.Element):
            if element.tag not in _KINDS:
                what = f"{element.tag} {element.get('id', '')} is no kind of object that a submission has"
                self.problems.add(ErrorCode.METADATA, what)
        if len(sets) != 1:
            self.problems.add(ErrorCode.METADATA, f"a submission has one SubmissionSet, not {len(sets)}")
        self.problems.refuse()
        return Submission(sets[0], tuple(documents), tuple(folders), tuple(links))

    def _document(self, element: _Element) -> DocumentEntry:
        where = f"DocumentEntry {element.get('id', '')}"
        kind = element.get("objectType", "")
        if kind not in (STABLE, ON_DEMAND):
            self.problems.add(ErrorCode.METADATA, f"{where}: objectType {kind} is no type of documents")
        values = self._values(element, DocumentEntry, where)
        return DocumentEntry(**values, on_demand=kind == ON_DEMAND, mime_type=element.get("mimeType", "").strip())

    def _package(self, element: _Element) -> SubmissionSet | Folder | None:
        where = f"RegistryPackage {element.get('id', '')}"
        nodes = {one.get("classificationNode", "") for one in self._classifications(element)}
        classes = [_PACKAGES[node] for node in sorted(nodes & _PACKAGES.keys())]
        if len(classes) != 1:
            self.problems.add(ErrorCode.METADATA, f"{where} is not classified as one of SubmissionSet and Folder")
            return None
        return classes[0](**self._values(element, classes[0], where))

    def _association(self, element: _Element) -> Association | None:
        where = f"Association {element.get('id', '')}"
        kind = ASSOCIATIONS.get(element.get("associationType", "").strip())
        if kind is None:
            what = f"associationType {element.get('associationType', '')} is not known"
            self.problems.add(ErrorCode.METADATA, f"{where}: {what}")
            return None
        slots = self._slots(element, where)
        values = self._fields(slots, ASSOCIATION_SLOTS, where)
        statuses = self._fields(slots, STATUS_SLOTS, where)
        propagates = slots.pop(PROPAGATION, ("yes",))
        documentation = [
            _code(one) for one in self._classifications(element) if one.get("classificationScheme") == DOCUMENTATION
        ]
        return Association(
            **values,
            **{name: STATUSES.get(value, value) for name, value in statuses.items()},
            entry_uuid=element.get("id", ""),
            association=kind,
            source=element.get("sourceObject", ""),
            target=element.get("targetObject", ""),
            propagates=propagates[:1] != ("no",),
            documentation=documentation[0] if documentation else None,
            extra=_extra(slots),
        )

    def _values(self, element: _Element, cls: type[Registered], where: str) -> dict[str, Any]:
        form = FORMS[cls]
        slots = self._slots(element, where)
        values: dict[str, Any] = {
            "entry_uuid": element.get("id", ""),
            "logical_id": element.get("lid", ""),
            "home": element.get("home", ""),
            "title": _localized(element, _NAME),
            "comments": _localized(element, _DESCRIPTION),
        }
        values |= self._fields(slots, form.slots, where)
        values |= self._codes(element, form, where)
        values |= self._identifiers(element, form, where)
        return values | {"extra": _extra(slots)}

    def _slots(self, element: _Element, where: str) -> _Slots:
        found: _Slots = {}
        for slot in element.iterchildren(_SLOT):
            name, given = slot.get("name", ""), tuple(slot_values(slot))
            if found.get(name, given) != given:
                self.problems.add(ErrorCode.METADATA, f"{where}: the Slot {name} is there twice")
            found[name] = given
        return found

    def _fields(self, slots: _Slots, known: Iterable[Slot], where: str) -> dict[str, Any]:
        """The slots that mean a field, taken out of `slots`."""
        values: dict[str, Any] = {}
        for slot in known:
            given = slots.pop(slot.name, ())
            if slot.many:
                values[slot.field] = given
            elif len(given) > 1:
                self.problems.add(ErrorCode.METADATA, f"{where}: {slot.name} has one value, not {len(given)}")
            elif given:
                values[slot.field] = given[0]
        return values

    def _codes(self, element: _Element, form: Form, where: str) -> dict[str, Any]:
        by_scheme: dict[str, list[_Element]] = defaultdict(list)
        for one in self._classifications(element):
            by_scheme[one.get("classificationScheme", "")].append(one)
        values: dict[str, Any] = {}
        if form.author:
            values["authors"] = tuple(self._author(one, where) for one in by_scheme[form.author])
        for scheme in form.schemes:
            codes = tuple(_code(one) for one in by_scheme[scheme.urn])
            if scheme.many:
                values[scheme.field] = codes
            elif len(codes) > 1:
                self.problems.add(ErrorCode.METADATA, f"{where}: {scheme.name} has one code, not {len(codes)}")
            elif codes:
                values[scheme.field] = codes[0]
        nodes = {one.get("classificationNode", "") for one in by_scheme[""]}
        return values | {"limited": form.limited in nodes}

    def _author(self, element: _Element, where: str) -> Author:
        return Author(**self._fields(self._slots(element, f"{where}, author"), AUTHOR, where))

    def _identifiers(self, element: _Element, form: Form, where: str) -> dict[str, str]:
        known = {one.urn: one for one in form.identifiers}
        values: dict[str, str] = {}
        for one in element.iterchildren(_IDENTIFIER):
            identifier = known.get(one.get("identificationScheme", ""))
            if identifier is None:
                continue
            if identifier.field in values:
                self.problems.add(ErrorCode.METADATA, f"{where}: {identifier.name} is there twice")
            values[identifier.field] = one.get("value", "").strip()
        return values

    def _classifications(self, element: _Element) -> Iterator[_Element]:
        yield from element.iterchildren(_CLASSIFICATION)
        yield from self.beside.get(element.get("id", ""), ())


def object_refs(request: _Element, most: int) -> tuple[str, ...]:
    """What a lcm:RemoveObjectsRequest lists; Refused when it lists nothing, or more than `most`."""
    found = tuple(element.get("id", "") for element in request.iterfind(f"{qname(RIM, 'ObjectRefList')}/*"))
    if not 0 < len(found) <= most:
        raise refused(ErrorCode.REGISTRY, f"an ObjectRefList has 1 to {most} ObjectRefs, not {len(found)}")
    return found


def slot_values(slot: _Element) -> Iterator[str]:
    """The values of a slot, without the white space that only lays them out."""
    for value in slot.iterfind(f"{_VALUES}/{_VALUE}"):
        text = "".join(map(str, value.itertext())).strip()
        if text:
            yield text


def _localized(element: _Element, name: str) -> str:
    found = element.find(f"{name}/{_LOCALIZED}")
    return found.get("value", "") if found is not None else ""


def _code(element: _Element) -> Code:
    schemes = [
        value
        for slot in element.iterchildren(_SLOT)
        if slot.get("name") == "codingScheme"
        for value in slot_values(slot)
    ]
    return Code(
        element.get("nodeRepresentation", "").strip(), schemes[0] if schemes else "", _localized(element, _NAME)
    )


def _extra(slots: _Slots) -> tuple[ExtraMetadata, ...]:
    return tuple(ExtraMetadata(name, values) for name, values in slots.items() if name)
