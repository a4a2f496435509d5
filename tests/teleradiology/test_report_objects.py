"""Approved reports are stored as SR and PDF beside their images: once, right by the standard, and where they belong."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from reportlab.pdfbase import pdfmetrics

from storage.values import Element
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from tests.teleradiology.reporting import CONCLUSION, FINDINGS, KEY, RADIOLOGIST, approved, conclusion, draft
from tests.worklist.ordering import AYSE, order
from vna.app import Application
from vna.model.access import SYSTEM
from vna.model.contents import Reference, SeriesContents, StudyContents
from vna.model.instances import Selection
from vna.model.orders import Coded, OrderedPatient
from vna.model.profile.reports import ReportsProfile
from vna.model.reports import Contrast, Part, PartName, Report, ReportKind
from vna.teleradiology import encapsulated_report, report_pdf, structured_report
from vna.teleradiology.report_dataset import Place
from vna.teleradiology.report_rules import kept

_SR, _PDF = structured_report.SOP_CLASS, encapsulated_report.SOP_CLASS
_TECHNIQUE = Part(PartName.TECHNIQUE, "<p>Kontrastsız <b>aksiyel</b> kesitler.</p><ul><li>5 mm</li></ul>", is_html=True)
_FULL = approved(
    parts=(_TECHNIQUE, Part(PartName.COMPARISON, "Önceki inceleme yok."), FINDINGS, CONCLUSION),
    contrast=(Contrast("IV", "iyoheksol", "300 mg/mL"),),
    diagnoses=(Coded("G44.2", "Gerilim tipi baş ağrısı"),),
    radiologists=(RADIOLOGIST, RADIOLOGIST),
)


def _study(archive: Application, accession_number: str = "A1", **changes: object) -> Dataset:
    """A study that comes for an order, and is matched with it."""
    archive.national.orders.place(SYSTEM, order(accession_number))
    image = ct(PatientID=AYSE.national_number, PatientName=AYSE.name, AccessionNumber=accession_number, **changes)
    put(archive, part10(image))
    archive.catch_up()
    return image


def _objects(archive: Application, study: str) -> list[Dataset]:
    selection = Selection(study_uids=(study,))
    found = archive.retrieval.instances(SYSTEM, selection)
    return [
        pydicom.dcmread(BytesIO(archive.retrieval.part10(SYSTEM, one).read()))
        for one in found
        if one.sop_class_uid in (_SR, _PDF)
    ]


def _placed(report: Report) -> Place:
    elements: dict[str, Element] = {
        "00080020": {"vr": "DA", "Value": ["20261130"]},
        "00080050": {"vr": "SH", "Value": ["A1"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "ÖRNEK^AYŞE"}]},
        "00100020": {"vr": "LO", "Value": ["F1001"]},
    }
    images = SeriesContents("1.2.3.4", {}, (Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5", 1),))
    study = StudyContents("1.2.3", "500059", elements, (images,))
    return Place(report, study, order(), (approved(number=1),) if report.addendum_to else ())


def test_an_approved_report_is_beside_its_images_as_sr_and_pdf(open_archive: Open) -> None:
    archive = open_archive()
    image = _study(archive)
    archive.national.reports.file(SYSTEM, _FULL)
    archive.catch_up()
    structured, encapsulated = _objects(archive, image.StudyInstanceUID)

    for made in (structured, encapsulated):
        assert (made.PatientName, made.PatientID, made.AccessionNumber) == (AYSE.name, AYSE.national_number, "A1")
        assert made.StudyInstanceUID == image.StudyInstanceUID
    assert structured.VerificationFlag == "VERIFIED"
    assert structured.CompletionFlag == "COMPLETE"
    verifier = structured.VerifyingObserverSequence[0]
    assert (verifier.VerifyingObserverName, verifier.VerificationDateTime) == (RADIOLOGIST.name, "20261130101500")
    assert structured.ReferencedRequestSequence[0].AccessionNumber == "A1"
    evidence = structured.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert RADIOLOGIST.number not in str(structured)
    assert encapsulated.EncapsulatedDocument[: encapsulated.EncapsulatedDocumentLength].startswith(b"%PDF-")
    assert rows(archive, "select distinct door from instances order by 1") == [("import",), ("report",)]


def test_sections_have_the_headings_of_the_standard_and_the_text_as_it_was_written() -> None:
    document = pydicom.dcmread(BytesIO(structured_report.written(_placed(_FULL))))
    sections = {
        item.ConceptNameCodeSequence[0].CodeMeaning: [
            one.TextValue if one.ValueType == "TEXT" else one.ConceptCodeSequence[0].CodeMeaning
            for one in item.ContentSequence
        ]
        for item in document.ContentSequence
        if item.ValueType == "CONTAINER"
    }

    assert sections == {
        "Current Procedure Descriptions": [
            "Kontrastsız aksiyel kesitler.\r\n- 5 mm",
            "Kontrast: iyoheksol 300 mg/mL IV",
        ],
        "Previous Findings": ["Önceki inceleme yok."],
        "Findings": [FINDINGS.text],
        "Conclusions": [CONCLUSION.text, "Gerilim tipi baş ağrısı"],
    }


def test_an_addendum_is_a_document_of_its_own_that_names_the_one_before(open_archive: Open) -> None:
    archive = open_archive()
    image = _study(archive)
    archive.national.reports.file(SYSTEM, approved())
    archive.national.reports.file(SYSTEM, approved(parts=conclusion("Kontrol önerilir.")))
    archive.catch_up()
    first, second = (one for one in _objects(archive, image.StudyInstanceUID) if one.SOPClassUID == _SR)

    assert "PredecessorDocumentsSequence" not in first
    before = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert before.SeriesInstanceUID == first.SeriesInstanceUID == second.SeriesInstanceUID
    assert [one.ReferencedSOPInstanceUID for one in before.ReferencedSOPSequence] == [first.SOPInstanceUID]
    headings = [one.ConceptNameCodeSequence[0].CodeMeaning for one in second.ContentSequence]
    assert headings[-1] == "Addendum"
    assert len(second.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence) == 1


def test_a_draft_is_not_stored_and_one_without_images_waits_for_them(open_archive: Open) -> None:
    archive = open_archive()
    image = _study(archive)
    archive.national.reports.file(SYSTEM, draft())
    archive.national.reports.file(SYSTEM, approved("A2"))
    archive.catch_up()
    assert _objects(archive, image.StudyInstanceUID) == []

    late = _study(
        archive, "A2", StudyInstanceUID="1.2.3.77", SeriesInstanceUID="1.2.3.77.1", SOPInstanceUID="1.2.3.77.2"
    )
    assert [one.SOPClassUID for one in _objects(archive, late.StudyInstanceUID)] == [_SR, _PDF]


def test_doing_it_again_stores_nothing_twice_and_what_is_lost_comes_back(open_archive: Open) -> None:
    archive = open_archive()
    image = _study(archive)
    report = archive.national.reports.file(SYSTEM, approved())
    archive.catch_up()
    before = rows(archive, "select sop_instance_uid, sha256 from instances order by id")
    work = archive.national.report_objects
    payload = '{"facility": "500059", "accession_number": "A1"}'
    work(payload)
    assert rows(archive, "select sop_instance_uid, sha256 from instances order by id") == before

    document = next(one for one in _objects(archive, image.StudyInstanceUID) if one.SOPClassUID == _SR)
    archive.deletion.delete(SYSTEM, image.StudyInstanceUID, document.SeriesInstanceUID, document.SOPInstanceUID)
    work(payload)
    assert sorted(rows(archive, "select sop_instance_uid from instances")) == sorted(row[:1] for row in before)
    assert report.number == 1


def test_what_was_killed_half_way_is_finished_with_the_same_objects(open_archive: Open) -> None:
    archive = open_archive()
    image = _study(archive)
    archive.national.reports.file(SYSTEM, approved())
    place = archive.national.report_objects._place
    report = archive.national.reports.of(SYSTEM, KEY)[0]
    found = place([report], report, image.StudyInstanceUID, "sr")
    assert found is not None
    archive.national.report_objects._put(found, "sr")
    archive.catch_up()

    assert [one.SOPClassUID for one in _objects(archive, image.StudyInstanceUID)] == [_SR, _PDF]


def test_when_a_match_is_taken_back_the_report_leaves_the_study_and_comes_again_with_it(open_archive: Open) -> None:
    archive = open_archive()
    image = _study(archive)
    archive.national.reports.file(SYSTEM, approved())
    archive.catch_up()
    archive.national.matching.release(SYSTEM, KEY, image.StudyInstanceUID, "another patient")
    archive.catch_up()
    assert _objects(archive, image.StudyInstanceUID) == []
    archive.national.matching.match(SYSTEM, KEY, image.StudyInstanceUID, "the same patient after all")
    archive.catch_up()
    assert [one.SOPClassUID for one in _objects(archive, image.StudyInstanceUID)] == [_SR, _PDF]


def test_when_a_match_is_gone_the_report_leaves_the_study_and_is_in_the_one_that_has_it_now(open_archive: Open) -> None:
    archive = open_archive()
    image = _study(archive)
    archive.national.reports.file(SYSTEM, approved())
    archive.catch_up()
    archive.national.orders.change(SYSTEM, order(patient=OrderedPatient("F2", "10000000214", "BAŞKA^BİRİ")))
    archive.catch_up()
    assert _objects(archive, image.StudyInstanceUID) == []

    other = ct(
        PatientID="10000000214", AccessionNumber="A1", StudyInstanceUID="1.2.3.77", SeriesInstanceUID="1.2.3.77.1"
    )
    other.SOPInstanceUID = "1.2.3.77.2"
    put(archive, part10(other))
    archive.catch_up()
    assert [one.SOPClassUID for one in _objects(archive, other.StudyInstanceUID)] == [_SR, _PDF]


def test_a_reindex_keeps_the_objects_and_makes_those_that_were_not_made_yet(open_archive: Open) -> None:
    archive = open_archive()
    image = _study(archive)
    archive.national.reports.file(SYSTEM, approved())
    archive.catch_up()
    archive.national.reports.file(SYSTEM, approved(parts=conclusion("Kontrol önerilir.")))
    archive.dispatcher().drain()
    for _ in archive.reindex.run(SYSTEM):
        pass
    assert len(_objects(archive, image.StudyInstanceUID)) == 2
    archive.workers().drain()

    assert len(_objects(archive, image.StudyInstanceUID)) == 4


def test_the_profile_says_which_objects_are_made(open_archive: Open, tmp_path: Path) -> None:
    profile = tmp_path / "site.toml"
    profile.write_text('[reports]\nobjects = ["pdf"]\n')
    archive = open_archive(national={"profile": str(profile)})
    image = _study(archive)
    archive.national.reports.file(SYSTEM, approved())
    archive.catch_up()

    assert [one.SOPClassUID for one in _objects(archive, image.StudyInstanceUID)] == [_PDF]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian: dicom3tools)")
@pytest.mark.parametrize(
    "report",
    [
        approved(number=1),
        _FULL,
        approved(number=2, addendum_to=1, kind=ReportKind.PATHOLOGY, diagnoses=(Coded("G44.2"),)),
    ],
)
def test_dciodvfy_finds_no_error(report: Report, tmp_path: Path) -> None:
    for name, data in (
        ("BasicTextSR", structured_report.written(_placed(report))),
        ("EncapsulatedPDF", encapsulated_report.written(_placed(report))),
    ):
        path = tmp_path / "report.dcm"
        path.write_bytes(data)
        said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False).stderr
        assert name in said
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_the_pdf_has_a_glyph_for_every_turkish_letter_and_is_the_same_each_time() -> None:
    made = report_pdf.written(_placed(_FULL))

    assert made == report_pdf.written(_placed(_FULL))
    assert b"/ToUnicode" in made  # so that its text can be searched and copied
    glyphs = pdfmetrics.getFont("Roboto").face.charToGlyph
    assert [letter for letter in "ÇĞİIÖŞÜçğıiöşüâîû°µ²±≤≥–•" if ord(letter) not in glyphs] == []


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=300), st.text(max_size=60), st.booleans())
def test_whatever_a_report_says_objects_can_be_made_of_it(said: str, name: str, is_html: bool) -> None:
    words = "".join(letter for letter in name if letter.isprintable())
    report = kept(
        approved(
            number=1,
            parts=(Part(PartName.FINDINGS, FINDINGS.text + said, is_html), CONCLUSION),
            diagnoses=(Coded("X", words),),
        ),
        ReportsProfile(),
    )
    document = pydicom.dcmread(BytesIO(structured_report.written(_placed(report))))
    assert document.ContentSequence[-1].ConceptNameCodeSequence[0].CodeValue == "55110-1"
    assert report_pdf.written(_placed(report)).startswith(b"%PDF-")
