"""Audit messages: each form valid by the schema, and with what its clause asks for."""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from vna.audit.message import message
from vna.audit.message_forms import NAMED, TRANSACTIONS
from vna.audit.participants import ANONYMOUS, Us
from vna.model.access import SYSTEM, Actor, ActorKind, Purpose, Role
from vna.model.audit import AuditKind, AuditRecord, Outcome
from vna.model.events import EventKind

SCHEMA = Path(__file__).parents[3] / "shared" / "data" / "xds" / "audit-schema" / "dicom2017c.xsd"
AT = datetime(2026, 11, 30, 9, 30, 47, 123456, UTC)
US = Us("vna-1", "Ankara", "VNA", "https://vna.example.org/", "vna.example.org", "4711")
MODALITY = Actor(ActorKind.AE, "CT1", address="192.0.2.7")
CLINICIAN = Actor(
    ActorKind.USER, "ayse", address="192.0.2.8", role=Role.CLINICIAN, person="10000000146", purpose=Purpose.TREATMENT
)
ACTORS = (MODALITY, CLINICIAN, SYSTEM, Actor(ActorKind.ANONYMOUS, ""), Actor(ActorKind.TOKEN, "viewer", address="::1"))
STUDY = "1.2.3.4"
FULL: Mapping[str, Any] = {
    "endpoint": "/xds/registry",
    "query_id": "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
    "query": {"PatientID": "P1"},
    "submission_set": "1.2.3.9",
    "documents": [{"unique_id": "1.2.3.5", "repository": "1.2.3", "home": "urn:oid:1.2"}],
    "objects": ["urn:uuid:b2632452-1de7-480d-94b1-c2074d79c871"],
    "accession": "A1",
    "sop_classes": {"1.2.840.10008.5.1.4.1.1.2": 3},
    "destination": "ELSEWHERE",
    "other": [1, None, "ü"],
}


def record(kind: AuditKind, what: str, actor: Actor = MODALITY, **more: Any) -> AuditRecord:
    return AuditRecord(kind, what, actor, AT, **more)


def made(one: AuditRecord) -> etree._Element:
    return etree.fromstring(message(one, US))


@cache
def schema() -> etree.XMLSchema:
    if not SCHEMA.exists():
        pytest.skip("../shared/data/xds/audit-schema is not here: nothing to validate audit messages against")
    return etree.XMLSchema(etree.parse(SCHEMA))


def coded(elements: Iterable[etree._Element]) -> list[str]:
    return [one.get("csd-code", "") for one in elements]


def participants(root: etree._Element) -> list[tuple[str, str, str]]:
    return [
        (one.get("UserID", ""), one.get("UserIsRequestor", ""), ",".join(coded(one.iter("RoleIDCode"))))
        for one in root.iter("ActiveParticipant")
    ]


def details(element: etree._Element) -> dict[str, str]:
    return {
        one.get("type", ""): b64decode(one.get("value", "")).decode() for one in element.iter("ParticipantObjectDetail")
    }


def objects(root: etree._Element) -> dict[str, etree._Element]:
    """By what kind of identifier they have."""
    found = list(root.iter("ParticipantObjectIdentification"))
    return dict(zip(coded(root.iter("ParticipantObjectIDTypeCode")), found, strict=True))


def check_valid(kind: AuditKind, what: str, actor: Actor) -> None:
    bare = record(kind, what, actor)
    full = replace(bare, study_instance_uid=STUDY, patient="P1^^^&1.2.3&ISO", facility="34", reason="why", detail=FULL)
    for one in (bare, full, replace(full, outcome=Outcome.SERIOUS_FAILURE)):
        assert schema().validate(made(one)), (what, schema().error_log)


@pytest.mark.parametrize("actor", ACTORS, ids=lambda actor: actor.kind.value)
def test_messages_of_every_class_and_name_are_valid(actor: Actor) -> None:
    for kind in AuditKind:
        check_valid(kind, "whatever it is", actor)
    for what in {*NAMED, *EventKind}:
        check_valid(AuditKind.CHANGE, what, actor)


