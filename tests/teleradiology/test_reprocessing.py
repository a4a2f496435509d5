"""An order is looked at again on request: matched anew, and the payer told again where it refused."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.index import national_schema
from tests.archives import Backend
from tests.teleradiology.imaging import settle, store
from tests.teleradiology.payer import PASSWORD, USER, PayerService, served
from tests.teleradiology.reporting import approved
from tests.worklist.ordering import order
from vna.app import Application, build, migrate, prepare
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.codes import Code
from vna.model.errors import NotFound
from vna.model.orders import OrderKey

KEY = OrderKey("500059", "A1")
CLERK = Actor(ActorKind.USER, "clerk", frozenset({Action.LOOK_UP}), KEY.facility)


@pytest.fixture
def payer() -> PayerService:
    return PayerService()


@pytest.fixture
def archive(tmp_path: Path, payer: PayerService) -> Iterator[Application]:
    """An order with images and report, of which the payer was told."""
    with served(payer) as url:
        medula = {"url": url, "user": USER, "password": PASSWORD, "timeout": 5}
        settings = Backend("sqlite+folder", tmp_path).settings(national={"payer": "medula", "medula": medula})
        migrate(settings)
        prepare(settings)
        application = build(settings)
        facility = Code(KEY.facility, "Örnek Hastanesi", {"medula_code": "11069901"})
        application.national.codes.load(SYSTEM, "facilities", "1", [facility])
        asked = order(modality="MR", payer="SGK", tracking_number="TK1", admission_reference="B1")
        application.national.orders.place(SYSTEM, asked)
        store(application, "1.2.3.4", Modality="MR")
        payer.refuses = ("1234", "Takip bulunamadı")
        application.national.reports.file(SYSTEM, approved())
        settle(application)
        yield application
        application.close()


def status(archive: Application) -> str:
    return archive.national.orders.get(SYSTEM, KEY).standing.status


def test_the_payer_is_told_again_where_it_refused(archive: Application, payer: PayerService) -> None:
    assert status(archive) == "refused"
    payer.refuses = None
    archive.national.reprocessing.again(CLERK, KEY)
    settle(archive)
    assert status(archive) == "notified"
    asked = len(payer.requests)
    archive.national.reprocessing.again(CLERK, KEY)
    settle(archive)
    assert (status(archive), len(payer.requests)) == ("notified", asked)


def test_what_was_lost_of_a_match_and_of_how_an_order_stands_is_found_out_again(archive: Application) -> None:
    with archive.database.transaction() as connection:
        connection.execute(sa.delete(national_schema.order_matches))
        connection.execute(sa.update(national_schema.orders).values(matched=0, has_images=0, status=""))
    archive.national.reprocessing.again(CLERK, KEY)
    known = archive.national.orders.get(SYSTEM, KEY).standing
    assert (known.matched, known.has_images, known.status) == (True, True, "refused")


def test_an_order_of_another_facility_is_not_found(archive: Application) -> None:
    for actor, key in ((replace(CLERK, facility="500060"), KEY), (CLERK, OrderKey(KEY.facility, "NONE"))):
        with pytest.raises(NotFound):
            archive.national.reprocessing.again(actor, key)
