"""ADT of hospitals: updates and merges change what every door shows of that hospital's patients, on both stores."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from pydicom import Dataset

from storage.index import rebuild
from tests.archive.test_reindex import answers
from tests.archives import Open, rows
from tests.hl7.conftest import Feed
from tests.hl7.messages import DOMAIN, adt, cx
from tests.objects import ct, part10
from tests.worklist.ordering import AYSE, WHENEVER, order
from vna.app import Application
from vna.app.doors import hl7_dispatch
from vna.model.access import SYSTEM, Peer
from vna.model.instances import Arrival, Door, Selection
from vna.model.orders import OrderedPatient, OrderKey
from vna.model.query import Key, Level, Match, Query
from vna.model.sources import Source

HERE, THERE = "500059", "600001"
ACCEPTED = ("AA", "", "")


@dataclass(frozen=True, slots=True)
class Hospital:
    """An archive whose known stations and sources are two hospitals'."""

    archive: Application
    feed: Feed

    def tell(self, event: str, pid: str = "F1001", **options: Any) -> tuple[str, str, str]:
        answer = self.feed(adt(event, pid, **options))
        self.archive.workers().drain()
        self.archive.dispatcher().drain()
        return answer

    def store(self, station: str = "CT1", **attributes: Any) -> str:
        values = {"PatientID": "F1001", "PatientName": "ESKİ^AD", "PatientBirthDate": "19800101", **attributes}
        arrival, actor = Arrival(Door.IMPORT, calling_ae=station), self.archive.peers.actor_for(station, "127.0.0.1")
        with self.archive.store.open(actor, arrival) as incoming:
            incoming.write(part10(ct(**values)))
            return self.archive.store.accept(incoming, actor, arrival).sop_instance_uid

    def said(self, uid: str) -> tuple[str, str, str]:
        """Patient ID, name and birth date: the same in metadata, in the file and by a search."""
        (instance,) = self.archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,)))
        metadata = orjson.loads(self.archive.retrieval.metadata(SYSTEM, instance))
        file = pydicom.dcmread(io.BytesIO(self.archive.retrieval.part10(SYSTEM, instance).read()))
        shown = file.PatientID, str(file.PatientName), file.PatientBirthDate
        assert shown == _shown(metadata)
        (image,) = self.find(Level.IMAGE, ("00080018", "UI", uid))
        assert shown == _shown(image.elements)
        return shown

    def sent(self, uid: str) -> tuple[str, str]:
        """Patient ID and name of the file."""
        (instance,) = self.archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,)))
        file = pydicom.dcmread(io.BytesIO(self.archive.retrieval.part10(SYSTEM, instance).read()))
        return file.PatientID, str(file.PatientName)

    def find(self, level: Level, *keys: tuple[str, str, str]) -> list[Match]:
        query = Query(level, tuple(Key((tag,), vr, (value,)) for tag, vr, value in keys), returns=None)
        return list(self.archive.search.find(SYSTEM, query).matches)

    def names(self, patient_id: str) -> list[str]:
        """Of patients, as a search lists them."""
        found = self.find(Level.PATIENT, ("00100020", "LO", patient_id))
        return sorted(one.own["00100010"]["Value"][0]["Alphabetic"] for one in found)

    def ordered(self, number: str, facility: str = HERE) -> OrderedPatient:
        return self.archive.national.orders.get(SYSTEM, OrderKey(facility, number)).order.patient

    def reindex(self) -> None:
        with self.archive.database.transaction() as connection:
            rebuild.empty(connection)
        list(self.archive.reindex.run(SYSTEM))


def _shown(elements: Any) -> tuple[str, str, str]:
    name, birth_date = (elements[tag].get("Value", [""])[0] for tag in ("00100010", "00100030"))
    return elements["00100020"]["Value"][0], name["Alphabetic"], birth_date


def opened(open_archive: Open, **xds: object) -> Hospital:
    archive = open_archive(
        xds={"affinity_domain": DOMAIN, **xds}, hl7={"port": 0, "namespace": "KIMLIK"}, national=WHENEVER
    )
    for station, facility, application in (("CT1", HERE, "HIS"), ("CT2", THERE, "HIS2")):
        archive.peers.add(SYSTEM, Peer(station, facility=facility))
        archive.sources.add(SYSTEM, Source(application.lower(), application, "", ("127.0.0.1",), facility))
    return Hospital(archive, Feed(archive, hl7_dispatch(archive)))


