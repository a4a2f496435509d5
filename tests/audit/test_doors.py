"""What doors tell the audit trail: the transaction, the documents, and at which address."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from storage.index import audit
from tests.archives import Open, put
from tests.objects import ct, part10
from tests.xds import imaging
from tests.xds.repositories import OID, SETTINGS, pdf, provide, retrieve
from vna.app import Application, atna
from vna.audit.codes import TRANSACTIONS
from vna.audit.message import message
from vna.audit.rows import record_of
from vna.model.access import Action, Actor, ActorKind
from vna.model.audit import AuditKind, AuditRecord, Outcome
from xds import registry, repository

READER = Actor(
    ActorKind.USER, "ayse", frozenset({Action.READ_DOCUMENTS, Action.RETRIEVE, Action.QUERY}), address="192.0.2.8"
)


@pytest.fixture
def archive(open_archive: Open) -> Application:
    return open_archive(xds=SETTINGS)


def records(archive: Application, *kinds: AuditKind) -> list[AuditRecord]:
    with archive.database.read() as connection:
        found = [record_of(row) for row in audit.after(connection, 0, 1000)]
    return [one for one in found if one.kind in kinds]


def endpoints(archive: Application, record: AuditRecord) -> list[str]:
    root = etree.fromstring(message(record, atna.us(archive.settings)))
    return [one.get("UserID", "") for one in root.iter("ActiveParticipant")]


def test_documents_that_are_given_are_recorded_by_patient_and_those_that_are_not(archive: Application) -> None:
    one, missing = pdf(), "1.2.3.4.5.6"
    provide(archive, one)
    assert retrieve(archive, one.unique_id, missing, actor=READER).status == "PartialSuccess"
    given, refused = records(archive, AuditKind.EXPORT)
    assert (given.what, given.outcome, given.actor.name) == ("ITI-43", Outcome.SUCCESS, "ayse")
    assert given.detail["documents"] == [{"unique_id": one.unique_id, "repository": OID}]
    assert given.patient == one.patient_id
    assert (refused.outcome, refused.detail["documents"][0]["unique_id"]) == (Outcome.MINOR_FAILURE, missing)
    root = etree.fromstring(message(given, atna.us(archive.settings)))
    assert [one.get("csd-code") for one in root.iter("EventID", "EventTypeCode")] == ["110106", "ITI-43"]
    port = archive.settings.http.port
    assert endpoints(archive, given)[0] == f"http://127.0.0.1:{port}{repository.PATH}"


def test_what_the_archive_reads_itself_is_not_recorded(archive: Application) -> None:
    one = pdf()
    provide(archive, one)
    assert retrieve(archive, one.unique_id).status == "Success"
    assert records(archive, AuditKind.EXPORT) == []


def test_images_are_recorded_by_the_transaction_that_they_were_asked_by(archive: Application) -> None:
    data = ct()
    put(archive, part10(data))
    imaging.retrieve(archive, [imaging.ask(data, repository=OID)], actor=READER)
    (access,) = records(archive, AuditKind.ACCESS)
    assert (access.what, access.study_instance_uid) == ("RAD-69", data.StudyInstanceUID)


def test_every_transaction_that_is_served_has_a_form_and_an_address(archive: Application) -> None:
    paths = atna.us(archive.settings).paths
    assert set(paths) <= set(TRANSACTIONS)
    assert paths["ITI-18"] == registry.PATH
    asked = AuditRecord(AuditKind.QUERY, "ITI-18", READER, datetime.now(UTC))
    assert endpoints(archive, asked)[1].endswith(registry.PATH)
