"""Permits are recorded with bounds, survive a reindex, and are the archive's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.index.permits import PermitStudy
from tests.archives import Open
from tests.security.test_reach import AYSE
from vna.model.access import SYSTEM
from vna.model.errors import BadRequest
from vna.security.permits import state_of
from vna.security.reach import CASE, CONSENT, GRANT

SOON = datetime.now(UTC) + timedelta(days=7)


def test_permits_and_facilities_survive_a_reindex(open_archive: Open) -> None:
    archive = open_archive()
    permits = archive.guarding.permits
    permits.consent(SYSTEM, AYSE, "34001", reason="form 1")
    ended = permits.grant(SYSTEM, "34002", "34001", until=SOON)
    permits.revoke(SYSTEM, GRANT, ended.name)
    about = [PermitStudy("1.2.3"), PermitStudy(facility="34001", accession_number="A1")]
    permits.case(SYSTEM, "inspector", about, reason="file 1", until=SOON)
    permits.put_facility(SYSTEM, "34001", "34", "public")
    permits.put_facility(SYSTEM, "34002", "34", "private")
    permits.remove_facility(SYSTEM, "34002")
    before = [list(permits.listed(SYSTEM, kind)) for kind in (CONSENT, GRANT, CASE)], list(permits.facilities(SYSTEM))
    archive.catch_up()

    list(archive.reindex.run(SYSTEM))

    after = [list(permits.listed(SYSTEM, kind)) for kind in (CONSENT, GRANT, CASE)], list(permits.facilities(SYSTEM))
    assert after == before
    assert [state_of(one) for kind in before[0] for one in kind] == ["stands", "revoked", "stands"]
    assert [one.code for one in before[1]] == ["34001"]


def test_a_permit_says_who_what_and_until_when(open_archive: Open) -> None:
    permits = open_archive().guarding.permits
    past = datetime.now(UTC) - timedelta(days=1)
    for refused in (
        lambda: permits.consent(SYSTEM, "12345678901", "34001"),
        lambda: permits.consent(SYSTEM, AYSE, "*"),
        lambda: permits.consent(SYSTEM, AYSE, "34001", until=past),
        lambda: permits.consent(SYSTEM, AYSE, "34001", since=SOON, until=SOON),
        lambda: permits.consent(SYSTEM, AYSE, "34001", reason="x" * 501),
        lambda: permits.grant(SYSTEM, "34001", "34001", until=SOON),
        lambda: permits.grant(SYSTEM, "34001", "34002", until=None),
        lambda: permits.case(SYSTEM, "inspector", [], reason="file", until=SOON),
        lambda: permits.case(SYSTEM, "inspector", [PermitStudy()], reason="file", until=SOON),
        lambda: permits.case(SYSTEM, "inspector", [PermitStudy("1.2", "34001", "A1")], reason="file", until=SOON),
        lambda: permits.case(SYSTEM, "inspector", [PermitStudy("1.2")], reason=" ", until=SOON),
        lambda: permits.put_facility(SYSTEM, "34001", "34", "royal"),
        lambda: permits.put_facility(SYSTEM, "34001", "", "public"),
    ):
        with pytest.raises(BadRequest):
            refused()
    assert [one for kind in (CONSENT, GRANT, CASE) for one in permits.listed(SYSTEM, kind)] == []