@pytest.fixture
def hospital(open_archive: Open) -> Hospital:
    return opened(open_archive)


def test_an_update_is_shown_on_every_way_out_and_the_bytes_stay(hospital: Hospital) -> None:
    first, elsewhere = hospital.store(), hospital.store("CT2")
    stored = rows(hospital.archive, "select sop_instance_uid, blob, sha256 from instances order by 1")

    assert hospital.tell("A08", "F1001^^^HBYS^MR", name="YENİ^AYŞE^^^DR") == ACCEPTED

    assert hospital.said(first) == ("F1001", "YENİ^AYŞE^^DR", "19700101")
    assert hospital.said(elsewhere) == ("F1001", "ESKİ^AD", "19800101")
    assert hospital.names("F1001") == ["ESKİ^AD", "YENİ^AYŞE^^DR"]
    assert len(hospital.find(Level.STUDY, ("00100010", "PN", "yeni^ayse*"))) == 1
    assert rows(hospital.archive, "select sop_instance_uid, blob, sha256 from instances order by 1") == stored
    assert {row[0] for row in rows(hospital.archive, "select version from instances")} == {1, 2}


@pytest.mark.parametrize("event", ["A08", "A31"])
def test_what_comes_later_says_it_from_the_start(hospital: Hospital, event: str) -> None:
    study = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}
    hospital.store(**study)
    hospital.tell(event, name="YENİ^AYŞE")
    hospital.archive.store._looked_at = 0.0  # as after two seconds

    same_series, another = hospital.store(**study), hospital.store()

    assert {hospital.said(uid)[1] for uid in (same_series, another)} == {"YENİ^AYŞE"}
    assert hospital.names("F1001") == ["YENİ^AYŞE"]


def test_what_was_stored_into_a_series_that_is_remembered_is_found_by_the_job_that_comes_again(
    hospital: Hospital,
) -> None:
    study = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}
    hospital.store(**study)
    hospital.tell("A08", name="YENİ^AYŞE")
    late = hospital.store(**study)  # within the two seconds

    with hospital.archive.database.transaction() as connection:
        connection.exec_driver_sql("update jobs set run_after = ''")
    hospital.archive.workers().drain()

    assert hospital.said(late)[1] == "YENİ^AYŞE"


def test_the_newest_update_counts_and_the_same_again_writes_nothing(hospital: Hospital) -> None:
    uid = hospital.store()
    for name in ("BİR^AD", "İKİ^AD", "İKİ^AD"):
        hospital.tell("A08", name=name)

    assert hospital.said(uid)[1] == "İKİ^AD"
    assert rows(hospital.archive, "select count(*) from events where kind = 'patient.updated'") == [(2,)]
    assert rows(hospital.archive, "select count(*) from events where kind = 'instance.corrected'") == [(2,)]


def test_an_update_that_is_sent_again_late_takes_nothing_back(hospital: Hospital) -> None:
    uid = hospital.store()
    first = adt("A08", "F1001", name="İLK^AD", control_id="U1")
    answer = hospital.feed.dispatch.answer(first.encode(), "127.0.0.1")
    assert hospital.tell("A08", "F1001", name="SON^AD", control_id="U2") == ACCEPTED
    assert hospital.feed.dispatch.answer(first.encode(), "127.0.0.1") == answer, "the answer of then, MSH-10 and all"
    sent_anew = first.replace("|20260102030405||ADT", "|20260102040000||ADT")
    assert hospital.feed.dispatch.answer(sent_anew.encode(), "127.0.0.1") == answer
    hospital.archive.workers().drain()
    assert hospital.said(uid)[1] == "SON^AD"


def test_an_admission_that_is_sent_again_after_a_merge_is_accepted_as_it_was(hospital: Hospital) -> None:
    admission = adt("A04", cx("D1"), control_id="R1")
    assert hospital.feed(admission) == ACCEPTED
    assert hospital.feed(adt("A40", cx("D2"), mrg=cx("D1"), control_id="R2")) == ACCEPTED
    assert hospital.feed(admission) == ACCEPTED
    assert hospital.feed(adt("A04", cx("D1"), control_id="R3"))[0] == "AE", "D1 is somebody else since"


