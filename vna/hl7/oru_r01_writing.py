"""Unsolicited observation message (HL7 v2.3.1 7.2.1), written: a report to the system that ordered it."""

import base64
import html
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vna.hl7.writing import SIGNS, coded, composed, names, person, repeated, segment, text
from vna.model.orders import ANY_FACILITY, Order
from vna.model.reports import Part, Report, ReportKind

VERSION: Final = "2.3.1"
_DEPARTMENTS: Final = {ReportKind.RADIOLOGY: "Radiology", ReportKind.PATHOLOGY: "Pathology"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """MSH-3 to MSH-6, MSH-7 (local time), MSH-10, and the character set: the codec, and how MSH-18 says it."""

    sender: tuple[str, str]
    receiver: tuple[str, str]
    at: datetime
    message_id: str
    codec: str = "utf-8"
    character_set: str = "UTF8"


def message(envelope: Envelope, order: Order, report: Report) -> bytes:
    """The report of an order, in the character set of the envelope."""
    lines = [
        _msh(envelope),
        _pid(order),
        _pv1(order),
        _orc(order, report),
        _obr(order, report),
        _obx(report, envelope.codec),
        *(segment("DG1", {1: str(n), 3: coded(one, "I10"), 6: "F"}) for n, one in enumerate(report.diagnoses, 1)),
    ]
    return ("\r".join(lines) + "\r").encode(envelope.codec, "replace")


def _msh(envelope: Envelope) -> str:
    fields = {
        2: SIGNS.encoding_characters,
        3: text(envelope.sender[0]),
        4: text(envelope.sender[1]),
        5: text(envelope.receiver[0]),
        6: text(envelope.receiver[1]),
        7: envelope.at.strftime("%Y%m%d%H%M%S"),
        9: "ORU^R01",
        10: text(envelope.message_id),
        11: "P",
        12: VERSION,
        18: text(envelope.character_set),
    }
    return segment("MSH", fields)


def _pid(order: Order) -> str:
    patient = order.patient
    return segment(
        "PID",
        {
            1: "1",
            3: text(patient.patient_id),
            4: text(patient.national_number),
            5: composed(*names(patient.name)),
            7: text(patient.birth_date),
            8: text(patient.sex or "U"),
        },
    )


def _pv1(order: Order) -> str:
    fields = {2: order.patient_class or "O", 19: order.admission_reference, 20: order.payer}
    return segment("PV1", {number: text(value) for number, value in fields.items()})


def _orc(order: Order, report: Report) -> str:
    accession = text(order.key.accession_number)
    return segment(
        "ORC",
        {
            1: "XO" if report.addendum_to else "NW",
            2: accession,
            3: accession,
            5: "CM",
            9: text(order.requested_at),
            12: person(order.ordering_doctor),
            17: coded(order.clinic),
            21: text(order.key.facility),
        },
    )


def _obr(order: Order, report: Report) -> str:
    accession = text(order.key.accession_number)
    elsewhere = order.performing_facility not in ("", ANY_FACILITY)
    department = f"{text(order.performing_facility)}&&SKRS" if elsewhere else _DEPARTMENTS[report.kind]
    sut, loinc = order.sut, order.loinc
    return segment(
        "OBR",
        {
            1: "1",
            2: accession,
            3: accession,
            4: composed(
                sut.code, sut.text, "SUT" if sut.code else "", loinc.code, loinc.text, "LNC" if loinc.code else ""
            ),
            6: text(order.requested_at),
            7: text(report.approved_at),
            13: text(order.clinical_information),
            15: f"{department}^^^^^R",
            16: person(order.ordering_doctor),
            18: accession,
            20: text(order.tracking_number),
            21: text(order.facility_reference),
            24: text("PAT" if report.kind is ReportKind.PATHOLOGY else order.modality),
            31: coded(order.repeat_reason),
            36: text(order.scheduled_at),
        },
    )


def _obx(report: Report, codec: str) -> str:
    is_html = any(part.is_html or not _fits(part.text, codec) for part in report.parts)
    ratings = (str(rating or "") for rating in (report.reason_rating, report.quality_rating))
    return segment(
        "OBX",
        {
            1: "1",
            2: "TX",
            3: ("HTML" if is_html else "TXT") + "^BASE64",
            5: repeated([_part(part, codec, is_html=is_html) for part in report.parts]),
            11: "C" if report.addendum_to else "F",
            13: composed(*ratings),
            16: repeated([person(one) for one in report.radiologists]),
            17: repeated([composed(one.route, one.substance, one.concentration) for one in report.contrast]),
        },
    )


def _part(part: Part, codec: str, *, is_html: bool) -> str:
    """Characters that the set does not have are references in HTML."""
    said = part.text
    if is_html and not part.is_html:
        said = html.escape(said, quote=False).replace("\n", "<br>")
    data = said.encode(codec, "xmlcharrefreplace" if is_html else "strict")
    return f"{base64.b64encode(data).decode()}^{part.name.value}"


def _fits(said: str, codec: str) -> bool:
    try:
        said.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
