"""Imaging Document Sources that lie, asked by RAD-69."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.routing.servers import Behave, answer, says, serving
from vna.model.errors import NotAcceptable, NotAuthorized, Unavailable, VnaError
from vna.model.sources import Bounds, StudyPart
from xds.imaging_client import ImagingClient

QUICK = Bounds(connect_seconds=2, wait_seconds=1, grace_seconds=1.5, bytes_per_second=4096)
PART = StudyPart("1.2.3", "1.2.3.1", ("1.2.3.1.1",))


def ask(behave: Behave, folder: Path, part: StudyPart = PART) -> None:
    with serving(behave) as server, httpx.Client(verify=False, trust_env=False) as http:
        client = ImagingClient("CITY", server.url, "1.2", http, folder, room=lambda: None, bounds=QUICK)
        for _ in client.fetch(part):
            pytest.fail("nothing of that is an instance")


def trickles(sock: socket.socket, _: bytes) -> None:
    sock.sendall(answer("200 OK", b"<", Content_Type="application/soap+xml", Content_Length="90000"))
    while True:
        sock.sendall(b" ")
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("behave", "kind"),
    [
        (says(answer("200 OK", b"<html/>", Content_Type="text/html")), Unavailable),
        (says(answer("200 OK", b"", Content_Type="application/soap+xml")), Unavailable),
        (says(answer("302 Found", Location="http://127.0.0.2:9/")), Unavailable),
        (says(answer("401 Who")), NotAuthorized),
        (trickles, Unavailable),
    ],
    ids=["HTML", "nothing", "elsewhere", "not allowed", "a trickle"],
)
def test_what_is_no_answer_is_an_error_that_names_the_source(
    tmp_path: Path, behave: Behave, kind: type[VnaError]
) -> None:
    begun = time.monotonic()
    with pytest.raises(kind, match="CITY"):
        ask(behave, tmp_path)
    assert time.monotonic() - begun < 6
    assert list(tmp_path.iterdir()) == []


def test_a_study_without_names_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NotAcceptable, match="CITY gives only instances that are named"):
        ask(says(b""), tmp_path, StudyPart("1.2.3"))
