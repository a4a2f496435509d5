"""Rebuilding the index from the blob store alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydicom.uid import generate_uid

from storage import journal
from storage.index import rebuild
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.archive.care import Damage
from vna.archive.reindex import FAILED, Step
from vna.model.access import SYSTEM, Coercion, Peer
from vna.model.errors import Conflict, DuplicateInstance, NotFound
from vna.model.instances import Selection
from vna.model.query import Level, Query
from vna.model.sources import Source

_COLUMNS = {
    "patients": "patient_id, issuer, patient_name, attributes, number_of_studies, number_of_instances, version",
    "studies": "study_instance_uid, facility, modalities, sop_classes, attributes, number_of_series,"
    "number_of_instances, version, first_received_at, last_received_at",
    "series": "series_instance_uid, modality, attributes, number_of_instances, version",
    "instances": "sop_instance_uid, blob, size, source_ae, source_address, door, facility, received_at, version,"
    "header, frames",
    "superseded": "blob, sop_instance_uid, size, source_ae, received_at, replaced_at",
    "deleted": "blob, study_instance_uid, series_instance_uid, sop_instance_uid, size, sha256, door, source_ae,"
    "source_address, facility, received_at, deleted_at, deleted_by, reason",
    "conflicts": "study_instance_uid, patient_id, issuer, first_sop_instance_uid, source_ae, at",
    "events": "id, kind, at, study_instance_uid, sop_instance_uid, actor, detail, sequence",
    "peers": "ae_title, host, port, facility, rights, coercion",
    "sources": "name, application, sending_facility, addresses, facility",
    "patient_identifiers p left join patient_identifiers s on s.id = p.merged_into": "p.authority, p.value,"
    "p.registered_at, s.value",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything the archive says: what the index holds, what a search finds, what comes out."""

    index: list[list[tuple[object, ...]]]
    found: list[object]
    files: list[bytes]


def answers(archive: Application) -> Answers:
    found = [archive.search.find(SYSTEM, Query(level, returns=None)).matches for level in Level]
    files = [
        archive.retrieval.part10(SYSTEM, instance).read()
        for instance in archive.retrieval.instances(SYSTEM, Selection())
    ]
    return Answers(
        [rows(archive, f"select {c} from {t} order by 1, 2") for t, c in _COLUMNS.items()],
        [repr(f) for f in found],
        sorted(files),
    )


def fill(archive: Application) -> None:
    """Stores, coercions, conflicts, replacements, refusals."""
    archive.peers.add(SYSTEM, Peer("SCANNER", facility="42", coercion=Coercion(set=(("InstitutionName", "Yeni"),))))
    archive.peers.add(SYSTEM, Peer("OTHER", host="127.0.0.1", port=104))
    study = generate_uid()
    put(archive, part10(ct(StudyInstanceUID=study, PatientID="A")), source="SCANNER")
    put(archive, part10(ct(StudyInstanceUID=study, PatientID="B", Modality="MR")), source="OTHER")
    replaced = ct(PatientID="A", StudyDescription="second study")
    put(archive, part10(replaced))
    replaced.PatientComments = "new content"
    put(archive, part10(replaced), source="OTHER")
    put(archive, part10(ct(PatientID="", PatientName="Bilinmeyen")))
    archive.peers.add(SYSTEM, Peer("SCANNER", facility="43"))
    put(archive, part10(ct(PatientID="A")), source="SCANNER")
    archive.peers.remove(SYSTEM, "OTHER")
    archive.sources.add(SYSTEM, Source("HIS", "HIS", addresses=("10.0.0.7",)))
    archive.sources.add(SYSTEM, Source("OLD", "OLD", addresses=("10.0.0.8",)))
    archive.sources.remove(SYSTEM, "OLD")
    for value in "PQR":
        archive.patients.register(SYSTEM, f"{value}^^^&1.2.3&ISO")
    archive.patients.merge(SYSTEM, "P^^^&1.2.3&ISO", "Q^^^&1.2.3&ISO")
    archive.patients.merge(SYSTEM, "Q^^^&1.2.3&ISO", "S^^^&1.2.3&ISO")
    some = put(archive, part10(ct(PatientID="C", StudyInstanceUID=study, Modality="PT")), source="SCANNER")
    archive.deletion.delete(SYSTEM, study, some.series_instance_uid, reason="by mistake")
    archive.deletion.delete(SYSTEM, replaced.StudyInstanceUID)
    again = put(archive, part10(ct(PatientID="D")), source="SCANNER")
    archive.deletion.delete(SYSTEM, again.study_instance_uid)
    assert [one.problem for one in archive.deletion.restore(SYSTEM, again.study_instance_uid)] == [""]


def test_after_reindex_every_answer_is_equal_to_before(open_archive: Open) -> None:
    archive = open_archive(storage={"duplicates": "replace"})
    fill(archive)
    archive.dispatcher().drain()
    before = answers(archive)
    with archive.database.transaction() as connection:
        rebuild.empty(connection)

    steps = [rebuilt.step for rebuilt in archive.reindex.run(SYSTEM)]

    assert set(steps) == {Step.INDEXED, Step.NOTED}
    assert answers(archive) == before
    put(archive, part10(ct()))  # and it goes on: keys and event ids do not collide


