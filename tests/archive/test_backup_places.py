"""Backups to an object store, and of archives whose objects lie in more than one place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.backups import Place
from storage.blobs.s3 import S3Blobs
from tests.archive.test_backup import back_up, restored
from tests.archive.test_placement import folder, keep, lies_in, place, read, spoil, take_away
from tests.archives import Backend, make_backend, put, ready, rows
from tests.objects import ct, part10
from tests.peers.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS
from vna.app import Application, build
from vna.app.backups import place_at
from vna.app.blobs import ready_blobs, spool_of
from vna.app.restoring import restore, try_out
from vna.archive import restore_testing
from vna.archive.restore import newest
from vna.model.access import SYSTEM
from vna.settings import Settings

LARGE = {"Rows": 1600, "Columns": 1600, "PixelData": bytes(1600 * 1600 * 2)}
"""More than is copied in memory."""


def opened(settings: Settings) -> Application:
    ready(settings)
    return build(settings)


def sound(archive: Application) -> int:
    """How many are."""
    found = [one.damage for one in archive.care.verify(SYSTEM)]
    assert set(found) == {None}
    return len(found)


def test_a_backup_to_an_object_store_is_restored_and_lets_old_ones_go(seaweedfs: SeaweedFS, tmp_path: Path) -> None:
    backend = Backend("sqlite+folder", tmp_path / "one")
    keys: dict[str, object] = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    settings = backend.settings(backup=keys, storage={"min_free": 0, "timeout": 7})
    archive = opened(settings)
    put(archive, part10(ct(**LARGE)))
    where = f"s3://vna-backup?endpoint={seaweedfs.endpoint}"  # a bucket that is not there yet
    there = place_at(settings, where, new=True)
    assert isinstance(there.store, S3Blobs)
    assert there.store._seconds == 7
    first = back_up(archive, there)
    put(archive, part10(ct()))
    second = back_up(archive, place_at(settings, where), keep=1)
    assert (first.copied, second.copied, there.stamps()) == (1, 1, [second.stamp])
    assert list(there.store.spool_folder.iterdir()) == []

    again, problems = restored(Backend("sqlite+folder", tmp_path / "two"), place_at(settings, where))

    assert (problems, sound(again)) == ([], 2)
    for one in (archive, again):
        one.close()


@pytest.fixture
def spooled(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return behind_a_spool(make_backend("postgresql+seaweedfs", request, tmp_path / "spooled"))


def behind_a_spool(backend: Backend) -> Settings:
    url = {"url": backend.environment["VNA_STORAGE__URL"], "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    return backend.settings(storage={"min_free": 0, "acknowledge": "spool", **url})


def test_what_waits_in_a_spool_is_in_a_backup_and_is_given_back_to_the_store_behind_one(
    spooled: Settings, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    archive = opened(spooled)
    put(archive, part10(ct()))
    put(archive, part10(ct(**LARGE)))
    archive.dispatcher().drain()
    there = place_at(spooled, str(tmp_path / "backup"), new=True)
    assert waiting(archive) >= 2
    assert back_up(archive, there).lacking_count == 0

    settings = behind_a_spool(make_backend("postgresql+seaweedfs", request, tmp_path / "again"))
    found = list(restore(settings, there, newest(there), ready_blobs(settings)))
    again = build(settings)

    assert [one.problem for one in found if one.problem] == []
    assert (sound(again), waiting(again)) == (2, 0)
    for one in (archive, again):
        one.close()


def waiting(archive: Application) -> int:
    spool = spool_of(archive.blobs)
    assert spool is not None
    return spool.spool.count().objects


@pytest.fixture
def tiered(tmp_path: Path) -> Iterator[tuple[Backend, Application]]:
    """An archive that keeps nothing in its primary store."""
    backend = Backend("sqlite+folder", tmp_path / "tiered")
    archive = opened(in_tiers(backend))
    yield backend, archive
    archive.close()


def in_tiers(backend: Backend) -> Settings:
    return backend.settings(
        storage={
            "min_free": 0,
            "stores": [folder(backend, "archive"), folder(backend, "second")],
            "placement": [{"store": "archive", "replicas": ["second"]}],
        }
    )


def test_a_backup_of_several_stores_takes_the_copy_that_is_whole_and_is_given_back_to_the_primary_one(
    tiered: tuple[Backend, Application], tmp_path: Path
) -> None:
    backend, archive = tiered
    study, data, blob = keep(archive)
    place(archive)
    spoil(backend, "archive", blob)
    there = place_at(archive.settings, str(tmp_path / "backup"), new=True)
    made = back_up(archive, there)
    assert (made.copied, made.lacking_count) == (1, 0)

    settings = in_tiers(Backend("sqlite+folder", tmp_path / "again"))
    settings.data_dir.mkdir(parents=True)
    assert [one.name for one in restore(settings, there, newest(there), ready_blobs(settings)) if one.problem] == []
    again = build(settings)

    take_away(again)  # jobs of the backup tell of copies that this archive does not have
    assert rows(again, "select * from blob_places") == []
    assert read(again, study) == data
    assert lies_in(again, blob) == ["primary"]
    place(again)
    assert lies_in(again, blob) == ["primary", "archive", "second"]
    again.close()


def test_a_restore_test_touches_no_store_of_the_archive(tiered: tuple[Backend, Application], tmp_path: Path) -> None:
    _, archive = tiered
    _, _, blob = keep(archive, **LARGE)
    place(archive)
    take_away(archive)
    take_away(archive)
    there = place_at(archive.settings, str(tmp_path / "backup"), new=True)
    back_up(archive, there)
    there.store.delete(f"blobs/{blob}")

    outcome = tried_out(archive.settings, there, tmp_path)

    assert not outcome.passed, "what the backup lacks is not read of the archive"
    assert lies_in(archive, blob) == ["archive", "second"]
    assert sound(archive) == 1


def test_a_restore_test_of_an_archive_on_postgresql_and_s3_needs_neither(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    archive = opened(make_backend("postgresql+seaweedfs", request, tmp_path / "one").settings())
    put(archive, part10(ct()))
    archive.dispatcher().drain()
    there = place_at(archive.settings, str(tmp_path / "backup"), new=True)
    back_up(archive, there)
    archive.close()
    nowhere = make_backend("postgresql+seaweedfs", request, tmp_path / "nowhere").settings(
        database={"url": "postgresql+psycopg://nobody@127.0.0.1:1/nothing"}
    )

    outcome = tried_out(nowhere, there, tmp_path)

    assert (outcome.differences, outcome.studies_read, outcome.instances_read) == ([], 1, 1)


def tried_out(settings: Settings, there: Place, scratch: Path) -> restore_testing.Tested:
    *_, outcome = try_out(settings, there, newest(there), scratch)
    assert isinstance(outcome, restore_testing.Tested)
    assert not list(scratch.glob("vna-restore-test-*"))
    return outcome
