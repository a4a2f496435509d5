"""DELETE over HTTP, and the change feed that tells of everything."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.dicomweb.builders import ct
from tests.dicomweb.client import Web
from tests.dicomweb.conftest import Stow
from vna.app.wiring import Application
from vna.model.access import SYSTEM


def path_of(ds: Dataset, *, instance: bool = False) -> str:
    path = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    return f"{path}/instances/{ds.SOPInstanceUID}" if instance else path


def test_what_is_deleted_is_gone_from_every_address_and_no_entity_tag_brings_it_back(web: Web, stow: Stow) -> None:
    ds = ct()
    stow(ds)
    study = f"studies/{ds.StudyInstanceUID}"
    tag = web.get(f"{study}/metadata").headers["etag"]

    answer = web.request("DELETE", study, params={"reason": "yanl\u0131\u015f hasta"})

    assert (answer.status_code, answer.content) == (204, b"")
    for path in (study, f"{study}/metadata", f"{path_of(ds, instance=True)}/frames/1", f"{study}/rendered"):
        assert web.get(path, headers={"If-None-Match": tag}).status_code == 404, path
    assert web.get("studies", params={"StudyInstanceUID": ds.StudyInstanceUID}).status_code == 204
    assert web.get("studies/count").json() == {"count": 0}
    assert web.request("DELETE", study).status_code == 404
    assert stow(ds).status_code == 200
    assert web.get(f"{study}/metadata").headers["etag"] != tag


def test_one_instance_and_one_series_are_deleted_by_their_address(web: Web, stow: Stow) -> None:
    first = ct()
    second = ct(SOPInstanceUID=generate_uid())
    stow(first, second)

    assert web.request("DELETE", path_of(first, instance=True)).status_code == 204
    assert len(web.get(f"studies/{first.StudyInstanceUID}/instances").json()) == 1
    assert web.request("DELETE", path_of(second)).status_code == 204
    assert web.get(f"studies/{first.StudyInstanceUID}/instances").status_code == 204


def test_what_is_on_hold_is_refused_with_the_reason_of_the_hold(web: Web, stow: Stow, archive: Application) -> None:
    ds = ct()
    stow(ds)
    study = f"studies/{ds.StudyInstanceUID}"
    hold = archive.keeping.holds.add(SYSTEM, str(ds.StudyInstanceUID), reason="court order 17")

    for path in (study, path_of(ds), path_of(ds, instance=True)):
        answer = web.request("DELETE", path)
        assert answer.status_code == 409, path
        assert "court order 17" in answer.json()["message"]

    assert len(web.get(f"{study}/instances").json()) == 1
    archive.keeping.holds.release(SYSTEM, hold.name)
    assert web.request("DELETE", study).status_code == 204


def test_a_reason_of_a_novels_length_is_refused(web: Web, stow: Stow) -> None:
    ds = ct()
    stow(ds)
    answer = web.request("DELETE", path_of(ds), params={"reason": "x" * 201})
    assert answer.status_code == 400
    assert "reason" in answer.json()["message"]


def test_the_change_feed_tells_of_everything_in_order_from_any_point_on(
    web: Web, stow: Stow, archive: Application
) -> None:
    ds = ct()
    stow(ds)
    assert web.get("changefeed").json() == [], "it is told once every subscriber has it"
    archive.dispatcher().drain()
    assert web.get("changefeed/latest").json() == {"sequence": 1}
    web.request("DELETE", path_of(ds))
    archive.dispatcher().drain()
    assert [one.problem for one in archive.deletion.restore(SYSTEM, ds.StudyInstanceUID)] == [""]
    archive.dispatcher().drain()

    changes = web.get("changefeed").json()

    assert [(one["sequence"], one["action"]) for one in changes] == [(1, "create"), (2, "delete"), (3, "restore")]
    assert {one["SOPInstanceUID"] for one in changes} == {ds.SOPInstanceUID}
    assert web.get(changes[0]["RetrieveURL"], headers={"Accept": "application/dicom"}).status_code == 200
    page = web.get("changefeed", params={"after": 1, "limit": 1})
    assert [one["sequence"] for one in page.json()] == [2]
    assert page.headers["link"].endswith('/dicom-web/changefeed?after=2&limit=1>; rel="next"')
    rest = web.get(page.headers["link"].partition(">")[0].lstrip("<"))
    assert [one["sequence"] for one in rest.json()] == [3]
    assert web.get("changefeed", params={"after": 3}).json() == []


def test_the_change_feed_refuses_what_it_does_not_know(web: Web) -> None:
    for query, word in (("after=x", "after"), ("limit=0", "limit"), ("limit=1001", "limit"), ("since=1", "since")):
        answer = web.get(f"changefeed?{query}")
        assert answer.status_code == 400, query
        assert word in answer.json()["message"]
