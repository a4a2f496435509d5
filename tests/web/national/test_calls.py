"""The national calls: an existing client works with nothing changed but the address."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import httpx
import orjson
import pytest

from tests.peers.existing_client import ExistingClient
from tests.web.national.conftest import Site
from tests.web.national.seeds import HOSPITAL, MEDULA, OTHER, PASSWORD, STM, clerk, study_of
from vna.model.access import SYSTEM, Action
from vna.model.orders import OrderKey

BASES = ("/Common.WebApi/api", "/api/teleradiology")
MINE = MEDULA[HOSPITAL]
PERIOD = {"MedulaInstitutionId": MINE, "StartDateTime": "2026-11-30T00:00:00", "EndDateTime": "2026-12-01T00:00:00"}


def client(site: Site, user: str = "hbys", base: str = BASES[0]) -> ExistingClient:
    transport = httpx.ASGITransport(site.app)
    made = ExistingClient("http://127.0.0.1:8080", ("hbys", PASSWORD), (user, PASSWORD), transport, base)
    made.login()
    return made


@pytest.fixture(params=BASES, scope="module")
def hbys(request: pytest.FixtureRequest, enforced: Site) -> ExistingClient:
    return client(enforced, base=request.param)


def test_orders_of_a_patient(hbys: ExistingClient) -> None:
    found = hbys.get("GetPatientOrderList", MedulaInstitutionId=int(MINE), CitizenId="10000000146")
    by_number = {one["AccessionNumber"]: one for one in found}
    assert by_number.keys() == {"A1", "A2"}
    assert by_number["A1"] == {
        "AccessionNumber": "A1",
        "Modality": "MR",
        "ScheduleDate": "2026-11-30T10:00:00",
        "SutCode": "804000",
        "SutDescription": "Bilgisayarlı tomografi, beyin",
        "PatientHbysId": "F1001",
        "PatientHistory": "Hipertansiyon",
        "PatientComplaints": "Baş ağrısı",
        "PatientICD1O": "R51,I10",
    }


def test_status_of_a_list_of_accession_numbers(hbys: ExistingClient) -> None:
    numbers = ["A1", "A2", "A3", "X9", "NONE", "B1"]
    found = hbys.get("GetOrderStatusForAccessionNumberList", MedulaInstitutionId=int(MINE), AccessionNumberList=numbers)
    assert [one["AccessionNumber"] for one in found] == numbers
    ids = ("TeletipStatusId", "WadoStatusId", "MedulaStatusId", "ReportStatusId")
    assert [tuple(one[name] for name in ids) for one in found] == [
        (1, 1, 1, 1),
        (2, 2, 2, 2),
        (1, 1, 2, 2),
        (2, 2, 2, 2),
        (3, 2, 2, 2),
        (2, 2, 2, 2),
    ]
    assert [one["Error"] for one in found] == [
        "",
        "İstem geldi - Tetkik gelmedi yada eşleşmedi",
        "Tetkik istem nedeni girilmedi ( Radyolojik tetkik istem periyodu listesini kontrol ediniz )",
        "Tetkik geldi - İstem gelmedi yada eşleşmedi",
        "İstem ve tetkik bilgisi bulunamadı",
        "İstem geldi - Tetkik gelmedi yada eşleşmedi",
    ]
    whole, unknown = found[0], found[4]
    assert (whole["TeletipStatus"], whole["WadoStatus"]) == ("Eşleşti", "Görüntü İndirildi")
    assert (whole["MedulaResponseCode"], whole["LastMedulaSendDate"]) == ("0000", "2026-11-30T12:30:00")
    assert (whole["CitizenId"], whole["PerformedDate"]) == ("10000000146", "2026-11-30T11:10:00")
    assert (unknown["CitizenId"], unknown["MedulaResponseMessage"]) == (None, None)


def test_lists_of_a_day_and_of_failed_notifications(hbys: ExistingClient) -> None:
    day = {"MedulaInstitutionId": int(MINE), "Modality": None}
    orders = hbys.get("GetDailyOrderList", **day, QueryDate="2026-12-01T00:00:00")
    assert [(one["AccessionNumber"], one["Modality"]) for one in orders] == [("A2", "MR")]
    created = hbys.get("GetDailyCreatedOrderList", **day, Querydate="2026-11-29T00:00:00.0000000+03:00")
    assert [one["AccessionNumber"] for one in created] == ["A3"]
    studies = hbys.get("GetDailyStudyList", **day, StartDateTime="2026-11-30T00:00:00")
    found = [(one["AccessionNumber"], one["Modality"]) for one in studies]
    assert found == [("A1", "MR"), ("A3", "CT"), ("X9", "CT")]
    (failed,) = hbys.get("GetMedulaRegistrationFailedOrderList", **PERIOD, Modality="CT")
    assert failed == {
        "AccessionNuber": "A3",
        "LastMedulaSendDate": "2026-11-30T12:30:00",
        "NumberOfAttempt": 1,
        "LastMedulaResponseCode": "1104",
        "LastMedulaResponseMessage": "Takip bulunamadı",
    }


def test_earlier_examinations_their_report_and_whether_it_was_opened(enforced: Site) -> None:
    hbys = client(enforced)
    patient = {"MedulaInstitutionId": MINE, "PatientCitizenId": "10000000146"}
    (earlier,) = hbys.get("GetPreviousStudies", **patient, SutCode="804000", DoctorCitizenId="10000000214")
    assert (earlier["SKRS"], earlier["InstitutionName"]) == (HOSPITAL, "Örnek Devlet Hastanesi")
    assert (earlier["IsStudyExist"], earlier["IsReportExist"]) == (True, True)
    several = hbys.get("GetPreviousStudiesForSutCodeList", **patient, SUTCodeList=["800000", "804000"])
    assert [one["OrderId"] for one in several] == [earlier["OrderId"]]
    asked = {**patient, "SutCodeList": ["804000"]}
    assert hbys.get("GetPreviousStudiesSearchDetail", **asked) == [{"SutCode": "804000", "Result": False}]
    report = hbys.get("GetReport", OrderID=earlier["OrderId"])["Report"]
    assert "Bulgular:\nBeyin parankiminde" in report
    assert "Sonuç ve Öneriler:\nNormal inceleme" in report
    assert hbys.get("GetPreviousStudiesSearchDetail", **asked) == [{"SutCode": "804000", "Result": True}]


def test_a_doctor_who_opens_the_report_of_another_facility_has_looked(enforced: Site) -> None:
    other = client(enforced, "other")
    doctor, mine = {"DoctorCitizenId": "10000000382"}, {"MedulaInstitutionId": MEDULA[OTHER]}
    patient = {**mine, "PatientCitizenId": "10000000146", "SutCodeList": ["804000"]}
    (earlier,) = other.get("GetPreviousStudiesForSutCodeList", **patient)
    assert earlier["SKRS"] == HOSPITAL
    assert "Bulgular" in other.get("GetReport", OrderID=earlier["OrderId"])["Report"]
    assert other.get("GetPreviousStudiesSearchDetail", **patient, **doctor)[0]["Result"] is False
    other.get("GetReport", OrderID=earlier["OrderId"], **doctor)
    assert other.get("GetPreviousStudiesSearchDetail", **patient, **doctor)[0]["Result"] is True


def test_a_report_is_not_given_for_a_facility_and_a_guessed_accession_number(enforced: Site) -> None:
    hbys = client(enforced)
    real = enforced.application.national.order_ids.given(SYSTEM, OrderKey(HOSPITAL, "A1"))
    data = urlsafe_b64decode(real + "=" * (-len(real) % 4))
    for guess in (data[:12] + b"500061\0A0", b"500059\0A1", b"\0" * 12 + data[12:], b""):
        with pytest.raises(ValueError, match=r"bulunamadı|OrderID"):
            hbys.get("GetReport", OrderID=urlsafe_b64encode(guess).decode())


def test_the_tracking_module_finds_numbers_and_what_the_payer_said(hbys: ExistingClient) -> None:
    asked = orjson.dumps({"InstitutionId": 11069901, "AccessionNumber": ["A3", "NONE"], "CitizenId": []}).decode()
    refused, unknown = hbys.stm("GetInstitutionSendDataControlList", advancedSearch=asked)
    assert (refused["SearchAccessionNumber"], refused["HL7PatientName"], refused["HL7Modality"]) == (
        "A3",
        "DENEME^MEHMET",
        "CT",
    )
    assert (unknown["OrderId"], unknown["HL7PatientName"]) == (None, None)
    status = hbys.stm("GetMedulaStatus", orderId=refused["OrderId"])
    assert (status["SutCode"], status["MedulaResponseMessage"]) == ("804000", "Takip bulunamadı")
    assert status["Error"].startswith("Tetkik istem nedeni girilmedi")
    assert hbys.stm("GetMedulaStatus", orderId="none")["Error"] is None
    by_number = orjson.dumps({"InstitutionId": STM[HOSPITAL], "AccessionNumber": ["A3"]}).decode()
    assert hbys.stm("GetInstitutionSendDataControlList", advancedSearch=by_number) == [refused]
    elsewhere = orjson.dumps({"InstitutionId": STM[OTHER], "AccessionNumber": ["A3"]}).decode()
    with pytest.raises(ValueError, match="yetkiniz yok"):
        hbys.stm("GetInstitutionSendDataControlList", advancedSearch=elsewhere)
    by_patient = orjson.dumps({"InstitutionId": HOSPITAL, "CitizenId": ["10000000146"]}).decode()
    found = hbys.stm("GetInstitutionSendDataControlList", advancedSearch=by_patient)
    assert sorted(one["SearchAccessionNumber"] for one in found) == ["A1", "A2"]


def test_an_order_is_processed_again_by_json_and_by_form_fields(enforced: Site) -> None:
    hbys = client(enforced)
    assert hbys.post("ReProcessStudy", MedulaInstitutionId=int(MINE), AccessionNumber="A1")[0].startswith("A1: ")
    address = "/Common.WebApi/api/Integration/ReProcessStudy"
    fields = {"MedulaInstitutionId": MINE, "AccessionNumber": "A2"}
    answer = enforced.web.post(address, data=fields, headers={"Authorization": f"Bearer {hbys.token}"})
    assert answer.status_code == 200
    assert answer.json()[0].startswith("A2: ")


def test_accession_numbers_without_a_counterpart(hbys: ExistingClient) -> None:
    assert hbys.get("GetNonMatchingOrderList", **PERIOD, Modality=None) == ["A2"]
    assert hbys.get("GetNonMatchingOrderList", **PERIOD, Modality="CT") == []
    assert hbys.get("GetNonMatchingStudyList", **PERIOD) == ["X9"]


def test_images_are_taken_away_from_an_order_by_whoever_may_match(enforced: Site) -> None:
    said = {"MedulaInstitutionId": int(MINE), "AccessionNumber": "A3", "StudyInstanceUID": study_of("A3")}
    with pytest.raises(ValueError, match="yetkiniz yok"):
        client(enforced).post("RemoveKos", **said)
    clerk(enforced.application, "matcher", HOSPITAL, Action.LOOK_UP, Action.MATCH)
    (done,) = client(enforced, "matcher").post("RemoveKos", **said)
    assert (done["AccessionNumber"], done["Result"]) == ("A3", True)
    with pytest.raises(ValueError, match="bulunamadı"):
        client(enforced, "matcher").post("RemoveKos", **said)


def test_refusals_are_a_message_with_a_fitting_status(enforced: Site) -> None:
    hbys = client(enforced)
    base = "/Common.WebApi/api/Integration/"

    def refused(call: str, status: int, **params: Any) -> str:
        headers = {"Authorization": f"Bearer {hbys.token}"}
        answer = enforced.web.get(base + call, params=params, headers=headers)
        assert (answer.status_code, list(answer.json())) == (status, ["Message"])
        return str(answer.json()["Message"])

    def said(**values: Any) -> str:
        return orjson.dumps(values).decode()

    assert "parameter" in refused("GetPatientOrderList", 400)
    assert "JSON" in refused("GetPatientOrderList", 400, parameter="{")
    assert "CitizenId" in refused("GetPatientOrderList", 400, parameter=said(MedulaInstitutionId=1))
    assert "bulunamadı" in refused("GetPatientOrderList", 404, parameter=said(MedulaInstitutionId=1, CitizenId=2))
    other = said(MedulaInstitutionId=MEDULA[OTHER], CitizenId="10000000146")
    assert "yetkiniz yok" in refused("GetPatientOrderList", 403, parameter=other)
    many = said(MedulaInstitutionId=MINE, AccessionNumberList=["A"] * 501)
    assert "AccessionNumberList" in refused("GetOrderStatusForAccessionNumberList", 400, parameter=many)
    assert "a time looks like" in refused(
        "GetNonMatchingOrderList", 400, nonMatchingParameter=said(**{**PERIOD, "EndDateTime": "now"})
    )
    assert refused("GetReport", 404, parameter=said(OrderID="none"))
    with pytest.raises(ValueError, match="yetkiniz yok"):
        client(enforced, user="viewer").get("GetPatientOrderList", MedulaInstitutionId=MINE, CitizenId="1")


def test_a_parameter_is_found_in_any_case_and_under_the_name_that_one_client_writes_twice(local: Site) -> None:
    said = orjson.dumps({"medulainstitutionid": MINE, "STARTDATETIME": "30.11.2026"}).decode()
    for query in ("PARAMETER", "parameter?parameter"):
        answer = local.web.get("/api/teleradiology/Integration/GetDailyStudyList", params={query: said})
        assert [one["AccessionNumber"] for one in answer.json()] == ["A1", "A3", "X9"], answer.text
