"""The trail of a running archive: written, chained and sealed within seconds, checked by its command."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.archives import Backend, LiveArchive, make_backend, start_archive
from tests.objects import ct, part10

STUDY = "1.2.826.0.1.3680043.10.1.7"


@pytest.fixture(scope="module", params=["sqlite+folder", "postgresql+seaweedfs"])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backend:
    return make_backend(request.param, request, tmp_path_factory.mktemp("audited"))


@pytest.fixture(scope="module")
def live(backend: Backend) -> Iterator[LiveArchive]:
    file = backend.folder / "one.dcm"
    file.write_bytes(part10(ct(PatientID="P1", IssuerOfPatientID="HIS", StudyInstanceUID=STUDY)))
    running = start_archive(backend, AUDIT__CHAIN_SECONDS="1", AUDIT__SEAL_SECONDS="0")
    assert running.vna("import", str(file)).returncode == 0
    yield running
    running.stop()


def report(live: LiveArchive) -> tuple[int, dict[str, object]]:
    done = live.vna("audit", "verify", "--format", "json")
    return done.returncode, json.loads(done.stdout)


def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def kinds(live: LiveArchive) -> list[str]:
    done = live.vna("audit", "search", "--patient", "P1^^^HIS", "--format", "json")
    return [row["kind"] for row in json.loads(done.stdout)]


def change(live: LiveArchive, statement: str) -> None:
    """By whoever owns the database."""
    if "VNA_DATABASE__URL" in live.environment:
        with psycopg.connect(live.environment["VNA_DATABASE__URL"].replace("+psycopg", ""), autocommit=True) as other:
            other.execute(statement.encode())
        return
    with sqlite3.connect(Path(live.environment["VNA_DATA_DIR"]) / "index.sqlite", timeout=30) as file:
        file.execute(statement)
    file.close()


def test_what_is_stored_and_read_is_chained_and_sealed_within_seconds(live: LiveArchive) -> None:
    httpx.get(f"{live.dicomweb}/studies/{STUDY}/metadata").raise_for_status()
    assert kinds(live)[0] == "instances-accessed"
    until(lambda: "instances-transferred" in kinds(live))

    def is_sealed() -> bool:
        code, said = report(live)
        assert (code, said["findings"]) == (0, [])
        return bool(said["seals"]) and said["records"] != said["not_chained"]

    until(is_sealed)


def test_an_inspector_takes_the_records_of_a_patient_along(live: LiveArchive, tmp_path: Path) -> None:
    file = tmp_path / "p1.csv"
    done = live.vna("audit", "export", str(file), "--patient", "P1", "--as", "csv")
    assert done.returncode == 0, done.stderr
    assert {line.split(",")[13] for line in file.read_text().splitlines()[1:]} <= {"P1", "HIS"}
    assert live.vna("audit", "export", str(file)).returncode != 0
    assert live.vna("audit", "search", "--kind", "nonsense").returncode != 0


def test_what_the_owner_of_the_database_did_is_named(live: LiveArchive) -> None:
    change(live, "UPDATE audit_records SET actor = 'nobody' WHERE id = 1")
    code, said = report(live)
    assert (code, said["first"]) == (1, 1)
    done = live.vna("audit", "verify")
    assert "the first altered entry is record 1" in done.stdout
    if "VNA_DATABASE__URL" in live.environment:
        told = live.vna("audit", "search", "--kind", "database-change", "--format", "json")
        until(lambda: "UPDATE audit_records" in live.vna("audit", "search", "--kind", "database-change",
                                                         "--format", "json").stdout)  # fmt: skip
        assert told.returncode == 0
