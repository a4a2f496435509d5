"""Holds: what is on hold is removed through no door, on both pairs of stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.index import patients
from tests.archive.test_rejection import settle
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.archive.holds import Holds
from vna.model.access import SYSTEM
from vna.model.errors import BadRequest, Conflict, NotFound
from vna.model.identifiers import PatientKey

TODAY = datetime.now(UTC).date()


def test_what_is_on_hold_is_deleted_only_when_the_hold_is_over(open_archive: Open) -> None:
    archive = open_archive()
    held = put(archive, part10(ct(PatientID="P1"))).study_instance_uid
    free = put(archive, part10(ct(PatientID="P2"))).study_instance_uid
    holds = archive.keeping.holds
    on_study = holds.add(SYSTEM, held, reason="court order 17", until=TODAY)
    on_patient = holds.add(SYSTEM, patient_id="P2", reason="a complaint")

    for study, words in ((held, "court order 17"), (free, "a complaint")):
        with pytest.raises(Conflict, match=words):
            archive.deletion.delete(SYSTEM, study)
        with archive.database.read() as connection:
            assert Holds.held(connection, study)
    assert rows(archive, "select count(*) from instances") == [(2,)]

    holds.release(SYSTEM, on_study.name)
    holds.release(SYSTEM, on_patient.name)
    assert archive.deletion.delete(SYSTEM, held) == archive.deletion.delete(SYSTEM, free) == 1


def test_a_hold_of_another_issuer_and_one_that_is_over_hold_nothing(open_archive: Open) -> None:
    archive = open_archive()
    study = put(archive, part10(ct(PatientID="P1", IssuerOfPatientID="HIS"))).study_instance_uid
    archive.keeping.holds.add(SYSTEM, patient_id="P1", issuer="RIS", reason="another")
    over = archive.keeping.holds.add(SYSTEM, study, reason="soon over", until=TODAY)
    with archive.database.transaction() as connection:
        connection.exec_driver_sql(f"update holds set until = '{TODAY - timedelta(days=1)}' where name = '{over.name}'")
    assert archive.deletion.delete(SYSTEM, study) == 1


def test_a_hold_on_a_patient_holds_his_images_in_a_study_of_another(open_archive: Open) -> None:
    archive = open_archive()
    study = put(archive, part10(ct(PatientID="P1"))).study_instance_uid
    put(archive, part10(ct(PatientID="P2", StudyInstanceUID=study)))
    hold = archive.keeping.holds.add(SYSTEM, patient_id="P2", reason="a complaint")
    with pytest.raises(Conflict, match="a complaint"):
        archive.deletion.delete(SYSTEM, study)
    archive.keeping.holds.release(SYSTEM, hold.name)
    assert archive.deletion.delete(SYSTEM, study) == 2


def test_a_study_that_leaves_a_patient_on_hold_stays_on_hold(open_archive: Open) -> None:
    archive = open_archive()
    study = put(archive, part10(ct(PatientID="P1"))).study_instance_uid
    hold = archive.keeping.holds.add(SYSTEM, patient_id="P1", reason="a complaint")
    with archive.database.transaction() as connection:
        patients.reassign(
            connection, study, PatientKey("P1", ""), PatientKey("P9", ""), lambda row: {**row, "patient_id": "P9"}
        )

    with pytest.raises(Conflict, match=f"a complaint .vna hold release {hold.name}."):
        archive.deletion.delete(SYSTEM, study)
    archive.keeping.holds.release(SYSTEM, hold.name)
    assert list(archive.keeping.holds.listed(SYSTEM)) == []
    assert archive.deletion.delete(SYSTEM, study) == 1


@pytest.mark.parametrize("on_patient", [False, True], ids=["study", "patient"])
def test_what_moves_out_of_a_study_on_hold_stays_on_hold(open_archive: Open, on_patient: bool) -> None:
    archive = open_archive()
    study, new = put(archive, part10(ct(PatientID="P1"))).study_instance_uid, "1.2.3.99"
    kept = put(archive, part10(ct(PatientID="P1", StudyInstanceUID=study))).series_instance_uid
    holds, reason = archive.keeping.holds, "court order 17"
    hold = holds.add(SYSTEM, patient_id="P1", reason=reason) if on_patient else holds.add(SYSTEM, study, reason=reason)

    other = PatientKey("P9", "")
    archive.keeping.corrections.move(SYSTEM, study, kept, to_study=new, to_patient=other, reason="not his")
    settle(archive)
    assert rows(archive, f"select number_of_instances from studies where study_instance_uid = '{new}'") == [(1,)]

    for _ in range(2):
        with pytest.raises(Conflict, match="court order 17"):
            archive.deletion.delete(SYSTEM, new)
        list(archive.reindex.run(SYSTEM))
        settle(archive)
    archive.keeping.holds.release(SYSTEM, hold.name)
    assert archive.deletion.delete(SYSTEM, new) == archive.deletion.delete(SYSTEM, study) == 1


def test_holds_survive_a_reindex(open_archive: Open) -> None:
    archive = open_archive()
    study = put(archive, part10(ct())).study_instance_uid
    archive.keeping.holds.add(SYSTEM, study, reason="court order 17")
    ended = archive.keeping.holds.add(SYSTEM, patient_id="P1", reason="over")
    archive.keeping.holds.release(SYSTEM, ended.name)
    before = list(archive.keeping.holds.listed(SYSTEM))
    archive.catch_up()

    list(archive.reindex.run(SYSTEM))

    assert list(archive.keeping.holds.listed(SYSTEM)) == before
    with pytest.raises(Conflict, match="court order 17"):
        archive.deletion.delete(SYSTEM, study)


def test_a_hold_says_what_and_why(open_archive: Open) -> None:
    holds = open_archive().keeping.holds
    for study, patient, reason in (("1.2", "P", "x"), ("", "", "x"), ("1.2", "", "")):
        with pytest.raises(BadRequest):
            holds.add(SYSTEM, study, patient_id=patient, reason=reason)
    with pytest.raises(BadRequest, match="over"):
        holds.add(SYSTEM, "1.2", reason="x", until=TODAY - timedelta(days=1))
    with pytest.raises(NotFound):
        holds.release(SYSTEM, "none")
