"""Performed procedure steps: what they have to say, and the orders that follow them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom import Dataset

from tests.archives import Open, rows
from tests.worklist.ordering import order
from tests.worklist.steps import begun, elements, ended
from vna.app import Application
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.errors import (
    DuplicateInstance,
    Finished,
    InvalidValue,
    MissingAttribute,
    MissingValue,
    NotAuthorized,
    NotFound,
)
from vna.model.orders import ANY_FACILITY, OrderKey, OrderState

FIRST, SECOND = "1.2.826.0.1.3680043.10.1561.1", "1.2.826.0.1.3680043.10.1561.2"


def modality(facility: str = "500059") -> Actor:
    return Actor(ActorKind.AE, "CT1", frozenset({Action.STORE, Action.QUERY}), facility)


def state(archive: Application, accession_number: str = "A1", facility: str = "500059") -> OrderState:
    return archive.national.orders.get(SYSTEM, OrderKey(facility, accession_number)).order.state


def test_orders_follow_the_steps_that_are_made_for_them(open_archive: Open) -> None:
    archive = open_archive()
    steps, place = archive.national.performed, archive.national.orders.place
    orders = [order("A1"), order("A2"), order("A3")]
    for one in orders:
        place(SYSTEM, one)

    steps.create(modality(), FIRST, elements(begun(*orders[:2])))
    assert [state(archive, number) for number in ("A1", "A2", "A3")] == ["in progress", "in progress", "scheduled"]

    steps.create(modality(), SECOND, elements(begun(orders[0])))
    steps.set(modality(), FIRST, elements(ended()))
    assert [state(archive, number) for number in ("A1", "A2")] == ["in progress", "completed"]

    steps.set(modality(), SECOND, elements(ended("DISCONTINUED", series=False)))
    assert state(archive, "A1") is OrderState.COMPLETED

    steps.create(modality(), "1.2.3", elements(begun(orders[2])))
    steps.set(modality(), "1.2.3", elements(ended("DISCONTINUED")))
    assert state(archive, "A3") is OrderState.DISCONTINUED


def test_a_reindex_brings_steps_and_how_far_orders_are_back(open_archive: Open) -> None:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order())
    archive.national.performed.create(modality(), FIRST, elements(begun(order())))
    archive.national.performed.set(modality(), FIRST, elements(ended()))
    archive.dispatcher().drain()
    before = rows(archive, "select * from performed_steps"), state(archive)

    for _ in archive.reindex.run(SYSTEM):
        pass

    after = [row[1:] for row in rows(archive, "select * from performed_steps")], state(archive)
    assert after == ([row[1:] for row in before[0]], OrderState.COMPLETED)


def _without(keyword: str) -> Callable[[Dataset], None]:
    return lambda ds: delattr(ds, keyword)


def _with(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds, keyword, value)


def _bad_study(ds: Dataset) -> None:
    ds.ScheduledStepAttributesSequence[0].StudyInstanceUID = "../etc"


SPOILT = (
    (_without("PerformedProcedureStepStatus"), MissingAttribute),
    (_without("ScheduledStepAttributesSequence"), MissingAttribute),
    (_with("ScheduledStepAttributesSequence", []), MissingValue),
    (_with("PerformedStationAETitle", ""), MissingValue),
    (_with("PerformedProcedureStepStartDate", ""), MissingValue),
    (_with("PerformedProcedureStepStatus", "COMPLETED"), InvalidValue),
    (_bad_study, InvalidValue),
)


def test_a_step_that_does_not_say_what_it_has_to_is_refused(open_archive: Open) -> None:
    archive = open_archive()
    for spoil, error in SPOILT:
        ds = begun(order())
        spoil(ds)
        with pytest.raises(error):
            archive.national.performed.create(modality(), FIRST, elements(ds))
    assert rows(archive, "select count(*) from performed_steps") == [(0,)]


@pytest.fixture
def in_progress(open_archive: Open) -> Application:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order())
    archive.national.performed.create(modality(), FIRST, elements(begun(order())))
    return archive


def test_a_step_is_told_of_once_and_changes_no_more_once_it_is_over(in_progress: Application) -> None:
    steps = in_progress.national.performed
    with pytest.raises(DuplicateInstance):
        steps.create(modality(), FIRST, elements(begun(order())))
    steps.set(modality(), FIRST, elements(ended()))

    for status in ("COMPLETED", "IN PROGRESS", "DISCONTINUED"):
        with pytest.raises(Finished):
            steps.set(modality(), FIRST, elements(ended(status)))
    assert state(in_progress) is OrderState.COMPLETED


def test_a_step_ends_only_with_what_is_known_by_then(in_progress: Application) -> None:
    steps = in_progress.national.performed
    nothing, unsaid, unknown = Dataset(), ended(), ended("FINISHED")
    nothing.PerformedProcedureStepStatus = "COMPLETED"
    del unsaid.PerformedSeriesSequence

    for ds, error in ((nothing, MissingValue), (unsaid, MissingValue), (unknown, InvalidValue)):
        with pytest.raises(error):
            steps.set(modality(), FIRST, elements(ds))
    assert state(in_progress) is OrderState.IN_PROGRESS


def test_who_is_examined_cannot_be_changed_by_a_step_but_said_again(in_progress: Application) -> None:
    steps = in_progress.national.performed
    another, again = ended(), ended()
    another.PatientID, again.PatientID = "F9", "F1001"

    with pytest.raises(InvalidValue):
        steps.set(modality(), FIRST, elements(another))
    steps.set(modality(), FIRST, elements(again))

    known = steps.get(modality(), FIRST)
    assert known["00400252"]["Value"] == ["COMPLETED"]
    assert known["00400340"]["Value"][0]["00081070"]["Value"] == [{"Alphabetic": "TEKNİKER^ÇAĞRI"}]
    assert known["00100010"]["Value"] == [{"Alphabetic": "ÖRNEK^AYŞE"}]


def test_a_step_of_another_facility_is_not_known(in_progress: Application) -> None:
    steps = in_progress.national.performed

    for ask in (
        lambda: steps.set(modality("600001"), FIRST, elements(ended())),
        lambda: steps.get(modality("6"), FIRST),
    ):
        with pytest.raises(NotFound):
            ask()


def test_the_order_that_follows_is_the_one_whose_study_it_is_not_another_facilitys_of_that_number(
    open_archive: Open,
) -> None:
    archive = open_archive()
    for facility in ("500059", "600001"):
        archive.national.orders.place(SYSTEM, order(facility=facility, performing_facility=ANY_FACILITY))

    archive.national.performed.create(modality("600001"), FIRST, elements(begun(order())))

    assert [state(archive, facility=one) for one in ("500059", "600001")] == ["in progress", "scheduled"]


def test_a_number_that_two_orders_have_and_no_study_tells_apart_moves_neither(open_archive: Open) -> None:
    archive = open_archive()
    for facility in ("500059", "600001"):
        archive.national.orders.place(SYSTEM, order(facility=facility, performing_facility=ANY_FACILITY))
    ds = begun(order())
    ds.ScheduledStepAttributesSequence[0].StudyInstanceUID = "1.2.3"

    archive.national.performed.create(modality("600001"), FIRST, elements(ds))

    assert [state(archive, facility=one) for one in ("500059", "600001")] == ["scheduled", "scheduled"]


def test_a_cancelled_order_stays_so_and_an_unknown_one_stays_unknown(open_archive: Open) -> None:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order())
    archive.national.orders.cancel(SYSTEM, OrderKey("500059", "A1"))

    archive.national.performed.create(modality(), FIRST, elements(begun(order(), order("A9"))))

    assert state(archive) is OrderState.CANCELLED
    with pytest.raises(NotFound):
        state(archive, "A9")


def test_steps_are_told_of_by_those_who_may_store_and_read_by_those_who_may_query(open_archive: Open) -> None:
    archive = open_archive(security={"mode": "enforced"})
    reader = Actor(ActorKind.AE, "X", frozenset({Action.QUERY}))
    writer = Actor(ActorKind.AE, "X", frozenset({Action.STORE}))
    steps = archive.national.performed

    with pytest.raises(NotAuthorized):
        steps.create(reader, FIRST, elements(begun(order())))
    steps.create(writer, FIRST, elements(begun(order())))
    with pytest.raises(NotAuthorized):
        steps.get(writer, FIRST)
    assert steps.get(reader, FIRST)["00400252"]["Value"] == ["IN PROGRESS"]
