"""Events become records: of every kind, once, with whose they are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.index import audit, events
from storage.index.audit import AuditRow, Wanted
from storage.index.audit_sources import packed, unpacked
from tests.archives import Open, put
from tests.objects import ct, part10
from vna.app.wiring import Application
from vna.audit.forms import FORMS
from vna.audit.noticing import Noticing
from vna.audit.trail import AuditTrail
from vna.model.access import SYSTEM
from vna.model.audit import AuditKind
from vna.model.errors import Unavailable
from vna.model.events import Event, EventKind


def written(archive: Application) -> list[AuditRow]:
    with archive.database.read() as connection:
        return audit.after(connection, 0, 1000)


def test_every_kind_of_event_has_a_form() -> None:
    assert set(FORMS) == set(EventKind)


def test_what_is_stored_and_deleted_is_a_record_a_study_and_actor(open_archive: Open) -> None:
    archive = open_archive()
    for number in range(3):
        put(archive, part10(ct(PatientID="P1", IssuerOfPatientID="HIS", StudyInstanceUID="1.2.3",
                               SOPInstanceUID=f"1.2.3.{number}")))  # fmt: skip
    put(archive, part10(ct(PatientID="P2", StudyInstanceUID="1.2.4")), source="OTHER")
    archive.catch_up()
    archive.deletion.delete(SYSTEM, "1.2.3", reason="sent by mistake")
    archive.catch_up()
    told = [(row.kind, row.what, row.study_instance_uid, row.patient, row.reason) for row in written(archive)]
    assert told == [
        ("instances-transferred", "instance.stored", "1.2.3", "P1", ""),
        ("instances-transferred", "instance.stored", "1.2.4", "P2", ""),
        ("study-deleted", "instance.deleted", "1.2.3", "P1", "sent by mistake"),
    ]
    assert '"instances":3' in written(archive)[0].detail


def test_an_event_that_comes_twice_is_one_record(open_archive: Open) -> None:
    archive = open_archive()
    trail = archive.guarding.trail
    assert isinstance(trail, AuditTrail)
    for number in range(5):
        put(archive, part10(ct(StudyInstanceUID="1.2.3", SOPInstanceUID=f"1.2.3.{number}")))
    with archive.database.read() as connection:
        batch = events.pending(connection, 100)
    notice = Noticing(archive.database, trail)
    notice(batch)
    before = written(archive)
    notice(batch)
    notice(batch[2:3])  # what a job delivers again alone is known only by the record it is in
    assert [row.id for row in written(archive)][: len(before)] == [row.id for row in before]
    assert len(written(archive)) == len(before)


def test_of_a_long_event_the_record_has_its_digest(open_archive: Open) -> None:
    archive = open_archive()
    trail = archive.guarding.trail
    assert isinstance(trail, AuditTrail)
    detail = {"order": {"patient": {"patient_id": "P7"}, "notes": "x" * 10_000}, "by": "HIS"}
    Noticing(archive.database, trail)(
        [Event(9, EventKind.ORDER_CHANGED, datetime.now(UTC), "order:1", "", "nobody", detail)]
    )
    [row] = written(archive)
    assert (row.patient, row.study_instance_uid, len(row.detail) < 300) == ("P7", "", True)
    assert "sha256" in row.detail


def test_the_kind_of_an_actor_is_that_of_who_has_its_name(open_archive: Open) -> None:
    archive = open_archive()
    archive.accounts.add_user(SYSTEM, "doctor", "correct horse battery")
    trail = archive.guarding.trail
    assert isinstance(trail, AuditTrail)
    names = ("doctor", "vna", "link/abc", "doctor/t1", "CT_ONE", "retention:ten")
    for number, name in enumerate(names, 1000):
        Noticing(archive.database, trail)([Event(number, EventKind.HOLD_CHANGED, datetime.now(UTC), "", "", name, {})])
    kinds = {row.actor: row.actor_kind for row in written(archive) if row.what == "hold.changed"}
    assert [kinds[name] for name in names] == ["user", "system", "link", "token", "local", "system"]


def test_numbers_are_packed_as_ranges() -> None:
    assert packed([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"
    assert unpacked(packed([1, 2, 3, 7, 9, 10])) == [1, 2, 3, 7, 9, 10]
    assert unpacked("") == []


def test_search_and_export_are_by_patient_study_actor_and_time(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive()
    for patient in ("P1", "P1", "P2"):
        put(archive, part10(ct(PatientID=patient, IssuerOfPatientID="HIS")))
    archive.catch_up()
    reading = archive.guarding.reading
    found = reading.search(SYSTEM, Wanted(patient="P1", issuer="HIS"))
    assert [row.patient for row in found.rows] == ["P1", "P1"]
    assert found.before == 0
    assert len(reading.search(SYSTEM, Wanted(patient="P1"), limit=1).rows) == 1
    assert reading.search(SYSTEM, Wanted(patient="P1", until="2020")).rows == ()
    assert [row.patient for row in reading.export(SYSTEM, Wanted(kinds=(AuditKind.TRANSFER,)))] == ["P2", "P1", "P1"]
    looks = [row.what for row in written(archive) if row.kind == "application-activity"]
    assert looks == ["audit.searched"] * 3 + ["audit.exported"]


def test_without_a_row_nothing_is_handed_out(open_archive: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = open_archive()

    def broken(*_arguments: object) -> None:
        raise Unavailable("the index does not answer")

    monkeypatch.setattr("storage.index.audit.add", broken)
    with pytest.raises(Unavailable):
        archive.guarding.reading.search(SYSTEM, Wanted())
