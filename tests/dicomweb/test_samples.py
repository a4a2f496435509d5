"""Every sample instance goes in by STOW-RS and comes back by WADO-RS; what is refused has its reason here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import get_expected_length
from starlette.applications import Starlette

from dicomweb.routes import routes
from tests.dicomweb.client import Web, parts_of, service_of
from tests.peers.samples import all_files, name
from vna.app import Application, build, prepare
from vna.security.http import HttpRules, local
from vna.settings import Settings
from vna.settings.sections import DimseSettings

TRAILING_PADDING = 0xFFFCFFFC
NO_STUDY = "StudyInstanceUID is missing or empty"
TRUNCATED = "runs past the end: truncated"
NO_FILE = "the file is no DICOM file"

REFUSED = {
    "test_files/JPEGLSNearLossless_08.dcm": NO_STUDY,
    "test_files/JPEGLSNearLossless_16.dcm": NO_STUDY,
    "test_files/MR_truncated.dcm": TRUNCATED,
    "test_files/SC_rgb_jpeg.dcm": "its transfer syntax says otherwise",
    "test_files/SC_rgb_jls_lossy_line.dcm": NO_STUDY,
    "test_files/SC_rgb_jls_lossy_sample.dcm": NO_STUDY,
    "test_files/UN_sequence.dcm": NO_STUDY,
    "test_files/empty_charset_LEI.dcm": NO_STUDY,
    "test_files/meta_missing_tsyntax.dcm": NO_STUDY,
    "test_files/nested_priv_SQ.dcm": NO_STUDY,
    "test_files/no_meta.dcm": NO_FILE,
    "test_files/no_meta_group_length.dcm": NO_STUDY,
    "test_files/priv_SQ.dcm": NO_STUDY,
    "test_files/rtplan_truncated.dcm": TRUNCATED,
    "TINY_ALPHA/README": NO_FILE,
    "dicomdirtests/DICOMDIR-nooffset": "an item of (00041220) at offset 10860 runs past the end",
    "charset_files/chrSQEncoding.dcm": NO_STUDY,
    "charset_files/chrSQEncoding1.dcm": NO_STUDY,
}
REFUSED_KINDS = ("palettes/", "dicomdirtests/DICOMDIR", "TINY_ALPHA/DICOMDIR")
"""Palettes and directories belong to no study."""

Door = tuple[Application, Web]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Web]]:
    """As many archives as there are samples of one SOP Instance UID."""
    opened: list[Door] = []

    def door(number: int) -> Web:
        while len(opened) <= number:
            # some samples had their SOP Class made unreadable with their identity
            settings = Settings(
                data_dir=tmp_path_factory.mktemp("samples"), dimse=DimseSettings(unknown_sop_classes=True)
            )
            prepare(settings)
            archive = build(settings)
            service = service_of(archive)
            app = local(Starlette(routes=routes(service)), HttpRules())
            opened.append((archive, Web(app, "http://127.0.0.1:8080/dicom-web/")))
        return opened[number][1]

    yield door
    for archive, _ in opened:
        archive.close()


def stored(doors: Callable[[int], Web], data: bytes) -> tuple[Web, dict[str, dict[str, list[dict[str, object]]]], str]:
    """An archive that did not hold it before, with its answer and warning."""
    uid = pydicom.dcmread(BytesIO(data), specific_tags=["SOPInstanceUID"], force=True).get("SOPInstanceUID", "")
    for number in range(20):
        web = doors(number)
        if uid and web.get(f"instances?SOPInstanceUID={uid}").content:
            continue
        response = web.post("studies", content=data, headers={"Content-Type": "application/dicom"})
        answer = response.json()
        return web, answer, response.headers.get("warning", "")
    raise AssertionError("more samples of one UID than archives")


def expected_reason(path: Path) -> str:
    return REFUSED.get(name(path)) or (NO_STUDY if name(path).startswith(REFUSED_KINDS) else "")


def frames_of(ds: Dataset) -> list[bytes]:
    """Each frame as pydicom finds it, native ones in little endian; none where a frame is not whole bytes."""
    said = str(ds.get("NumberOfFrames") or 1)
    ds.NumberOfFrames = count = int(said) if said.isdecimal() else 1
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        return list(generate_frames(ds.PixelData, number_of_frames=count))
    length = get_expected_length(ds, unit="bytes") // count
    if ds.BitsAllocated == 1 and ds.Rows * ds.Columns % 8:
        return []
    data = ds.PixelData
    if not ds.file_meta.TransferSyntaxUID.is_little_endian and ds["PixelData"].VR == "OW":
        data = np.frombuffer(data, "<u2").byteswap().tobytes()
    return [data[length * number : length * (number + 1)] for number in range(count)]


@pytest.mark.claim("PS3.18-10.4.3.3.1", "PS3.18-10.5.2")
@pytest.mark.parametrize("path", all_files(), ids=name)
def test_a_sample_comes_back_as_it_went_in_or_is_refused_for_its_reason(
    doors: Callable[[int], Web], path: Path
) -> None:
    data = path.read_bytes()
    web, answer, warning = stored(doors, data)
    reason = expected_reason(path)
    if reason:
        assert "00081199" not in answer
        assert reason in warning
        return
    (item,) = answer["00081199"]["Value"]
    url = item["00081190"]["Value"][0]  # type: ignore[index]
    assert web.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"}).content == data
    (metadata,) = web.get(f"{url}/metadata").json()
    assert web.get(f"{url}/metadata", headers={"Accept": "multipart/related; type=application/dicom+xml"}).is_success
    ds = pydicom.dcmread(BytesIO(data), force=True)
    (syntax,) = metadata.pop("00083002")["Value"]  # the archive's own statement
    assert syntax == ds.file_meta.get("TransferSyntaxUID", syntax)
    assert {tag for tag in metadata if not tag.endswith("0000")} == {
        f"{element.tag:08X}" for element in ds if element.tag.element and element.tag != TRAILING_PADDING
    }
    expected = frames_of(ds) if "PixelData" in ds and "Rows" in ds else []
    if expected:
        numbers = ",".join(str(number + 1) for number in range(len(expected)))
        parts = parts_of(web.get(f"{url}/frames/{numbers}"))
        assert [body for _, body in parts] == expected