@pytest.mark.parametrize(
    ("number", "event", "action", "we_are", "we_ask"),
    [  # by hand, from ITI TF-2 3.Y.5.1 and RAD TF-2 4.Y.5.1, the side of the server
        ("ITI-8", "110110", "U", "110152", "false"),
        ("ITI-9", "110112", "E", "110152", "false"),
        ("ITI-18", "110112", "E", "110152", "false"),
        ("ITI-38", "110112", "E", "110152", "false"),
        ("ITI-39", "110106", "R", "110153", "false"),
        ("ITI-41", "110107", "C", "110152", "false"),
        ("ITI-42", "110107", "C", "110152", "false"),
        ("ITI-43", "110106", "R", "110153", "false"),
        ("ITI-57", "110110", "U", "110152", "false"),
        ("ITI-62", "110110", "D", "110152", "false"),
        ("ITI-86", "110110", "D", "110152", "false"),
        ("RAD-69", "110104", "R", "110153", "false"),
    ],
)
def test_a_transaction_has_its_event_and_parties(
    number: str, event: str, action: str, we_are: str, we_ask: str
) -> None:
    root = made(record(AuditKind.CHANGE, number, CLINICIAN, detail={"endpoint": "/xds/registry", "process": "99"}))
    identified = root.find("EventIdentification")
    assert identified is not None
    assert identified.get("EventActionCode") == action
    assert identified.xpath("string(EventID/@csd-code)") == event
    assert identified.xpath("string(EventTypeCode/@csd-code)") == number
    assert identified.xpath("string(EventTypeCode/@codeSystemName)") == "IHE Transactions"
    (ours,) = [one for one in root.iter("ActiveParticipant") if one.get("UserID") == US.url + "xds/registry"]
    assert ours.xpath("string(RoleIDCode/@csd-code)") == we_are
    assert ours.get("UserIsRequestor") == we_ask
    assert ours.get("AlternativeUserID") == "99"
    assert {role for *_, role in participants(root)} >= {"110152", "110153"}


def test_every_transaction_that_we_know_has_a_form() -> None:
    from vna.audit import codes

    assert set(codes.TRANSACTIONS) == set(TRANSACTIONS)


def test_a_stored_query_is_given_whole_with_its_person() -> None:
    asked = record(AuditKind.QUERY, "ITI-18", CLINICIAN, patient="P1^^^&1.2.3&ISO", detail=FULL)
    root = made(asked)
    assert participants(root) == [
        ("192.0.2.8", "true", "110153"),
        (US.url + "xds/registry", "false", "110152"),
        ("ayse", "true", "clinician"),
    ]
    query = objects(root)["ITI-18"]
    assert query.get("ParticipantObjectID") == FULL["query_id"]
    assert (query.get("ParticipantObjectTypeCode"), query.get("ParticipantObjectTypeCodeRole")) == ("2", "24")
    assert b64decode(query.findtext("ParticipantObjectQuery", "")) == b'{"PatientID":"P1"}'
    assert details(query)["QueryEncoding"] == "UTF-8"
    patient = objects(root)["2"]
    assert patient.get("ParticipantObjectID") == "P1^^^&1.2.3&ISO"
    assert (patient.get("ParticipantObjectTypeCode"), patient.get("ParticipantObjectTypeCodeRole")) == ("1", "1")


def test_whoever_waits_for_the_answer_is_anonymous() -> None:
    root = made(record(AuditKind.QUERY, "ITI-18", Actor(ActorKind.ANONYMOUS, "")))
    assert participants(root)[0] == (ANONYMOUS, "true", "110153")


