"""Rebuilding the index from the blob store alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydicom.uid import generate_uid

from storage.index import rebuild
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.archive.reindex import Step
from vna.model.access import SYSTEM, Coercion, Peer
from vna.model.errors import Conflict, DuplicateInstance
from vna.model.instances import Selection
from vna.model.query import Level, Query

_COLUMNS = {
    "patients": "patient_id, issuer, patient_name, attributes, number_of_studies, number_of_instances, version",
    "studies": "study_instance_uid, facility, modalities, sop_classes, attributes, number_of_series,"
    "number_of_instances, version, first_received_at, last_received_at",
    "series": "series_instance_uid, modality, attributes, number_of_instances, version",
    "instances": "sop_instance_uid, blob, size, source_ae, source_address, door, facility, received_at, version,"
    "header, frames",
    "superseded": "blob, sop_instance_uid, size, source_ae, received_at, replaced_at",
    "conflicts": "study_instance_uid, patient_id, issuer, first_sop_instance_uid, source_ae, at",
    "events": "id, kind, at, study_instance_uid, sop_instance_uid, actor, detail",
    "peers": "ae_title, host, port, facility, rights, coercion",
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
