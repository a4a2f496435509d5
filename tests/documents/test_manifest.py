"""Manifests: what the Key Object Selection document of a study says."""

from __future__ import annotations

import io
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import (
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    TwelveLeadECGWaveformStorage,
    generate_uid,
)

from storage.index import contents
from tests.archives import Open, put
from tests.objects import ct, part10
from vna.app import Application
from vna.documents import manifest
from vna.documents.manifest import Source, Version
from vna.model.access import SYSTEM, Coercion, Peer
from vna.model.contents import Reference, SeriesContents, StudyContents

KOS_SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "xds" / "fixtures" / "kos"
SOURCE = Source("ARCHIVE", "1.2.3.4.5")
STUDY = "1.2.826.0.1.3680043.8.498.1"


def study_of(archive: Application, study_instance_uid: str) -> StudyContents:
    with archive.database.read() as connection:
        found = contents.of_study(connection, study_instance_uid)
    assert found is not None
    return found


def made(study: StudyContents, source: Source = SOURCE, number: int = 1) -> bytes:
    series = manifest.series_uid(study.study_instance_uid, source.retrieve_location_uid)
    version = Version(manifest.new_uid(), series, number, datetime(2026, 1, 2, 3, 4, 5, 678, UTC))
    return manifest.written(manifest.content(study, source), version)


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def code(value: str, scheme: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


def request(identifier: str) -> Dataset:
    ds = Dataset()
    ds.RequestedProcedureID, ds.ScheduledProcedureStepID = identifier, "S1"
    return ds


def turkish_study(archive: Application) -> str:
    """A study of two CT series, an ECG and a PDF."""
    study, series = generate_uid(), generate_uid()
    shared = {
        "StudyInstanceUID": study,
        "PatientName": "Işık^Şule Gül",  # noqa: RUF001
        "PatientBirthDate": "19800229",
        "PatientSex": "F",
        "IssuerOfPatientID": "ANKARA",
        "AccessionNumber": "2026000123",
        "StudyDescription": "Toraks BT, kontrastlı",  # noqa: RUF001
        "ProcedureCodeSequence": [code("804210", "SUT", "BT, toraks")],
        "Manufacturer": "Deneme",
        "InstitutionName": "Kuzey Hastanesi",
    }
    for number in (3, 1, 2):
        put(archive, part10(ct(SeriesInstanceUID=series, InstanceNumber=number, **shared)))
    put(archive, part10(ct(SeriesNumber=2, RequestAttributesSequence=[request("R7")], **shared)))
    put(archive, part10(ct(SeriesNumber=3, RequestAttributesSequence=[request("R7")], **shared)))
    for sop_class, modality, number in ((TwelveLeadECGWaveformStorage, "ECG", 4), (EncapsulatedPDFStorage, "DOC", 5)):
        ds = ct(SOPClassUID=sop_class, Modality=modality, SeriesNumber=number, **shared)
        for keyword in ("PixelData", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"):
            delattr(ds, keyword)
        put(archive, part10(ds))
    return study


def test_it_names_every_instance_and_where_it_is_retrieved(open_archive: Open) -> None:
    archive = open_archive()
    study = study_of(archive, turkish_study(archive))

    ds = read(made(study))

    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert ds.SOPClassUID == KeyObjectSelectionDocumentStorage
    assert (ds.Modality, ds.ValueType, ds.ContinuityOfContent) == ("KO", "CONTAINER", "SEPARATE")
    assert (ds.ContentDate, ds.ContentTime, ds.InstanceNumber) == ("20260102", "030405.000678", 1)
    title = ds.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == ("113030", "DCM", "Manifest")
    evidence = ds.CurrentRequestedProcedureEvidenceSequence
    assert [item.StudyInstanceUID for item in evidence] == [study.study_instance_uid]
    listed = evidence[0].ReferencedSeriesSequence
    assert [item.SeriesInstanceUID for item in listed] == [series.series_instance_uid for series in study.series]
    assert {(item.RetrieveAETitle, item.RetrieveLocationUID) for item in listed} == {("ARCHIVE", "1.2.3.4.5")}
    references = [
        (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID)
        for item in listed
        for one in item.ReferencedSOPSequence
    ]
    instances = [one for series in study.series for one in series.instances]
    assert len(instances) == 7
    assert references == [(one.sop_class_uid, one.sop_instance_uid) for one in instances]
    assert [item.ValueType for item in ds.ContentSequence] == ["IMAGE"] * 5 + ["WAVEFORM", "COMPOSITE"]
    assert [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in ds.ContentSequence] == [
        one.sop_instance_uid for one in instances
    ]


def test_it_says_of_patient_and_study_what_the_images_say_in_utf8(open_archive: Open) -> None:
    archive = open_archive()
    uid = turkish_study(archive)

    ds = read(made(study_of(archive, uid)))

    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert str(ds.PatientName) == "Işık^Şule Gül"  # noqa: RUF001
    assert (ds.PatientID, ds.IssuerOfPatientID) == ("P1", "ANKARA")
    assert (ds.PatientBirthDate, ds.PatientSex) == ("19800229", "F")
    assert (ds.StudyInstanceUID, ds.AccessionNumber, ds.StudyID) == (uid, "2026000123", "1")
    assert (ds.StudyDate, ds.StudyTime) == ("20260102", "101112")
    assert ds.ProcedureCodeSequence[0].CodeMeaning == "BT, toraks"
    assert ds.InstitutionName == "Kuzey Hastanesi"
    assert [item.RequestedProcedureID for item in ds.ReferencedRequestSequence] == ["R7"]
    assert ds.ReferencedRequestSequence[0].AccessionNumber == "2026000123"


def test_what_is_corrected_on_the_way_out_is_corrected_in_it(open_archive: Open) -> None:
    archive = open_archive()
    coercion = Coercion(set=(("PatientID", "P-77"), ("AccessionNumber", "B2")), remove=("InstitutionName",))
    archive.peers.add(SYSTEM, Peer("CORRECTED", coercion=coercion))
    ds = ct(InstitutionName="X")
    put(archive, part10(ds), source="CORRECTED")

    made_of_it = read(made(study_of(archive, ds.StudyInstanceUID)))

    assert (made_of_it.PatientID, made_of_it.AccessionNumber) == ("P-77", "B2")
    assert "InstitutionName" not in made_of_it


def test_an_institution_name_that_is_configured_goes_before_the_images_own(open_archive: Open) -> None:
    archive = open_archive()
    study = study_of(archive, turkish_study(archive))
    name = "Kuzey^^^SKRS123456^^^FK1"

    assert read(made(study, Source("ARCHIVE", "1.2.3", name))).InstitutionName == name


def test_versions_of_one_content_differ_in_their_own_identifiers_alone(open_archive: Open) -> None:
    archive = open_archive()
    uid = turkish_study(archive)
    first = study_of(archive, uid)
    second = study_of(archive, uid)

    one, two = read(made(first)), read(made(second, number=2))

    assert manifest.digest(manifest.content(first, SOURCE)) == manifest.digest(manifest.content(second, SOURCE))
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.SeriesInstanceUID == two.SeriesInstanceUID
    put(archive, part10(ct(StudyInstanceUID=uid)))
    assert manifest.digest(manifest.content(study_of(archive, uid), SOURCE)) != manifest.digest(
        manifest.content(first, SOURCE)
    )


def test_a_study_that_is_not_held_has_no_contents(open_archive: Open) -> None:
    archive = open_archive()

    with archive.database.read() as connection:
        assert contents.of_study(connection, "1.2.3") is None


def bare_study(**elements: str) -> StudyContents:
    """A study whose images say hardly anything."""
    series = SeriesContents("1.2.3.1", {}, (Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1.1", 1),))
    values = {tag: {"vr": "LO", "Value": [value]} for tag, value in elements.items()}
    return StudyContents("1.2.3", "", values, (series,))


def dciodvfy_errors(folder: Path, data: bytes) -> list[str]:
    path = folder / "manifest.dcm"
    path.write_bytes(data)
    said = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
    assert "KeyObjectSelectionDocument" in said.stderr
    return [line for line in said.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian: dicom3tools)")
def test_dciodvfy_finds_no_error(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive()
    study = study_of(archive, turkish_study(archive))

    assert dciodvfy_errors(tmp_path, made(study)) == []
    assert dciodvfy_errors(tmp_path, made(study, Source("ARCHIVE", "1.2.3", "Kuzey^^^SKRS123456^^^FK1"))) == []
    assert dciodvfy_errors(tmp_path, made(bare_study())) == []


@pytest.mark.parametrize("path", sorted(KOS_SAMPLES.glob("*.dcm")), ids=lambda path: path.stem)
def test_it_has_every_attribute_that_manifests_of_others_have(path: Path, open_archive: Open) -> None:
    archive = open_archive()
    theirs, ours = pydicom.dcmread(path), read(made(study_of(archive, turkish_study(archive))))

    def same(their: Dataset, our: Dataset, place: str = "") -> None:
        for element in their:
            assert element.tag in our, f"{place}{element.keyword}"
            mine = our[element.tag]
            assert mine.VR == element.VR, f"{place}{element.keyword}"
            if element.VR == "SQ" and element.value:
                same(element.value[-1], mine.value[-1], f"{place}{element.keyword}.")

    same(theirs, ours)
    assert ours.ConceptNameCodeSequence[0].CodeValue == theirs.ConceptNameCodeSequence[0].CodeValue
    assert ours.ContentTemplateSequence == theirs.ContentTemplateSequence


def test_there_are_samples_of_others_to_compare_with() -> None:
    if not KOS_SAMPLES.is_dir():
        pytest.skip(f"{KOS_SAMPLES} is not here")
    assert len(list(KOS_SAMPLES.glob("*.dcm"))) >= 6


def test_a_manifest_of_many_instances_is_made_in_no_time() -> None:
    references = tuple(Reference("1.2.840.10008.5.1.4.1.1.2", f"1.2.3.1.{n}", 1) for n in range(20_000))
    study = StudyContents("1.2.3", "", {}, (SeriesContents("1.2.3.1", {}, references),))
    begun = time.process_time()

    data = made(study)

    assert time.process_time() - begun < 5
    assert len(read(data).ContentSequence) == 20_000
