"""An archive with orders of invented patients, and what belongs to them."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from storage.index import notifications
from storage.index.events import time_text
from tests.archives import put
from tests.objects import ct, part10
from tests.teleradiology.imaging import settle
from tests.teleradiology.reporting import approved
from tests.worklist.ordering import AYSE, order
from vna.app import Application
from vna.model.access import SYSTEM, Action
from vna.model.codes import Code
from vna.model.notifications import Notification, NotificationState
from vna.model.orders import Coded, KnownOrder, Order, OrderedPatient, OrderKey

HOSPITAL, OTHER, CENTRE = "500059", "500060", "500061"
MEDULA = {HOSPITAL: "11069901", OTHER: "11069902", CENTRE: "11069903"}
STM = {HOSPITAL: "71", OTHER: "72", CENTRE: "73"}
PASSWORD = "a long secret"
MEHMET = OrderedPatient("F2002", "10000000214", "DENEME^MEHMET", "19700101", "M")
SENT = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)


def told(application: Application, key: OrderKey, state: NotificationState, **said: Any) -> None:
    """What the payer was told."""
    with application.database.transaction() as connection:
        notifications.put(connection, Notification(key, state, 1, time_text(SENT), **said))


def fill(application: Application) -> None:
    """A1 complete and told, A2 without images, A3 blocked by A0 and refused, B1 of another facility that the first
    performs, and images X9 without an order."""
    names = {HOSPITAL: "Örnek Devlet Hastanesi", OTHER: "Örnek Üniversite Hastanesi", CENTRE: "Örnek Merkez"}
    codes = [Code(code, name, {"medula_code": MEDULA[code], "stm_id": STM[code]}) for code, name in names.items()]
    application.national.codes.load(SYSTEM, "facilities", "1", codes)
    for one in _orders():
        application.national.orders.place(SYSTEM, one)
    for number, patient, facility, modality in (
        ("A0", MEHMET, CENTRE, "CT"),
        ("A1", AYSE, HOSPITAL, "MR"),
        ("A3", MEHMET, HOSPITAL, "CT"),
        ("X9", AYSE, HOSPITAL, "CT"),
    ):
        put(application, _image(number, patient, facility, modality))
    told(application, OrderKey(HOSPITAL, "A1"), NotificationState.ACCEPTED, response_code="0000")
    refused = {"response_code": "1104", "response_message": "Takip bulunamadı"}
    told(application, OrderKey(HOSPITAL, "A3"), NotificationState.REFUSED, **refused)
    application.national.reports.file(SYSTEM, approved())
    settle(application)


def _orders() -> list[Order]:
    notes = (Coded("NTE0001", "Baş ağrısı"), Coded("NTE0002", "Hipertansiyon"))
    diagnoses = (Coded("R51", "Baş ağrısı"), Coded("I10", ""))
    return [
        order(notes=notes, diagnoses=diagnoses, modality="MR"),
        order("A2", sut=Coded("804100", "MR"), scheduled_at="20261201090000", modality="MR"),
        order("A0", CENTRE, patient=MEHMET, requested_at="20260901080000"),
        order("A3", patient=MEHMET, requested_at="20261129080000"),
        order("B1", OTHER, sut=Coded("804100", "MR"), performing_facility=HOSPITAL, patient=MEHMET),
    ]


def _image(number: str, patient: OrderedPatient, facility: str, modality: str) -> bytes:
    return part10(
        ct(
            StudyInstanceUID=study_of(number),
            AccessionNumber=number,
            PatientID=patient.national_number,
            InstitutionName=f"Ornek^^^SKRS{facility}^^^FK1",
            Modality=modality,
            StudyDate="20261130",
            StudyTime="111000",
        )
    )


def study_of(number: str) -> str:
    """The Study Instance UID of the images with an accession number."""
    return f"1.2.3.{ord(number[0])}.{number[1:]}"


def clerk(application: Application, name: str, facility: str, *rights: Action) -> None:
    """A user of a facility."""
    application.accounts.add_user(SYSTEM, name, PASSWORD, frozenset(rights or (Action.LOOK_UP,)), facility)


def found(page: Any) -> list[str]:
    """The accession numbers of a page of the use case."""
    return [one.order.key.accession_number for one in page.orders if isinstance(one, KnownOrder)]
