"""The Studies service as an origin server: retrieve, capabilities, and WADO-URI (PS3.18 8.9, 9, 10.4)."""

from __future__ import annotations

import io
from functools import partial
from typing import Final

import httpx
from pydicom import Dataset, dcmread

from conformance.checks.dicomweb_studies import JSON, RETRIEVE, expect, expect_status, over_web, search
from conformance.suite import objects
from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.session import Session
from conformance.suite.stow import parts_of


def address(session: Session, ds: Dataset, *more: str) -> str:
    """Of an instance, and what is below it."""
    path = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    return "/".join([session.targets.dicomweb, path, *more])


DICOM: Final = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@check(
    "dicomweb.retrieve.study", "PS3.18 10.4.3", "A study comes with all its instances", Target.DICOMWEB, covers=RETRIEVE
)
def retrieve_study(session: Session) -> None:
    corpus = over_web(session)
    url = f"{session.targets.dicomweb}/studies/{corpus.study(0)}"
    came = parts_of(expect_status(session.web.get(url, headers=DICOM), 200))
    uids = sorted(str(dcmread(io.BytesIO(one.content)).SOPInstanceUID) for one in came)
    if uids != sorted(str(one.SOPInstanceUID) for one in corpus.of(corpus.study(0))):
        raise Failed(f"{len(uids)} parts came, five instances were stored")


@check(
    "dicomweb.retrieve.instance",
    "PS3.18 10.4.3",
    "An instance comes as it was stored",
    Target.DICOMWEB,
    covers=RETRIEVE,
)
def retrieve_instance(session: Session) -> None:
    ds = over_web(session).first()
    (part,) = parts_of(expect_status(session.web.get(address(session, ds), headers=DICOM), 200))
    came = dcmread(io.BytesIO(part.content))
    wrong = [element.keyword for element in ds if came.get(element.tag) != element]
    if wrong:
        raise Failed(f"it differs in {', '.join(wrong[:6])}")


@check(
    "dicomweb.retrieve.unknown", "PS3.18 10.4.3.1", "A study that is not there is 404", Target.DICOMWEB, covers=RETRIEVE
)
def retrieve_unknown(session: Session) -> None:
    url = f"{session.targets.dicomweb}/studies/{session.uid()}"
    expect_status(session.web.get(url, headers=DICOM), 404)


@check(
    "dicomweb.retrieve.metadata",
    "PS3.18 10.4.1.1.2",
    "Metadata of a study: every instance, without bulk data inline",
    Target.DICOMWEB,
    covers=("metadata",),
)
def retrieve_metadata(session: Session) -> None:
    corpus = over_web(session)
    found = search(session, f"/studies/{corpus.study(0)}/metadata")
    expect(found, "00080018", [str(one.SOPInstanceUID) for one in corpus.of(corpus.study(0))])
    if any("InlineBinary" in item.get("7FE00010", {}) for item in found):
        raise Failed("pixel data are inline")


@check(
    "dicomweb.retrieve.bulkdata",
    "PS3.18 10.4.1.1.4",
    "The BulkDataURI of metadata leads to the bytes",
    Target.DICOMWEB,
    covers=("bulkdata",),
)
def retrieve_bulkdata(session: Session) -> None:
    ds = over_web(session).first()
    (item,) = search(session, address(session, ds, "metadata")[len(session.targets.dicomweb) :])
    uri = item.get("7FE00010", {}).get("BulkDataURI")
    if not uri:
        raise NotApplicable("metadata have no BulkDataURI of pixel data")
    url = str(httpx.URL(address(session, ds, "metadata")).join(uri))
    accept = {"Accept": 'multipart/related; type="application/octet-stream"'}
    (part,) = parts_of(expect_status(session.web.get(url, headers=accept), 200))
    if part.content != ds.PixelData:
        raise Failed(f"{len(part.content)} bytes came, {len(ds.PixelData)} were stored, or they differ")


FRAMES: Final = (
    ("frame", 'multipart/related; type="application/octet-stream"', "A frame as octets"),
    ("frame-any", 'multipart/related; type="*/*"', 'A frame in any media type (`type="*/*"`)'),
)


def frame(accept: str, session: Session) -> None:
    """The first frame is the pixel data that were stored."""
    ds = over_web(session).first()
    answer = expect_status(session.web.get(address(session, ds, "frames", "1"), headers={"Accept": accept}), 200)
    (part,) = parts_of(answer)
    if part.content != ds.PixelData:
        raise Failed(f"{len(part.content)} bytes came, {len(ds.PixelData)} were stored, or they differ")


