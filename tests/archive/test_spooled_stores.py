"""A spool in front of the first of several stores, with a real object store behind it that is stopped and started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.blobs.base import Piece
from storage.blobs.several import SeveralBlobs
from storage.blobs.spooled import SpooledBlobs
from tests.archive.test_commitment import asked, results
from tests.archive.test_placement import keep, place, read, several, take_away
from tests.archives import Backend, put, ready
from tests.objects import ct, part10
from tests.peers.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS
from vna.app import Application, build, spooling
from vna.model.access import SYSTEM
from vna.model.commitments import State
from vna.model.errors import NotFound
from vna.settings import Settings

Begin = Callable[..., tuple[Application, Settings]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """One of our own, that is stopped and started."""
    server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def begin(store: SeaweedFS, tmp_path: Path) -> Iterator[Begin]:
    """Use cases that acknowledge from the spool, and upload only when they are told to."""
    opened: list[Application] = []
    environment = {
        "VNA_STORAGE__URL": store.storage_url(store.new_bucket()),
        "VNA_STORAGE__ACCESS_KEY": ACCESS_KEY,
        "VNA_STORAGE__SECRET_KEY": SECRET_KEY,
        "VNA_STORAGE__ACKNOWLEDGE": "spool",
    }

    def make(**storage: object) -> tuple[Application, Settings]:
        settings = Backend("sqlite+seaweedfs", tmp_path, environment).settings(
            storage={"min_free": 0, "timeout": 1, **storage}
        )
        ready(settings)
        opened.append(build(settings))
        return opened[-1], settings

    yield make
    for application in opened:
        application.close()


def upload(archive: Application, settings: Settings) -> None:
    for _ in spooling.drained(archive.blobs, settings):
        pass


def waiting(archive: Application) -> int:
    return spooling.waiting(archive.blobs)()[0]


def work_now(archive: Application) -> None:
    """Jobs that wait for their time too."""
    with archive.database.transaction() as connection:
        connection.execute(sa.text("update jobs set run_after = ''"))
    archive.workers().drain()


def inner(archive: Application) -> SpooledBlobs:
    spooled = archive.blobs.stores["primary"] if isinstance(archive.blobs, SeveralBlobs) else archive.blobs
    assert isinstance(spooled, SpooledBlobs)
    return spooled


def test_what_lies_in_a_spool_only_is_not_committed_before_the_object_store_has_it(
    begin: Begin, store: SeaweedFS
) -> None:
    archive, settings = begin()
    before, after = ct(), ct()
    put(archive, part10(before))
    upload(archive, settings)
    store.stop()
    put(archive, part10(after))
    transaction = asked(archive, before, after)
    work_now(archive)
    assert results(archive, transaction) == [-1, -1]
    store.start()
    work_now(archive)  # it answers, and does not have the second one yet
    work_now(archive)
    assert results(archive, transaction) == [0, -1]
    assert archive.keeping.commitments.state(SYSTEM, transaction) is State.PENDING
    upload(archive, settings)
    work_now(archive)
    assert results(archive, transaction) == [0, 0]

    last = ct()
    put(archive, part10(last))
    transaction = asked(archive, last)
    with archive.database.transaction() as connection:
        connection.execute(sa.text("update commitments set requested_at = '2020-01-01T00:00:00.000000+00:00'"))
    work_now(archive)
    assert results(archive, transaction) == [0x0110]


def test_what_waits_in_the_spool_is_moved_copied_read_and_verified_as_what_lies_in_a_store(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, settings = begin(
        stores=[{"name": "second", "url": (tmp_path / "second").as_uri()}],
        placement=[
            {"modality": "MR", "store": "second"},
            {"modality": "CT", "store": "primary", "replicas": "second"},
        ],
    )
    moved, copied = keep(archive, Modality="MR"), keep(archive, Modality="CT")
    spooled = inner(archive)
    assert waiting(archive) == 2
    place(archive)
    assert [several(archive).places(one[2]) for one in (moved, copied)] == [("second",), ("primary", "second")]
    assert [one.damage for one in archive.care.verify(SYSTEM)] == [None, None]

    put_inside = spooled.inner.put

    def take_away_meanwhile(name: str, pieces: Sequence[Piece]) -> None:
        put_inside(name, pieces)
        take_away(archive)

    spooling.recover(archive.blobs)
    archive.keeping.nodes.beat()
    assert [one.waiting for one in archive.keeping.nodes.all(SYSTEM)] == [2]
    with monkeypatch.context() as patch:
        patch.setattr(spooled.inner, "put", take_away_meanwhile)
        upload(archive, settings)

    assert waiting(archive) == 0
    assert spooled.inner.size(copied[2]) == len(copied[1])
    with pytest.raises(NotFound):
        spooled.size(moved[2])
    assert [read(archive, one[0]) for one in (moved, copied)] == [moved[1], copied[1]]

    archive.keeping.stores.move(SYSTEM, "primary", study=moved[0])
    archive.catch_up()
    take_away(archive)
    assert spooled.spool.names("studies") == []  # past the spool: it was in a store for good before
    assert spooled.inner.size(moved[2]) == len(moved[1])
    assert not (tmp_path / "second" / moved[2]).exists()
    spooled.inner.delete(copied[2])
    assert archive.keeping.care.verifying("") is None
    assert spooled.inner.size(copied[2]) == len(copied[1])
    assert [one.damage for one in archive.care.verify(SYSTEM)] == [None, None]