def test_control_ids_that_come_round_again_keep_nothing_from_being_done(hospital: Hospital) -> None:
    uid = hospital.store()
    for name in ("BİR^AD", "İKİ^AD", "BİR^AD"):
        assert hospital.tell("A08", "F1001", name=name, control_id="1") == ACCEPTED
        assert hospital.said(uid)[1] == name
    assert rows(hospital.archive, "select count(*) from received_messages") == [(1,)]


def test_what_was_refused_of_a_patient_is_not_noted_nor_a_control_id_that_cannot_be(hospital: Hospital) -> None:
    assert hospital.tell("A08", "F1001", name="AD^AD", control_id="Ş" * 200) == ACCEPTED
    assert hospital.tell("A08", "F1001", name="AD^AD", control_id="A\\X00\\B") == ACCEPTED
    assert hospital.tell("A40", "F1001", mrg="F1001", control_id="1")[0] == "AE"
    assert rows(hospital.archive, "select count(*) from received_messages") == [(0,)]


def test_admissions_keep_an_update_current_and_change_nothing_by_themselves(hospital: Hospital) -> None:
    uid = hospital.store()

    for event in ("A01", "A04", "A05"):
        assert hospital.tell(event, name="BAŞKA^AD") == ACCEPTED
    assert hospital.said(uid)[1] == "ESKİ^AD"

    hospital.tell("A08", name="YENİ^AYŞE")
    hospital.tell("A01", name="DAHA^YENİ")
    assert hospital.said(uid)[1] == "DAHA^YENİ"


def test_orders_follow_an_update_and_the_worklist_shows_it(hospital: Hospital) -> None:
    orders = hospital.archive.national.orders
    orders.place(SYSTEM, order("A1"))
    orders.place(SYSTEM, order("A2", facility=THERE))

    hospital.tell("A08", name="YENİ^AYŞE")

    assert hospital.ordered("A1") == replace(AYSE, name="YENİ^AYŞE", birth_date="19700101")
    assert hospital.ordered("A2", THERE) == AYSE
    keys = (Key(("00100010",), "PN", ("yeni*",)),)
    assert len(hospital.archive.national.schedule.find(SYSTEM, Query(Level.PATIENT, keys)).matches) == 1


def pid4(message: str, number: str, pid: str = "F1001") -> str:
    return message.replace(f"PID|||{pid}||", f"PID|||{pid}|{number}|")


def test_an_update_by_the_national_number_alone_reaches_the_file_numbers_that_orders_have_for_it(
    hospital: Hospital,
) -> None:
    hospital.archive.national.orders.place(SYSTEM, order("A1"))
    by_file, by_number, elsewhere = (
        hospital.store(),
        hospital.store(PatientID="10000000146"),
        hospital.store("CT2", PatientID="10000000146"),
    )
    message = pid4(adt("A08", "", name="YENİ^AYŞE"), "10000000146^^^TC", "")

    assert hospital.feed(message) == ACCEPTED
    hospital.archive.workers().drain()
    hospital.archive.dispatcher().drain()

    assert [hospital.said(uid)[1] for uid in (by_file, by_number, elsewhere)] == ["YENİ^AYŞE", "YENİ^AYŞE", "ESKİ^AD"]
    assert hospital.ordered("A1").name == "YENİ^AYŞE"


def test_a_merge_of_file_numbers_makes_images_and_orders_the_survivors(hospital: Hospital) -> None:
    old, new = hospital.store(), hospital.store(PatientID="F2002", PatientName="ASIL^AD")
    elsewhere = hospital.store("CT2")
    hospital.archive.national.orders.place(SYSTEM, order("A1"))

    for _ in range(2):
        assert hospital.tell("A40", "F2002^^^TC", mrg="F1001^^^TC", name="ASIL^AD") == ACCEPTED

    assert {hospital.said(uid) for uid in (old, new)} == {("F2002", "ASIL^AD", "19700101")}
    assert hospital.said(elsewhere) == ("F1001", "ESKİ^AD", "19800101")
    assert len(hospital.find(Level.STUDY, ("00100020", "LO", "F2002"))) == 2
    assert hospital.ordered("A1").patient_id == "F2002"
    assert rows(hospital.archive, "select count(*) from events where kind = 'patient.merged'") == [(1,)]

    late = hospital.store()
    hospital.archive.national.orders.place(SYSTEM, order("A3"))
    assert hospital.said(late)[0] == "F2002"
    assert hospital.ordered("A3").patient_id == "F2002"

    hospital.tell("A08", "F1001", name="SON^AD")
    assert {hospital.said(uid)[1] for uid in (old, new, late)} == {"SON^AD"}


