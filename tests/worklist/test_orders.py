"""Orders are placed, changed and cancelled, and come back after a reindex."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.archives import Open, rows
from tests.worklist.ordering import order
from vna.model.access import SYSTEM
from vna.model.errors import Conflict, NotFound
from vna.model.orders import OrderKey, OrderState


def test_an_order_is_found_as_it_was_placed_and_after_a_change_as_it_was_changed(open_archive: Open) -> None:
    orders = open_archive().national.orders
    orders.place(SYSTEM, order())

    assert orders.get(SYSTEM, OrderKey("500059", "A1")).order == order()

    orders.change(SYSTEM, order(modality="MR"))
    assert orders.get(SYSTEM, OrderKey("500059", "A1")).order == order(modality="MR")


def test_the_same_accession_number_of_two_facilities_is_two_orders(open_archive: Open) -> None:
    orders = open_archive().national.orders
    orders.place(SYSTEM, order(facility="1"))
    orders.place(SYSTEM, order(facility="2", modality="MR"))

    assert orders.get(SYSTEM, OrderKey("1", "A1")).order.modality == "CT"
    assert orders.get(SYSTEM, OrderKey("2", "A1")).order.modality == "MR"


def test_a_cancelled_order_stays_cancelled(open_archive: Open) -> None:
    orders = open_archive().national.orders
    orders.place(SYSTEM, order())
    orders.cancel(SYSTEM, OrderKey("500059", "A1"))
    orders.cancel(SYSTEM, OrderKey("500059", "A1"))

    assert orders.get(SYSTEM, OrderKey("500059", "A1")).order.state is OrderState.CANCELLED
    with pytest.raises(Conflict):
        orders.place(SYSTEM, order())


def test_an_order_that_is_not_known_cannot_be_changed_or_cancelled(open_archive: Open) -> None:
    orders = open_archive().national.orders

    with pytest.raises(NotFound):
        orders.change(SYSTEM, order())
    with pytest.raises(NotFound):
        orders.cancel(SYSTEM, OrderKey("500059", "A1"))


def test_the_same_order_again_writes_nothing(open_archive: Open) -> None:
    archive = open_archive()
    archive.national.orders.place(SYSTEM, order())
    archive.national.orders.place(SYSTEM, order())

    assert rows(archive, "select count(*) from events where kind = 'order.changed'") == [(1,)]


def test_a_reindex_brings_orders_back(open_archive: Open) -> None:
    archive = open_archive()
    orders = archive.national.orders
    orders.place(SYSTEM, order())
    orders.place(SYSTEM, order("A2"))
    orders.cancel(SYSTEM, OrderKey("500059", "A2"))
    archive.dispatcher().drain()

    for _ in archive.reindex.run(SYSTEM):
        pass

    assert orders.get(SYSTEM, OrderKey("500059", "A1")).order == order()
    assert orders.get(SYSTEM, OrderKey("500059", "A2")).order == replace(order("A2"), state=OrderState.CANCELLED)
