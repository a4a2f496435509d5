"""Messages of invented people that keep every rule of the national profile, for trying out a listener."""

# ruff: noqa: RUF001 (Turkish letters)

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from vna.hl7 import oru_r01_writing
from vna.hl7.writing import SIGNS, coded, composed, names, person, segment, text
from vna.model.orders import Coded, Order, OrderedPatient, OrderKey, Person
from vna.model.reports import Part, PartName, Report

_PATIENT: Final = OrderedPatient("F1001", "10000000146", "ÖRNEK^AYŞE", "19800102", "F")
_DOCTOR: Final = Person("10000000214", "HEKİM^DENEME^^DR")
_RADIOLOGIST: Final = Person("10000000382", "RAPOR^ECE^^DR")
_DIAGNOSIS: Final = Coded("R51", "Baş ağrısı")
_PARTS: Final = (
    Part(PartName.TECHNIQUE, "Kontrastsız aksiyel kesitler alındı."),
    Part(PartName.COMPARISON, "Önceki inceleme yok."),
    Part(PartName.FINDINGS, "Serebral ve serebellar parankim dansitesi doğaldır; yer kaplayan lezyon saptanmadı."),
    Part(PartName.CONCLUSION, "Normal sınırlarda beyin BT incelemesi."),
)
_DG1: Final = segment("DG1", {1: "1", 3: coded(_DIAGNOSIS, "I10"), 6: "A"})
_SECOND: Final = "%Y%m%d%H%M%S"


class Sample(StrEnum):
    """What there is one of: an order, its cancellation, its report."""

    ORDER = "order"
    CANCEL = "cancel"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Named:
    """What a receiver tells messages and orders by: MSH-3, MSH-5 and MSH-6, MSH-10, ORC-21, the accession number; and
    MSH-7 in local time."""

    application: str
    receiver: tuple[str, str]
    message_id: str
    facility: str
    accession_number: str
    at: datetime


def written(kind: Sample, named: Named) -> bytes:
    """The message, in UTF-8."""
    order = _order(named)
    if kind is Sample.REPORT:
        envelope = oru_r01_writing.Envelope(
            (named.application, "ORNEK"), named.receiver, named.at, named.message_id, "utf-8", "UTF8"
        )
        return oru_r01_writing.message(envelope, order, _report(named))
    control = "CA" if kind is Sample.CANCEL else "NW"
    lines = [_msh(named), _pid(order), _pv1(order), _orc(order, control), _obr(order), _nte(order), _DG1]
    return ("\r".join(lines) + "\r").encode()


def _order(named: Named) -> Order:
    return Order(
        OrderKey(named.facility, named.accession_number),
        _PATIENT,
        sut=Coded("R100250", "Bilgisayarlı tomografi, beyin"),
        loinc=Coded("24725-4", "CT Head"),
        modality="CT",
        requested_at=named.at.strftime(_SECOND),
        scheduled_at=(named.at + timedelta(hours=1)).strftime(_SECOND),
        ordering_doctor=_DOCTOR,
        payer="SGK",
        admission_reference="REF-77",
        clinical_information="Baş ağrısı, 3 gündür",
        patient_class="O",
        clinic=Coded("150", "Nöroloji"),
    )


def _report(named: Named) -> Report:
    return Report(
        OrderKey(named.facility, named.accession_number),
        0,
        _PARTS,
        approved_at=named.at.strftime(_SECOND),
        radiologists=(_RADIOLOGIST,),
        reason_rating=4,
        quality_rating=5,
        diagnoses=(_DIAGNOSIS,),
    )


def _msh(named: Named) -> str:
    fields = {
        2: SIGNS.encoding_characters,
        3: text(named.application),
        4: "ORNEK",
        5: text(named.receiver[0]),
        6: text(named.receiver[1]),
        7: named.at.strftime(_SECOND),
        9: "ORM^O01",
        10: text(named.message_id),
        11: "P",
        12: "2.3.1",
        18: "UTF8",
    }
    return segment("MSH", fields)


def _pid(order: Order) -> str:
    who = order.patient
    number = text(who.national_number)
    return segment(
        "PID", {3: text(who.patient_id), 4: number, 5: composed(*names(who.name)), 7: who.birth_date, 8: who.sex}
    )


def _pv1(order: Order) -> str:
    return segment("PV1", {2: order.patient_class, 19: order.admission_reference, 20: order.payer})


def _orc(order: Order, control: str) -> str:
    accession = text(order.key.accession_number)
    doctor, clinic = person(order.ordering_doctor), coded(order.clinic)
    fields = {1: control, 2: accession, 3: accession, 5: "SC", 9: order.requested_at, 12: doctor, 17: clinic}
    return segment("ORC", fields | {21: text(order.key.facility)})


def _obr(order: Order) -> str:
    accession = text(order.key.accession_number)
    code = composed(order.sut.code, order.sut.text, "SUT", order.loinc.code, order.loinc.text, "LNC")
    fields = {1: "1", 2: accession, 3: accession, 4: code, 6: order.requested_at, 13: text(order.clinical_information)}
    fields |= {16: person(order.ordering_doctor), 18: accession, 24: order.modality, 36: order.scheduled_at}
    return segment("OBR", fields)


def _nte(order: Order) -> str:
    return segment("NTE", {1: "1", 3: composed("NTE0001", order.clinical_information)})
