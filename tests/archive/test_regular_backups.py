"""Backups at regular times, and what is said when one is overdue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.index.backup_runs import BACKUP, TEST
from tests.archives import Backend, put, ready, rows
from tests.objects import ct, part10
from vna.app import Application, backups, build
from vna.app.backups import place_at
from vna.app.blobs import ready_blobs
from vna.app.restoring import restore
from vna.archive.backup import At
from vna.archive.backup_standing import ended
from vna.archive.restore import newest
from vna.model.access import SYSTEM
from vna.model.errors import Conflict


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Application]:
    backend = Backend("sqlite+folder", tmp_path / "one")
    settings = backend.settings(backup={"to": str(tmp_path / "near"), "second": str(tmp_path / "far"), "keep": 2})
    ready(settings)
    made = build(settings)
    yield made
    made.close()


def test_a_regular_backup_is_made_in_steps_in_both_places_and_remembered(
    archive: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "_STEP_SECONDS", 0.0)
    put(archive, part10(ct()))
    assert set(archive.keeping.regularly().once()) >= {BACKUP, backups.WATCH}
    steps = 0
    while archive.workers().once():  # a new process each time
        steps += 1

    assert steps > 6
    for folder in ("near", "far"):
        (stamp,) = place_at(archive.settings, str(tmp_path / folder)).stamps()
        assert stamp
    standing = archive.keeping.backup_standing.standing()
    assert standing.overdue == ()
    assert standing.backup_age is not None
    assert [run.place for run in archive.keeping.backup_standing.latest(SYSTEM)] == [
        str(tmp_path / "far"),
        str(tmp_path / "near"),
    ]


def test_a_place_that_fails_is_alarmed_tried_again_and_keeps_the_job_alive(
    archive: Application, tmp_path: Path
) -> None:
    (tmp_path / "near").write_text("no folder")
    archive.keeping.regularly().once()
    archive.workers().drain()

    (sentence, *_) = archive.keeping.backup_standing.told(SYSTEM)
    assert sentence.startswith(f"the last backup to {tmp_path / 'near'} failed")
    (job,) = archive.jobs.all(SYSTEM, kind=BACKUP)
    assert (job.state, job.run_after > job.created_at) == ("ready", True)


def test_what_is_overdue_is_said_by_the_clock(archive: Application) -> None:
    standing = archive.keeping.backup_standing
    now = datetime.now(UTC)
    assert standing.standing(now + timedelta(days=400)).overdue == (), "nothing was due yet"
    for place in (archive.settings.backup.to, archive.settings.backup.second):
        standing.remember(SYSTEM, ended(BACKUP, place, "x", now, "1 object", failed=False))

    assert standing.standing(now + timedelta(hours=35)).overdue == ()
    assert len(standing.standing(now + timedelta(hours=37)).overdue) == 2
    assert "restore test" in standing.standing(now + timedelta(days=183)).overdue[-1]
    standing.remember(SYSTEM, ended(TEST, "near", "x", now, "passed", failed=False))
    later = standing.standing(now + timedelta(days=30))
    assert (round(later.backup_age or 0, -3), len(later.overdue)) == (30 * 86400, 2)
    standing.remember(SYSTEM, ended(TEST, "near", "x", now, "1 difference", failed=True))
    assert "the last restore test failed" in standing.standing(now).overdue[-1]


def test_without_a_place_nothing_is_due(tmp_path: Path) -> None:
    settings = Backend("sqlite+folder", tmp_path).settings()
    ready(settings)
    archive = build(settings)
    assert BACKUP not in archive.keeping.regularly().once()
    archive.close()


def test_a_restored_archive_does_not_go_on_with_the_backup_that_it_was_made_of(
    archive: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "_STEP_SECONDS", 0.0)
    put(archive, part10(ct()))
    archive.keeping.regularly().once()
    near = place_at(archive.settings, str(tmp_path / "near"), new=True)
    while not near.stamps():  # its own job, on its way with this stamp, is among its rows
        assert archive.workers().once()
    (stamp,) = near.stamps()
    files = {name: near.store.read(name) for name in near.store.names(f"backups/{stamp}")}
    settings = Backend("sqlite+folder", tmp_path / "two").settings(backup={"to": str(tmp_path / "near")})
    settings.data_dir.mkdir(parents=True)

    assert [one for one in restore(settings, near, newest(near), ready_blobs(settings)) if one.problem] == []

    again = build(settings)
    assert rows(again, "select count(*) from jobs where kind = 'backup'") == [(0,)]
    assert rows(again, "select count(*) from leases") == [(0,)]
    again.close()
    taken_over = archive.keeping.backup.begin(SYSTEM, near, at=At(began_at="2026-01-01T00:00:00Z", stamp=stamp))
    assert taken_over.at.stamp != stamp, "a stamp that has a manifest is never gone on with"
    taken_over.at.stamp = stamp
    with pytest.raises(Conflict, match="complete already"):
        taken_over.complete()
    taken_over.close()
    assert {name: near.store.read(name) for name in near.store.names(f"backups/{stamp}")} == files


def test_a_place_at_which_another_backup_is_being_made_is_tried_later_and_nothing_failed(
    archive: Application, tmp_path: Path
) -> None:
    near = place_at(archive.settings, str(tmp_path / "near"), new=True)
    archive.keeping.regularly().once()
    with archive.keeping.backup.alone(SYSTEM, near):
        archive.workers().drain()

    assert archive.keeping.backup_standing.latest(SYSTEM) == []
    (job,) = archive.jobs.all(SYSTEM, kind=BACKUP)
    assert (job.state, job.run_after > job.created_at) == ("ready", True)
