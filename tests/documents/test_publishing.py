"""Publishing: each study's manifest in the registry once, the newest in the place of the one before."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pydicom
import pytest
from pydicom.uid import generate_uid

from storage.index import jobs
from storage.index.events import time_text
from tests.archives import Open, put, rows
from tests.documents.sites import OWN, Killed, Site, make_site, stored
from tests.objects import part10
from vna.app import Application
from vna.documents.descriptions import Describing
from vna.documents.problems import ErrorCode, Refused, refused
from vna.documents.profile import Profile
from vna.documents.publishing import PUBLISH, noticing
from vna.jobs.retries import GivenUp
from vna.jobs.workers import Workers
from vna.model.access import SYSTEM, Coercion, Peer
from vna.model.documents import Status
from vna.model.errors import NotFound, Unavailable


@pytest.fixture
def site(open_archive: Open) -> Site:
    return make_site(open_archive())


def test_a_manifest_is_registered_and_names_what_is_held(site: Site) -> None:
    first = stored(site.archive)
    second = stored(site.archive, first.StudyInstanceUID, Modality="MR")

    site.publish(first.StudyInstanceUID)

    assert site.listed() == {first.SOPInstanceUID, second.SOPInstanceUID}
    ds, entry = site.manifest(), site.approved()
    assert entry.unique_id == ds.SOPInstanceUID
    assert entry.repository_unique_id == OWN
    assert entry.source_patient_id.startswith("P1^^^&")
    assert (ds.PatientID, ds.InstanceNumber) == ("P1", 1)
    assert entry.creation_time == datetime.strptime(f"{ds.ContentDate}{ds.ContentTime[:6]}", "%Y%m%d%H%M%S").astimezone(
        UTC
    ).strftime("%Y%m%d%H%M%S")
    series = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {(one.RetrieveAETitle, one.RetrieveLocationUID) for one in series} == {("VNA", OWN)}


def test_what_has_not_changed_is_not_published_again(site: Site) -> None:
    study = stored(site.archive).StudyInstanceUID

    for _ in range(3):
        site.publish(study)

    assert len(site.entries()) == 1
    assert len(site.repository.submissions) == 1


def test_instances_that_come_and_go_make_new_versions(site: Site) -> None:
    first = stored(site.archive)
    study = first.StudyInstanceUID
    site.publish(study)
    second = stored(site.archive, study)
    site.publish(study)
    assert site.listed() == {first.SOPInstanceUID, second.SOPInstanceUID}
    assert site.manifest().InstanceNumber == 2
    site.archive.deletion.delete(SYSTEM, study, first.SeriesInstanceUID)
    site.publish(study)

    assert site.listed() == {second.SOPInstanceUID}
    assert [entry.status for entry in site.entries()] == [Status.DEPRECATED, Status.DEPRECATED, Status.APPROVED]
    manifests = [pydicom.dcmread(io.BytesIO(data)) for data in site.repository.kept.values()]
    assert len({ds.SOPInstanceUID for ds in manifests}) == 3
    assert len({ds.SeriesInstanceUID for ds in manifests}) == 1


def test_a_correction_makes_a_new_version(open_archive: Open) -> None:
    archive = open_archive(storage={"duplicates": "replace"})
    site = make_site(archive)
    ds = stored(archive)
    site.publish(ds.StudyInstanceUID)
    ds.AccessionNumber = "B7"
    put(archive, part10(ds))
    archive.deletion.delete(SYSTEM, ds.StudyInstanceUID)
    put(archive, part10(ds))
    site.publish(ds.StudyInstanceUID)

    assert site.manifest().AccessionNumber == "B7"
    assert len(site.entries(Status.DEPRECATED)) == 1


def test_when_nothing_is_left_the_manifest_is_removed_and_what_comes_back_is_published_anew(site: Site) -> None:
    ds = stored(site.archive)
    study = ds.StudyInstanceUID
    site.publish(study)
    site.archive.deletion.delete(SYSTEM, study)
    for _ in range(2):
        site.publish(study)
        assert site.entries() == []

    list(site.archive.deletion.restore(SYSTEM, study))
    site.publish(study)

    assert site.listed() == {ds.SOPInstanceUID}
    assert site.manifest().InstanceNumber == 2


def test_a_study_that_becomes_another_patients_leaves_the_first_one(open_archive: Open) -> None:
    archive = open_archive()
    site = make_site(archive)
    ds = stored(archive)
    site.publish(ds.StudyInstanceUID)
    archive.deletion.delete(SYSTEM, ds.StudyInstanceUID)
    archive.peers.add(SYSTEM, Peer("CORRECTED", coercion=Coercion(set=(("PatientID", "P2"),))))
    put(archive, part10(ds), source="CORRECTED")
    site.publish(ds.StudyInstanceUID)

    assert [(entry.source_patient_id[:2], entry.status) for entry in site.entries()] == [
        ("P2", Status.APPROVED),
    ]


def test_a_patient_that_was_merged_away_is_published_under_the_one_that_stays(site: Site) -> None:
    one, other = stored(site.archive), stored(site.archive, PatientID="P2")
    for ds in (one, other):
        site.publish(ds.StudyInstanceUID)
    subsumed, surviving = (entry.patient_id for entry in site.entries())
    site.archive.patients.merge(SYSTEM, subsumed, surviving)
    stored(site.archive, one.StudyInstanceUID)
    site.publish(one.StudyInstanceUID)

    assert [entry.status for entry in site.entries()] == [Status.DEPRECATED, Status.APPROVED, Status.APPROVED]
    assert site.entries()[-1].source_patient_id.startswith("P1^^^&")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("changes", [False, True], ids=["unchanged", "changed"])
def test_a_process_that_was_killed_leaves_one_manifest_in_effect(
    site: Site, moment: str, version: int, changes: bool
) -> None:
    ds = stored(site.archive)
    study = ds.StudyInstanceUID
    held = {ds.SOPInstanceUID}
    if version == 2:
        site.publish(study)
        held.add(stored(site.archive, study).SOPInstanceUID)

    def kill() -> None:
        setattr(site.repository, moment, lambda: None)
        raise Killed

    setattr(site.repository, moment, kill)
    with pytest.raises(Killed):
        site.publish(study)
    if changes:
        held.add(stored(site.archive, study).SOPInstanceUID)
    for _ in range(2):
        site.publish(study)

    assert site.listed() == held
    expected = version + (1 if moment == "after" and changes else 0)
    assert len(site.entries()) == expected
    assert site.manifest().InstanceNumber == expected


def test_what_was_killed_and_then_deleted_is_removed(site: Site) -> None:
    study = stored(site.archive).StudyInstanceUID

    def kill() -> None:
        raise Killed

    site.repository.after = kill
    with pytest.raises(Killed):
        site.publish(study)
    site.archive.deletion.delete(SYSTEM, study)
    site.publish(study)

    assert site.entries() == []


def test_a_manifest_that_somebody_else_deprecated_or_removed_is_published_anew(site: Site) -> None:
    ds = stored(site.archive)
    study = ds.StudyInstanceUID
    site.publish(study)
    describing = Describing(Profile(), OWN)
    entry = site.approved()
    update = describing.withdrawal(entry.entry_uuid, entry.patient_id, unique_id=generate_uid(), at=datetime.now(UTC))
    site.archive.documents.update(SYSTEM, update)
    other = stored(site.archive, study)
    site.publish(study)

    assert site.listed() == {ds.SOPInstanceUID, other.SOPInstanceUID}


def test_a_repository_that_took_the_second_try_for_one_too_late_gets_another_version(site: Site) -> None:
    """The first try arrived; the second is told only that what it replaces is replaced."""
    study = stored(site.archive).StudyInstanceUID
    site.publish(study)
    held = {stored(site.archive, study).SOPInstanceUID}

    def kill() -> None:
        site.repository.after = lambda: None
        site.repository.before = late
        raise Killed

    def late() -> None:
        site.repository.before = lambda: None
        raise refused(ErrorCode.DEPRECATED, "")

    site.repository.after = kill
    with pytest.raises(Killed):
        site.publish(study)
    site.publish(study)

    assert held < site.listed()
    assert [entry.status for entry in site.entries()] == [Status.DEPRECATED, Status.DEPRECATED, Status.APPROVED]


def test_what_a_repository_refuses_is_not_published(site: Site) -> None:
    study = stored(site.archive).StudyInstanceUID

    def refuse() -> None:
        raise refused(ErrorCode.METADATA, "typeCode")

    site.repository.before = refuse
    with pytest.raises(Refused, match="XDSRegistryMetadataError"):
        site.publish(study)
    assert site.entries() == []
    site.repository.before = lambda: None
    site.publish(study)
    assert len(site.entries()) == 1


@pytest.mark.parametrize("patient_id", ["", "A^B"])
def test_a_study_whose_patient_nobody_can_name_is_given_up(site: Site, patient_id: str) -> None:
    study = stored(site.archive, PatientID=patient_id).StudyInstanceUID

    with pytest.raises(GivenUp, match="Patient ID"):
        site.publish(study)


def due(archive: Application) -> list[str]:
    with archive.database.read() as connection:
        return [job.payload for job in jobs.due(connection, time_text(datetime.now(UTC)), 100)]


def test_a_study_is_published_once_it_is_left_alone(site: Site) -> None:
    archive = site.archive
    notice = noticing(archive.database, timedelta(seconds=60))
    dispatcher = archive.dispatcher()
    dispatcher._subscribers["publishing"] = notice  # with another pause than that of the settings
    one = stored(archive).StudyInstanceUID
    for _ in range(3):
        stored(archive, one)
        dispatcher.drain()
    assert due(archive) == []
    (waiting,) = rows(archive, "select kind, order_key, run_after from jobs")
    assert waiting[:2] == (PUBLISH, one)

    with archive.database.transaction() as connection:
        connection.exec_driver_sql("update jobs set run_after = ''")
    Workers(archive.database, {PUBLISH: site.publisher}).drain()

    assert len(site.entries()) == 1
    assert rows(archive, "select count(*) from jobs") == [(0,)]


def test_what_was_published_by_hand_is_kept_true_and_nothing_else_is_published(site: Site) -> None:
    archive = site.archive
    one, other = stored(archive), stored(archive)
    archive.publishing.request(SYSTEM, one.StudyInstanceUID)
    Workers(archive.database, {PUBLISH: site.publisher}).drain()
    added = stored(archive, one.StudyInstanceUID)
    stored(archive, other.StudyInstanceUID)
    archive.dispatcher().drain()
    Workers(archive.database, {PUBLISH: site.publisher}).drain()

    assert site.listed() == {one.SOPInstanceUID, added.SOPInstanceUID}
    published = archive.publishing.published(SYSTEM, one.StudyInstanceUID)
    assert published is not None
    assert (published.number, published.unique_id) == (2, site.approved().unique_id)
    assert archive.publishing.published(SYSTEM, other.StudyInstanceUID) is None
    with pytest.raises(NotFound):
        archive.publishing.request(SYSTEM, "1.2.3")


def test_a_failure_is_tried_again_by_the_job(site: Site) -> None:
    archive = site.archive
    study = stored(archive).StudyInstanceUID
    archive.publishing.request(SYSTEM, study)

    def down() -> None:
        raise Unavailable("the other side does not answer")

    site.repository.before = down
    workers = Workers(archive.database, {PUBLISH: site.publisher})
    workers.drain()
    ((attempts, error),) = rows(archive, "select attempts, last_error from jobs")
    assert attempts == 1
    assert "does not answer" in str(error)

    site.repository.before = lambda: None
    with archive.database.transaction() as connection:
        connection.exec_driver_sql("update jobs set run_after = ''")
    workers.drain()
    assert len(site.entries()) == 1


def test_a_rebuilt_index_knows_what_was_published(site: Site) -> None:
    archive = site.archive
    study = stored(archive).StudyInstanceUID
    site.publish(study)
    archive.dispatcher().drain()
    before = archive.publishing.published(SYSTEM, study)

    list(archive.reindex.run(SYSTEM))
    site.publish(study)

    assert archive.publishing.published(SYSTEM, study) == before
    assert len(site.entries()) == 1
