"""File Meta Information: what is read from files as they are met, and what is written."""

import io
import mmap
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from storage.part10 import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLEMENTATION_CLASS_UID,
    IMPLICIT_LITTLE,
    FileMeta,
    read_file_meta,
    source_ae,
    write_file_meta,
)
from tests.storage.oracle import WHEEL, shared_files, wheel_files
from vna.model.errors import CannotUnderstand

CT = "1.2.840.10008.5.1.4.1.1.2"
CT_SMALL = (WHEEL / "test_files" / "CT_small.dcm").read_bytes()
DATASET = CT_SMALL[read_file_meta(CT_SMALL).dataset_offset :]

NO_DICOM = {"FileInfo.txt", "README", "README.txt", "crayons.icc", "zipMR.gz"} | {
    "rtplan.dump",
    "rtstruct.dump",
    "test1.json",
    "test_PN.json",
    "no_meta.dcm",  # begins with a stray byte: neither pydicom nor anyone else finds a data set in it
}


def element(number: int, vr: bytes, value: bytes) -> bytes:
    return b"\x02\x00" + number.to_bytes(2, "little") + vr + len(value).to_bytes(2, "little") + value


SYNTAX = element(0x10, b"UI", EXPLICIT_LITTLE.encode() + b"\0")
INSTANCE = element(0x03, b"UI", b"1.2.3\0")


@pytest.mark.parametrize("path", wheel_files() + shared_files(), ids=lambda path: path.name)
def test_group_2_is_what_pydicom_reads(path: Path) -> None:
    if path.name in NO_DICOM:
        with pytest.raises(CannotUnderstand, match="no DICOM file"):
            read_file_meta(path.read_bytes())
        return
    found = read_file_meta(path.read_bytes())
    ds = dcmread(path, force=True, stop_before_pixels=True)
    assert found.sop_class_uid == ds.file_meta.get("MediaStorageSOPClassUID", "")
    assert found.sop_instance_uid == ds.file_meta.get("MediaStorageSOPInstanceUID", "")
    guessed: dict[tuple[bool | None, bool | None], str] = {
        (True, True): IMPLICIT_LITTLE,
        (False, True): EXPLICIT_LITTLE,
        (False, False): EXPLICIT_BIG,
    }
    assert found.transfer_syntax_uid == ds.file_meta.get("TransferSyntaxUID", guessed[ds.original_encoding])


@pytest.mark.parametrize("name", ["ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "rtstruct.dcm"])
def test_a_data_set_without_group_2_is_recognised_by_its_first_elements(name: str) -> None:
    found = read_file_meta((WHEEL / "test_files" / name).read_bytes())
    said = {"ExplVR_BigEndNoMeta.dcm": EXPLICIT_BIG, "ExplVR_LitEndNoMeta.dcm": EXPLICIT_LITTLE}
    assert found == FileMeta("", "", said.get(name, IMPLICIT_LITTLE), 0)


@pytest.mark.parametrize("head", [b"", b"DICM", bytes(128) + b"DICM", b"\x08\x00"])
def test_the_preamble_may_be_missing(head: bytes) -> None:
    if head == b"\x08\x00":
        with pytest.raises(CannotUnderstand):
            read_file_meta(head + INSTANCE + SYNTAX + DATASET)
        return
    found = read_file_meta(head + INSTANCE + SYNTAX + DATASET)
    assert found == FileMeta("", "1.2.3", EXPLICIT_LITTLE, len(head + INSTANCE + SYNTAX))


@pytest.mark.parametrize("length", [0, 1, 7, 500, 0xFFFFFFFF])
def test_a_wrong_group_length_is_not_trusted(length: int) -> None:
    file = bytes(128) + b"DICM" + element(0, b"UL", length.to_bytes(4, "little")) + INSTANCE + SYNTAX + DATASET
    found = read_file_meta(file)
    assert file[found.dataset_offset :] == DATASET
    assert found.sop_instance_uid == "1.2.3"


def test_group_2_in_implicit_vr_is_read() -> None:
    value = EXPLICIT_LITTLE.encode() + b"\0"
    implicit = b"\x02\x00\x10\x00" + len(value).to_bytes(4, "little") + value
    found = read_file_meta(bytes(128) + b"DICM" + implicit + DATASET)
    assert found.transfer_syntax_uid == EXPLICIT_LITTLE
    assert found.dataset_offset == 132 + len(implicit)


@pytest.mark.parametrize("junk", [b"", b"\x08", bytes(4096), b"\x08\x00" * 500, b"%PDF-1.7\n" * 100, b"\xff" * 1000])
def test_what_is_no_dicom_file_is_refused(junk: bytes) -> None:
    with pytest.raises(CannotUnderstand):
        read_file_meta(junk)


def test_a_file_that_ends_inside_group_2_is_refused() -> None:
    head = bytes(128) + b"DICM" + INSTANCE + SYNTAX
    for end in range(133, len(head)):
        if end != 132 + len(INSTANCE):
            with pytest.raises(CannotUnderstand):
                read_file_meta(head[:end])


def test_a_group_2_without_end_is_refused() -> None:
    with pytest.raises(CannotUnderstand, match="more than"):
        read_file_meta(bytes(128) + b"DICM" + element(0x99, b"LO", b"") * 2_000_000)


def test_every_kind_of_buffer_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CT_SMALL)
    expected = read_file_meta(CT_SMALL)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for buf in (mapped, bytearray(CT_SMALL), memoryview(CT_SMALL)):
            assert read_file_meta(buf) == expected


@pytest.mark.parametrize("instance", ["1.2.3", "1.2.34"])
@pytest.mark.parametrize(("source", "receiving"), [("", ""), ("MODALITY", "VNA"), ("ODD", ""), ("A" * 20, "")])
def test_pydicom_reads_what_is_written(instance: str, source: str, receiving: str) -> None:
    written = write_file_meta(CT, instance, ExplicitVRLittleEndian, source, receiving)
    meta = dcmread(io.BytesIO(written + DATASET)).file_meta
    assert meta.FileMetaInformationGroupLength == len(written) - 132 - 12
    assert meta.FileMetaInformationVersion == b"\x00\x01"
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CT, instance)
    assert meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == "VNA_0_1"
    assert meta.get("SourceApplicationEntityTitle", "") == source[:16]
    assert meta.get("ReceivingApplicationEntityTitle", "") == receiving
    assert source_ae(written) == source[:16]
    again = DicomBytesIO()
    write_file_meta_info(again, meta)
    assert again.getvalue() == written[132:]


def test_what_is_written_is_read_back() -> None:
    written = write_file_meta(CT, "1.2.3", DeflatedExplicitVRLittleEndian, "AE")
    assert read_file_meta(written + DATASET) == FileMeta(CT, "1.2.3", DeflatedExplicitVRLittleEndian, len(written))


def test_the_implementation_uid_is_one() -> None:
    assert IMPLEMENTATION_CLASS_UID.startswith("2.25.")
    assert int(IMPLEMENTATION_CLASS_UID[5:]) < 2**128
