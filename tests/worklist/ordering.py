"""Orders of invented patients."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from vna.model.orders import Coded, Order, OrderedPatient, OrderKey, Person

WHENEVER: dict[str, object] = {"profile": str(Path(__file__).with_name("whenever.toml"))}
"""Settings of the national side by which orders of any day are answered: those of tests have fixed ones."""
AYSE = OrderedPatient("F1001", "10000000146", "ÖRNEK^AYŞE", "19800102", "F")
DOCTOR = Person("10000000214", "HEKİM^DENEME")


def order(accession_number: str = "A1", facility: str = "500059", **changes: Any) -> Order:
    """A CT of the head; `changes` are fields of the order."""
    usual = Order(
        key=OrderKey(facility, accession_number),
        patient=AYSE,
        sut=Coded("804000", "Bilgisayarlı tomografi, beyin"),
        loinc=Coded("24725-4", "CT Head"),
        modality="CT",
        requested_at="20261130090000",
        scheduled_at="20261130100000",
        ordering_doctor=DOCTOR,
    )
    return replace(usual, **changes)