def test_what_a_modality_stores_was_transferred_to_us() -> None:
    root = made(record(AuditKind.CHANGE, "instance.stored", study_instance_uid=STUDY, patient="P1", detail=FULL))
    assert root.xpath("string(EventIdentification/EventID/@csd-code)") == "110104"
    first = root.find("ActiveParticipant")
    assert first is not None
    assert first.get("AlternativeUserID") == "AETITLES=CT1"
    assert (first.get("NetworkAccessPointID"), first.get("NetworkAccessPointTypeCode")) == ("192.0.2.7", "2")
    study = objects(root)["110180"]
    assert study.get("ParticipantObjectID") == STUDY
    assert study.xpath("string(.//Accession/@Number)") == "A1"
    assert study.xpath("string(.//SOPClass/@NumberOfInstances)") == "3"
    assert details(study)["other"] == '[1,null,"ü"]'


def test_images_read_by_a_person_were_accessed_and_by_a_machine_transferred() -> None:
    read = record(AuditKind.ACCESS, "retrieve", CLINICIAN, study_instance_uid=STUDY)
    assert made(read).xpath("string(EventIdentification/EventID/@csd-code)") == "110103"
    sent = made(replace(read, actor=MODALITY))
    assert sent.xpath("string(EventIdentification/EventID/@csd-code)") == "110104"
    assert participants(sent) == [("vna-1", "false", "110153"), ("CT1", "true", "110152")]


def test_a_refusal_is_an_alert_that_names_why() -> None:
    refused = record(
        AuditKind.REFUSAL, "ITI-18", outcome=Outcome.MINOR_FAILURE, study_instance_uid=STUDY, reason="no right to query"
    )
    root = made(refused)
    assert root.xpath("string(EventIdentification/EventID/@csd-code)") == "110113"
    assert root.xpath("string(EventIdentification/@EventOutcomeIndicator)") == "4"
    assert root.findtext("EventIdentification/EventOutcomeDescription") == "no right to query"
    assert details(objects(root)["12"]) == {"Alert Description": "ITI-18: no right to query"}
    assert ("CT1", "true", "") in participants(root)


def test_an_export_names_its_medium_and_studies() -> None:
    root = made(
        record(AuditKind.EXPORT, "studies.exported", SYSTEM, detail={"studies": [STUDY], "destination": "file:///mnt"})
    )
    assert participants(root) == [("vna-1", "true", "110153"), ("file:///mnt", "false", "110154")]
    assert root.xpath("string(//MediaType/@csd-code)") == "110037"
    assert objects(root)["110180"].get("ParticipantObjectID") == STUDY


def test_times_are_in_utc_and_emergencies_say_so() -> None:
    glass = replace(CLINICIAN, purpose=Purpose.EMERGENCY, reason="unconscious")
    there = AT.astimezone(timezone(timedelta(hours=3)))
    one = AuditRecord(AuditKind.ACCESS, "retrieve", glass, there, study_instance_uid=STUDY, reason="unconscious")
    root = made(one)
    assert root.xpath("string(EventIdentification/@EventDateTime)") == "2026-11-30T09:30:47.123Z"
    assert root.xpath("string(EventIdentification/PurposeOfUse/@csd-code)") == "ETREAT"
    assert root.findtext("EventIdentification/EventOutcomeDescription") == "unconscious"


def test_what_xml_cannot_carry_does_not_break_a_message() -> None:
    bad = Actor(ActorKind.AE, "C\x00T\x1b", address="not\x0ban address")
    root = made(record(AuditKind.QUERY, "C-FIND", bad, patient='P"<&1', detail={"query": "\x00\udc80"}))
    assert participants(root)[0][0] == "CT"
    assert objects(root)["2"].get("ParticipantObjectID") == 'P"<&1'


def test_whoever_works_at_an_application_entity_is_named_beside_it() -> None:
    root = made(record(AuditKind.QUERY, "C-FIND", detail={"user": "ayse"}))
    assert participants(root) == [("CT1", "true", "110153"), ("vna-1", "false", "110152"), ("ayse", "true", "")]
