"""Health, readiness and metrics: what machines are told."""

from __future__ import annotations

import shutil
import time

import pytest

from storage.index import jobs
from tests.archives import put
from tests.objects import ct, part10
from tests.web.conftest import PASSWORD, Archive, Open
from vna.archive.status import Readiness, Status
from vna.model.access import SYSTEM, Action
from vna.web import health


def _samples(made: Archive) -> dict[str, float]:
    lines = [line for line in made.web.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_an_archive_that_works_is_alive_and_ready(archive: Open) -> None:
    made = archive()
    assert made.web.get("/healthz").text == "ok\n"
    ready = made.web.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert ready.json()["problems"] == []
    assert ready.json()["free_bytes"] > 0


def test_without_its_index_it_is_alive_and_not_ready(archive: Open) -> None:
    made = archive(ready=False, database={"url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    assert made.web.get("/healthz").status_code == 200
    ready = made.web.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["problems"] == ["the index does not answer"]


def test_without_its_blob_store_it_is_not_ready(archive: Open) -> None:
    made = archive()
    shutil.rmtree(made.application.settings.data_dir / "blobs")
    ready = made.web.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["problems"] == ["the blob folder is not there"]


def test_without_space_it_is_not_ready_and_says_that_reads_go_on(archive: Open) -> None:
    made = archive(storage={"min_free": 1 << 60})
    ready = made.web.get("/readyz")
    assert ready.status_code == 503
    assert "stores are refused, reads go on" in ready.json()["problems"][0]
    assert made.web.get("/dicom-web/studies").status_code == 204


def test_a_check_that_hangs_counts_as_not_ready(archive: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(_status: Status) -> Readiness:
        time.sleep(1)
        return Readiness((), None)

    monkeypatch.setattr(Status, "readiness", hang)
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    ready = archive().web.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["problems"] == ["the index or the blob store does not answer"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_machines_need_no_login_and_are_told_of_no_patient(archive: Open, path: str) -> None:
    made = archive(security={"mode": "enforced"})
    put(made.application, part10(ct(PatientName="Gizli^Hasta", PatientID="G123")))
    response = made.web.get(path)
    assert response.status_code == 200
    assert "Gizli" not in response.text
    assert "G123" not in response.text


def test_metrics_are_prometheus_text_with_what_happened_and_the_free_space(archive: Open) -> None:
    made = archive()
    put(made.application, part10(ct()))
    assert made.web.get("/metrics").headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = _samples(made)
    assert samples['vna_instances_total{door="import",outcome="stored"}'] == 1
    assert samples["vna_free_bytes"] > 0
    assert samples["vna_ready"] == 1


def _give_up(made: Archive) -> None:
    with made.application.database.transaction() as connection:
        for _ in range(2):
            jobs.add(connection, "publish", order_key="1.2.3")
        job = jobs.claim(connection, ["publish"], now="9", clock=0, holder="me", seconds=1)
        assert job is not None
        jobs.bury(connection, job, "no")


def test_jobs_are_counted_by_kind_and_state(archive: Open) -> None:
    made = archive(security={"mode": "enforced"})
    assert not any(name.startswith("vna_jobs") for name in _samples(made))
    _give_up(made)
    samples = _samples(made)
    assert samples['vna_jobs{kind="publish",state="dead"}'] == 1
    assert samples['vna_jobs{kind="publish",state="ready"}'] == 1
    assert "1.2.3" not in made.web.get("/metrics").text


def test_metrics_come_without_the_index(archive: Open) -> None:
    made = archive(ready=False, database={"url": "postgresql+psycopg://nobody@127.0.0.1:1/none"})
    assert _samples(made)["vna_ready"] == 0


def test_the_page_says_how_many_jobs_were_given_up_to_those_who_see_counts(archive: Open) -> None:
    made = archive(security={"mode": "enforced"})
    for name, right in (("reader", Action.QUERY), ("sender", Action.STORE)):
        made.application.accounts.add_user(SYSTEM, name, PASSWORD, frozenset({right}))
    assert "given up" not in made.web.get("/", auth=("reader", PASSWORD)).text
    _give_up(made)
    assert "Jobs given up: 1." in made.web.get("/", auth=("reader", PASSWORD)).text
    assert "given up" not in made.web.get("/", auth=("sender", PASSWORD)).text


def test_requests_are_counted_by_route_and_never_by_address(archive: Open) -> None:
    made = archive()
    made.web.get("/dicom-web/studies/1.2.3/metadata")
    made.web.get("/dicom-web/studies?PatientName=Gizli")
    made.web.get("/nowhere/1.2.3")
    text = made.web.get("/metrics").text
    samples = _samples(made)
    assert (
        samples['vna_http_requests_total{method="GET",route="/dicom-web/studies/{study}/metadata",status="404"}'] == 1
    )
    assert samples['vna_http_requests_total{method="GET",route="unmatched",status="404"}'] == 1
    assert "1.2.3" not in text
    assert "Gizli" not in text
