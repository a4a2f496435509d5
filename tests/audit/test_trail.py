"""The trail: what is written of an access, a refusal, a record; once a minute; by several threads in one commit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.index import audit
from storage.index.audit import AuditRow
from storage.index.engine import Database
from tests.archives import Open, put
from tests.objects import ct, part10
from vna.audit import key as keys
from vna.audit.rows import is_whole, record_of
from vna.audit.trail import AuditTrail
from vna.model.access import Action, Actor, ActorKind, Purpose
from vna.model.audit import AuditKind, AuditRecord, Outcome
from vna.model.errors import NotAuthorized, Unavailable
from vna.model.instances import Selection

DOCTOR = Actor(ActorKind.USER, "doctor", frozenset({Action.RETRIEVE}), facility="34001", address="10.0.0.7")
STUDY = "1.2.3.4"


@pytest.fixture
def trail(database: Database, tmp_path: Path) -> AuditTrail:
    keys.make(tmp_path / "audit.key")
    return AuditTrail(database, keys.read(tmp_path / "audit.key"))


def written(database: Database) -> list[AuditRow]:
    with database.read() as connection:
        return audit.after(connection, 0, 1000)


def test_a_record_comes_back_as_it_was(database: Database, trail: AuditTrail, tmp_path: Path) -> None:
    record = AuditRecord(
        kind=AuditKind.QUERY,
        what="ITI-18",
        actor=replace(DOCTOR, rights=frozenset(), person="10000000146", purpose=Purpose.EMERGENCY),
        at=datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        outcome=Outcome.SERIOUS_FAILURE,
        study_instance_uid=STUDY,
        patient="P1^^^HIS",
        facility="34002",
        reason="found unconscious",
        detail={"keys": ["Ş\x00"]},
        event_id=7,
    )
    trail.record(record)
    [row] = written(database)
    assert record_of(row) == record
    assert is_whole(keys.read(tmp_path / "audit.key"), row)
    assert not is_whole(keys.read(tmp_path / "audit.key"), replace(row, id=row.id + 1))


def test_what_no_database_keeps_is_kept_as_near_as_can_be(database: Database, trail: AuditTrail) -> None:
    trail.refused(DOCTOR, Action.RETRIEVE, "a\0b\ud800" + "c" * 9000, "no")
    [row] = written(database)
    assert "ab" in record_of(row).detail["unwritten"].replace("\\x00", "")
    trail.record(AuditRecord(AuditKind.QUERY, "C-FIND\0", DOCTOR, datetime.now(UTC), detail={"key": "x" * 100_000}))
    assert written(database)[1].what == "C-FIND\ufffd"
    assert len(written(database)[1].detail) < 3000


def test_access_is_written_once_an_actor_study_and_purpose_in_a_window(database: Database, trail: AuditTrail) -> None:
    for _ in range(3):
        trail.accessed(DOCTOR, STUDY)
    trail.accessed(replace(DOCTOR, purpose=Purpose.EMERGENCY, reason="bleeding"), STUDY)
    trail.accessed(replace(DOCTOR, name="other"), STUDY)
    trail.accessed(DOCTOR, "1.2.3.5")
    assert [(row.actor, row.study_instance_uid, row.purpose) for row in written(database)] == [
        ("doctor", STUDY, "TREAT"),
        ("doctor", STUDY, "ETREAT"),
        ("other", STUDY, "TREAT"),
        ("doctor", "1.2.3.5", "TREAT"),
    ]


def test_a_window_closes_after_a_minute(database: Database, trail: AuditTrail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vna.audit.trail.WINDOW_SECONDS", 0.0)
    trail.accessed(DOCTOR, STUDY)
    trail.accessed(DOCTOR, STUDY)
    assert len(written(database)) == 2


def test_threads_that_come_at_once_are_all_written_and_each_window_once(database: Database, trail: AuditTrail) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: trail.accessed(DOCTOR, f"1.2.{number % 10}"), range(200)))
    assert sorted(row.study_instance_uid for row in written(database)) == sorted(f"1.2.{n}" for n in range(10))


def test_nothing_is_given_that_cannot_be_written(tmp_path: Path) -> None:
    keys.make(tmp_path / "audit.key")
    broken = AuditTrail(Database(f"sqlite:///{tmp_path}/empty.sqlite"), keys.read(tmp_path / "audit.key"))
    for _ in range(2):  # a failure opens no window
        with pytest.raises(Unavailable):
            broken.accessed(DOCTOR, STUDY)


def test_reads_and_refusals_of_the_use_cases_are_in_the_trail(open_archive: Open) -> None:
    archive = open_archive(security={"mode": "enforced"})
    put(archive, part10(ct(PatientID="P1", IssuerOfPatientID="HIS", StudyInstanceUID=STUDY)))
    assert archive.retrieval.instances(DOCTOR, Selection(study_uids=(STUDY,)))
    with pytest.raises(NotAuthorized):
        archive.deletion.delete(DOCTOR, STUDY, reason="none")
    told = [(row.kind, row.what, row.actor, row.patient, row.issuer) for row in written(archive.database)]
    assert ("instances-accessed", "retrieve", "doctor", "P1", "HIS") in told
    assert ("refusal", "delete", "doctor", "P1", "HIS") in told


def test_the_key_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.key"
    keys.make(path)
    first = path.read_text()
    keys.make(path)
    assert path.read_text() == first
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "abc", "00" * 31, "ğ"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "audit.key").write_text(text)
    with pytest.raises(Unavailable, match="audit"):
        keys.read(tmp_path / "audit.key")


def test_what_an_older_key_wrote_is_verified_by_a_file_with_both(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("11" * 32)
    (tmp_path / "both").write_text("22" * 32 + "\n" + "11" * 32)
    old, both = keys.read(tmp_path / "old"), keys.read(tmp_path / "both")
    assert both.is_of(b"message", old.mac(b"message"), old.key_id)
    assert not old.is_of(b"message", both.mac(b"message"), both.key_id)
