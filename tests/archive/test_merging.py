"""What a merge of patients means for images, on both pairs of stores."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, generate_uid

from storage.index import rebuild
from tests.archive.test_reindex import answers
from tests.archives import Backend, Open, put, rows
from tests.objects import ct, part10
from vna.app import Application, build
from vna.archive.merging import Merging
from vna.archive.reindex import Step
from vna.model.access import SYSTEM, Coercion, Peer
from vna.model.events import EventKind
from vna.model.instances import Outcome, Selection
from vna.model.query import Key, Level, Match, Query
from vna.settings import XdsSettings

DOMAIN = "1.2.826.0.1.3680043.10.1561.60"
NATIONAL, OTHER_NATIONAL = "10000000146", "10000000078"
PROFILE = """
[[patients]]
issuer = "LOCAL"
authority = "1.2.826.0.1.3680043.10.1561.62"
affinity = "national"
[[patients]]
issuer = "*"
"""
COUNTS = (
    "select patient_id, issuer, number_of_studies, number_of_series, number_of_instances from patients order by 1, 2"
)
CONFLICTS = "select study_instance_uid, patient_id, issuer from conflicts order by 1, 2, 3"

OpenMerging = Callable[..., Application]


def cx(value: str) -> str:
    return f"{value}^^^&{DOMAIN}&ISO"


@pytest.fixture
def open_merging(open_archive: Open, backend: Backend) -> OpenMerging:
    """`open_merging(storage={...})`: Patient IDs are those of the domain, but for the issuer LOCAL."""
    profile = backend.folder / "profile.toml"
    profile.write_text(PROFILE, "utf-8")

    def make(**sections: dict[str, object]) -> Application:
        return open_archive(xds={"affinity_domain": DOMAIN, "profile": str(profile)}, **sections)

    return make


@pytest.fixture
def archive(open_merging: OpenMerging) -> Application:
    return open_merging()


def tell(archive: Application, *merges: tuple[str, str]) -> None:
    """Each is merged into the other; nothing is done about it yet."""
    for old, new in merges:
        archive.patients.register(SYSTEM, cx(old))
        archive.patients.merge(SYSTEM, cx(old), cx(new))


def merge(archive: Application, *merges: tuple[str, str]) -> None:
    tell(archive, *merges)
    archive.workers().drain()


def found(archive: Application, patient_id: str, level: Level = Level.STUDY) -> list[Match]:
    """What a search by Patient ID gives."""
    query = Query(level, keys=(Key(("00100020",), "LO", (patient_id,)),), returns=None)
    return list(archive.search.find(SYSTEM, query).matches)


def studies(archive: Application, patient_id: str) -> set[str]:
    return {one.study_instance_uid for one in found(archive, patient_id)}


def sent(archive: Application, uid: str) -> Dataset:
    """An instance as it goes out as a file."""
    (instance,) = archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,)))
    return pydicom.dcmread(io.BytesIO(archive.retrieval.part10(SYSTEM, instance).read()))


def said(archive: Application, uid: str) -> tuple[str, str | None]:
    """Patient ID and issuer of an instance, the same in its metadata as in its file and its data set."""
    (instance,) = archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,)))
    metadata = orjson.loads(archive.retrieval.metadata(SYSTEM, instance))
    file = sent(archive, uid)
    issuer = metadata.get("00100021", {}).get("Value", [None])[0]
    assert (metadata["00100020"]["Value"][0], issuer) == (file.PatientID, file.get("IssuerOfPatientID"))
    return file.PatientID, issuer


def test_both_studies_are_the_survivors_on_every_way_out(archive: Application) -> None:
    old = put(archive, part10(ct(PatientID="OLD", PatientName="Eski^Ad")))
    new = put(archive, part10(ct(PatientID="NEW", PatientName="Yeni^Ad", PatientBirthDate="19700101")))

    merge(archive, ("OLD", "NEW"))

    assert studies(archive, "NEW") == {old.study_instance_uid, new.study_instance_uid}
    assert studies(archive, "OLD") == set()
    assert rows(archive, COUNTS) == [("NEW", "", 2, 2, 2)]
    (patient,) = found(archive, "NEW", Level.PATIENT)
    assert patient.own["00100010"]["Value"] == [{"Alphabetic": "Yeni^Ad"}]
    assert said(archive, old.sop_instance_uid) == ("NEW", None)
    out = sent(archive, old.sop_instance_uid)
    assert (out.PatientName, out.PatientBirthDate) == ("Yeni^Ad", "19700101")  # nobody is shown who is half another
    by_patient = archive.retrieval.instances(SYSTEM, Selection(patient_id="NEW"))
    assert {one.sop_instance_uid for one in by_patient} == {old.sop_instance_uid, new.sop_instance_uid}
    assert archive.retrieval.instances(SYSTEM, Selection(patient_id="OLD")) == ()


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian], ids=lambda uid: uid.name
)
def test_bytes_stay_as_they_came_and_pixels_go_out_as_they_are(archive: Application, syntax: str) -> None:
    data = part10(ct(PatientID="OLD"), syntax)
    uid = put(archive, data).sop_instance_uid
    pixels = sent(archive, uid).PixelData

    merge(archive, ("OLD", "NEW"))

    (instance,) = archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,)))
    assert archive.blobs.read(instance.blob) == data
    assert [one.damage for one in archive.care.verify(SYSTEM)] == [None]
    out = sent(archive, uid)
    assert (out.PatientID, out.PixelData, out.file_meta.TransferSyntaxUID) == ("NEW", pixels, syntax)
    assert put(archive, data).outcome is Outcome.ALREADY_HELD


def test_versions_rise_and_the_feeds_tell(archive: Application) -> None:
    one = put(archive, part10(ct(PatientID="OLD")))
    place = one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid
    before = [archive.retrieval.state(SYSTEM, *place[:depth]).version for depth in (1, 2, 3)]

    merge(archive, ("OLD", "NEW"))

    after = [archive.retrieval.state(SYSTEM, *place[:depth]).version for depth in (1, 2, 3)]
    assert all(new > old for old, new in zip(before, after, strict=True))
    archive.dispatcher().drain()
    changes = [(change.action, change.sop_instance_uid) for change in archive.changes.after(SYSTEM, 0, 10)]
    assert changes == [("create", one.sop_instance_uid), ("update", one.sop_instance_uid)]
    corrections = "kind in ('study.reassigned', 'instance.corrected')"
    assert rows(archive, f"select distinct actor from events where {corrections}") == [("vna",)]


def test_chains_lead_to_the_last_and_merging_again_changes_nothing(archive: Application) -> None:
    uids = {value: put(archive, part10(ct(PatientID=value))).sop_instance_uid for value in "ABC"}
    tell(archive, ("A", "B"), ("B", "C"))
    archive.workers().drain()
    assert len(studies(archive, "C")) == 3
    merge(archive, ("C", "D"))
    before = answers(archive)

    assert not archive.patients.merge(SYSTEM, cx("A"), cx("D"))
    for identity, *_ in rows(archive, "select id from patient_identifiers"):
        payload: str | None = str(identity)
        while payload is not None:
            payload = archive.merging(payload)

    assert answers(archive) == before
    assert len(studies(archive, "D")) == 3
    assert {said(archive, uid) for uid in uids.values()} == {("D", None)}
    assert rows(archive, COUNTS) == [("D", "", 3, 3, 3)]


def test_what_comes_late_is_the_survivors_from_the_start(archive: Application, open_merging: OpenMerging) -> None:
    study, series = generate_uid(), generate_uid()
    shared = {"PatientID": "OLD", "StudyInstanceUID": study, "SeriesInstanceUID": series}
    other_worker = open_merging()  # remembers where the series is filed
    first = [put(one, part10(ct(**shared))).sop_instance_uid for one in (archive, other_worker)]
    merge(archive, ("OLD", "NEW"))

    late = [put(one, part10(ct(**shared))).sop_instance_uid for one in (archive, other_worker)]
    elsewhere = put(other_worker, part10(ct(PatientID="OLD")))

    assert studies(archive, "NEW") == {study, elsewhere.study_instance_uid}
    assert {said(archive, uid) for uid in (*first, *late, elsewhere.sop_instance_uid)} == {("NEW", None)}
    assert rows(archive, COUNTS) == [("NEW", "", 2, 2, 5)]
    assert rows(archive, CONFLICTS) == []


def test_what_comes_before_the_job_is_done_is_caught(archive: Application, open_merging: OpenMerging) -> None:
    study, series = generate_uid(), generate_uid()
    shared = {"PatientID": "OLD", "StudyInstanceUID": study, "SeriesInstanceUID": series}
    put(archive, part10(ct(**shared)))
    tell(archive, ("OLD", "NEW"))
    remembered = put(archive, part10(ct(**shared)))
    looked_up = put(open_merging(), part10(ct(**shared)))

    archive.workers().drain()

    assert {said(archive, one.sop_instance_uid) for one in (remembered, looked_up)} == {("NEW", None)}
    assert rows(archive, COUNTS) == [("NEW", "", 1, 1, 3)]
    assert rows(archive, CONFLICTS) == []


def test_stores_and_merges_at_once_leave_nothing_behind(open_merging: OpenMerging) -> None:
    workers = [open_merging() for _ in range(4)]
    shared = [(generate_uid(), generate_uid()) for _ in range(3)]
    first = workers[0]
    for study, series in shared:
        put(first, part10(ct(PatientID="P0", StudyInstanceUID=study, SeriesInstanceUID=series)))
    begun = threading.Barrier(5)

    def feed(archive: Application) -> None:
        begun.wait()
        for number in range(15):
            study, series = shared[number % 3]
            put(archive, part10(ct(PatientID="P0", StudyInstanceUID=study, SeriesInstanceUID=series)))

    def merging() -> None:
        begun.wait()
        for number in range(4):
            merge(first, (f"P{number}", f"P{number + 1}"))

    with ThreadPoolExecutor(5) as pool:
        for done in [*(pool.submit(feed, one) for one in workers), pool.submit(merging)]:
            done.result()
    first.workers().drain()

    assert rows(first, COUNTS) == [("P4", "", 3, 3, 63)]
    assert rows(first, CONFLICTS) == []
    uids = [str(uid) for (uid,) in rows(first, "select sop_instance_uid from instances")]
    assert {said(first, uid) for uid in uids} == {("P4", None)}
    assert rows(first, "select state from jobs where state = 'dead'") == []


def test_a_patient_seen_while_nobody_could_know_is_found_a_minute_later(archive: Application) -> None:
    """As it is when a store looked for merges before one was told and committed after the job was done."""
    tell(archive, ("OLD", "NEW"))
    archive.workers().drain()
    (waiting,) = rows(archive, "select kind, run_after from jobs")
    due = datetime.fromisoformat(str(waiting[1])) - datetime.now(UTC)
    assert waiting[0] == "merge"
    assert timedelta(seconds=30) < due < timedelta(seconds=61)

    uid = _put_unaware(archive, ct(PatientID="OLD"))
    assert said(archive, uid) == ("OLD", None)
    with archive.database.transaction() as connection:
        connection.exec_driver_sql("update jobs set run_after = ''")
    archive.workers().drain()

    assert said(archive, uid) == ("NEW", None)
    assert rows(archive, "select * from jobs where kind = 'merge'") == []


def _put_unaware(archive: Application, ds: Dataset) -> str:
    """The UID of an instance that was stored by one who knows of no affinity domain."""
    unaware = build(archive.settings.model_copy(update={"xds": XdsSettings()}))
    try:
        return put(unaware, part10(ds)).sop_instance_uid
    finally:
        unaware.close()


def test_identifiers_of_others_stay(archive: Application) -> None:
    local = put(archive, part10(ct(PatientID="OLD", IssuerOfPatientID="LOCAL", OtherPatientIDs=NATIONAL)))
    national = put(archive, part10(ct(PatientID=NATIONAL, IssuerOfPatientID="LOCAL")))
    nobody = put(archive, part10(ct(PatientID="")))

    merge(archive, ("OLD", "NEW"), (NATIONAL, OTHER_NATIONAL))

    assert said(archive, local.sop_instance_uid) == ("OLD", "LOCAL")
    assert said(archive, national.sop_instance_uid) == (OTHER_NATIONAL, "LOCAL")
    assert sent(archive, nobody.sop_instance_uid).PatientID in ("", None)


def test_an_identifier_that_no_patient_id_can_hold_changes_no_image(archive: Application) -> None:
    one = put(archive, part10(ct(PatientID="OLD")))

    merge(archive, ("OLD", "N" * 65))

    assert said(archive, one.sop_instance_uid) == ("OLD", None)
    merge(archive, ("N" * 65, "SHORT"))
    late = put(archive, part10(ct(PatientID="OLD")))
    assert {said(archive, uid.sop_instance_uid) for uid in (one, late)} == {("SHORT", None)}


def test_the_survivor_of_the_same_issuer_comes_first_else_one_of_another(archive: Application) -> None:
    same = put(archive, part10(ct(PatientID="A", IssuerOfPatientID="H1")))
    put(archive, part10(ct(PatientID="B", IssuerOfPatientID="H2")))
    other = put(archive, part10(ct(PatientID="C", IssuerOfPatientID="H1")))
    put(archive, part10(ct(PatientID="D", IssuerOfPatientID="H2")))
    put(archive, part10(ct(PatientID="D", IssuerOfPatientID="H1")))

    merge(archive, ("A", "B"), ("C", "D"))

    assert said(archive, same.sop_instance_uid) == ("B", "H2")
    assert said(archive, other.sop_instance_uid) == ("D", "H1")
    assert rows(archive, COUNTS) == [("B", "H2", 2, 2, 2), ("D", "H1", 2, 2, 2), ("D", "H2", 1, 1, 1)]


def test_the_issuer_that_the_facility_stands_for_is_not_written_into_images(archive: Application) -> None:
    one = put(archive, part10(ct(PatientID="OLD", InstitutionName="Hastane^^^SKRS42^^^FK1")))

    merge(archive, ("OLD", "NEW"))

    assert said(archive, one.sop_instance_uid) == ("NEW", None)
    assert rows(archive, COUNTS) == [("NEW", "42", 1, 1, 1)]


def test_coercions_of_the_sender_are_kept(archive: Application) -> None:
    rules = Coercion(set=(("InstitutionName", "Yeni"),), map=(("PatientID", (("77", "OLD"),)),))
    archive.peers.add(SYSTEM, Peer("SCANNER", coercion=rules))
    first = put(archive, part10(ct(PatientID="77")), source="SCANNER")
    merge(archive, ("OLD", "NEW"))
    late = put(archive, part10(ct(PatientID="77")), source="SCANNER")

    for one in (first, late):
        out = sent(archive, one.sop_instance_uid)
        assert (out.PatientID, out.InstitutionName) == ("NEW", "Yeni")


def test_conflicts_name_the_survivor_and_go_when_there_is_none_any_more(archive: Application) -> None:
    mixed, other = generate_uid(), generate_uid()
    put(archive, part10(ct(PatientID="A", StudyInstanceUID=mixed)))
    foreign = put(archive, part10(ct(PatientID="B", StudyInstanceUID=mixed)))
    put(archive, part10(ct(PatientID="X", StudyInstanceUID=other)))
    put(archive, part10(ct(PatientID="B", StudyInstanceUID=other)))

    merge(archive, ("B", "C"))
    assert rows(archive, CONFLICTS) == sorted([(mixed, "C", ""), (other, "C", "")])
    assert said(archive, foreign.sop_instance_uid) == ("C", None)
    assert studies(archive, "A") == {mixed}

    merge(archive, ("A", "C"))
    assert rows(archive, CONFLICTS) == [(other, "C", "")]
    assert studies(archive, "C") == {mixed}
    late = put(archive, part10(ct(PatientID="B", StudyInstanceUID=mixed)))
    assert said(archive, late.sop_instance_uid) == ("C", None)
    assert rows(archive, CONFLICTS) == [(other, "C", "")]
    assert rows(archive, COUNTS) == [("C", "", 1, 3, 3), ("X", "", 1, 2, 2)]


def test_search_tags_follow(archive: Application) -> None:
    archive.tags.add(SYSTEM, "PatientID", Level.STUDY)
    archive.tags.add(SYSTEM, "IssuerOfPatientID", Level.IMAGE)
    archive.workers().drain()
    put(archive, part10(ct(PatientID="A", IssuerOfPatientID="H1")))
    put(archive, part10(ct(PatientID="B", IssuerOfPatientID="H2")))

    merge(archive, ("A", "B"))

    joined = "tag_values v join search_tags t on t.id = v.tag_fk"
    kept = rows(archive, f"select t.path, v.value, count(*) from {joined} group by 1, 2")
    assert sorted(kept) == [("00100020", "\nB\n", 2), ("00100021", "\nH2\n", 2)]


def test_what_was_deleted_before_comes_back_as_the_survivors(archive: Application) -> None:
    first, second = (put(archive, part10(ct(PatientID="OLD"))) for _ in range(2))
    archive.deletion.delete(SYSTEM, first.study_instance_uid)
    merge(archive, ("OLD", "NEW"))
    archive.deletion.delete(SYSTEM, second.study_instance_uid)
    assert rows(archive, COUNTS) == []

    for one in (first, second):
        assert [back.problem for back in archive.deletion.restore(SYSTEM, one.study_instance_uid)] == [""]

    assert {said(archive, one.sop_instance_uid) for one in (first, second)} == {("NEW", None)}
    assert rows(archive, COUNTS) == [("NEW", "", 2, 2, 2)]


def test_new_content_under_the_old_identifier_is_the_survivors(open_merging: OpenMerging) -> None:
    archive = open_merging(storage={"duplicates": "replace"})
    ds = ct(PatientID="OLD")
    one = put(archive, part10(ds))
    merge(archive, ("OLD", "NEW"))
    ds.PatientComments = "new content"

    assert put(archive, part10(ds)).outcome is Outcome.REPLACED

    assert said(archive, one.sop_instance_uid) == ("NEW", None)
    assert sent(archive, one.sop_instance_uid).PatientComments == "new content"


@pytest.fixture
def cut_short(archive: Application, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The UIDs of a study whose correction ended after the first instances."""
    study, series = generate_uid(), generate_uid()
    shared = {"PatientID": "OLD", "StudyInstanceUID": study, "SeriesInstanceUID": series}
    uids = [put(archive, part10(ct(**shared))).sop_instance_uid for _ in range(120)]
    tell(archive, ("OLD", "NEW"))
    some = Merging._some
    seen: list[str] = []

    def cut(self: Merging, connection: Any, study: str, *arguments: Any) -> int:
        seen.append(study)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return some(self, connection, study, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Merging, "_some", cut)
        with pytest.raises(KeyboardInterrupt):
            archive.workers().drain()
    assert rows(archive, COUNTS) == [("NEW", "", 1, 1, 120)]
    assert [said(archive, uid)[0] for uid in uids] == ["NEW"] * 50 + ["OLD"] * 70
    return uids


