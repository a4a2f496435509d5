"""RAD-69 in words of tests: requests as XML, answers taken apart, each judged by the schemas where they are there."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pydicom
from lxml import etree
from pydicom import Dataset

from storage.scratch import Scratch
from tests.xds.registries import SHARED
from vna.app import Application
from vna.model.access import SYSTEM, Actor
from vna.sending import as_bytes
from vna.soap.message import Message
from vna.soap.versions import Version
from vna.xml.namespaces import IHERAD, PREFIXES, RS, XDSB, XOP, qname
from xds import imaging_source, rad69

OID = "1.3.6.1.4.1000"
EXPLICIT, IMPLICIT, JPEG_LOSSLESS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.70"


@dataclass(frozen=True, slots=True)
class Ask:
    """One instance that is asked for."""

    study: str
    series: str
    instance: str
    repository: str = OID
    home: str = ""


def ask(ds: Dataset, **changes: str) -> Ask:
    """For this data set; keyword arguments say something else about it."""
    return Ask(
        **{"study": ds.StudyInstanceUID, "series": ds.SeriesInstanceUID, "instance": ds.SOPInstanceUID, **changes}
    )


def request(asked: Iterable[Ask], syntaxes: Sequence[str] = (EXPLICIT,)) -> etree._Element:
    """The body."""
    names = {"iherad": IHERAD, "xdsb": XDSB}
    body = etree.Element(qname(IHERAD, "RetrieveImagingDocumentSetRequest"), nsmap=names)
    for one in asked:
        study = etree.SubElement(body, qname(IHERAD, "StudyRequest"), studyInstanceUID=one.study)
        series = etree.SubElement(study, qname(IHERAD, "SeriesRequest"), seriesInstanceUID=one.series)
        document = etree.SubElement(series, qname(XDSB, "DocumentRequest"))
        if one.home:
            etree.SubElement(document, qname(XDSB, "HomeCommunityId")).text = one.home
        etree.SubElement(document, qname(XDSB, "RepositoryUniqueId")).text = one.repository
        etree.SubElement(document, qname(XDSB, "DocumentUniqueId")).text = one.instance
    listed = etree.SubElement(body, qname(IHERAD, "TransferSyntaxUIDList"))
    for uid in syntaxes:
        etree.SubElement(listed, qname(IHERAD, "TransferSyntaxUID")).text = uid
    return body


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: status, errors as code and location, Part 10 files by SOP Instance UID."""

    status: str
    errors: list[tuple[str, str]]
    files: dict[str, bytes] = field(default_factory=dict)
    contexts: list[str] = field(default_factory=list)
    homes: list[str] = field(default_factory=list)

    def dataset(self, uid: str) -> Dataset:
        return pydicom.dcmread(io.BytesIO(self.files[uid]))


def retrieve(
    archive: Application,
    asked: Iterable[Ask],
    syntaxes: Sequence[str] = (EXPLICIT,),
    *,
    actor: Actor = SYSTEM,
    folder: Path = Path("/tmp"),
) -> Answer:
    """Ask the use cases of this process as vna.soap asks them."""
    with Scratch(folder) as scratch:
        message = Message(Version.SOAP12, rad69.ACTION, "urn:uuid:1", request(asked, syntaxes), scratch=scratch)
        reply = imaging_source.operations(archive.imaging)[rad69.ACTION](message, actor)
        assert reply.action == "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
        assert {content.media_type for content in reply.contents} <= {"application/dicom"}
        contents = {content.content_id: b"".join(as_bytes(content.pieces())) for content in reply.contents}
        sizes = {content.content_id: content.size for content in reply.contents if content.size is not None}
        assert all(len(contents[name]) == size for name, size in sizes.items())
        assert not isinstance(reply.body, bytes)
        return read(etree.fromstring(etree.tostring(reply.body)), contents)


def read(body: etree._Element, contents: dict[str, bytes]) -> Answer:
    """Take an answer apart; `contents` go by Content-ID."""
    files = {}
    for document in body.iterfind("xdsb:DocumentResponse", PREFIXES):
        include = document.find(f"xdsb:Document/{{{XOP}}}Include", PREFIXES)
        assert include is not None
        assert document.findtext("xdsb:mimeType", "", PREFIXES) == "application/dicom"
        files[document.findtext("xdsb:DocumentUniqueId", "", PREFIXES)] = contents[include.get("href", "")[4:]]
        include.getparent().remove(include)  # type: ignore[union-attr]
    if (schema := _schema()) is not None:
        schema.assertValid(body)
    errors = body.findall(f".//{{{RS}}}RegistryError")
    response = body.find("rs:RegistryResponse", PREFIXES)
    assert response is not None
    return Answer(
        response.get("status", "").rpartition(":")[2],
        [(error.get("errorCode", ""), error.get("location", "")) for error in errors],
        files,
        [error.get("codeContext", "") for error in errors],
        [home.text or "" for home in body.iterfind(".//xdsb:HomeCommunityId", PREFIXES)],
    )


@cache
def _schema() -> etree.XMLSchema | None:
    path = SHARED / "schemas" / "XDS.b_DocumentRepository.xsd"
    return etree.XMLSchema(etree.parse(path)) if path.is_file() else None