def test_merges_into_ones_self_and_rings_are_refused_and_chains_followed(hospital: Hospital) -> None:
    uid = hospital.store(PatientID="A")
    assert hospital.tell("A40", "A", mrg="A")[0] == "AE"
    assert hospital.tell("A40", "B", mrg="A") == ACCEPTED
    assert hospital.tell("A40", "C", mrg="B") == ACCEPTED
    for surviving, subsumed in (("A", "C"), ("A", "B"), ("D", "A")):
        assert hospital.tell("A40", surviving, mrg=subsumed) == ("AE", "204", "")

    assert hospital.said(uid)[0] == "C"


def test_merges_of_the_hospital_and_of_the_domain_that_lead_back_leave_everybody_who_he_is(
    open_archive: Open, tmp_path: Path
) -> None:
    profile = tmp_path / "same.toml"
    profile.write_text('[[patients]]\nissuer = "*"\n', "utf-8")
    hospital = opened(open_archive, profile=str(profile))
    one, two = hospital.store(), hospital.store(PatientID="F2002")
    hospital.archive.patients.register(SYSTEM, cx("F1001"))
    hospital.archive.patients.merge(SYSTEM, cx("F1001"), cx("F2002"))

    hospital.tell("A40", "F1001", mrg="F2002")

    assert [hospital.said(uid)[0] for uid in (one, two)] == ["F1001", "F2002"]


def test_numbers_of_the_domain_are_merged_there_and_own_numbers_beside_them_here(hospital: Hospital) -> None:
    uid = hospital.store()
    hospital.tell("A04", f"F1001~{cx('D1')}")

    assert hospital.tell("A40", f"F2002~{cx('D2')}", mrg=f"F1001~{cx('D1')}") == ACCEPTED

    merged = "select p.value from patient_identifiers p where merged_into is not null order by 1"
    assert rows(hospital.archive, merged) == [("D1",), ("F1001",)]
    assert hospital.said(uid)[0] == "F2002"


WRONG = (
    (adt("A08", "F1^^^&1.2.3&ISO"), ACCEPTED),  # somebody else's: nothing is said of patients of ours
    (adt("A08", "F\\T\\1"), ("AE", "102", "PID")),
    (adt("A40", "F1~F2", mrg="F3"), ("AE", "102", "MRG")),
    (adt("A40", "F1", mrg=""), ("AE", "101", "MRG")),
    (adt("A08", "F1", name="X" * 5000), ("AE", "102", "")),
    (adt("A08", "F1").replace("19700101", "1970-13"), ("AE", "102", "PID")),
    (adt("A08", "F1").replace("|19700101|F", "|19700101|Q"), ("AE", "103", "PID")),
)


def test_what_is_wrong_is_named_and_nothing_is_kept(hospital: Hospital) -> None:
    for message, (code, condition, segment) in WRONG:
        answer = hospital.feed(message)
        assert (answer[0], answer[1], answer[2].split("-")[0]) == (code, condition, segment), message
    assert rows(hospital.archive, "select count(*) from events where kind like 'patient.%'") == [(0,)]


def test_a_reindex_brings_updates_and_merges_back(hospital: Hospital) -> None:
    uids = [hospital.store(), hospital.store(PatientID="F2002"), hospital.store("CT2")]
    hospital.archive.national.orders.place(SYSTEM, order("A1"))
    hospital.tell("A08", name="YENİ^AYŞE")
    hospital.tell("A40", "F2002", mrg="F1001", name="ASIL^AD")
    uids.append(hospital.store())
    hospital.archive.dispatcher().drain()
    before = answers(hospital.archive), [hospital.said(uid) for uid in uids], hospital.ordered("A1")

    hospital.reindex()

    after = answers(hospital.archive), [hospital.said(uid) for uid in uids], hospital.ordered("A1")
    assert after == before
    hospital.archive.workers().drain()
    assert [hospital.said(uid) for uid in uids] == before[1]
    assert hospital.names("F2002") == ["ASIL^AD"]


def test_an_update_whose_job_was_not_done_is_followed_after_a_reindex(hospital: Hospital) -> None:
    uid = hospital.store()
    assert hospital.feed(adt("A08", "F1001", name="YENİ^AYŞE")) == ACCEPTED
    hospital.archive.dispatcher().drain()

    hospital.reindex()
    hospital.archive.workers().drain()

    assert hospital.said(uid)[1] == "YENİ^AYŞE"