for _id, _accept, _title in FRAMES:
    check(f"dicomweb.retrieve.{_id}", "PS3.18 10.4.1.1.5", _title, Target.DICOMWEB, covers=("frames",))(
        partial(frame, _accept)
    )


@check(
    "dicomweb.retrieve.frame-unknown", "PS3.18 10.4.3.1", "A frame that is not there is 404 or 400", Target.DICOMWEB,
    covers=("frames",),
)  # fmt: skip
def frame_unknown(session: Session) -> None:
    ds = over_web(session).first()
    accept = {"Accept": FRAMES[0][1]}
    expect_status(session.web.get(address(session, ds, "frames", "7"), headers=accept), 404, 400)


@check(
    "dicomweb.retrieve.frame-jls",
    "PS3.18 8.7",
    "A frame as JPEG-LS is given or is 406, and the server goes on",
    Target.DICOMWEB,
    covers=("frames",),
    last=True,
)
def frame_jls(session: Session) -> None:
    ds = over_web(session).first()
    accept = {"Accept": 'multipart/related; type="image/jls"'}
    expect_status(session.web.get(address(session, ds, "frames", "1"), headers=accept), 200, 406)
    expect_status(session.web.get(address(session, ds, "metadata"), headers={"Accept": JSON}), 200)


def picture(name: str, session: Session) -> None:
    """It comes as the picture that was asked for."""
    ds = over_web(session).first()
    answer = session.web.get(address(session, ds, name), headers={"Accept": "image/jpeg"})
    if name == "thumbnail" and answer.status_code in (400, 404, 405, 501):
        raise NotApplicable("thumbnails are not offered")
    expect_status(answer, 200)
    if not answer.content.startswith(b"\xff\xd8"):
        raise Failed("the answer is no JPEG")


for _name in ("rendered", "thumbnail"):
    check(
        f"dicomweb.retrieve.{_name}", "PS3.18 10.4.1.1.3", f"The {_name} instance as JPEG", Target.DICOMWEB,
        covers=(_name,),
    )(partial(picture, _name))  # fmt: skip


@check(
    "dicomweb.capabilities",
    "PS3.18 8.9",
    "OPTIONS of the service describes it",
    Target.DICOMWEB,
    covers=("capabilities",),
)
def capabilities(session: Session) -> None:
    answer = session.web.ask(
        "OPTIONS", f"{session.targets.dicomweb}/", headers={"Accept": "application/vnd.sun.wadl+xml"}
    )
    expect_status(answer, 200)
    if b"application" not in answer.content:
        raise Failed("the answer is no description (PS3.18 H)")


@check(
    "wado.dicom", "PS3.18 9.4", "An instance by WADO-URI", Target.WADO, also=(Target.DICOMWEB,), covers=("WADO-URI",)
)
def wado_dicom(session: Session) -> None:
    ds = over_web(session).first()
    came = dcmread(io.BytesIO(expect_status(_wado(session, ds, contentType="application/dicom"), 200).content))
    if came.SOPInstanceUID != ds.SOPInstanceUID:
        raise Failed("another instance came")


@check(
    "wado.jpeg",
    "PS3.18 9.4",
    "An instance as JPEG by WADO-URI",
    Target.WADO,
    also=(Target.DICOMWEB,),
    covers=("WADO-URI",),
)
def wado_jpeg(session: Session) -> None:
    answer = expect_status(_wado(session, over_web(session).first(), contentType="image/jpeg"), 200)
    if not answer.content.startswith(b"\xff\xd8"):
        raise Failed("the answer is no JPEG")


@check(
    "wado.unknown", "PS3.18 9.4", "An instance that is not there is 404", Target.WADO, also=(Target.DICOMWEB,),
    covers=("WADO-URI",),
)  # fmt: skip
def wado_unknown(session: Session) -> None:
    ds = objects.image(session)
    expect_status(_wado(session, ds, contentType="application/dicom"), 404)


def _wado(session: Session, ds: Dataset, **more: str) -> httpx.Response:
    params = {
        "requestType": "WADO",
        "studyUID": str(ds.StudyInstanceUID),
        "seriesUID": str(ds.SeriesInstanceUID),
        "objectUID": str(ds.SOPInstanceUID),
        **more,
    }
    return session.web.get(session.targets.wado, params=params)
