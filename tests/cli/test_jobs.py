"""`vna jobs`."""

from __future__ import annotations

import json
from pathlib import Path

from storage.index import jobs
from storage.index.engine import Database
from tests.cli.conftest import Vna


def test_jobs_are_listed_tried_again_and_dropped(vna: Vna, tmp_path: Path) -> None:
    assert json.loads(vna("jobs", "list", "--format", "json").out) == []
    database = Database(f"sqlite:///{tmp_path / 'data' / 'index.sqlite'}")
    with database.transaction() as connection:
        for payload in ("a", "b"):
            jobs.add(connection, "unknown.kind", order_key="1.2.3", payload=payload)
        first, second = jobs.listed(connection, state="", kind="", limit=9)
        jobs.bury(connection, first, "ValueError: no")
    database.close()

    (dead,) = json.loads(vna("jobs", "list", "--state", "dead", "--format", "json").out)
    assert (dead["job"], dead["about"], dead["error"]) == (str(first.job_id), "1.2.3", "ValueError: no")
    assert vna("jobs", "retry", "--dead").out == "1 jobs are tried again\n"
    assert json.loads(vna("jobs", "list", "--state", "dead", "--format", "json").out) == []
    assert vna("jobs", "drop", str(first.job_id), str(second.job_id)).code == 0
    gone = vna("jobs", "drop", "99")
    assert (gone.code, gone.err) == (1, "vna: no job 99 waits or was given up\n")
    assert "name the jobs" in vna("jobs", "retry").err
