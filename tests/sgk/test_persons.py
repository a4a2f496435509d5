"""Whoever is asked about is found under every number that images, orders and merges know, on both databases; who
looks at earlier examinations is noted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from storage.index.schema import patients, studies
from tests.archives import Backend, new_index, put, rows
from tests.routing.manifests import kos, written
from tests.sgk.conftest import AYSE, OTHER, Archive, Open, opened
from tests.sgk.test_callers import MEDULA, OWN
from tests.teleradiology.imaging import settle
from tests.teleradiology.standing_rows import report
from tests.worklist.ordering import AYSE as PATIENT
from tests.worklist.ordering import order
from vna.model.access import SYSTEM, Action
from vna.model.codes import Code
from vna.model.manifests import ListedSeries
from vna.model.orders import Coded
from vna.routing.noted import noted

OLD = "99000000040"


@pytest.fixture(params=["sqlite", "postgresql"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    """One in local mode on each database."""
    backend = Backend("sqlite+folder", tmp_path)
    if request.param == "postgresql":
        backend = Backend("postgresql+folder", tmp_path, {"VNA_DATABASE__URL": new_index(request)})
    found = opened(backend)
    yield found
    found.application.close()


def _listed(archive: Archive, patient: str = AYSE) -> list[str]:
    found = archive.ask("goruntuListele", hastaTCK=patient)
    assert found["toplam"] == str(len(found.get("goruntuBilgileri", [])))
    return sorted(one["studyInstanceUID"] for one in found.get("goruntuBilgileri", []))


def _merge(archive: Archive, old: str, new: str) -> None:
    authority = archive.application.national.profile.national_authority
    for number in (old, new):
        archive.application.patients.register(SYSTEM, f"{number}^^^&{authority}&ISO")
    archive.application.patients.merge(SYSTEM, f"{old}^^^&{authority}&ISO", f"{new}^^^&{authority}&ISO")


def test_images_are_listed_for_whom_only_other_patient_ids_name(archive: Archive) -> None:
    item = Dataset()
    item.PatientID = AYSE
    one = archive.images(PatientID="F1", OtherPatientIDs=["X", AYSE])
    two = archive.images("2", PatientID="F2", AccessionNumber="A2", OtherPatientIDsSequence=[item])
    archive.images(PatientID="F3", AccessionNumber="A3", OtherPatientIDs=OTHER)
    settle(archive.application)

    assert _listed(archive) == sorted([one, two])
    list(archive.application.reindex.run(SYSTEM))
    settle(archive.application)
    assert _listed(archive) == sorted([one, two])
    archive.application.deletion.delete(SYSTEM, one)
    settle(archive.application)
    assert _listed(archive) == [two]
    left = rows(archive.application, "select study_instance_uid, number from other_patient_ids")
    assert one not in {study for study, _ in left}


def test_a_later_study_that_names_the_patient_is_found_by_its_number_too(archive: Archive) -> None:
    """The patient's own row keeps what the first images said."""
    archive.images(PatientID="F1", AccessionNumber="A0")
    later = archive.images(PatientID="F1", OtherPatientIDs=AYSE)
    settle(archive.application)

    answer = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)
    assert [one["studyInstanceUID"] for one in answer["goruntuBilgileri"]] == [later]
    assert archive.ask("goruntuSorgula", accession="A0", hastaTCK=AYSE)["sonucKodu"] == "1007"
    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=OTHER)["sonucKodu"] == "1007"


def test_a_merged_patient_is_found_under_every_number_by_every_look_up(archive: Archive) -> None:
    before = archive.images("1", PatientID=OLD, AccessionNumber="A1")
    ordered = archive.order("B1", patient=replace(PATIENT, national_number=OLD), requested_at="20260901100000")
    named = archive.images("2", PatientID="F9", AccessionNumber="C1", OtherPatientIDs=OLD)
    filed = archive.images(PatientID=PATIENT.patient_id, AccessionNumber="D1")
    settle(archive.application)
    archive.stands(ordered, has_images=True)
    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)["sonucKodu"] == "1007"
    assert _listed(archive) == []

    _merge(archive, OLD, AYSE)

    for number in (OLD, AYSE):
        assert _listed(archive, number) == sorted([before, named, filed])
        for accession in ("A1", "C1", "D1"):
            answer = archive.ask("goruntuSorgula", accession=accession, hastaTCK=number)
            assert (answer["sonucKodu"], answer["goruntuVarMi"]) == ("0000", "true"), accession
            link = archive.ask("goruntuLinkiAl", accession=accession, hastaTCK=number, isteyenTCK=OTHER)
            assert link["sonucKodu"] == "0000"
            checked = archive.ask("accessionDogrula", accession=accession, hastaTCK=number, sutKodu="804010")
            assert checked["sonucKodu"] == "0000"
        again = archive.ask("mukerrerSorgula", hastaTCK=number, sutKodu=ordered.sut.code, islemTarihi="01.12.2026")
        assert again["mukerrer"] == "true"
    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=OTHER)["sonucKodu"] == "1007"


