"""From a modality to whoever needs the images: stored by dcmtk, published, found by patient and by accession number,
retrieved by RAD-69 and by WADO-RS; and the same with the registry of another archive."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pydicom
import pytest
from hl7.client import MLLPClient
from lxml import etree
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.archives import Backend, LiveArchive, start_archive
from tests.hl7.messages import adt
from tests.objects import ct, part10
from tests.peers.dcmtk import Dcmtk
from tests.xds.builders import query
from tests.xds.imaging import EXPLICIT, Ask, request
from tests.xds.imaging import read as read_instances
from vna.documents.repository import WantedDocument
from vna.soap.client import call
from vna.soap.message import Message
from vna.xml.namespaces import PREFIXES
from xds import iti18, iti43, rad69
from xds.repository_client import retrieve_request

DOMAIN, ACCESSIONS = "1.2.826.0.1.3680043.10.1561.50", "1.2.826.0.1.3680043.10.1561.51"
PATIENT = f"HASTA-7^^^&{DOMAIN}&ISO"
FIND = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
FIND_BY_REFERENCE = "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492"
STATUS = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
PROFILE = f"""
time_zone = "Europe/Istanbul"
[[institutions]]
facility = "*"
name = "Örnek Hastanesi"
code = "123456"
vendor = "FK1"
accession_authority = "{ACCESSIONS}"
[[patients]]
issuer = "*"
authority = "{DOMAIN}"
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that was found."""

    unique_id: str
    repository: str
    mime_type: str
    starts: str


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody who knows addresses and a patient, and nothing of the archive."""

    registry: str
    repository: str
    patient: str = PATIENT

    def find(self, status: str = "Approved", **slots: str) -> list[Entry]:
        patient = {"XDSDocumentEntryPatientId": f"'{self.patient}'", "XDSDocumentEntryStatus": f"('{STATUS}{status}')"}
        body = query(FIND_BY_REFERENCE if slots else FIND, **patient, **slots)
        with call(self.registry, iti18.ACTION, body) as answer:
            assert answer.body.get("status", "").endswith(":Success"), etree.tostring(answer.body)
            return [_entry(one) for one in answer.body.iterfind(".//rim:ExtrinsicObject", PREFIXES)]

    def wait_for(self, count: int, **slots: str) -> list[Entry]:
        deadline = time.monotonic() + 60
        while len(found := self.find(**slots)) != count:
            assert time.monotonic() < deadline, f"{len(found)} documents where {count} were waited for"
            time.sleep(0.3)
        return found

    def holds(self, entry: Entry) -> bool:
        wanted = [WantedDocument(entry.repository, entry.unique_id)]
        with call(self.repository, iti43.ACTION, retrieve_request(wanted)) as answer:
            return bool(answer.attachments)

    def manifest(self, entry: Entry) -> Dataset:
        wanted = [WantedDocument(entry.repository, entry.unique_id)]
        with call(self.repository, iti43.ACTION, retrieve_request(wanted)) as answer:
            return pydicom.dcmread(io.BytesIO(next(iter(_parts(answer).values()))))


def _entry(element: etree._Element) -> Entry:
    def slot(name: str) -> str:
        return element.findtext(f"rim:Slot[@name='{name}']/rim:ValueList/rim:Value", "", PREFIXES)

    identifier = element.find(f"rim:ExternalIdentifier[@identificationScheme='{UNIQUE_ID}']", PREFIXES)
    assert identifier is not None
    return Entry(
        identifier.get("value", ""),
        slot("repositoryUniqueId"),
        element.get("mimeType", ""),
        slot("serviceStartTime"),
    )


def _parts(message: Message) -> dict[str, bytes]:
    found = {}
    for name, attachment in message.attachments.items():
        with attachment.open() as file:
            found[name] = file.read()
    return found


def asked(manifest: Dataset) -> list[Ask]:
    """What a manifest leads to."""
    (study,) = manifest.CurrentRequestedProcedureEvidenceSequence
    return [
        Ask(
            study.StudyInstanceUID,
            series.SeriesInstanceUID,
            one.ReferencedSOPInstanceUID,
            series.RetrieveLocationUID,
        )
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    ]


def consumer(http: str) -> Consumer:
    return Consumer(f"{http}/xds/registry", f"{http}/xds/repository")


@pytest.fixture
def study(tmp_path: Path) -> list[Path]:
    """Two series of two and one images, as files."""
    uid, series = generate_uid(), generate_uid()
    shared = {"StudyInstanceUID": uid, "PatientID": "HASTA-7", "AccessionNumber": "2026000777"}
    datasets = [
        ct(SeriesInstanceUID=series, InstanceNumber=1, **shared),
        ct(SeriesInstanceUID=series, InstanceNumber=2, **shared),
        ct(SeriesNumber=2, **shared),
        ct(SeriesNumber=3, **shared),
    ]
    paths = []
    for number, ds in enumerate(datasets):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(part10(ds))
        paths.append(path)
    return paths


