"""Removing: of a study of which nothing is left no manifest is listed or held, whatever happens on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.archives import Open, rows
from tests.documents.sites import Killed, Site, make_site, stored
from tests.xds.builders import document, folder, link, submission, submission_set
from vna.documents.problems import ErrorCode, Refused
from vna.jobs.retries import GivenUp
from vna.model.access import SYSTEM
from vna.model.documents import Status

TABLES = ("document_objects", "document_associations")


@pytest.fixture
def site(open_archive: Open) -> Site:
    return make_site(open_archive())


def published(site: Site, versions: int = 1) -> str:
    study = str(stored(site.archive).StudyInstanceUID)
    site.publish(study)
    for _ in range(versions - 1):
        stored(site.archive, study)
        site.publish(study)
    return study


def registered(site: Site) -> list[int]:
    return [int(str(rows(site.archive, f"select count(*) from {table}")[0][0])) for table in TABLES]


def lost(site: Site, study: str) -> None:
    site.archive.deletion.delete(SYSTEM, study)
    site.publish(study)
    site.drain()


@pytest.mark.parametrize("versions", [1, 3])
def test_every_version_goes_with_its_submission_sets_associations_and_bytes(site: Site, versions: int) -> None:
    study = published(site, versions)
    assert registered(site) == [2 * versions, 2 * versions - 1]
    assert len(site.repository.kept) == versions

    lost(site, study)

    assert registered(site) == [0, 0]
    assert site.repository.kept == {}
    assert rows(site.archive, "select count(*) from jobs where kind = 'remove'") == [(0,)]


def test_what_others_put_beside_it_stays(site: Site) -> None:
    study = published(site)
    manifest = site.approved()
    others = document("other", patient_id=manifest.patient_id)
    binder = folder("folder", patient_id=manifest.patient_id)
    own = submission_set(patient_id=manifest.patient_id)
    filed = link("folder", "HasMember", manifest.entry_uuid, "filed")
    appended = link("other", "APND", manifest.entry_uuid)
    kept = [link("folder", "HasMember", "other"), link(own.entry_uuid, "HasMember", "filed")]
    by_reference = link(own.entry_uuid, "HasMember", manifest.entry_uuid, submission_set_status="Reference")
    site.archive.documents.register(SYSTEM, submission(others, binder, filed, appended, *kept, by_reference, own=own))

    lost(site, study)

    assert [entry.unique_id for entry in site.entries()] == [others.unique_id]
    assert registered(site) == [3, 3]


def test_a_process_that_was_killed_between_metadata_and_document_leaves_neither(site: Site) -> None:
    study = published(site, 2)
    site.archive.deletion.delete(SYSTEM, study)

    def kill() -> None:
        raise Killed

    site.metadata.killed = kill  # type: ignore[method-assign]
    with pytest.raises(Killed):
        site.publish(study)
    assert registered(site) == [0, 0]
    assert len(site.repository.kept) == 2
    del site.metadata.killed
    site.publish(study)
    with site.archive.database.transaction() as connection:
        connection.exec_driver_sql("update jobs set run_after = ''")
    site.drain()

    assert site.repository.kept == {}


def test_a_registry_that_removes_nothing_deprecates(site: Site) -> None:
    study = published(site)
    site.metadata.refuses = ("remove",)

    lost(site, study)

    (entry,) = site.entries()
    assert entry.status is Status.DEPRECATED
    assert list(site.repository.kept) == [entry.unique_id]
    assert rows(site.archive, "select count(*) from jobs where kind = 'remove'") == [(0,)]


def test_a_registry_that_does_neither_is_left_to_a_person(site: Site) -> None:
    study = published(site)
    site.metadata.refuses = ("remove", "update")
    site.archive.deletion.delete(SYSTEM, study)

    with pytest.raises(GivenUp, match=r"neither removes .* nor deprecates it .* by hand"):
        site.publish(study)
    assert site.approved().status is Status.APPROVED


def test_a_registry_that_is_busy_is_asked_again(site: Site) -> None:
    study = published(site)
    site.metadata.refuses, site.metadata.code = ("remove",), ErrorCode.BUSY
    site.archive.deletion.delete(SYSTEM, study)
    with pytest.raises(Refused, match="XDSRegistryBusy"):
        site.publish(study)
    assert site.approved().status is Status.APPROVED

    site.metadata.refuses = ()
    site.publish(study)

    assert site.entries() == []


def test_a_document_that_is_listed_again_is_not_removed(site: Site) -> None:
    study = published(site)
    entry = site.approved()
    site.archive.deletion.delete(SYSTEM, study)
    site.publish(study)
    again = replace(entry, entry_uuid="again", logical_id="", version=1)
    site.archive.documents.register(SYSTEM, submission(again, own=submission_set(patient_id=entry.patient_id)))

    site.drain()

    assert list(site.repository.kept) == [entry.unique_id]
    ((error,),) = rows(site.archive, "select last_error from jobs where kind = 'remove'")
    assert "still lists" in str(error)
