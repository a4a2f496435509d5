"""HL7 v2 messages that the suite makes: orders in the national form, and patients, all of them invented."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from conformance.suite.session import Session

Fields = dict[int, str]
_DOCTOR: Final = "10000000214^HEKIM^DENEME^^^DR"
_NUMBERS: Final = count(1)


@dataclass(frozen=True, slots=True)
class Order:
    """An examination that the suite asks for."""

    accession: str
    patient_id: str
    name: str
    facility: str
    station: str
    when: dt.datetime
    modality: str = "CT"


def new_order(session: Session, number: int, modality: str = "CT", name: str = "CONFORMANCE^ADAM") -> Order:
    """One that no other run has; it is to be performed tomorrow."""
    when = dt.datetime.now().astimezone().replace(hour=10, minute=30, second=0, microsecond=0) + dt.timedelta(days=1)
    return Order(
        f"{session.mark}W{number}",
        f"VC{session.mark}{number}",
        name,
        session.caller.facility,
        session.caller.ae_title,
        when,
        modality,
    )


def segment(name: str, fields: Fields) -> str:
    """A segment of these fields by their number."""
    first = 2 if name == "MSH" else 1
    return "|".join([name, *(fields.get(number, "") for number in range(first, max(fields, default=0) + 1))])


def header(session: Session, kind: str, version: str = "2.3.1", **changes: str) -> Fields:
    """MSH with a control ID that was not used before; `changes` are fields by their number, with m before it."""
    control = changes.pop("control_id", f"{session.mark}{next(_NUMBERS)}")
    usual = {
        2: "^~\\&",
        3: "VNACONF",
        4: session.caller.facility,
        5: "TELETIP",
        6: "TELETIP",
        7: f"{dt.datetime.now().astimezone():%Y%m%d%H%M%S}",
        9: kind,
        10: control,
        11: "P",
        12: version,
        18: "UTF8",
    }
    return usual | {int(name[1:]): value for name, value in changes.items()}


def order_message(session: Session, order: Order, control: str = "NW", **changes: str) -> str:
    """ORM^O01 of one order (docs/hl7.md)."""
    now, due = f"{dt.datetime.now().astimezone():%Y%m%d%H%M%S}", f"{order.when:%Y%m%d%H%M%S}"
    segments = {
        "MSH": header(session, "ORM^O01", **changes),
        "PID": {3: order.patient_id, 5: order.name, 7: "19700203", 8: "M"},
        "PV1": {2: "O", 19: f"ADM{session.mark}", 20: "SGK"},
        "ORC": {1: control, 2: order.accession, 3: order.accession, 9: now, 12: _DOCTOR, 17: "150^Nöroloji"}
        | {21: order.facility},
        "OBR": {
            1: "1",
            2: order.accession,
            3: order.accession,
            4: "804000^Tomografi^SUT^24725-4^CT Head^LNC",
            6: now,
            13: "Conformance",
            16: _DOCTOR,
            18: order.accession,
            24: order.modality,
            27: f"1^once^^{due}^^S",
            36: due,
        },
        "DG1": {1: "1", 3: "R51^Cefalji^I10", 6: "A"},
    }
    return "\r".join(segment(name, fields) for name, fields in segments.items()) + "\r"


def cancelled(session: Session, order: Order) -> str:
    """The same order, taken back."""
    return order_message(session, replace(order), control="CA")


def patient_message(session: Session, event: str, pid: str, *, merged: str = "", name: str = "Conformance^Cem") -> str:
    """ADT of one patient; `merged` is who became `pid` (ITI TF-2 3.8.4)."""
    now = f"{dt.datetime.now().astimezone():%Y%m%d%H%M%S}"
    lines = [
        segment("MSH", header(session, f"ADT^{event}")),
        segment("EVN", {1: event, 2: now}),
        segment("PID", {3: pid, 5: name, 7: "19700203", 8: "M"}),
    ]
    if merged:
        lines.append(segment("MRG", {1: merged}))
    return "\r".join([*lines, segment("PV1", {2: "O"})]) + "\r"