@pytest.fixture
def profile(tmp_path: Path) -> dict[str, str]:
    """Settings that name it."""
    path = tmp_path / "profile.toml"
    path.write_text(PROFILE, "utf-8")
    return {"XDS__PROFILE": str(path), "XDS__AFFINITY_DOMAIN": DOMAIN}


def send(dcmtk: Dcmtk, archive: LiveArchive, *paths: Path) -> None:
    done = dcmtk("storescu", "127.0.0.1", archive.dimse_port, *paths)
    assert done.returncode == 0, done.stdout


def uids(paths: list[Path]) -> set[str]:
    return {str(pydicom.dcmread(path).SOPInstanceUID) for path in paths}


def by_wado(archive: LiveArchive, one: Ask) -> bytes:
    url = f"{archive.dicomweb}/studies/{one.study}/series/{one.series}/instances/{one.instance}"
    return httpx.get(url, headers={"Accept": f"application/dicom; transfer-syntax={EXPLICIT}"}).content


def test_images_are_found_and_retrieved_by_whoever_knows_the_patient(
    serve: Callable[..., LiveArchive], dcmtk: Dcmtk, study: list[Path], profile: dict[str, str]
) -> None:
    archive = serve(XDS__PUBLISH_AFTER="1", **profile)
    somebody = consumer(archive.http)

    send(dcmtk, archive, *study[:3])
    (entry,) = somebody.wait_for(1)
    accession = f"('2026000777^^^&{ACCESSIONS}&ISO^urn:ihe:iti:xds:2013:accession')"
    assert somebody.find(XDSDocumentEntryReferenceIdList=accession) == [entry]
    assert (entry.mime_type, entry.starts) == ("application/dicom", "20260102071112")

    manifest = somebody.manifest(entry)
    assert manifest.InstitutionName == "Örnek Hastanesi^^^SKRS123456^^^FK1"
    assert str(manifest.PatientName) == "Deneme^Ayşe"
    wanted = asked(manifest)
    assert {one.instance for one in wanted} == uids(study[:3])
    assert {one.repository for one in wanted} == {entry.repository}
    with call(f"{archive.http}/xds/imaging-source", rad69.ACTION, request(wanted)) as answer:
        images = read_instances(answer.body, _parts(answer))
    assert images.status == "Success"
    for one in wanted:
        assert by_wado(archive, one) == images.files[one.instance]

    send(dcmtk, archive, study[3])
    deadline = time.monotonic() + 60
    while somebody.wait_for(1) == [entry]:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    (newer,) = somebody.find()
    assert {one.instance for one in asked(somebody.manifest(newer))} == uids(study)
    assert somebody.find("Deprecated") == [entry]

    assert httpx.delete(f"{archive.dicomweb}/studies/{wanted[0].study}").is_success
    somebody.wait_for(0)
    assert somebody.find("Deprecated") == []
    while somebody.holds(entry) or somebody.holds(newer):
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_what_was_to_be_published_when_the_archive_was_killed_is_published_once(
    serve: Callable[..., LiveArchive], dcmtk: Dcmtk, study: list[Path], profile: dict[str, str]
) -> None:
    archive = serve(XDS__PUBLISH_AFTER="2", **profile)
    send(dcmtk, archive, *study)
    time.sleep(1)
    archive.kill()

    archive = serve(XDS__PUBLISH_AFTER="2", **profile)
    somebody = consumer(archive.http)

    (entry,) = somebody.wait_for(1)
    assert {one.instance for one in asked(somebody.manifest(entry))} == uids(study)
    time.sleep(3)
    assert somebody.find() == [entry]
    assert somebody.find("Deprecated") == []


@pytest.fixture
def other(tmp_path: Path) -> Iterator[LiveArchive]:
    """Another archive, which is the registry and repository of a region."""
    folder = tmp_path / "other"
    folder.mkdir()
    archive = start_archive(Backend("sqlite+folder", folder), XDS__UNKNOWN_PATIENTS="register")
    yield archive
    archive.stop()


