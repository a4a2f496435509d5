"""`make bench ARGS="lookups"`: goruntuSorgula and mukerrerSorgula among ten thousand orders and among a million.

make bench ARGS="lookups --count 200000 --database postgresql"

Every order has a study of one image and a patient of its own ten; each call names the patient, finds one examination,
and is audited before it is answered. Both are measured beside `/healthz`, by one httpx client.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import orjson
import sqlalchemy as sa

from benchmarks.rows import insert
from benchmarks.two_sizes import Comparison
from storage.index.engine import Database
from storage.index.migrate import upgrade
from storage.index.national_schema import orders
from storage.index.schema import patients, studies
from tests.sgk.messages import PATH, message
from vna.model.orders import Coded, Order, OrderedPatient, OrderKey, Person

EACH = 10
"""Orders of one patient."""

FACILITIES = 500
CODES = [*range(803870, 804511, 10), 804101, 804102]
_BATCH = 5_000
_WARMING = 50


def main(words: list[str]) -> None:
    """Fill, serve, ask in turn, print."""
    Comparison("lookups", "orders", __doc__, fill, ask, ("goruntuSorgula", "mukerrerSorgula"), 400).main(words)


def ask(client: httpx.Client, count: int, rounds: int) -> dict[str, float]:
    """Medians in milliseconds; a round asks everything once, each time for another order."""
    times: dict[str, list[float]] = {what: [] for what in ("goruntuSorgula", "mukerrerSorgula", "/healthz")}
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    for number in range(rounds + _WARMING):
        one = number * 7919 % count
        found = {"saglikTesisKodu": "11060001", "accession": accession(one), "hastaTCK": person(one // EACH)}
        repeated = {"saglikTesisKodu": "11060001", "hastaTCK": person(one // EACH), "sutKodu": code(one)}
        messages = {
            "goruntuSorgula": message("goruntuSorgula", **found),
            "mukerrerSorgula": message("mukerrerSorgula", **repeated, islemTarihi="01.09.2026"),
        }
        for what, several in times.items():
            started = time.perf_counter()
            answer = (
                client.post(PATH, content=messages[what], headers=headers) if what in messages else client.get(what)
            )
            elapsed = time.perf_counter() - started
            assert answer.status_code == 200, answer.text
            if what in messages:
                assert accession(one) in answer.text, answer.text
            if number >= _WARMING:  # the first ones find the caches cold
                several.append(elapsed * 1000)
    return {what: statistics.median(several) for what, several in times.items()}


def fill(database: Database, count: int) -> None:
    """An empty database with `count` orders and as many studies, ten of each patient; order n is the same whatever the
    count."""
    upgrade(database)
    rows = ((_patients(count), patients), (_studies(count), studies), (_orders(count), orders))
    for several, table in rows:
        while batch := list(islice(several, _BATCH)):
            with database.transaction() as connection:
                insert(connection, table, batch)
    with database.transaction() as connection:
        connection.execute(sa.text("ANALYZE"))


def accession(number: int) -> str:
    """Of an order; some numbers are made by three facilities."""
    return f"A{number // 3 if number % 100 < 3 else number}"


def code(number: int) -> str:
    """The SUT code of an order: the ten of a patient differ."""
    return str(CODES[number % len(CODES)])


def person(number: int) -> str:
    """An invented national number."""
    nine = 100_000_000 + number * 7 % 800_000_000
    digits = [int(character) for character in str(nine)]
    tenth = (sum(digits[0::2]) * 7 - sum(digits[1::2])) % 10
    return f"{nine}{tenth}{(sum(digits) + tenth) % 10}"


def _patients(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count // EACH):
        yield {"patient_id": person(number), "issuer": "", "patient_name": "DENEME^HASTA", "attributes": "{}"}


def _studies(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "study_instance_uid": f"1.2.826.0.1.3680043.10.1561.9.{number}",
            "patient_fk": number // EACH + 1,
            "facility": str(500_000 + number % FACILITIES),
            "study_date": f"2026{number % 12 + 1:02}{number % 28 + 1:02}",
            "study_time": "101112",
            "accession_number": accession(number),
            "study_description": "Toraks BT",
            "modalities": "\\CT\\",
            "attributes": "{}",
            "number_of_series": 1,
            "number_of_instances": 1,
        }


def _orders(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        order = Order(
            key=OrderKey(str(500_000 + number % FACILITIES), accession(number)),
            patient=OrderedPatient(f"F{number // EACH}", person(number // EACH), "DENEME^HASTA", "19800102", "F"),
            sut=Coded(code(number), "Bilgisayarli tomografi"),
            loinc=Coded("24725-4", "CT Head"),
            modality="CT",
            requested_at="20260601090000",
            scheduled_at="20260601100000",
            ordering_doctor=Person("10000000214", "HEKIM^DENEME"),
        )
        yield {
            "facility": order.key.facility,
            "accession_number": order.key.accession_number,
            "patient_id": order.patient.patient_id,
            "national_number": order.patient.national_number,
            "patient_name": order.patient.name,
            "patient_name_norm": order.patient.name,
            "state": "completed",
            "sut_code": order.sut.code,
            "modality": "CT",
            "requested_at": order.requested_at,
            "scheduled_at": order.scheduled_at,
            "matched": 1,
            "has_images": 1,
            "has_report": 1,
            "reasons": "[]",
            "body": orjson.dumps({**order.as_plain(), "state": "completed"}).decode(),
        }