def test_what_was_acknowledged_after_the_last_journal_is_found_by_itself(open_archive: Open) -> None:
    archive = open_archive()
    put(archive, part10(ct(PatientID="JOURNALED")))
    archive.dispatcher().drain()
    late = put(archive, part10(ct(PatientID="LATE")))

    steps = [rebuilt.step for rebuilt in archive.reindex.run(SYSTEM)]

    assert steps == [Step.INDEXED, Step.FOUND]
    assert rows(archive, "select patient_id from patients order by 1") == [("JOURNALED",), ("LATE",)]
    assert len(archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(late.sop_instance_uid,)))) == 1


def test_half_a_file_that_a_crash_left_is_reported_and_not_indexed(open_archive: Open) -> None:
    archive = open_archive()
    archive.blobs.put("studies/aa/1.2.3/1.2.3.4.dead.dcm", [part10(ct())[:-100]])

    (rebuilt,) = archive.reindex.run(SYSTEM)

    assert rebuilt.step is Step.UNREADABLE
    assert "truncated" in rebuilt.reason
    assert rows(archive, "select count(*) from instances") == [(0,)]


def test_reindex_refuses_while_an_archive_works_on_the_index(open_archive: Open) -> None:
    archive = open_archive()
    archive.dispatcher().once()

    with pytest.raises(Conflict, match="running"):
        archive.reindex.refuse_while_serving(SYSTEM)


def test_a_refused_duplicate_leaves_nothing_for_reindex_to_find(open_archive: Open) -> None:
    archive = open_archive()
    ds = ct()
    put(archive, part10(ds))
    ds.PatientComments = "other"
    with pytest.raises(DuplicateInstance):
        put(archive, part10(ds))
    archive.dispatcher().drain()

    assert [rebuilt.step for rebuilt in archive.reindex.run(SYSTEM)] == [Step.INDEXED]


def blob_of(archive: Application, sop_instance_uid: str) -> str:
    ((name,),) = rows(archive, f"select blob from instances where sop_instance_uid = '{sop_instance_uid}'")
    return str(name)


def overwrite(archive: Application, name: str, data: bytes) -> None:
    archive.blobs.delete(name)
    archive.blobs.put(name, [data])


def damaged(archive: Application) -> dict[str, Damage]:
    """What verify complains of, by blob."""
    checked = [one for one in archive.care.verify(SYSTEM) if one.damage is not None and not one.forgotten]
    assert len({one.blob for one in checked}) == len(checked), "each is told once"
    return {one.blob: one.damage for one in checked if one.damage is not None}


def reindexed(archive: Application) -> list[tuple[Step, str]]:
    """A reindex as the command does it; what failed."""
    archive.dispatcher().drain()
    return [(one.step, one.blob) for one in archive.reindex.run(SYSTEM) if one.step in FAILED]


def test_what_was_lost_stays_damage_after_a_reindex_and_is_not_swept_away(open_archive: Open) -> None:
    archive = open_archive()
    data = [part10(ct()) for _ in range(5)]
    flipped, gone, cut, headless, _sound = [blob_of(archive, put(archive, one).sop_instance_uid) for one in data]
    overwrite(archive, flipped, data[0][:-1] + b"\xa5")
    archive.blobs.delete(gone)
    overwrite(archive, cut, data[2][:-100])
    overwrite(archive, headless, b"\xff" * len(data[3]))
    archive.blobs.put("studies/aa/1.2.3/1.2.3.4/1.2.3.4.5.dead.dcm", [data[4][:-100]])
    before = damaged(archive)
    assert before.pop("studies/aa/1.2.3/1.2.3.4/1.2.3.4.5.dead.dcm") is Damage.ORPHAN
    assert before == {
        flipped: Damage.DIGEST, gone: Damage.MISSING, cut: Damage.SIZE, headless: Damage.DIGEST
    }  # fmt: skip

    for _ in range(2):
        assert reindexed(archive) == [
            (Step.LOST, gone),
            (Step.UNREADABLE, cut),
            (Step.UNREADABLE, headless),
            (Step.UNREADABLE, "studies/aa/1.2.3/1.2.3.4/1.2.3.4.5.dead.dcm"),
        ]
        assert {k: v for k, v in damaged(archive).items() if v is not Damage.ORPHAN} == before

    assert archive.care.sweep(SYSTEM) == 1
    assert archive.blobs.size(cut) == len(data[2]) - 100
    assert damaged(archive) == before


def test_an_index_that_was_lost_makes_no_object_an_orphan(open_archive: Open) -> None:
    archive = open_archive()
    blob = blob_of(archive, put(archive, part10(ct())).sop_instance_uid)
    archive.dispatcher().drain()
    with archive.database.transaction() as connection:
        rebuild.empty(connection)

    assert damaged(archive) == {blob: Damage.NOT_INDEXED}
    assert archive.care.sweep(SYSTEM) == 0
    assert reindexed(archive) == []
    assert damaged(archive) == {}


