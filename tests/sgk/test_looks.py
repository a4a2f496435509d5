"""Whoever opens a link that a look-up gave has looked at the examination: the rule of looking first counts it."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx

from tests.sgk.conftest import AYSE, OTHER, Archive, Open
from vna.model.access import SYSTEM, Action
from vna.model.codes import Code


def _looked(archive: Archive, **by: str) -> bool:
    national = archive.application.national
    later = datetime.now(national.profile.zone) + timedelta(minutes=1)
    return national.looks.looked_before(SYSTEM, AYSE, ["804000"], at=f"{later:%Y%m%d%H%M%S}", **by)["804000"]


def test_a_link_counts_as_a_look_when_it_is_opened(open_lookups: Open) -> None:
    archive = open_lookups(security={"mode": "enforced"})
    national, drain = archive.application.national, archive.application.dispatcher().drain
    national.codes.load(SYSTEM, "facilities", "1", [Code("500059", "Hastane", {"medula_code": "11060001"})])
    archive.user("hospital", Action.LOOK_UP, facility="500059")
    archive.order("A1", "500059")
    archive.images("500059", PatientID=AYSE, AccessionNumber="A1")
    drain()
    given = archive.ask("goruntuLinkiAl", "hospital", accession="A1", hastaTCK=AYSE, isteyenTCK=OTHER)
    drain()
    assert not _looked(archive, doctor=OTHER)

    for status in (303, 410):
        assert archive.web.get(httpx.URL(given["url"]).path).status_code == status
        drain()
    assert _looked(archive, doctor=OTHER)
    assert _looked(archive, facility="500059")
    assert not _looked(archive, doctor=AYSE)
