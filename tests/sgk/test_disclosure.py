"""What look-ups find, in every facility, and what they say of it with the patient and without."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from pydicom import Dataset

from tests.sgk.conftest import AYSE, OTHER, Archive
from tests.worklist.ordering import AYSE as PATIENT
from vna.model.access import SYSTEM
from vna.model.orders import OrderedPatient, OrderKey


def test_with_the_patient_everything_is_told(archive: Archive) -> None:
    uid = archive.images(PatientID=AYSE, AccessionNumber="A1", StudyDescription="Beyin BT")

    answer = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)

    assert (answer["sonucKodu"], answer["goruntuVarMi"], answer["raporVarMi"]) == ("0000", "true", "false")
    assert answer["goruntuBilgileri"] == [
        {
            "accession": "A1",
            "studyInstanceUID": uid,
            "modality": ["CT"],
            "cekimTarihi": "02.01.2026",
            "tetkikAdi": "Beyin BT",
            "kurumKodu": "500059",
            "seriSayisi": "1",
            "goruntuSayisi": "1",
            "raporVarMi": "false",
        }
    ]


def test_without_the_patient_only_modality_date_and_facility_are_told(archive: Archive) -> None:
    archive.images(PatientID=AYSE, AccessionNumber="A1", StudyDescription="Beyin BT")
    archive.images(PatientID=AYSE, AccessionNumber="A1", StudyDate="20260103", Modality="MR")

    answer = archive.ask("goruntuSorgula", accession="A1")

    (told,) = answer["goruntuBilgileri"]
    assert told == {"modality": ["CT", "MR"], "cekimTarihi": "02.01.2026", "kurumKodu": "500059"}
    assert answer["goruntuVarMi"] == "true"


def test_the_facility_that_asks_never_filters_what_is_found(archive: Archive) -> None:
    archive.images("1", PatientID=AYSE)
    archive.images("2", PatientID=AYSE, StudyDate="20260103")

    for asking in (11060001, 99999999):
        answer = archive.ask("goruntuSorgula", saglikTesisKodu=asking, accession="A1", hastaTCK=AYSE)
        assert [row["kurumKodu"] for row in answer["goruntuBilgileri"]] == ["1", "2"]


def test_a_number_that_several_facilities_made_needs_the_patient(archive: Archive) -> None:
    archive.images("1", PatientID=AYSE)
    archive.images("2", PatientID=OTHER)

    assert archive.ask("goruntuSorgula", accession="A1") == {
        "sonucKodu": "1008",
        "sonucMesaji": "Accession numarası birden fazla kurumda kayıtlı, hastaTCK alanını gönderiniz.",
    }
    told = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)["goruntuBilgileri"]
    assert [row["kurumKodu"] for row in told] == ["1"]


def test_a_known_number_of_another_patient_tells_nothing(archive: Archive) -> None:
    archive.images(PatientID=AYSE)

    for operation in ("goruntuSorgula", "goruntuLinkiAl"):
        answer = archive.ask(operation, accession="A1", hastaTCK=OTHER, **_requester(operation))
        assert set(answer) == {"sonucKodu", "sonucMesaji"}
        assert answer["sonucKodu"] == "1007"


def _requester(operation: str) -> dict[str, str]:
    return {"isteyenTCK": OTHER} if operation == "goruntuLinkiAl" else {}


def test_a_number_that_nobody_knows_is_told_as_such(archive: Archive) -> None:
    assert archive.ask("goruntuSorgula", accession="A1")["sonucKodu"] == "1006"
    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)["sonucKodu"] == "1006"


def test_an_order_without_images_yet_is_no_failure(archive: Archive) -> None:
    archive.order()

    for patient in ({}, {"hastaTCK": AYSE}):
        answer = archive.ask("goruntuSorgula", accession="A1", **patient)
        assert (answer["sonucKodu"], answer["goruntuVarMi"], answer["raporVarMi"]) == ("0000", "false", "false")
        assert "goruntuBilgileri" not in answer
    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=OTHER)["sonucKodu"] == "1007"


def test_a_cancelled_order_is_not_found(archive: Archive) -> None:
    archive.order()
    archive.application.national.orders.cancel(SYSTEM, OrderKey("500059", "A1"))

    assert archive.ask("goruntuSorgula", accession="A1")["sonucKodu"] == "1006"


def test_a_report_without_images_is_told(archive: Archive) -> None:
    archive.stands(archive.order(), has_report=True)

    answer = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)

    assert (answer["goruntuVarMi"], answer["raporVarMi"]) == ("false", "true")


def test_a_report_object_alone_is_no_image(archive: Archive) -> None:
    archive.order()
    archive.images(PatientID=AYSE, Modality="SR")

    answer = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)

    assert (answer["sonucKodu"], answer["goruntuVarMi"]) == ("0000", "false")
    assert archive.ask("goruntuListele", hastaTCK=AYSE)["toplam"] == "0"


def test_reports_beside_images_are_not_counted(archive: Archive) -> None:
    uid = archive.images(PatientID=AYSE)
    for number, modality in enumerate(("CT", "SR", "DOC", "PR", "KO")):
        archive.images(PatientID=AYSE, StudyInstanceUID=uid, SeriesInstanceUID=f"1.2.9.{number}", Modality=modality)
    archive.images(PatientID=AYSE, AccessionNumber="A2")

    told = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)["goruntuBilgileri"]
    assert [(one["seriSayisi"], one["goruntuSayisi"]) for one in told] == [("2", "2")]
    listed = archive.ask("goruntuListele", hastaTCK=AYSE)["goruntuBilgileri"]
    assert sorted((one["accession"], one["seriSayisi"], one["goruntuSayisi"]) for one in listed) == [
        ("A1", "2", "2"),
        ("A2", "1", "1"),
    ]


def test_the_patient_is_known_by_other_patient_ids(archive: Archive) -> None:
    item = Dataset()
    item.PatientID = AYSE
    archive.images(PatientID="F1", OtherPatientIDsSequence=[item])

    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)["goruntuVarMi"] == "true"
    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=OTHER)["sonucKodu"] == "1007"


def test_the_patient_is_known_by_facility_and_file_number(archive: Archive) -> None:
    archive.order("B7")  # says that F1001 of this facility is the patient
    archive.images(PatientID="F1001")

    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)["goruntuVarMi"] == "true"
    assert archive.ask("goruntuListele", hastaTCK=AYSE)["toplam"] == "1"


def test_the_same_file_number_of_another_facility_is_somebody_else(archive: Archive) -> None:
    archive.order("B7")
    archive.images("2", PatientID="F1001")

    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)["sonucKodu"] == "1007"
    assert archive.ask("goruntuListele", hastaTCK=AYSE)["toplam"] == "0"


def test_images_made_elsewhere_belong_to_the_facility_that_ordered(archive: Archive) -> None:
    archive.stands(archive.order(facility="1", performing_facility="2"), has_report=True)
    archive.images("2", PatientID=AYSE)

    (told,) = archive.ask("goruntuSorgula", accession="A1")["goruntuBilgileri"]
    assert told["kurumKodu"] == "2"
    answer = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)
    assert answer["raporVarMi"] == answer["goruntuBilgileri"][0]["raporVarMi"] == "true"


def test_images_of_somebody_else_under_the_number_are_not_told(archive: Archive) -> None:
    """The order is the patient's, and what lies under its number is not."""
    archive.order()
    archive.images(PatientID=OTHER)

    answer = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)

    assert (answer["sonucKodu"], answer["goruntuVarMi"]) == ("0000", "false")
    assert "goruntuBilgileri" not in answer


