"""Audit messages: what happened, as XML (PS3.15 A.5, ITI TF-2 3.20.4.1)."""

from base64 import b64encode
from datetime import UTC

from lxml import etree

from vna.audit import codes
from vna.audit.codes import Code
from vna.audit.message_forms import Form, form_of
from vna.audit.objects import Object, objects
from vna.audit.participants import Participant, Us, participants, point_type
from vna.model.access import ActorKind
from vna.model.audit import AuditRecord, Outcome
from vna.xml.text import carried

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'


def message(record: AuditRecord, us: Us) -> bytes:
    """The AuditMessage of a record, in UTF-8 and one line."""
    form = form_of(record)
    root = etree.Element("AuditMessage")
    _event(root, record, form)
    for participant in participants(record, form, us):
        _participant(root, participant)
    _source(root, us)
    for one in objects(record, form):
        _object(root, one)
    return _DECLARATION + etree.tostring(root, encoding="UTF-8", xml_declaration=False)


def _event(root: etree._Element, record: AuditRecord, form: Form) -> None:
    event = _added(
        root,
        "EventIdentification",
        EventActionCode=form.action,
        EventDateTime=record.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        EventOutcomeIndicator=str(int(record.outcome)),
    )
    _coded(event, "EventID", form.event)
    _coded(event, "EventTypeCode", form.kind or Code(record.what, codes.ROLE_SCHEME, record.what))
    if record.reason or record.outcome is not Outcome.SUCCESS:
        _added(event, "EventOutcomeDescription").text = _line(record.reason or record.outcome.name.lower())
    if record.actor.kind is not ActorKind.SYSTEM:
        purpose = record.actor.purpose.value
        _coded(event, "PurposeOfUse", Code(purpose, codes.PURPOSE_SCHEME, codes.PURPOSES.get(purpose, purpose)))


def _participant(root: etree._Element, one: Participant) -> None:
    element = _added(root, "ActiveParticipant", UserID=one.user_id)
    for name, value in (("AlternativeUserID", one.alternative), ("UserName", one.name)):
        if value:
            element.set(name, carried(value))
    element.set("UserIsRequestor", "true" if one.is_requestor else "false")
    if one.point:
        element.set("NetworkAccessPointID", carried(one.point))
        element.set("NetworkAccessPointTypeCode", point_type(one.point).value)
    for role in one.roles:
        _coded(element, "RoleIDCode", role)
    if one.media is not None:
        _coded(_added(element, "MediaIdentifier"), "MediaType", one.media)


def _source(root: etree._Element, us: Us) -> None:
    source = _added(root, "AuditSourceIdentification", AuditSourceID=us.source_id)
    if us.site:
        source.set("AuditEnterpriseSiteID", carried(us.site))
    _added(source, "AuditSourceTypeCode", {"csd-code": codes.APPLICATION_SERVER})


def _object(root: etree._Element, one: Object) -> None:
    element = _added(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=one.id,
        ParticipantObjectTypeCode=one.kind,
        ParticipantObjectTypeCodeRole=one.role,
    )
    _coded(element, "ParticipantObjectIDTypeCode", one.type)
    if one.query:
        _added(element, "ParticipantObjectQuery").text = _base64(one.query)
    elif one.name:
        _added(element, "ParticipantObjectName").text = _line(one.name)
    for name, value in one.details:
        _added(element, "ParticipantObjectDetail", type=name, value=_base64(value))
    if one.accessions or one.classes:
        described = _added(element, "ParticipantObjectDescription")
        for accession in one.accessions:
            _added(described, "Accession", Number=accession)
        for uid, count in one.classes.items():
            _added(described, "SOPClass", UID=uid, NumberOfInstances=str(int(count)))


def _line(text: str) -> str:
    return " ".join(carried(text).split())


def _base64(text: str) -> str:
    return b64encode(text.encode("utf-8", "replace")).decode()


def _coded(parent: etree._Element, name: str, code: Code) -> None:
    _added(parent, name, {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.text})


def _added(parent: etree._Element, name: str, more: dict[str, str] | None = None, **attributes: str) -> etree._Element:
    said = {key: carried(value) for key, value in {**(more or {}), **attributes}.items()}
    return etree.SubElement(parent, name, said)
