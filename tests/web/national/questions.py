"""A question for every operation of the API that has an answer in the archive of `seeds`."""

from __future__ import annotations

import re
from typing import Any

import orjson

from tests.web.national.seeds import HOSPITAL, MEDULA, study_of
from vna.web.national.operations import Operation, Reading

MINE = {"MedulaInstitutionId": MEDULA[HOSPITAL]}
PERIOD = {**MINE, "StartDateTime": "2026-11-01", "EndDateTime": "2026-11-30"}
PATIENT = {**MINE, "PatientCitizenId": "10000000146"}
DATES = {"facility": HOSPITAL, "from": "2026-11-01", "to": "2026-11-30"}
NAMED = {"facility": HOSPITAL, "accession": "A1"}
A1 = "the OrderId of A1"
"""What stands for it: each archive makes its own."""

ASKED: dict[str, dict[str, Any]] = {
    "plain_orders": DATES,
    "plain_reprocessed": NAMED,
    "plain_one_order": NAMED,
    "plain_statuses": {"facility": HOSPITAL, "accession_numbers": ["A1", "X9", "NONE"]},
    "plain_unmatched_orders": DATES,
    "plain_unmatched_studies": DATES,
    "plain_failed_notifications": DATES,
    "plain_previous": {"patient": "10000000146", "sut_code": "804000"},
    "GetPatientOrderList": {**MINE, "CitizenId": "10000000146"},
    "GetOrderStatusForAccessionNumberList": {**MINE, "AccessionNumberList": ["A1", "X9", "NONE"]},
    "GetNonMatchingOrderList": PERIOD,
    "GetNonMatchingStudyList": PERIOD,
    "GetMedulaRegistrationFailedOrderList": PERIOD,
    "GetDailyOrderList": {**MINE, "QueryDate": "2026-11-30"},
    "GetDailyStudyList": {**MINE, "StartDateTime": "2026-11-30"},
    "GetDailyCreatedOrderList": {**MINE, "QueryDate": "2026-11-30"},
    "GetPreviousStudies": {**PATIENT, "SutCode": "804000"},
    "GetPreviousStudiesForSutCodeList": {**PATIENT, "SutCodeList": ["804000"]},
    "GetPreviousStudiesSearchDetail": {**PATIENT, "SutCodeList": ["804000"]},
    "GetReport": {"OrderID": A1},
    "ReProcessStudy": {**MINE, "AccessionNumber": "A1"},
    "RemoveKos": {**MINE, "AccessionNumber": "A3", "StudyInstanceUID": study_of("A3")},
    "GetInstitutionSendDataControlList": {
        "InstitutionId": HOSPITAL,
        "AccessionNumber": ["A1", "NONE"],
        "CitizenId": ["10000000214"],
    },
    "GetMedulaStatus": {"orderId": A1},
}
"""By the name of the operation."""


def sent(one: Operation, address: str, order_id: str = "x") -> tuple[str, dict[str, Any], bytes]:
    """Path, query parameters and body of the question for an operation at one of its addresses."""
    asked = {name: order_id if value == A1 else value for name, value in ASKED[one.name].items()}
    path = re.sub(r"\{(\w+)\}", lambda name: str(asked[name[1]]), address)
    match one.reading:
        case Reading.BODY:
            return path, {}, orjson.dumps(asked)
        case Reading.QUERY:
            return path, {name: value for name, value in asked.items() if f"{{{name}}}" not in address}, b""
        case _:
            return path, {one.reading.value: orjson.dumps(asked).decode()}, b""