def test_a_loss_that_is_given_up_is_damage_no_more_and_reindex_knows(open_archive: Open) -> None:
    archive = open_archive()
    data = [part10(ct()) for _ in range(3)]
    gone, cut, flipped = [put(archive, one).sop_instance_uid for one in data]
    blobs = {uid: blob_of(archive, uid) for uid in (gone, cut, flipped)}
    archive.blobs.delete(blobs[gone])
    overwrite(archive, blobs[cut], data[1][:-100])
    assert archive.care.forget(SYSTEM, gone) == (blobs[gone],)  # while the index still lists it
    assert len(reindexed(archive)) == 1
    assert damaged(archive) == {blobs[cut]: Damage.SIZE}
    assert archive.care.forget(SYSTEM, cut) == (blobs[cut],)
    assert damaged(archive) == {}
    with pytest.raises(NotFound, match="nothing is damaged"):
        archive.care.forget(SYSTEM, cut)
    with pytest.raises(NotFound, match="nothing is damaged"):
        archive.care.forget(SYSTEM, flipped)

    overwrite(archive, blobs[flipped], data[2][:-1] + b"\xa5")
    assert archive.care.forget(SYSTEM, flipped) == (blobs[flipped],)
    assert reindexed(archive) == []

    assert damaged(archive) == {}
    assert rows(archive, "select count(*) from instances") == [(0,)]
    assert archive.care.sweep(SYSTEM) == 0, "the journal still names what is left"
    overwrite(archive, blobs[cut], data[1])
    assert reindexed(archive) == []
    assert blob_of(archive, cut) == blobs[cut], "what is whole again is held again"


def test_what_came_again_is_no_loss(open_archive: Open) -> None:
    archive = open_archive()
    data = part10(ct())
    uid = put(archive, data).sop_instance_uid
    archive.blobs.delete(blob_of(archive, uid))
    assert len(reindexed(archive)) == 1

    put(archive, data)

    assert damaged(archive) == {}
    assert reindexed(archive) == []
    assert damaged(archive) == {}


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_version_that_is_lost_holds_up_no_other(open_archive: Open, lost: int) -> None:
    archive = open_archive(storage={"duplicates": "replace"})
    ds = ct()
    versions = []
    for comments in ("first", "second", "third"):
        ds.PatientComments = comments
        versions.append(blob_of(archive, put(archive, part10(ds)).sop_instance_uid))
    assert damaged(archive) == {}, "older versions are kept, and no loss"
    archive.blobs.delete(versions[lost])
    before = damaged(archive)

    assert reindexed(archive) == [(Step.LOST, versions[lost])]

    assert damaged(archive) == before == {versions[lost]: Damage.MISSING}
    held = [blob for blob in versions if blob != versions[lost]]
    assert rows(archive, "select blob from instances") == [(held[1],)]
    assert rows(archive, "select blob from superseded") == [(held[0],)]


def test_events_go_on_after_the_last_one_of_the_journal_though_its_object_is_lost(open_archive: Open) -> None:
    archive = open_archive()
    archive.blobs.delete(blob_of(archive, put(archive, part10(ct())).sop_instance_uid))
    reindexed(archive)
    put(archive, part10(ct()))
    archive.dispatcher().drain()

    assert [event.event_id for event in journal.read(archive.blobs)] == [1, 2]


def test_a_journal_object_that_cannot_be_read_is_damage_and_stops_a_sweep(open_archive: Open) -> None:
    archive = open_archive()
    put(archive, part10(ct()))
    archive.dispatcher().drain()
    (name,) = archive.blobs.names(journal.FOLDER)
    overwrite(archive, name, archive.blobs.read(name)[:-10])

    assert damaged(archive) == {name: Damage.UNREADABLE}
    with pytest.raises(Conflict, match="journal"):
        archive.care.sweep(SYSTEM)
    steps = [(one.step, one.blob) for one in archive.reindex.run(SYSTEM)]
    assert steps[0] == (Step.UNREADABLE, name)
    assert [step for step, _ in steps[1:]] == [Step.FOUND]


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_an_object_whose_uids_are_not_those_of_the_journal_is_not_indexed(open_archive: Open, keyword: str) -> None:
    archive = open_archive()
    ds = ct()
    data = part10(ds)
    blob = blob_of(archive, put(archive, data).sop_instance_uid)
    uid = ds[keyword].value.encode()
    overwrite(archive, blob, data.replace(uid, uid[:-1] + bytes([uid[-1] ^ 1])))

    assert reindexed(archive) == [(Step.UNREADABLE, blob)]

    assert rows(archive, "select count(*) from instances") == [(0,)]
    assert damaged(archive) == {blob: Damage.DIGEST}


def test_a_large_object_that_was_cut_is_reported(open_archive: Open) -> None:
    archive = open_archive()
    data = part10(ct(Rows=2048, Columns=2100, PixelData=bytes(2048 * 2100 * 2)))
    blob = blob_of(archive, put(archive, data).sop_instance_uid)
    overwrite(archive, blob, data[: 9 << 19])

    assert reindexed(archive) == [(Step.UNREADABLE, blob)]
