"""Storage commitment over HTTP: asked by POST, the result by GET of the same address (PS3.18 13)."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree
from pydicom import Dataset
from pydicom.uid import generate_uid

from dicomweb.native_xml import NAMESPACE
from tests.archives import rows
from tests.dicomweb.builders import ct
from tests.dicomweb.client import Web
from tests.dicomweb.conftest import Stow
from vna.app.wiring import Application

JSON = {"Content-Type": "application/dicom+json"}


def asked(*instances: Dataset) -> dict[str, Any]:
    items = [
        {
            "00081150": {"vr": "UI", "Value": [one.SOPClassUID]},
            "00081155": {"vr": "UI", "Value": [one.SOPInstanceUID]},
        }
        for one in instances
    ]
    return {"00081199": {"vr": "SQ", "Value": items}}


def named(answer: dict[str, Any], tag: str) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.get(tag, {}).get("Value", ())]


@pytest.mark.claim("PS3.18-13.4.1", "PS3.18-13.4.3.1/202", "PS3.18-13.5.1", "PS3.18-13.5.3.1/200", "PS3.18-J.2")
def test_a_request_is_accepted_and_its_result_comes_from_the_bytes(web: Web, stow: Stow, archive: Application) -> None:
    good, cut = ct(), ct(SOPInstanceUID=generate_uid())
    stow(good, cut)
    ((blob,),) = rows(archive, f"select blob from instances where sop_instance_uid = '{cut.SOPInstanceUID}'")
    (archive.settings.data_dir / "blobs" / str(blob)).write_bytes(b"")
    address = f"commitment-requests/{generate_uid()}"

    accepted = web.post(address, json=asked(good, cut), headers=JSON)
    before = web.get(address)
    archive.workers().drain()
    after = web.get(address)
    in_xml = web.get(address, headers={"Accept": "application/dicom+xml"})

    assert [(one.status_code, one.headers["retry-after"], one.content) for one in (accepted, before)] == [
        (202, "2", b"")
    ] * 2
    assert (after.status_code, after.headers["content-type"]) == (200, "application/dicom+json")
    assert named(after.json(), "00081199") == [good.SOPInstanceUID]
    assert named(after.json(), "00081198") == [cut.SOPInstanceUID]
    assert after.json()["00081198"]["Value"][0]["00081197"] == {"vr": "US", "Value": [0x0110]}
    marks = etree.fromstring(in_xml.content).iter(f"{{{NAMESPACE}}}DicomAttribute")
    assert [one.findtext(f"{{{NAMESPACE}}}Value") for one in marks if one.get("tag") == "00081197"] == ["272"]
    assert rows(archive, "select count(*) from jobs") == [(0,)]  # nothing is reported to who asked over HTTP


@pytest.mark.claim("PS3.18-13.4.3.1/400", "PS3.18-13.4.3.1/409")
def test_what_is_no_request_is_refused(web: Web, stow: Stow, archive: Application) -> None:
    ds = ct()
    stow(ds)
    address = f"commitment-requests/{generate_uid()}"
    assert web.get(address).status_code == 404
    wrongs: tuple[Any, ...] = (
        {},
        {"00081199": {"vr": "SQ", "Value": []}},
        {"00081110": {"vr": "SQ", "Value": [{}]}},
        [],
        [{}, {}],
    )
    for wrong in wrongs:
        assert web.post(address, json=wrong, headers=JSON).status_code == 400, wrong
    assert web.post(address, content=b"{", headers=JSON).status_code == 400
    assert web.post(address, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert web.post("commitment-requests/x.y", json=asked(ds), headers=JSON).status_code == 400
    assert web.post(address, json=asked(ds), headers={**JSON, "Accept": "image/png"}).status_code == 406
    assert web.post(address, json=asked(*[ds] * 20_001), headers=JSON).status_code == 413
    assert web.post(address, json=asked(ds), headers=JSON).status_code == 202
    assert web.post(address, json=asked(ds), headers=JSON).status_code == 409
    archive.workers().drain()
    assert web.post(address, json=asked(ds), headers=JSON).status_code == 409
