"""Orthanc, another DICOM and DICOMweb server, as a peer in both directions."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from .processes import Child, free_port, need_isolation, start, system_program

# Without it every small message waits 40 ms for the other side's delayed acknowledgement.
NO_DELAY = {"TCP_NODELAY": "1"}


@dataclass(frozen=True, slots=True)
class Modality:
    """Who Orthanc may talk to: one entry of DicomModalities."""

    ae_title: str
    port: int
    host: str = "127.0.0.1"


@dataclass(slots=True)
class Orthanc:
    ae_title: str
    dicom_port: int
    http_port: int
    directory: Path
    child: Child = field(repr=False)

    @property
    def url(self) -> str:
        """Of its REST API; Orthanc's own, `httpx.get(f"{url}/instances")`."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        return f"{self.url}/dicom-web"

    def stop(self) -> None:
        """Kill it: its store is thrown away, and an orderly end takes seconds."""
        self.child.stop(signal.SIGKILL)


def start_orthanc(
    directory: Path,
    *,
    ae_title: str = "ORTHANC",
    modalities: Mapping[str, Modality] | None = None,
    **settings: object,
) -> Orthanc:
    """Start one with an empty store; `settings` are added to its configuration file."""
    need_isolation("Orthanc")
    program = system_program("Orthanc", package="orthanc")
    dicom_port, http_port = free_port(), free_port()
    config = directory / "orthanc.json"
    config.write_text(
        json.dumps(_configuration(directory, ae_title, dicom_port, http_port, modalities or {}) | settings)
    )
    child = start([program, config], log=directory / "orthanc.log", env=NO_DELAY, cwd=directory)
    orthanc = Orthanc(ae_title, dicom_port, http_port, directory, child)
    child.wait_until(lambda: _is_up(orthanc))
    return orthanc


def _configuration(
    directory: Path, ae_title: str, dicom_port: int, http_port: int, modalities: Mapping[str, Modality]
) -> dict[str, object]:
    return {
        "Name": ae_title,
        "StorageDirectory": str(directory / "store"),
        "IndexDirectory": str(directory / "store"),
        "Plugins": ["/usr/share/orthanc/plugins"],
        "DicomAet": ae_title,
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False,
        "DicomModalities": {name: [peer.ae_title, peer.host, peer.port] for name, peer in modalities.items()},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "StableAge": 1,
    }


def _is_up(orthanc: Orthanc) -> bool:
    try:
        return httpx.get(f"{orthanc.url}/system", timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Orthanc]]:
    """Start an Orthanc, with the arguments of `start_orthanc`; those not stopped end with the session."""
    with ExitStack() as running:

        def start_one(
            *, ae_title: str = "ORTHANC", modalities: Mapping[str, Modality] | None = None, **settings: object
        ) -> Orthanc:
            directory = tmp_path_factory.mktemp("orthanc")
            started = start_orthanc(directory, ae_title=ae_title, modalities=modalities, **settings)
            running.callback(started.stop)
            return started

        yield start_one