def test_images_that_another_archive_keeps_are_found(archive: Archive) -> None:
    said = {
        "00100020": {"vr": "LO", "Value": ["X"]},
        "00101000": {"vr": "LO", "Value": [AYSE]},
        "00080050": {"vr": "SH", "Value": ["A7"]},
        "00080020": {"vr": "DA", "Value": ["20260105"]},
        "0020000D": {"vr": "UI", "Value": ["1.77"]},
    }
    listed = ListedSeries("1.77", "1.77.1", "", "", ((CTImageStorage, "1.77.1.1"),))
    archive.application.store.note(SYSTEM, list(noted(listed, said, "500060", "2026-11-30T10:00:00.000000+00:00")))
    manifest = kos("1.78", {"1.78.1": ["1.78.1.1"]}, location="1.2.9", PatientID=AYSE, AccessionNumber="A8")
    put(archive.application, written(manifest))
    settle(archive.application)

    for accession, study in (("A7", "1.77"), ("A8", "1.78")):
        answer = archive.ask("goruntuSorgula", accession=accession, hastaTCK=AYSE)
        assert (answer["sonucKodu"], answer["goruntuVarMi"]) == ("0000", "true")
        assert [one["studyInstanceUID"] for one in answer["goruntuBilgileri"]] == [study]
    assert _listed(archive) == ["1.77", "1.78"]


def test_a_list_has_the_newest_two_hundred_and_counts_them_all(archive: Archive) -> None:
    with archive.application.database.transaction() as connection:
        made = sa.insert(patients).values(patient_id=AYSE, issuer="", patient_name="", attributes="{}")
        key = connection.execute(made.returning(patients.c.id)).scalar_one()
        connection.execute(
            sa.insert(studies),
            [
                {
                    "study_instance_uid": f"1.9.{number}",
                    "patient_fk": key,
                    "study_date": f"2026{number * 7 % 12 + 1:02}{number * 5 % 28 + 1:02}",
                    "study_time": f"{number * 11 % 24:02}0000",
                    "modalities": "\\CT\\",
                    "attributes": "{}",
                }
                for number in range(203)
            ],
        )

    answer = archive.ask("goruntuListele", hastaTCK=AYSE)

    newest = "select study_instance_uid from studies order by study_date desc, study_time desc, id desc limit 200"
    wanted = [uid for (uid,) in rows(archive.application, newest)]
    assert [row["studyInstanceUID"] for row in answer["goruntuBilgileri"]] == wanted
    assert (len(wanted), answer["toplam"]) == (200, "203")


_LOOKS = "select national_number, sut_code, doctor_number, facility, kind from looks order by id"


def test_who_asks_for_earlier_examinations_is_noted_with_an_event_and_the_audit(archive: Archive) -> None:
    code = Code("500060", "Hastane", {"medula_code": "11060002"})
    archive.application.national.codes.load(SYSTEM, "facilities", "1", [code])
    archive.ask("mukerrerSorgula", saglikTesisKodu=11060002, hastaTCK=AYSE, sutKodu="804000")

    noted_looks = [(AYSE, "804000", "", "500060", "query")]
    assert rows(archive.application, _LOOKS) == noted_looks
    told = rows(archive.application, "select kind from events where kind in ('looked.up', 'previous.seen')")
    assert sorted(told) == [("looked.up",), ("previous.seen",)]
    assert archive.audited()[0]["result"] == "0000"
    settle(archive.application)
    list(archive.application.reindex.run(SYSTEM))
    assert rows(archive.application, _LOOKS) == noted_looks


def test_a_look_that_cannot_be_audited_is_no_look_and_is_not_answered(archive: Archive) -> None:
    """All of it or nothing, though there may be one statement or three."""
    with archive.application.database.transaction() as connection:
        connection.execute(sa.text("drop table looks"))

    answer = archive.ask("mukerrerSorgula", hastaTCK=AYSE, sutKodu="804000")

    assert answer["sonucKodu"] == "9000"
    told = rows(archive.application, "select count(*) from events where kind in ('looked.up', 'previous.seen')")
    assert told == [(0,)]


def test_a_doctor_who_opened_the_link_may_repeat_the_examination(open_lookups: Open, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text("[rules.duplicate]\nmonths = 1200\n")
    archive = open_lookups(national={"profile": str(site)})
    placed = archive.order(modality="CT", requested_at=f"{datetime.now(UTC):%Y}0101000000")
    archive.images(PatientID=AYSE)
    report(archive.application, placed.key)
    again = order("A2", "500059", modality="CT", requested_at="20991231", repeat_reason=Coded("3"), patient_class="O")
    archive.application.national.orders.place(SYSTEM, again)

    def reasons() -> tuple[str, ...]:
        settle(archive.application)
        return archive.application.national.orders.get(SYSTEM, again.key).standing.reasons

    assert "not-looked" in reasons()
    answer = archive.ask("goruntuLinkiAl", accession="A1", hastaTCK=AYSE, isteyenTCK=again.ordering_doctor.number)
    assert archive.web.get(answer["url"]).status_code == 303
    settle(archive.application)
    archive.application.national.orders.place(SYSTEM, replace(again, clinical_information="changed"))

    assert "not-looked" not in reasons()


def test_where_break_glass_is_not_allowed_no_link_is_given(open_lookups: Open) -> None:
    archive = open_lookups(security={"mode": "enforced"}, national={"break_glass": False})
    own = Code(OWN, "Hastane", {"medula_code": MEDULA[OWN]})
    archive.application.national.codes.load(SYSTEM, "facilities", "1", [own])
    archive.user("hospital", Action.LOOK_UP, facility=OWN)
    archive.images("500060", PatientID=AYSE)
    fields = {"saglikTesisKodu": MEDULA[OWN], "accession": "A1", "hastaTCK": AYSE, "isteyenTCK": OTHER}

    assert set(archive.ask("goruntuLinkiAl", "hospital", **fields)) == {"sonucKodu", "sonucMesaji"}
    assert rows(archive.application, "select count(*) from links") == [(0,)]
    assert archive.audited()[0]["result"] == "1010"
    archive.order("B1", OWN)
    assert re.search("/l/", archive.ask("goruntuLinkiAl", "hospital", **fields)["url"])