def test_a_step_that_was_cut_is_done_again_and_does_the_rest(archive: Application, cut_short: list[str]) -> None:
    with archive.database.transaction() as connection:
        connection.exec_driver_sql("update jobs set held_until = 0")  # as when the lease has run out
    archive.workers().drain()

    assert {said(archive, uid) for uid in cut_short} == {("NEW", None)}
    assert rows(archive, "select count(*) from events where kind = 'instance.corrected'") == [(120,)]


def test_a_reindex_finishes_a_step_that_was_cut(archive: Application, cut_short: list[str]) -> None:
    archive.dispatcher().drain()

    list(archive.reindex.run(SYSTEM))

    assert {said(archive, uid) for uid in cut_short} == {("NEW", None)}


def fill(archive: Application) -> None:
    """Merges with everything that can go with them."""
    mixed, late = generate_uid(), generate_uid()
    put(archive, part10(ct(PatientID="A", StudyInstanceUID=mixed)))
    put(archive, part10(ct(PatientID="B", StudyInstanceUID=mixed)))
    put(archive, part10(ct(PatientID="A", IssuerOfPatientID="H1", StudyInstanceUID=late)))
    put(archive, part10(ct(PatientID="C", IssuerOfPatientID="H2")))
    deleted = put(archive, part10(ct(PatientID="B")))
    archive.deletion.delete(SYSTEM, deleted.study_instance_uid)
    merge(archive, ("A", "B"))
    put(archive, part10(ct(PatientID="A", IssuerOfPatientID="H1", StudyInstanceUID=late)))
    tell(archive, ("B", "C"))
    put(archive, part10(ct(PatientID="A", IssuerOfPatientID="H1", StudyInstanceUID=late)))
    archive.workers().drain()
    list(archive.deletion.restore(SYSTEM, deleted.study_instance_uid))
    put(archive, part10(ct(PatientID="B")))


