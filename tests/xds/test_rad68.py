"""RAD-68 from imaging sources that are not ours: their manifests are taken as they are, and lead to their images."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage, generate_uid

from tests.archives import Backend, LiveArchive, start_archive
from tests.documents.test_manifest import KOS_SAMPLES
from tests.objects import ct, part10
from tests.xds.builders import document, oid, submission, submission_set
from tests.xds.imaging import EXPLICIT, Ask, read, request
from tests.xds.repositories import OID
from vna.documents.repository import InMemory, WantedDocument
from vna.model.documents import Code, DocumentEntry
from vna.soap.client import call
from xds import rad69
from xds.registry_client import RegistryClient
from xds.repository_client import RepositoryClient

ACCESSION = "S7^^^&1.2.4&ISO^urn:ihe:iti:xds:2013:accession"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    folder = tmp_path_factory.mktemp("rad68")
    archive = start_archive(
        Backend("sqlite+folder", folder), XDS__REPOSITORY_UNIQUE_ID=OID, XDS__UNKNOWN_PATIENTS="register"
    )
    yield archive
    archive.stop()


def kos(*images: Dataset) -> bytes:
    """A manifest as another program writes it (PS3.3 A.35.4), of images that our archive holds for its source."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = KeyObjectSelectionDocumentStorage, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = images[0].StudyInstanceUID, generate_uid()
    ds.PatientID, ds.PatientName, ds.Modality = "P1", "Deneme^Kaynak", "KO"
    evidence = Dataset()
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = images[0].StudyInstanceUID, []
    for image in images:
        series, one = Dataset(), Dataset()
        series.SeriesInstanceUID, series.RetrieveAETitle, series.RetrieveLocationUID = (
            image.SeriesInstanceUID,
            "VNA",
            OID,
        )
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        series.ReferencedSOPSequence = [one]
        evidence.ReferencedSeriesSequence.append(series)
    ds.CurrentRequestedProcedureEvidenceSequence = [evidence]
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = "113030", "DCM", "Manifest"
    ds.ValueType, ds.ContinuityOfContent, ds.ConceptNameCodeSequence = "CONTAINER", "SEPARATE", [title]
    written = io.BytesIO()
    ds.save_as(written, enforce_file_format=True)
    return written.getvalue()


def described(data: bytes, patient_id: str) -> DocumentEntry:
    return document(
        "kos",
        patient_id=patient_id,
        unique_id=str(pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID),
        mime_type="application/dicom",
        format_code=Code("1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.2.6.1", "Key Object Selection Document"),
        event_codes=(Code("CT", "1.2.840.10008.2.16.4", "Computed Tomography"),),
        reference_ids=(ACCESSION,),
        hash="",
        size="",
        repository_unique_id="",
    )


def shared(live: LiveArchive, data: bytes, folder: Path) -> bytes:
    """Provided there, found by patient and accession number, and retrieved."""
    patient_id = f"{oid()}^^^&1.2.3&ISO"
    repository = RepositoryClient(f"{live.http}/xds/repository", folder)
    made = submission(described(data, patient_id), own=submission_set(patient_id=patient_id))
    assert repository.provide(made, {"kos": InMemory(data)}) == []
    registry = RegistryClient(f"{live.http}/xds/registry", folder)
    (entry,) = registry.find(patient_id, references=[ACCESSION]).documents
    wanted = WantedDocument(entry.repository_unique_id, entry.unique_id)
    with repository.retrieve([wanted]) as answer, answer.documents[0].content.open() as file:
        return file.read()


def test_a_foreign_manifest_leads_to_images_by_rad_69_and_wado_rs(live: LiveArchive, tmp_path: Path) -> None:
    study = generate_uid()
    images = [ct(StudyInstanceUID=study) for _ in range(3)]
    for image in images:
        kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10(image) + b"\r\n--b--"
        assert httpx.post(f"{live.dicomweb}/studies", content=body, headers=kind).status_code == 200

    manifest = pydicom.dcmread(io.BytesIO(shared(live, kos(*images), tmp_path)))

    (evidence,) = manifest.CurrentRequestedProcedureEvidenceSequence
    wanted = [
        Ask(
            evidence.StudyInstanceUID,
            series.SeriesInstanceUID,
            one.ReferencedSOPInstanceUID,
            series.RetrieveLocationUID,
        )
        for series in evidence.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    ]
    with call(f"{live.http}/xds/imaging-source", rad69.ACTION, request(wanted)) as answer:
        contents = {}
        for name, attachment in answer.attachments.items():
            with attachment.open() as file:
                contents[name] = file.read()
        given = read(answer.body, contents)
    assert given.status == "Success"
    assert set(given.files) == {image.SOPInstanceUID for image in images}
    for one in wanted:
        url = f"{live.dicomweb}/studies/{one.study}/series/{one.series}/instances/{one.instance}"
        found = httpx.get(url, headers={"Accept": f"application/dicom; transfer-syntax={EXPLICIT}"})
        assert found.content == given.files[one.instance]


@pytest.mark.parametrize("path", sorted(KOS_SAMPLES.glob("*.dcm")), ids=lambda path: path.stem)
def test_manifests_of_others_come_back_as_they_went_in(live: LiveArchive, tmp_path: Path, path: Path) -> None:
    assert shared(live, path.read_bytes(), tmp_path) == path.read_bytes()
