"""RAD-69 of `vna serve`: foreign clients, and messages that are wrong."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path

import httpx
import psutil
import pydicom
import pytest
import requests
import zeep
from dicomtrolley.core import InstanceReference
from dicomtrolley.rad69 import Rad69, Rad69ServerError
from lxml import etree
from pydicom import Dataset
from pydicom.uid import generate_uid
from zeep.transports import Transport

from tests.archives import Backend, LiveArchive, put, start_archive
from tests.objects import ct, part10
from tests.xds.imaging import EXPLICIT, IMPLICIT, JPEG_LOSSLESS, OID, Answer, Ask, ask, read, request
from vna.app import build
from vna.soap import addressing, envelope
from vna.soap.client import call
from vna.soap.faults import SoapFault
from vna.soap.message import Message, Packaging
from vna.soap.versions import Version
from vna.xml.namespaces import PREFIXES, SOAP12
from xds.rad69 import ACTION

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rad69")


@pytest.fixture(scope="module")
def live(folder: Path) -> Iterator[LiveArchive]:
    archive = start_archive(Backend("sqlite+folder", folder), XDS__REPOSITORY_UNIQUE_ID=OID)
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def study(live: LiveArchive, folder: Path) -> list[Dataset]:
    """Two series, of two instances and one."""
    uid, series = generate_uid(), generate_uid()
    datasets = [ct(StudyInstanceUID=uid, SeriesInstanceUID=series, InstanceNumber=n) for n in (1, 2)]
    return store(folder, [*datasets, ct(StudyInstanceUID=uid, SeriesNumber=2)])


def store(folder: Path, datasets: list[Dataset]) -> list[Dataset]:
    archive = build(Backend("sqlite+folder", folder).settings())
    for ds in datasets:
        put(archive, part10(ds))
    archive.close()
    return datasets


@pytest.fixture(scope="module")
def url(live: LiveArchive) -> str:
    return f"{live.http}/xds/imaging-source"


def whole(message: Message) -> Answer:
    with message:
        contents = {}
        for name, attachment in message.attachments.items():
            with attachment.open() as file:
                contents[name] = file.read()
        return read(message.body, contents)


def test_our_own_client_gets_the_bytes_that_wado_rs_gives(url: str, live: LiveArchive, study: list[Dataset]) -> None:
    answer = whole(call(url, ACTION, request(map(ask, study))))

    assert answer.status == "Success"
    for ds in study:
        path = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
        accept = {"Accept": f"application/dicom; transfer-syntax={EXPLICIT}"}
        assert answer.files[ds.SOPInstanceUID] == httpx.get(f"{live.dicomweb}/{path}", headers=accept).content


def test_dicomtrolley_downloads_a_study(url: str, study: list[Dataset]) -> None:
    wanted = [
        InstanceReference(
            study_uid=ds.StudyInstanceUID, series_uid=ds.SeriesInstanceUID, instance_uid=ds.SOPInstanceUID
        )
        for ds in study
    ]
    with requests.Session() as session:
        for per_series in (True, False):
            found = list(Rad69(session, url, request_per_series=per_series).datasets(wanted))
            assert [ds.SOPInstanceUID for ds in found] == [ds.SOPInstanceUID for ds in study]
            assert all((a.pixel_array == b.pixel_array).all() for a, b in zip(found, study, strict=True))
        found = list(Rad69(session, url, use_async=True, max_workers=2).datasets(wanted))
        assert {ds.SOPInstanceUID for ds in found} == {ds.SOPInstanceUID for ds in study}


def test_dicomtrolley_is_told_of_what_is_not_held(url: str, study: list[Dataset]) -> None:
    wanted = InstanceReference(study_uid=study[0].StudyInstanceUID, series_uid="1.2", instance_uid="1.2.3")

    with requests.Session() as session, pytest.raises((Rad69ServerError, StopIteration, IndexError)):
        Rad69(session, url).get_dataset(wanted)


def test_zeep_retrieves_by_the_wsdl_that_is_served(url: str, study: list[Dataset]) -> None:
    with requests.Session() as session:
        transport = Transport(session=session)  # type: ignore[no-untyped-call]  # zeep has no types
        client = zeep.Client(f"{url}?wsdl", transport=transport)  # type: ignore[no-untyped-call]
        ds = study[0]
        document = {"RepositoryUniqueId": OID, "DocumentUniqueId": ds.SOPInstanceUID}
        series = {"DocumentRequest": [document], "seriesInstanceUID": ds.SeriesInstanceUID}
        answer = client.service.ImagingDocumentSource_RetrieveImagingDocumentSet(
            StudyRequest=[{"SeriesRequest": [series], "studyInstanceUID": ds.StudyInstanceUID}],
            TransferSyntaxUIDList={"TransferSyntaxUID": [EXPLICIT]},
        )

    assert answer.RegistryResponse.status.endswith(":Success")
    (given,) = answer.DocumentResponse
    assert (given.DocumentUniqueId, given.mimeType) == (ds.SOPInstanceUID, "application/dicom")
    assert given.Document == part10(ds)


def test_a_plain_message_is_answered_by_an_mtom_package(url: str, study: list[Dataset]) -> None:
    """As python's own parser of MIME reads it."""
    headers = addressing.request_headers(Version.SOAP12, ACTION, "urn:uuid:1", url)
    message = envelope.write(Version.SOAP12, request([ask(study[0])]), headers)

    answer = httpx.post(url, content=message, headers={"Content-Type": "application/soap+xml"})

    assert answer.status_code == 200
    package = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n" + answer.content
    )
    root, part = package.iter_parts()
    assert root.get_content_type() == "application/xop+xml"
    assert part.get_content_type() == "application/dicom"
    written = root.get_payload(decode=True)
    assert isinstance(written, bytes)
    found = etree.fromstring(written).find(".//xdsb:Document/xop:Include", PREFIXES)
    assert found is not None
    assert found.get("href", "").removeprefix("cid:") == part["Content-ID"].strip("<>")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert part10(study[0]) in answer.content


