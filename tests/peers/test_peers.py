"""The peers themselves: each starts, answers, and ends."""

from __future__ import annotations

import io
from collections.abc import Callable

import httpx
import psycopg
import pydicom
import pytest

from . import processes, samples
from .dcmtk import Dcmtk, StoreSCP
from .orthanc import Modality, Orthanc
from .postgres import PostgresServer
from .seaweedfs import SeaweedFS


def _dsn(url: str) -> str:
    return url.replace("+psycopg", "")


def test_postgresql_answers_in_a_database_of_its_own(postgres_server: PostgresServer) -> None:
    first, second = postgres_server.new_database(), postgres_server.new_database()
    with psycopg.connect(_dsn(first)) as connection:
        connection.execute("CREATE TABLE only_here (id int)")
        assert connection.execute("SELECT count(*) FROM only_here").fetchone() == (0,)
    with psycopg.connect(_dsn(second)) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT 1 FROM only_here")


def test_postgresql_comes_back_after_an_outage(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    postgres_server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(_dsn(url))
    postgres_server.start()
    with psycopg.connect(_dsn(url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_s3_gives_back_what_was_put(seaweedfs: SeaweedFS) -> None:
    bucket, client = seaweedfs.new_bucket(), seaweedfs.client()
    content = bytes(range(256)) * 1000
    client.put_object(bucket, "a/b", io.BytesIO(content), len(content))
    with client.get_object(bucket, "a/b") as whole, client.get_object(bucket, "a/b", offset=300, length=10) as part:
        assert whole.read() == content
        assert part.read() == content[300:310]


def test_s3_has_room_for_a_bucket_a_test(seaweedfs: SeaweedFS) -> None:
    client = seaweedfs.client()
    for _ in range(15):
        client.put_object(seaweedfs.new_bucket(), "key", io.BytesIO(b"content"), 7)


def test_s3_refuses_a_wrong_secret(seaweedfs: SeaweedFS) -> None:
    bucket = seaweedfs.new_bucket()
    assert httpx.put(f"{seaweedfs.endpoint}/{bucket}/key", content=b"x").status_code == httpx.codes.FORBIDDEN


def test_orthanc_answers_c_echo(orthanc: Callable[..., Orthanc], dcmtk: Dcmtk) -> None:
    peer = orthanc(ae_title="PEER")
    said = dcmtk("echoscu", "-v", "-aec", peer.ae_title, "127.0.0.1", peer.dicom_port)
    assert said.returncode == 0, said.stdout
    assert "Received Echo Response (Success)" in said.stdout
    assert httpx.get(f"{peer.dicomweb_url}/studies").json() == []


def test_orthanc_sends_to_storescp_what_storescu_sent_it(
    orthanc: Callable[..., Orthanc], storescp: Callable[..., StoreSCP], dcmtk: Dcmtk
) -> None:
    destination = storescp(ae_title="DESTINATION")
    peer = orthanc(modalities={"destination": Modality("DESTINATION", destination.port)})
    sample = next(path for path in samples.pydicom_files() if path.name == "CT_small.dcm")
    said = dcmtk("storescu", "-aec", peer.ae_title, "127.0.0.1", peer.dicom_port, sample)
    assert said.returncode == 0, said.stdout
    [instance] = httpx.get(f"{peer.url}/instances").json()
    httpx.post(f"{peer.url}/modalities/destination/store", content=instance).raise_for_status()
    [received] = destination.files()
    assert pydicom.dcmread(received).PixelData == pydicom.dcmread(sample).PixelData
    peer.stop()
    assert not processes.answers(peer.http_port)


def test_a_dcmtk_failure_is_told_by_its_exit_code(dcmtk: Dcmtk) -> None:
    said = dcmtk("echoscu", "127.0.0.1", processes.free_port())
    assert said.returncode != 0
    assert "Connection refused" in said.stdout


def test_a_child_that_ends_early_says_why(tmp_path_factory: pytest.TempPathFactory) -> None:
    child = processes.start(["sh", "-c", "echo no such luck; exit 3"], log=tmp_path_factory.mktemp("child") / "log")
    with pytest.raises(RuntimeError, match=r"ended with 3:\nno such luck"):
        child.wait_until(lambda: False)


def test_pydicoms_wheel_has_its_samples() -> None:
    assert len(samples.pydicom_files()) > 150
    assert len({samples.name(path) for path in samples.all_files()}) == len(samples.all_files())


def test_every_shared_sample_is_a_dicom_file(shared_dicom: object) -> None:
    assert len(samples.shared_files()) > 100
    for path in samples.shared_files():
        assert pydicom.dcmread(path, stop_before_pixels=True).SOPClassUID, path
