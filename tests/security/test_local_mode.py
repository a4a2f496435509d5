"""`local` mode asks nobody to log in: nobody but this machine may reach it, by any door."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.archives import Backend, start_archive
from tests.peers import authority
from vna.settings import UnusableSettings, load
from vna.settings.root import fields

LISTENING = sorted(name for name, _ in fields() if name.endswith(".host"))


def test_every_door_of_a_running_archive_is_bound_to_loopback(tmp_path: Path) -> None:
    pair = authority.make(tmp_path / "ca").sign("vna")
    tls: dict[str, Any] = {
        "DIMSE__TLS__CERTIFICATE": str(pair.certificate),
        "DIMSE__TLS__KEY": str(pair.key),
        "DIMSE__TLS_PORT": "0",
    }
    live = start_archive(Backend("sqlite+folder", tmp_path), SECURITY__MODE="local", **tls)
    try:
        serving = psutil.Process(live.child.pid)
        found = {
            connection.laddr
            for process in (serving, *serving.children(recursive=True))
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
    finally:
        live.stop()
    assert len(found) == 4, "HTTP, DICOM, DICOM over TLS, HL7"
    assert all(ipaddress.ip_address(place.ip).is_loopback for place in found), found


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "vna.example.org"])
@pytest.mark.parametrize("door", LISTENING)
def test_no_door_can_be_opened_to_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, door: str, host: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VNA_" + door.upper().replace(".", "__"), host)
    with pytest.raises(UnusableSettings, match=r"which others can reach"):
        load()


def test_the_doors_are_those_that_listen() -> None:
    assert LISTENING == ["dimse.host", "hl7.host", "http.host"]