def test_images_without_a_facility_are_found_too(archive: Archive) -> None:
    archive.images("", PatientID=AYSE)

    (told,) = archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)["goruntuBilgileri"]
    assert "kurumKodu" not in told


def test_an_order_of_a_patient_without_a_national_number_fits_nobody(archive: Archive) -> None:
    archive.order(patient=OrderedPatient("F7"))

    assert archive.ask("goruntuSorgula", accession="A1", hastaTCK=AYSE)["sonucKodu"] == "1007"
    assert PATIENT.patient_id != "F7"


def test_a_list_gives_the_newest_first_and_counts_before_it_cuts(archive: Archive, monkeypatch: object) -> None:
    for day in ("05", "20", "11"):
        archive.images(PatientID=AYSE, StudyDate=f"202601{day}", AccessionNumber=f"A{day}")
    archive.images(PatientID=OTHER)

    answer = archive.ask("goruntuListele", hastaTCK=AYSE)

    assert [row["cekimTarihi"] for row in answer["goruntuBilgileri"]] == ["20.01.2026", "11.01.2026", "05.01.2026"]
    assert answer["toplam"] == "3"


def test_a_list_is_narrowed_by_days_and_modality(archive: Archive) -> None:
    for day, modality in (("05", "CT"), ("11", "MR"), ("20", "CT")):
        archive.images(PatientID=AYSE, StudyDate=f"202601{day}", Modality=modality)

    def days(**narrowed: str) -> list[str]:
        rows = archive.ask("goruntuListele", hastaTCK=AYSE, **narrowed).get("goruntuBilgileri", [])
        return [row["cekimTarihi"][:2] for row in rows]

    assert days(baslangicTarihi="11.01.2026", bitisTarihi="20.01.2026") == ["20", "11"]
    assert days(bitisTarihi="11.01.2026") == ["11", "05"]
    assert days(modality="CT") == ["20", "05"]
    assert days(modality="C") == []
