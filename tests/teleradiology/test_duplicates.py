"""Earlier examinations: which count, for how long, and that whoever asks is noted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.index import examinations
from storage.index.engine import Database
from storage.index.national_schema import orders as order_table
from tests.archives import Backend, Open, make_backend, rows
from tests.teleradiology.standing_rows import report
from tests.worklist.ordering import AYSE, DOCTOR, order
from vna.app import Application, build, migrate, prepare
from vna.model.access import SYSTEM, Actor, ActorKind
from vna.model.errors import NotAuthorized
from vna.model.orders import Coded, Order, OrderKey
from vna.security.policy import EnforcedPolicy
from vna.teleradiology.duplicates import MOST, Duplicates
from vna.teleradiology.looks import Looks

NUMBER, SUT = AYSE.national_number, "804000"


def examined(archive: Application, *placed: Order) -> None:
    """These were ordered and reported."""
    for one in placed:
        archive.national.orders.place(SYSTEM, one)
        report(archive, one.key)
    archive.dispatcher().drain()


def found(archive: Application, at: str, number: str = NUMBER, sut: str = SUT) -> list[str]:
    return [
        one.order.key.accession_number for one in archive.national.duplicates.query(SYSTEM, number, sut, at).earlier
    ]


def test_an_earlier_examination_counts_to_the_day_at_whatever_facility(open_archive: Open) -> None:
    archive = open_archive()
    examined(
        archive,
        order("A1", "1", requested_at="20260530000000"),
        order("A2", "2", requested_at="20260529235959"),
        order("A3", "3", requested_at="20261129230000"),
    )

    assert found(archive, "20261130090000") == ["A3", "A1"]
    assert found(archive, "20261130") == ["A3", "A1"]
    assert found(archive, "20261129230000") == ["A1", "A2"]


def test_what_was_cancelled_never_made_or_is_of_somebody_else_does_not_count(open_archive: Open) -> None:
    archive = open_archive()
    other = replace(AYSE, national_number="10000000382")
    examined(archive, order("A1", sut=Coded("804010")), order("A2", patient=other), order("A3"))
    archive.national.orders.place(SYSTEM, order("A4"))
    archive.national.orders.cancel(SYSTEM, OrderKey("500059", "A3"))
    archive.dispatcher().drain()

    assert found(archive, "20261201") == []
    assert archive.national.duplicates.query(SYSTEM, "", SUT, "20261201").earlier == ()
    assert archive.national.duplicates.query(SYSTEM, NUMBER, SUT, "soon").earlier == ()


def test_what_a_patient_had_before_a_merge_counts(open_archive: Open) -> None:
    archive = open_archive()
    authority = archive.national.profile.national_authority
    old, new = "99000000040", "10000000146"
    examined(archive, order("A1", patient=replace(AYSE, national_number=old)), order("A2"))
    for number in (old, new):
        archive.patients.register(SYSTEM, f"{number}^^^&{authority}&ISO")
    assert found(archive, "20261201", new) == ["A2"]

    archive.patients.merge(SYSTEM, f"{old}^^^&{authority}&ISO", f"{new}^^^&{authority}&ISO")

    assert found(archive, "20261201", new) == found(archive, "20261201", old) == ["A2", "A1"]


def test_the_answer_says_how_long_the_period_is_and_where_it_begins(open_archive: Open) -> None:
    said = open_archive().national.duplicates.query(SYSTEM, NUMBER, SUT, "20261130")
    assert (said.months, said.since, said.excused) == (6, "20260530000000", False)


def test_who_asks_is_noted_and_still_is_after_a_reindex(open_archive: Open) -> None:
    archive = open_archive()
    asker = Actor(ActorKind.USER, "clerk", facility="500061")
    archive.national.duplicates.query(asker, NUMBER, SUT, "20261130", doctor=DOCTOR.number)
    archive.dispatcher().drain()
    wanted = "select national_number, sut_code, doctor_number, facility, kind, at from looks"
    noted = rows(archive, wanted)

    assert noted[0][:5] == (NUMBER, SUT, DOCTOR.number, "500061", "query")
    list(archive.reindex.run(SYSTEM))
    assert rows(archive, wanted) == noted


def test_whoever_has_no_right_is_told_nothing_and_not_noted(open_archive: Open) -> None:
    archive = open_archive()
    closed = EnforcedPolicy()
    nobody = Actor(ActorKind.USER, "nobody")
    national = archive.national
    duplicates = Duplicates(archive.database, closed, national.rules)
    looks = Looks(archive.database, closed, national.profile, national.rules)

    with pytest.raises(NotAuthorized):
        duplicates.query(nobody, NUMBER, SUT, "20261130")
    with pytest.raises(NotAuthorized):
        looks.looked_before(nobody, NUMBER, [SUT], at="20261130")
    assert rows(archive, "select count(*) from looks") == [(0,)]


def test_opening_an_earlier_report_is_known_by_doctor_and_facility(open_archive: Open) -> None:
    archive = open_archive()
    examined(archive, order("A1"))
    looks = archive.national.looks
    reader = Actor(ActorKind.USER, "hbys", facility="500061")

    assert looks.looked_before(reader, NUMBER, [SUT, "804010"], at="20991231") == {SUT: False, "804010": False}
    looks.opened_order(reader, OrderKey("500059", "A1"), DOCTOR.number)

    def looked(**who: Any) -> bool:
        return looks.looked_before(reader, NUMBER, [SUT], at=f"{datetime.now() + timedelta(1):%Y%m%d}", **who)[SUT]

    assert looked()
    assert looked(doctor=DOCTOR.number, facility="500061")
    assert not looked(doctor="10000000382")
    assert not looked(facility="500059")
    assert not looks.looked_before(reader, NUMBER, [SUT], at="20200101")[SUT]


# ---- against an oracle: whatever was ordered, in whatever state

START = datetime(2026, 1, 1)
ORDERS = st.lists(
    st.tuples(
        st.sampled_from(["10000000146", "10000000214"]),
        st.sampled_from(["804000", "804010"]),
        st.integers(0, 400),
        st.sampled_from(["scheduled", "completed", "cancelled"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Database]:
    backend: Backend = make_backend("sqlite+folder", request, tmp_path_factory.mktemp("duplicates"))
    migrate(backend.settings())
    prepare(backend.settings())
    application = build(backend.settings())
    yield application.database
    application.close()


@given(ORDERS, st.integers(0, 600))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_found_is_what_a_list_of_all_orders_would_say(
    database: Database, ordered: list[tuple[str, str, int, str, bool, bool]], day: int
) -> None:
    names = count()
    placed = [(f"A{next(names)}", *one) for one in ordered]
    since, before = (f"{START + timedelta(days):%Y%m%d%H%M%S}" for days in (day - 180, day))
    expected = {
        name
        for name, number, sut, on, state, images, reported in placed
        if number == NUMBER and sut == SUT and day - 180 <= on < day and state != "cancelled" and (images or reported)
    }

    with database.transaction() as connection:
        connection.execute(sa.delete(order_table))
        for name, number, sut, on, state, images, reported in placed:
            body = order(name, sut=Coded(sut), requested_at=f"{START + timedelta(on):%Y%m%d%H%M%S}").as_plain()
            connection.execute(_insert(name, number, sut, body, state, images, reported))
        earlier = examinations.earlier(connection, [NUMBER], SUT, since, before, limit=MOST)

    assert {one.order.key.accession_number for one in earlier} == expected


def _insert(
    name: str, number: str, sut: str, body: dict[str, Any], state: str, images: bool, reported: bool
) -> sa.Insert:
    return sa.insert(order_table).values(
        facility="500059",
        accession_number=name,
        national_number=number,
        sut_code=sut,
        requested_at=body["requested_at"],
        state=state,
        has_images=int(images),
        has_report=int(reported),
        body=orjson.dumps(body).decode(),
    )


def test_the_look_up_goes_by_the_index_of_examinations(open_archive: Open) -> None:
    archive = open_archive()
    statement = examinations.earlier_statement([NUMBER, "10000000214"], SUT, "20260101", "20270101", MOST)
    text = str(statement.compile(archive.database.engine, compile_kwargs={"literal_binds": True}))
    with archive.database.transaction() as connection:
        if not archive.database.is_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if archive.database.is_sqlite else "EXPLAIN "
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(explain + text))
    assert "ix_orders_examination" in plan