def test_a_value_is_taken_away_by_two_quotation_marks(hospital: Hospital) -> None:
    uid = hospital.store()

    hospital.feed(adt("A08", "F1001", name='""').replace("|19700101|", '|""|'))
    hospital.archive.workers().drain()

    (instance,) = hospital.archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,)))
    file: Dataset = pydicom.dcmread(io.BytesIO(hospital.archive.retrieval.part10(SYSTEM, instance).read()))
    assert (file.PatientName, file.PatientBirthDate) == ("ESKİ^AD", "")


def test_whatever_the_issuer_an_update_reaches_the_studies_of_the_hospital_and_no_others(hospital: Hospital) -> None:
    issued = {"IssuerOfPatientID": "VNA-DEMO"}
    own, foreign = hospital.store(**issued), hospital.store("CT2", **issued)
    elsewhere = hospital.store(IssuerOfPatientID=THERE)  # the other hospital's number, taken here

    assert hospital.tell("A08", name="YENİ^AYŞE") == ACCEPTED  # at once: no time passes here

    assert hospital.sent(own) == ("F1001", "YENİ^AYŞE")
    assert hospital.sent(hospital.store(**issued)) == ("F1001", "YENİ^AYŞE")
    assert {hospital.sent(uid) for uid in (foreign, elsewhere)} == {("F1001", "ESKİ^AD")}
    assert hospital.sent(hospital.store("CT2", **issued)) == ("F1001", "ESKİ^AD")
    assert hospital.names("F1001") == ["ESKİ^AD", "ESKİ^AD"]  # rows that others share


def test_the_patient_of_a_hospitals_studies_alone_is_renamed_as_well(hospital: Hospital) -> None:
    uid = hospital.store(IssuerOfPatientID="VNA-DEMO")
    hospital.tell("A08", name="YENİ^AYŞE")
    assert hospital.said(uid) == ("F1001", "YENİ^AYŞE", "19700101")
    assert hospital.names("F1001") == ["YENİ^AYŞE"]

    before = answers(hospital.archive)
    hospital.reindex()
    assert answers(hospital.archive) == before


def test_whatever_the_issuer_a_merge_moves_the_studies_of_the_hospital_and_no_others(hospital: Hospital) -> None:
    issued = {"IssuerOfPatientID": "VNA-DEMO"}
    hospital.archive.national.orders.place(
        SYSTEM, order("B1", patient=replace(AYSE, patient_id="F2001", national_number=""))
    )
    own, foreign = (hospital.store(station, PatientID="F2001", **issued) for station in ("CT1", "CT2"))
    hospital.store("CT2", PatientID="F3001", IssuerOfPatientID="OTHER")

    assert hospital.tell("A40", "F3001", mrg="F2001") == ACCEPTED
    named = {"PatientID": "F2001", "AccessionNumber": "B1"}
    late = [
        hospital.store(StudyInstanceUID="1.2.3", **named, **issued),
        hospital.store(StudyInstanceUID="1.2.4", **named),
    ]
    hospital.archive.dispatcher().drain()

    assert [hospital.sent(uid)[0] for uid in (own, *late, foreign)] == ["F3001", "F3001", "F3001", "F2001"]
    kept = rows(hospital.archive, "select patient_id, issuer, number_of_studies from patients order by 1, 2")
    assert kept == [("F2001", "VNA-DEMO", 1), ("F3001", HERE, 1), ("F3001", "OTHER", 1), ("F3001", "VNA-DEMO", 2)]
    matched = rows(hospital.archive, "select study_instance_uid, rule from order_matches order by 1")
    assert matched == [("1.2.3", "file number"), ("1.2.4", "file number")]
    assert rows(hospital.archive, "select * from jobs where state = 'dead'") == []


def test_images_follow_updates_and_merges_at_once_and_again_a_minute_later(hospital: Hospital) -> None:
    hospital.feed(adt("A40", "F2", mrg="F1"))
    queued = rows(hospital.archive, "select kind, run_after <> '' from jobs where kind in ('merge', 'update-patient')")
    assert sorted((kind, bool(later)) for kind, later in queued) == [
        ("merge", False),
        ("merge", True),
        ("update-patient", False),
        ("update-patient", True),
    ]