def test_a_merge_told_by_hl7_moves_manifests_and_those_to_come(
    serve: Callable[..., LiveArchive], dcmtk: Dcmtk, study: list[Path], profile: dict[str, str]
) -> None:
    archive = serve(**profile)
    send(dcmtk, archive, *study[:2])
    uid = str(pydicom.dcmread(study[0]).StudyInstanceUID)
    assert archive.vna("xds", "publish", uid).returncode == 0
    before = consumer(archive.http)
    after = replace(before, patient=f"HASTA-8^^^&{DOMAIN}&ISO")
    (entry,) = before.find()

    with MLLPClient("127.0.0.1", archive.hl7_port) as client:
        client.socket.settimeout(20)
        told = client.send_message(adt("A40", after.patient, mrg=before.patient))
    assert b"MSA|AA" in told

    assert before.find() == []
    assert str(after.manifest(entry).PatientID) == "HASTA-7"  # a document is what it was
    deadline = time.monotonic() + 60
    while after.find() == [entry]:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    (renamed,) = after.find()
    assert str(after.manifest(renamed).PatientID) == "HASTA-8"
    send(dcmtk, archive, *study[2:])
    assert archive.vna("xds", "publish", uid).returncode == 0
    (newer,) = after.find()
    assert {one.instance for one in asked(after.manifest(newer))} == uids(study)
    assert entry in after.find("Deprecated")
    assert before.find("Deprecated") == []


def test_manifests_go_to_the_repository_of_a_region(
    serve: Callable[..., LiveArchive],
    other: LiveArchive,
    dcmtk: Dcmtk,
    study: list[Path],
    profile: dict[str, str],
    tmp_path: Path,
) -> None:
    region = consumer(other.http)
    archive = serve(XDS__PUBLISH_TO=region.repository, XDS__PUBLISH_REGISTRY=region.registry, **profile)
    send(dcmtk, archive, *study[:2])
    uid = str(pydicom.dcmread(study[0]).StudyInstanceUID)

    done = archive.vna("xds", "publish", uid)
    assert done.returncode == 0, done.stderr
    (entry,) = region.find()
    assert done.stdout == f"{uid}: manifest 1 is document {entry.unique_id}\n"
    manifest = region.manifest(entry)
    wanted = asked(manifest)
    assert {one.repository for one in wanted} != {entry.repository}
    with call(f"{archive.http}/xds/imaging-source", rad69.ACTION, request(wanted)) as answer:
        assert read_instances(answer.body, _parts(answer)).files.keys() == uids(study[:2])

    send(dcmtk, archive, *study[2:])
    deadline = time.monotonic() + 60
    while region.wait_for(1) == [entry]:
        assert time.monotonic() < deadline
        time.sleep(0.3)

    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.4 invented")
    done = archive.vna("xds", "publish", uid, "--report", str(report), "--title", "Toraks BT raporu")
    assert done.returncode == 0, done.stderr
    assert [one.mime_type for one in region.find()] == ["application/dicom", "application/pdf"]

    assert archive.vna("delete", uid).returncode == 0
    done = archive.vna("xds", "publish", uid)
    assert (done.returncode, done.stderr) == (0, "")
    assert "removed" in done.stdout
    assert [one.mime_type for one in region.find()] == ["application/pdf"]
    assert region.find("Deprecated") == []
    while region.holds(entry):
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_images_of_another_community_are_found_and_retrieved_through_gateways(
    serve: Callable[..., LiveArchive], dcmtk: Dcmtk, study: list[Path], profile: dict[str, str], tmp_path: Path
) -> None:
    """Manifest by ITI-18 and ITI-43, images by RAD-69, all of our own Initiating Gateway."""
    theirs, ours = "urn:oid:1.2.826.0.1.3680043.10.1561.2", "urn:oid:1.2.826.0.1.3680043.10.1561.1"
    there = serve(XDS__PUBLISH_AFTER="1", XDS__HOME_COMMUNITY_ID=theirs, **profile)
    send(dcmtk, there, *study)
    consumer(there.http).wait_for(1)
    folder = tmp_path / "ours"
    folder.mkdir()
    others = [{"home_community_id": theirs, "query": f"{there.http}/xds/responding-gateway"}]
    here = start_archive(
        Backend("sqlite+folder", folder), XDS__HOME_COMMUNITY_ID=ours, XDS__COMMUNITIES=json.dumps(others)
    )
    try:
        gateway = f"{here.http}/xds/initiating-gateway"
        (entry,) = Consumer(gateway, gateway).find()
        wanted = [WantedDocument(entry.repository, entry.unique_id, theirs)]
        with call(gateway, iti43.ACTION, retrieve_request(wanted)) as answer:
            manifest = pydicom.dcmread(io.BytesIO(next(iter(_parts(answer).values()))))
        asked_for = [replace(one, home=theirs) for one in asked(manifest)]
        with call(gateway, rad69.ACTION, request(asked_for)) as answer:
            images = read_instances(answer.body, _parts(answer))
    finally:
        here.stop()

    assert (images.status, set(images.homes)) == ("Success", {theirs})
    assert images.files.keys() == uids(study)
    for one in asked_for:
        assert images.files[one.instance] == by_wado(there, one)
