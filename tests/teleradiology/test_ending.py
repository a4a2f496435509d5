"""Orders that were performed though no modality said so leave the worklist, and old ones are not answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.index.events import time_text
from tests.archives import Open
from tests.teleradiology.imaging import KEY, profile, settle, store
from tests.teleradiology.reporting import approved, draft
from tests.worklist.ordering import order
from tests.worklist.steps import begun, elements
from vna.app import Application
from vna.model.access import SYSTEM
from vna.model.dictionary import path_of, vr_of
from vna.model.query import Key, Level, Query

DATE = "ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate"
ALL = "[worklist]\ndays_back = 0\n"


def listed(archive: Application, name: str = "", value: str = "") -> list[str]:
    """Accession numbers that the worklist answers, asked by one attribute or by none."""
    keys = (Key(path_of(name), vr_of(path_of(name)[-1]), (value,) if value else ()),) if name else ()
    found = archive.national.schedule.find(SYSTEM, Query(Level.PATIENT, keys))
    return sorted(str(match.elements["00080050"]["Value"][0]) for match in found.matches)


def later(archive: Application, *, images: bool = True) -> None:
    """A day and an hour later: what waits is due, and the `images` that came are that old."""
    past = {"past": time_text(datetime.now(UTC) - timedelta(hours=25))}
    with archive.database.transaction() as connection:
        if images:
            connection.execute(text("update studies set last_received_at = :past"), past)
        connection.execute(text("update jobs set run_after = :past where kind = 'end-order'"), past)
    settle(archive)


@pytest.fixture
def archive(open_archive: Open, tmp_path: Path) -> Application:
    opened = open_archive(national={"profile": profile(tmp_path, ALL)})
    opened.national.orders.place(SYSTEM, order())
    opened.national.orders.place(SYSTEM, order("A2", scheduled_at="20261130150000"))
    return opened


def test_an_order_leaves_the_worklist_some_time_after_its_last_image_and_stays_away(archive: Application) -> None:
    store(archive, "1.1")
    settle(archive)
    assert listed(archive) == ["A1", "A2"]
    later(archive, images=False)  # an image came since
    assert listed(archive) == ["A1", "A2"]
    later(archive)
    assert listed(archive) == ["A2"]
    assert archive.national.orders.get(SYSTEM, KEY).order.state.value == "completed"

    archive.national.matching.release(SYSTEM, KEY, "1.1", "another patient")
    later(archive)
    assert listed(archive) == ["A2"]


def test_images_that_went_meanwhile_end_no_order(archive: Application) -> None:
    store(archive, "1.1")
    settle(archive)
    archive.national.matching.release(SYSTEM, KEY, "1.1", "another patient")
    later(archive)
    assert listed(archive) == ["A1", "A2"]


def test_an_order_leaves_at_once_when_its_report_is_approved(archive: Application) -> None:
    store(archive, "1.1")
    archive.national.reports.file(SYSTEM, draft())
    settle(archive)
    assert listed(archive) == ["A1", "A2"]
    archive.national.reports.file(SYSTEM, approved())
    settle(archive)
    assert listed(archive) == ["A2"]


def test_an_order_stays_while_a_modality_says_that_it_goes_on(archive: Application) -> None:
    archive.national.performed.create(SYSTEM, "1.9", elements(begun(order())))
    store(archive, "1.1")
    settle(archive)
    later(archive)
    assert listed(archive) == ["A1", "A2"]


def test_what_was_due_long_ago_is_for_whoever_asks_by_date_patient_or_number(
    open_archive: Open, tmp_path: Path
) -> None:
    archive = open_archive(national={"profile": profile(tmp_path, "[worklist]\ndays_back = 10\n")})
    today = datetime.now(archive.national.profile.zone)
    days = {"OLD": 11, "LIMIT": 10, "NEW": 0, "AHEAD": -300}
    for number, back in days.items():
        at = f"{today - timedelta(days=back):%Y%m%d}080000"
        archive.national.orders.place(SYSTEM, order(number, scheduled_at=at))
        archive.national.orders.place(SYSTEM, order(f"{number}2", scheduled_at="", requested_at=at))
    old, usual = ["OLD", "OLD2"], ["AHEAD", "AHEAD2", "LIMIT", "LIMIT2", "NEW", "NEW2"]
    assert listed(archive) == listed(archive, DATE) == listed(archive, "PatientName", "örnek*") == usual
    assert listed(archive, DATE, f"-{today - timedelta(days=11):%Y%m%d}") == old
    assert listed(archive, "AccessionNumber", "OLD") == ["OLD"]
    assert listed(archive, "PatientID", "F1001") == sorted([*old, *usual])
