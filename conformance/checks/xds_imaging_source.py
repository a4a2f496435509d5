"""An Imaging Document Source: Retrieve Imaging Document Set (RAD TF-2 4.69)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from pydicom import Dataset, dcmread

from conformance.checks.dicomweb_studies import expect_status, stow
from conformance.checks.xds_repository import held
from conformance.suite import objects
from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.session import Session
from conformance.suite.sharing import XDSB, contents, errors, partly, refused, response, succeeded, wanted
from conformance.suite.soap import Reply, tell_packed

IHERAD: Final = "urn:ihe:rad:xdsi-b:2009"
ACTION: Final = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
EXPLICIT, IMPLICIT, HEVC = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.107"
SERVICE: Final = ("RAD-69",)
DOOR: Final = Target.XDS_IMAGING_SOURCE
BESIDE: Final = (Target.DICOMWEB, Target.XDS_REPOSITORY, Target.XDS_REGISTRY)
"""Where the images come from, and who says by which OID they are asked for."""


@dataclass(frozen=True, slots=True)
class Ask:
    """An instance that is asked for."""

    study: str
    series: str
    instance: str
    repository: str


def study(session: Session) -> list[Dataset]:
    """Two series, of two images and of one."""

    def store() -> list[Dataset]:
        uid, series = session.uid(), session.uid()
        images = [
            objects.image(session, StudyInstanceUID=uid, SeriesInstanceUID=series, InstanceNumber=n) for n in (1, 2)
        ]
        images.append(objects.image(session, StudyInstanceUID=uid, SeriesNumber=2))
        expect_status(stow(session, *images), 200)
        return images

    return session.once("the images of the imaging source", store)


def asked(session: Session, one: Dataset, **changes: str) -> Ask:
    """For this instance, where the repository says that documents are."""
    said = {
        "study": str(one.StudyInstanceUID),
        "series": str(one.SeriesInstanceUID),
        "instance": str(one.SOPInstanceUID),
        "repository": changes.get("repository") or held(session).repository,
    }
    return Ask(**said | changes)


def retrieve(session: Session, wants: Sequence[Ask], *syntaxes: str) -> Reply:
    """RAD-69 as an MTOM package."""
    each = "".join(
        f'<i:StudyRequest studyInstanceUID="{one.study}"><i:SeriesRequest seriesInstanceUID="{one.series}">'
        f"{wanted(one.repository, one.instance)}</i:SeriesRequest></i:StudyRequest>"
        for one in wants
    )
    listed = "".join(f"<i:TransferSyntaxUID>{one}</i:TransferSyntaxUID>" for one in syntaxes)
    body = (
        f'<i:RetrieveImagingDocumentSetRequest xmlns:i="{IHERAD}" xmlns:xdsb="{XDSB}">{each}<i:TransferSyntaxUIDList>'
        f"{listed}</i:TransferSyntaxUIDList></i:RetrieveImagingDocumentSetRequest>"
    )
    reply = tell_packed(session, session.targets.xds_imaging_source, ACTION, body)
    _known_repository(session, wants, reply)
    return reply


def _known_repository(session: Session, wants: Sequence[Ask], reply: Reply) -> None:
    """Nothing can be said where images have another OID than documents, which nobody told us."""
    codes = {one.get("errorCode") for one in errors(response(reply))}
    ours = {one.repository for one in wants} == {held(session).repository}
    if ours and codes == {"XDSUnknownRepositoryId"}:
        raise NotApplicable("the imaging source has another OID than the repository")


def _images(reply: Reply) -> dict[str, Dataset]:
    found: dict[str, Dataset] = {}
    for name, (kind, content) in contents(reply).items():
        if kind != "application/dicom":
            raise Failed(f"mimeType is {kind!r}, not application/dicom")
        found[name] = dcmread(io.BytesIO(content))
        if found[name].SOPInstanceUID != name:
            raise Failed("another instance comes than its DocumentUniqueId says")
    return found


def _in_syntax(syntax: str, session: Session) -> None:
    images = study(session)
    reply = retrieve(session, [asked(session, one) for one in images], syntax)
    succeeded(reply, "the request")
    came = _images(reply)
    for one in images:
        found = came.get(str(one.SOPInstanceUID))
        if found is None:
            raise Failed("an instance did not come")
        if found.file_meta.TransferSyntaxUID != syntax:
            raise Failed(f"the transfer syntax is {found.file_meta.TransferSyntaxUID}, which is not listed")
        if found.PixelData != one.PixelData:
            raise Failed("other pixel data come than were stored")


for _name, _syntax in (("explicit", EXPLICIT), ("implicit", IMPLICIT)):
    check(
        f"xds.imaging-source.retrieve.{_name}",
        "RAD TF-2 4.69",
        f"Instances that were stored come as DICOM files in the transfer syntax that is listed ({_syntax})",
        DOOR,
        also=BESIDE,
        covers=SERVICE,
    )(partial(_in_syntax, _syntax))


@check(
    "xds.imaging-source.retrieve.package",
    "RAD TF-2 4.69",
    "The answer is an MTOM package that includes each instance as an attachment",
    DOOR,
    also=BESIDE,
    covers=SERVICE,
)
def package(session: Session) -> None:
    images = study(session)
    reply = retrieve(session, [asked(session, one) for one in images], EXPLICIT)
    succeeded(reply, "the request")
    if not reply.is_package or len(reply.parts) != 1 + len(images):
        raise Failed(f"the answer has {len(reply.parts)} parts, not one and {len(images)}")


@check(
    "xds.imaging-source.retrieve.unknown",
    "RAD TF-2 4.69",
    "An instance that is not there fails, and nothing comes",
    DOOR,
    also=BESIDE,
    covers=SERVICE,
)
def unknown(session: Session) -> None:
    one = asked(session, study(session)[0], instance=session.uid())
    _located(retrieve(session, [one], EXPLICIT), one)


def _located(reply: Reply, one: Ask) -> None:
    found = refused(reply, "the request")
    places = [error.get("location") for error in errors(found)]
    if one.instance not in places:
        raise Failed(f"no error is located at the instance that was asked for, but at {places}")
    if contents(reply):
        raise Failed("an instance came")


@check(
    "xds.imaging-source.retrieve.other-series",
    "RAD TF-2 4.69",
    "An instance that is not in the series that is named fails, and nothing comes",
    DOOR,
    also=BESIDE,
    covers=SERVICE,
)
def other_series(session: Session) -> None:
    images = study(session)
    one = asked(session, images[0], series=str(images[2].SeriesInstanceUID))
    _located(retrieve(session, [one], EXPLICIT), one)


@check(
    "xds.imaging-source.retrieve.unknown-repository",
    "ITI TF-3 4.2.4",
    "An instance of another repository fails: XDSUnknownRepositoryId",
    DOOR,
    also=BESIDE,
    covers=SERVICE,
)
def unknown_repository(session: Session) -> None:
    one = asked(session, study(session)[0], repository=session.uid())
    refused(retrieve(session, [one], EXPLICIT), "another repository's instance", "XDSUnknownRepositoryId")


@check(
    "xds.imaging-source.retrieve.syntax",
    "RAD TF-2 4.69",
    "An instance that cannot be given in a listed transfer syntax fails, and does not come in another one",
    DOOR,
    also=BESIDE,
    covers=SERVICE,
)
def syntax(session: Session) -> None:
    one = asked(session, study(session)[0])
    _located(retrieve(session, [one], HEVC), one)


@check(
    "xds.imaging-source.retrieve.no-syntax",
    "RAD TF-2 4.69",
    "A request that lists no transfer syntax fails",
    DOOR,
    also=BESIDE,
    covers=SERVICE,
)
def no_syntax(session: Session) -> None:
    refused(retrieve(session, [asked(session, study(session)[0])]), "a request without a transfer syntax")


@check(
    "xds.imaging-source.retrieve.partial",
    "ITI TF-3 4.2.4",
    "Of an instance that is there and one that is not the first comes: PartialSuccess",
    DOOR,
    also=BESIDE,
    covers=SERVICE,
)
def partial_success(session: Session) -> None:
    images = study(session)
    there, not_there = asked(session, images[0]), asked(session, images[1], instance=session.uid())
    reply = retrieve(session, [there, not_there], EXPLICIT)
    partly(reply, "a request half of which is there")
    if list(_images(reply)) != [there.instance]:
        raise Failed("another instance came, or none")
