"""A modality sends images without an order to a running archive, and the order comes afterwards."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.archives import Backend, start_archive
from tests.objects import ct, part10
from tests.teleradiology.imaging import INSTITUTION, NATIONAL, profile
from tests.worklist.ordering import order
from vna.app import build
from vna.model.access import SYSTEM


def test_what_c_store_acknowledged_appears_when_its_order_comes(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    for name in ("1", "2"):
        ds = ct(StudyInstanceUID="1.2.3", PatientID=NATIONAL, InstitutionName=INSTITUTION)
        (folder / name).write_bytes(part10(ds))
    backend = Backend("sqlite+folder", tmp_path)
    live = start_archive(backend, NATIONAL__PROFILE=profile(tmp_path, '[images]\nunmatched = "quarantine"\n'))
    try:
        sent = live.vna("send", str(folder), "--to", f"VNA@127.0.0.1:{live.dimse_port}")
        assert (sent.returncode, sent.stdout) == (0, "2 sent, 0 failed, 0 not DICOM\n")
        assert _found(live.dicomweb) == 0
        archive = build(backend.settings())
        archive.national.orders.place(SYSTEM, order())
        archive.close()
        live.child.wait_until(lambda: _found(live.dicomweb) == 2, timeout=30)
        assert httpx.get(f"{live.dicomweb}/studies/1.2.3/metadata").status_code == 200
    finally:
        live.stop()


def _found(dicomweb: str) -> int:
    answer = httpx.get(f"{dicomweb}/instances", params={"StudyInstanceUID": "1.2.3"})
    return len(answer.json()) if answer.status_code == 200 else 0