def test_after_a_reindex_every_answer_is_the_same(archive: Application) -> None:
    fill(archive)
    archive.dispatcher().drain()
    before = answers(archive)
    with archive.database.transaction() as connection:
        rebuild.empty(connection)

    assert {step.step for step in archive.reindex.run(SYSTEM)} == {Step.INDEXED, Step.NOTED}

    assert answers(archive) == before
    archive.workers().drain()
    assert answers(archive) == before


def test_a_merge_whose_job_was_not_done_is_followed_after_a_reindex(archive: Application) -> None:
    one = put(archive, part10(ct(PatientID="OLD")))
    tell(archive, ("OLD", "NEW"))
    archive.dispatcher().drain()
    unjournaled = put(archive, part10(ct(PatientID="OLD")))

    list(archive.reindex.run(SYSTEM))
    archive.workers().drain()

    assert {said(archive, uid.sop_instance_uid) for uid in (one, unjournaled)} == {("NEW", None)}
    kinds = {str(kind) for (kind,) in rows(archive, "select kind from events")}
    assert {EventKind.STUDY_REASSIGNED, EventKind.INSTANCE_CORRECTED} <= kinds


def test_where_no_rule_leads_to_the_domain_images_stay(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive(xds={"affinity_domain": DOMAIN})
    one = put(archive, part10(ct(PatientID="OLD")))

    merge(archive, ("OLD", "NEW"))

    assert said(archive, one.sop_instance_uid) == ("OLD", None)
    assert rows(archive, "select kind from jobs where run_after = ''") == []
