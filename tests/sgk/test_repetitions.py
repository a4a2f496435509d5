"""Which examinations are earlier ones: none is a repetition of itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.sgk.conftest import AYSE, Archive
from vna.model.access import SYSTEM


def _repeated(archive: Archive, at: str | None = None) -> list[str]:
    answer = archive.ask("mukerrerSorgula", hastaTCK=AYSE, sutKodu="804000", islemTarihi=at)
    assert (answer["sonucKodu"], answer["mukerrer"]) == ("0000", str("oncekiTetkikler" in answer).lower())
    return [one["accession"] for one in answer.get("oncekiTetkikler", [])]


def test_an_examination_is_no_repetition_of_itself(archive: Archive) -> None:
    archive.stands(archive.order("A1", requested_at="20261130090000"), has_images=True)
    archive.stands(archive.order("A2", requested_at="20261129235959"), has_images=True)

    assert _repeated(archive, "30.11.2026") == _repeated(archive, "30.11.2026 09:00:00") == ["A2"]
    assert _repeated(archive, "30.11.2026 09:00:01") == _repeated(archive, "01.12.2026") == ["A1", "A2"]


def test_without_a_date_what_came_before_today_counts(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(archive.application.national.profile.zone).replace(hour=15)
    monkeypatch.setattr("vna.teleradiology.lookups.Lookups._now", lambda _: f"{now:%Y%m%d%H%M%S}")
    for name, at in (("A1", f"{now:%Y%m%d}090000"), ("A2", f"{now - timedelta(1):%Y%m%d}090000")):
        archive.stands(archive.order(name, requested_at=at), has_images=True)

    assert _repeated(archive) == ["A2"]
    earlier = archive.application.national.duplicates.query(SYSTEM, AYSE, "804000", f"{now:%Y%m%d%H%M%S}").earlier
    assert [one.order.key.accession_number for one in earlier] == ["A1", "A2"]  # who orders now would repeat both
