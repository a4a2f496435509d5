"""A backup of an archive that works: C-STORE goes on, and a backup that was killed is made again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.index.engine import Database
from tests.archive.test_backup import restored
from tests.archives import Backend, LiveArchive, make_backend, rows
from tests.faults.instances import Maker
from tests.faults.senders import Association
from tests.peers.processes import wait_for
from vna.app.backups import place_at
from vna.model.access import SYSTEM


class Load:
    """One who sends without a pause, and knows what was acknowledged."""

    def __init__(self, port: int) -> None:
        self.acknowledged: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def more(self, count: int) -> None:
        """Return when so many more were acknowledged."""
        due = len(self.acknowledged) + count
        wait_for(lambda: len(self.acknowledged) >= due, what=f"{count} more answers", timeout=20)

    def _send(self) -> None:
        maker = Maker(7, pixels=512)
        study = maker.study()
        association = Association(self._port)
        while not self._over.is_set():
            one = maker.make(study)
            if association.store(one) == 0:
                self.acknowledged.append(one.sop)
        association.release()


def test_a_backup_that_was_killed_under_load_is_made_again_and_has_all_that_was_acknowledged_before(
    serve: Callable[..., LiveArchive], backend: Backend, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    live = serve()
    where = str(tmp_path / "live")
    with Load(live.dimse_port) as load:
        load.more(50)
        slow = [sys.executable, "-m", "vna.cli", "backup", where, "--rate", "10KiB"]
        killed = subprocess.Popen(slow, env={**os.environ, **live.environment})
        wait_for(lambda: any(tmp_path.glob("live/blobs/studies/**/*.dcm")), what="the first objects of a backup")
        load.more(20)
        killed.kill()
        assert killed.wait() == -signal.SIGKILL
        load.more(20)
        _free(backend)
        before = set(load.acknowledged)
        done = live.vna("backup", where)
        assert done.returncode == 0, done.stderr
        assert len(load.acknowledged) > len(before)
        load.more(1)

    elsewhere = make_backend("sqlite+folder", request, tmp_path / "elsewhere")
    again, problems = restored(elsewhere, place_at(backend.settings(), where))

    assert problems == []
    assert before <= {str(uid) for (uid,) in rows(again, "select sop_instance_uid from instances")}
    assert {one.damage for one in again.care.verify(SYSTEM)} == {None}
    again.close()


def _free(backend: Backend) -> None:
    """The hold of the killed one would end by itself after half a minute."""
    database = Database(backend.settings().database_url, pool_size=1)
    with database.transaction() as connection:
        connection.exec_driver_sql("delete from leases where substr(name, 1, 7) = 'backup:'")
    database.close()
