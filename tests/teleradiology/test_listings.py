"""Lists of orders: bounded, in pages, and of one's own facility."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from storage.index import notifications
from storage.index import order_listings as rows
from storage.index.engine import Database
from storage.index.migrate import upgrade
from tests.archives import Open
from tests.teleradiology.imaging import store
from tests.teleradiology.reporting import approved
from tests.web.national.seeds import CENTRE, HOSPITAL, MEHMET, OTHER, fill, found
from tests.worklist.ordering import AYSE, order
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.errors import BadRequest, NotAuthorized, NotFound
from vna.model.order_queries import OrderQuery, Period, Place
from vna.model.orders import ANY_FACILITY, KnownOrder, OrderKey

CLERK = Actor(ActorKind.USER, "clerk", frozenset({Action.LOOK_UP}), HOSPITAL)
DAY = Period.day("20261130")


def test_orders_are_listed_by_patient_number_period_and_accession_number(open_archive: Open) -> None:
    application = open_archive()
    fill(application)
    listings = application.national.listings

    def listed(**asked: object) -> list[str]:
        return found(listings.orders(SYSTEM, OrderQuery(**asked)))  # type: ignore[arg-type]

    assert sorted(listed(national_number=AYSE.national_number)) == ["A1", "A2"]
    assert sorted(listed(national_number=MEHMET.national_number)) == ["A0", "A3", "B1"]
    assert sorted(listed(facility=HOSPITAL, patient_id="F1001")) == ["A1", "A2"]
    assert sorted(listed(facility=HOSPITAL, requested=DAY)) == ["A1", "A2", "B1"]
    assert listed(facility=OTHER, requested=DAY) == ["B1"]
    assert listed(facility=HOSPITAL, scheduled=Period.day("20261201")) == ["A2"]
    assert sorted(listed(facility=HOSPITAL, requested=DAY, modality="MR")) == ["A1", "A2"]
    assert sorted(listed(facility=HOSPITAL, requested=DAY, status="waiting for images")) == ["A2", "B1"]
    assert sorted(listed(accession_numbers=("A1", "B1", "NONE"))) == ["A1", "B1"]
    assert listed(facility=HOSPITAL, accession_numbers=("B1",)) == ["B1"]
    assert listed(facility=HOSPITAL, requested=DAY, sut_codes=("000000",)) == []


def test_pages_together_are_the_whole_list_newest_first_and_each_order_once(open_archive: Open) -> None:
    application = open_archive()
    for number in range(9):
        made = order(f"N{number}", requested_at=f"2026113009000{number // 2}")
        application.national.orders.place(SYSTEM, made)
    for number in range(4):
        made = order(f"P{number}", OTHER, performing_facility=HOSPITAL, requested_at=f"2026113009000{number}")
        application.national.orders.place(SYSTEM, made)
    query = OrderQuery(facility=HOSPITAL, requested=DAY)
    pages: list[KnownOrder] = []
    after = None
    while True:
        page = application.national.listings.orders(SYSTEM, query, after=after, limit=3)
        pages += page.orders
        after = page.after
        if after is None:
            break
    keys = [one.order.key for one in pages]
    assert len(keys) == len(set(keys)) == 13
    times = [one.order.requested_at for one in pages]
    assert times == sorted(times, reverse=True)


def test_a_list_that_would_look_at_everything_is_refused(open_archive: Open) -> None:
    listings = open_archive().national.listings
    for query in (
        OrderQuery(),
        OrderQuery(facility=HOSPITAL),
        OrderQuery(requested=DAY),
        OrderQuery(patient_id="F1001"),
        OrderQuery(facility=HOSPITAL, requested=Period("20260101000000")),
        OrderQuery(facility=HOSPITAL, requested=Period("20260101000000", "20260501000000")),
        OrderQuery(facility=HOSPITAL, requested=DAY, scheduled=DAY),
        OrderQuery(accession_numbers=tuple(map(str, range(501)))),
    ):
        with pytest.raises(BadRequest):
            listings.orders(SYSTEM, query)


def test_whoever_is_of_a_facility_sees_what_it_ordered_or_performs_and_nothing_else(open_archive: Open) -> None:
    application = open_archive()
    fill(application)
    listings = application.national.listings
    application.national.orders.place(SYSTEM, order("C1", OTHER, patient=MEHMET))
    query = OrderQuery(national_number=MEHMET.national_number)
    assert sorted(found(listings.orders(CLERK, query))) == ["A3", "B1"]
    assert sorted(found(listings.orders(SYSTEM, query))) == ["A0", "A3", "B1", "C1"]
    assert listings.order(CLERK, OrderKey(OTHER, "B1")).order.key.facility == OTHER
    with pytest.raises(NotFound):
        listings.order(CLERK, OrderKey(OTHER, "C1"))
    for refused in (
        lambda: listings.orders(CLERK, replace(query, facility=OTHER)),
        lambda: listings.studies_of_day(CLERK, OTHER, "20261130"),
        lambda: listings.failed_notifications(CLERK, OTHER, DAY),
        lambda: listings.facility_of_medula(CLERK, "11069902"),
    ):
        with pytest.raises(NotAuthorized):
            refused()


def test_an_order_open_to_any_centre_is_of_the_one_that_made_its_images(open_archive: Open) -> None:
    application = open_archive()
    listings, reports = application.national.listings, application.national.reports
    key = OrderKey(OTHER, "A1")
    application.national.orders.place(SYSTEM, order("A1", OTHER, performing_facility=ANY_FACILITY))
    rights = frozenset({Action.LOOK_UP, Action.REPORT})
    mine, far = Actor(ActorKind.USER, "clerk", rights, HOSPITAL), Actor(ActorKind.USER, "far", rights, CENTRE)

    def listed(actor: Actor) -> list[str]:
        return found(listings.orders(actor, OrderQuery(requested=DAY)))

    assert (listed(mine), listed(far)) == ([], [])
    store(application, "1.1")
    assert (listed(mine), listed(far)) == (["A1"], [])
    assert found(listings.orders(mine, OrderQuery(accession_numbers=("A1",)))) == ["A1"]
    assert listings.order(mine, key).order.key == reports.file(mine, approved("A1", OTHER)).key == key
    for refused in (
        lambda: listings.order(far, key),
        lambda: reports.of(far, key),
        lambda: application.national.reprocessing.again(far, key),
    ):
        with pytest.raises(NotFound):
            refused()
    application.national.matching.release(SYSTEM, key, "1.1", "another patient")
    assert listed(mine) == []


def test_images_of_a_day_and_notifications_that_failed_are_listed(open_archive: Open) -> None:
    application = open_archive()
    fill(application)
    listings = application.national.listings
    found = listings.studies_of_day(SYSTEM, HOSPITAL, "20261130", "CT")
    assert [(one.accession_number, one.modalities) for one in found] == [("A3", ("CT",)), ("X9", ("CT",))]
    assert listings.studies_of_day(SYSTEM, HOSPITAL, "20261130", "C") == []
    assert listings.studies_of_day(SYSTEM, OTHER, "20261130") == []
    named = listings.studies_with_accession(SYSTEM, HOSPITAL, ["X9", "A0", "NONE"])
    assert [one.accession_number for one in named] == ["X9"]
    (failed,) = listings.failed_notifications(CLERK, "", DAY)
    assert (failed.key.accession_number, failed.response_code) == ("A3", "1104")
    assert listings.failed_notifications(SYSTEM, HOSPITAL, DAY, "MR") == []
    assert listings.failed_notifications(SYSTEM, HOSPITAL, Period.day("20261129")) == []
    assert len(listings.failed_notifications(SYSTEM, "", DAY, "CT")) == 1


def test_every_list_goes_along_an_index(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'index.db'}")
    upgrade(database)
    asked: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _noted(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    with database.read() as connection:
        for query in (
            OrderQuery(facility=HOSPITAL, requested=DAY, modality="CT", status="complete"),
            OrderQuery(facility=HOSPITAL, scheduled=DAY),
            OrderQuery(facility=HOSPITAL, patient_id="F1001"),
            OrderQuery(national_number=MEHMET.national_number),
            OrderQuery(facility=HOSPITAL, accession_numbers=("A1", "A2")),
        ):
            rows.page(connection, query, Place("20261130090000", 5), 10)
        rows.studies_of_day(connection, HOSPITAL, "20261130", "CT", 10)
        rows.studies_with_accession(connection, HOSPITAL, ["A1"])
        notifications.failed(connection, HOSPITAL, "CT", DAY.in_utc(ZoneInfo("Europe/Istanbul")), 10)
        statements = list(asked)
        for statement, parameters in statements:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert not any(step.startswith("SCAN") for step in plan), (statement, plan)
    assert len(statements) == 16
    database.close()
