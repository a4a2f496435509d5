"""`vna verify`: cut by kill -9, repair, reports; and what is purged."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

from pydicom.uid import generate_uid

from tests.cli.conftest import Vna
from tests.objects import ct, part10
from tests.peers import forks


def stored(vna: Vna, folder: Path, count: int, rows: int = 16) -> str:
    study = generate_uid()
    (folder / "files").mkdir()
    for number in range(count):
        ds = ct(StudyInstanceUID=study, Rows=rows, Columns=rows, PixelData=bytes(rows * rows * 2))
        (folder / "files" / f"{number}.dcm").write_bytes(part10(ds))
    assert vna("import", folder / "files").code == 0
    return study


def test_a_verify_that_was_killed_goes_on_where_it_was(vna: Vna, tmp_path: Path) -> None:
    stored(vna, tmp_path, 100, rows=128)
    env = {"VNA_DATA_DIR": str(tmp_path / "data"), "VNA_STORAGE__MIN_FREE": "0"}
    index = sqlite3.connect(tmp_path / "data" / "index.sqlite")
    with (tmp_path / "out").open("wb") as output:
        child = forks.fork(["verify", "--rate", "1MB"], output=output, env=env)
        ends, looked_at = time.monotonic() + 30, 0
        while not looked_at and time.monotonic() < ends:
            time.sleep(0.05)
            looked_at = next(index.execute("select coalesce(sum(sound), 0) from verify_runs"))[0]
        child.kill()
        child.wait(10)
    assert 0 < looked_at < 100

    done = vna("verify")

    assert (done.code, done.out) == (0, "100 sound, 0 damaged\n")
    assert done.err.startswith("going on after ")
    assert vna("verify").err == ""


def test_what_is_damaged_is_reported_listed_and_repaired_from_a_backup(vna: Vna, tmp_path: Path) -> None:
    study = stored(vna, tmp_path, 2)
    ((name, uid),) = sqlite3.connect(tmp_path / "data" / "index.sqlite").execute(
        "select blob, sop_instance_uid from instances order by id limit 1"
    )
    path = tmp_path / "data" / "blobs" / name
    copy = tmp_path / "backup" / "blobs" / name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(path.read_bytes())
    path.unlink()

    done = vna("verify", "--study", study, "--json", "--report", "damaged.jsonl")
    row = {"blob": name, "uid": uid, "size": copy.stat().st_size, "damage": "missing"}
    assert (done.code, json.loads(done.out)["objects"]) == (1, [row])
    assert json.loads((tmp_path / "damaged.jsonl").read_text()) == row
    assert vna("verify", "--damaged").out.startswith(f"{name}: missing (")
    assert vna("verify", "--repair").out == "1 sound, 1 damaged\n"
    done = vna("verify", "--repair", "--from", "backup")
    assert (done.code, done.out) == (0, "2 sound, 0 damaged, 1 repaired\n")
    assert vna("verify", "--damaged").out == ""
    assert vna("verify", "--sample", "0").out == "0 sound, 0 damaged\n"
    assert vna("verify", "--rate", "fast").err == "vna: --rate takes bytes a second, such as 50MB\n"


def test_a_hold_stops_deleting_and_purging_asks_for_yes(vna: Vna, tmp_path: Path) -> None:
    study = stored(vna, tmp_path, 1)
    vna("hold", "add", study, "--reason", "court order")
    (hold,) = json.loads(vna("hold", "list", "--format", "json").out)
    refused = vna("delete", study)
    name = hold["hold"]
    assert (refused.code, refused.err) == (
        1,
        f"vna: the study is on hold: court order (vna hold release {name})\n",
    )
    assert vna("hold", "release", name).code == 0
    assert vna("delete", study).code == 0
    assert "--yes does it" in vna("deleted", "purge", "--older-than", "0").err
    assert vna("deleted", "purge", "--older-than", "0", "--dry-run").out.startswith("1 instances would be purged")
    assert vna("deleted", "purge", "--older-than", "0", "--yes").out.startswith("1 instances purged, ")
    assert list((tmp_path / "data" / "blobs" / "studies").rglob("*.dcm")) == []
    assert vna("verify").out == "0 sound, 0 damaged\n"
    assert "0 sound, 0 damaged" in vna("schedule", "list").out