def test_failure_is_an_mtom_package_where_the_question_was_one(url: str) -> None:
    with call(url, ACTION, request([Ask("1.2", "1.3", "1.4")]), packaging=Packaging.XOP) as message:
        assert message.packaging is Packaging.XOP
        assert read(message.body, {}).errors == [("XDSDocumentUniqueIdError", "1.4")]


@pytest.mark.parametrize("body", ["<a/>", "<xdsb:RetrieveDocumentSetRequest xmlns:xdsb='urn:ihe:iti:xds-b:2007'/>"])
def test_another_body_is_a_fault_in_plain_words(url: str, body: str) -> None:
    with pytest.raises(SoapFault, match="RetrieveImagingDocumentSetRequest"):
        call(url, ACTION, etree.fromstring(body))


def test_a_request_without_anything_in_it_fails(url: str) -> None:
    empty = etree.Element("{urn:ihe:rad:xdsi-b:2009}RetrieveImagingDocumentSetRequest")

    assert whole(call(url, ACTION, empty)).status == "Failure"


@pytest.mark.parametrize("action", ["urn:ihe:iti:2007:RetrieveDocumentSet", "urn:x", ""])
def test_another_action_is_a_fault(url: str, action: str, study: list[Dataset]) -> None:
    with pytest.raises(SoapFault):
        call(url, action, request([ask(study[0])]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"<x/>",
        b"\x00" * 100,
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        f"<s:Envelope xmlns:s='{SOAP12}'><s:Body/></s:Envelope>".encode(),
    ],
)
def test_what_is_no_message_is_a_fault(url: str, body: bytes) -> None:
    answer = httpx.post(url, content=body, headers={"Content-Type": "application/soap+xml"})

    assert answer.status_code == 400
    assert b"Fault" in answer.content


def test_hundreds_of_megabytes_leave_memory_flat_and_nothing_behind(url: str, live: LiveArchive, folder: Path) -> None:
    """As stored, and each instance transcoded before it goes."""
    uid, series = generate_uid(), generate_uid()
    big = {"Rows": 2048, "Columns": 2048, "PixelData": bytes(2 * 2048 * 2048)}
    datasets = store(folder, [ct(StudyInstanceUID=uid, SeriesInstanceUID=series, **big) for _ in range(24)])
    spool = folder / "data" / "blobs" / "spool"
    before = sorted(path.name for path in spool.iterdir())
    process = psutil.Process(live.child.pid)

    def resident() -> int:
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])

    for syntax in (EXPLICIT, IMPLICIT):
        body = request(map(ask, datasets), [syntax])
        headers = addressing.request_headers(Version.SOAP12, ACTION, "urn:uuid:1", url)
        message = envelope.write(Version.SOAP12, body, headers)
        begun, most, size = resident(), 0, 0
        with httpx.stream(
            "POST", url, content=message, headers={"Content-Type": "application/soap+xml"}, timeout=120
        ) as answer:
            for chunk in answer.iter_bytes(4 * MEGABYTE):
                size += len(chunk)
                most = max(most, resident())
        assert size > 24 * 8 * MEGABYTE
        assert most - begun < 80 * MEGABYTE, syntax
    time.sleep(0.5)
    assert sorted(path.name for path in spool.iterdir()) == before


def test_a_compressed_one_reads_as_the_stored_one(url: str, study: list[Dataset]) -> None:
    answer = whole(call(url, ACTION, request([ask(study[0])], [JPEG_LOSSLESS])))

    made = pydicom.dcmread(io.BytesIO(answer.files[study[0].SOPInstanceUID]))
    assert made.file_meta.TransferSyntaxUID == JPEG_LOSSLESS
    assert (made.pixel_array == study[0].pixel_array).all()
