"""`vna export`: what is handed over, read back by others."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import base64
import csv
import json
import re
import sqlite3
import subprocess
import zlib
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import (
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
    generate_uid,
)

from storage.media import book
from tests.cli.conftest import Vna
from tests.objects import ct, part10
from vna.archive.retrieve import Retrieval
from vna.model.errors import Unavailable


def _document(**elements: object) -> pydicom.Dataset:
    ds = ct(SOPClassUID=EncapsulatedPDFStorage, Modality="DOC", MIMETypeOfEncapsulatedDocument="application/pdf")
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, keyword)
    del ds.SamplesPerPixel, ds.PhotometricInterpretation
    ds.EncapsulatedDocument = b"%PDF-1.4 "
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


@pytest.fixture
def filled(vna: Vna, tmp_path: Path) -> str:
    """Two patients, three studies, four transfer syntaxes; the study of the second patient is another facility's."""
    study = generate_uid()
    rle = ct(StudyInstanceUID=study, SeriesInstanceUID=generate_uid(), SeriesNumber=2)
    part10(rle)
    rle.compress(RLELossless, generate_instance_uid=False)
    (tmp_path / "in").mkdir()
    (tmp_path / "other").mkdir()
    series = generate_uid()
    for number in range(3):
        one = ct(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=number + 1)
        (tmp_path / f"in/{number}.dcm").write_bytes(
            part10(one, ImplicitVRLittleEndian if number else ExplicitVRBigEndian)
        )
    (tmp_path / "in/rle.dcm").write_bytes(part10(rle, RLELossless))
    (tmp_path / "in/pdf.dcm").write_bytes(part10(_document(StudyInstanceUID=study, SeriesNumber=3)))
    (tmp_path / "in/later.dcm").write_bytes(part10(ct(StudyDate="20260601")))
    (tmp_path / "other/one.dcm").write_bytes(part10(ct(PatientID="P2", PatientName="Işık^Ğüşçö", StudyTime="")))
    assert vna("import", "--facility", "34001", tmp_path / "in").code == 0
    assert vna("import", "--facility", "06002", tmp_path / "other").code == 0
    return str(study)


def _listed(volume: Path) -> list[str]:
    """What pydicom finds along the DICOMDIR."""
    files = FileSet(volume / "DICOMDIR")
    uids = [str(one.SOPInstanceUID) for one in files]
    files._stage["t"].cleanup()
    return uids


def _manifest(volume: Path) -> list[dict[str, str]]:
    with (volume / "MANIFEST.CSV").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_facility_goes_out_as_a_file_set_that_others_read_with_its_database_and_no_other_facility(
    vna: Vna, filled: str, tmp_path: Path
) -> None:
    vna("user", "add", "zacharias", "--rights", "query")
    done = vna("export", tmp_path / "out", "--facility", "34001", "--with-database", "--receiver", "Bakanlık")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("2 studies, 6 instances, ")

    volume = tmp_path / "out" / "VOL00001"
    assert set(_listed(volume)) == {row["sop_instance_uid"] for row in _manifest(volume)} - {""}
    said = subprocess.run(["dcmdump", volume / "DICOMDIR"], capture_output=True, text=True, check=True).stdout
    assert [said.count(f"[{kind}]") for kind in ("PATIENT", "STUDY", "SERIES", "IMAGE", "ENCAP DOC")] == [1, 2, 4, 5, 1]
    judged = subprocess.run(["dciodvfy", volume / "DICOMDIR"], capture_output=True, text=True, check=False)
    assert [line for line in (judged.stdout + judged.stderr).splitlines() if line.startswith("Error")] == []
    assert all(len(part) <= 8 for row in _manifest(volume)[2:] for part in row["path"].split("/"))
    assert vna("export", "verify", tmp_path / "out").out.endswith("0 problems\n")

    index = sqlite3.connect(tmp_path / "out" / "DATABASE" / "index.sqlite")
    assert index.execute("SELECT count(*) FROM instances").fetchone() == (6,)
    assert index.execute("SELECT patient_id FROM patients").fetchall() == [("P1",)]
    index.close()
    raw = (tmp_path / "out" / "DATABASE" / "index.sqlite").read_bytes()
    assert b"zacharias" not in raw
    assert "Ğüşçö".encode() not in raw
    summary = json.loads((tmp_path / "out" / "export.json").read_text())
    assert summary["rows"]["instances"] == 6
    assert {one["name"] for one in summary["decoders"]} >= {"RLE Lossless", "Encapsulated PDF Storage"}


def test_lossless_jpeg_is_written_where_it_gives_the_same_pixels_and_what_is_left_is_listed(
    vna: Vna, filled: str, tmp_path: Path
) -> None:
    done = vna("export", tmp_path / "out", "--study", filled, "--form", "jpeg-lossless")
    assert done.code == 0, done.err
    rows = [row for row in _manifest(tmp_path / "out" / "VOL00001") if row["sop_instance_uid"]]
    made = [row for row in rows if row["transfer_syntax_uid"] == JPEGLosslessSV1]
    assert len(made) == 3
    kept = {one.SOPInstanceUID: one.pixel_array.tolist() for one in map(pydicom.dcmread, tmp_path.glob("in/[0-2].dcm"))}
    for row in made:
        ds = pydicom.dcmread(tmp_path / "out" / "VOL00001" / row["path"])
        assert ds.pixel_array.tolist() == kept[ds.SOPInstanceUID]
    assert sum(row["note"].startswith("left as it was") for row in rows) == 2
    assert "left as it was: compressed already" in done.err


def test_an_export_that_was_cut_goes_on_and_writes_anew_what_is_damaged_or_was_corrected(
    vna: Vna, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    part10_of = Retrieval.part10

    def cut(self: Retrieval, actor: object, instance: object, target: str = "") -> object:
        given.append(instance.sop_instance_uid)  # type: ignore[attr-defined]
        if len(given) == 4:
            raise KeyboardInterrupt
        return part10_of(self, actor, instance, target)  # type: ignore[arg-type]

    monkeypatch.setattr(Retrieval, "part10", cut)
    assert vna("export", tmp_path / "out", "--all").code != 0
    assert "not finished" in vna("export", "minutes", tmp_path / "out", "--giver", "A", "--receiver", "B", "--output",
                                 tmp_path / "m.pdf").err  # fmt: skip
    assert "something else was begun" in vna("export", tmp_path / "out", "--facility", "34001").err
    first = next((tmp_path / "out").glob("VOL00001/DICOM/*/*/*"))
    first.write_bytes(first.read_bytes()[:-1] + b"x")

    assert vna("export", tmp_path / "out", "--all").code == 0

    assert len(given) == 4 + 4 + 1, "three were there, one of them damaged: seven instances, one asked for before"
    assert not (tmp_path / "out" / book.NAME).exists()
    assert vna("export", "verify", tmp_path / "out" / "VOL00001").code == 0
    assert "finished export is there" in vna("export", tmp_path / "out", "--all").err
    first = next((tmp_path / "out").glob("VOL00001/DICOM/*/*/*"))
    first.write_bytes(first.read_bytes()[:-1] + b"x")
    told = vna("export", "verify", tmp_path / "out" / "VOL00001")
    assert (told.code, "is not what was written" in told.err) == (1, True)


def test_what_cannot_be_read_is_left_out_and_said(
    vna: Vna, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise Unavailable("the store is down")

    monkeypatch.setattr(Retrieval, "part10", gone)
    done = vna("export", tmp_path / "out", "--all")
    assert done.code == 1
    assert done.err.count("the store is down") == 7


def test_volumes_stay_below_the_size_of_a_medium_and_each_is_a_file_set(vna: Vna, tmp_path: Path) -> None:
    for number in range(5):
        big = ct(Rows=1024, Columns=1024, PixelData=bytes(2 << 20), PatientID=f"P{number % 2}")
        (tmp_path / f"{number}.dcm").write_bytes(part10(big))
    assert vna("import", *sorted(tmp_path.glob("*.dcm"))).code == 0
    assert vna("export", tmp_path / "out", "--all", "--media-size", "6MB").code == 0
    volumes = sorted((tmp_path / "out").glob("VOL*"))
    assert [len(_listed(one)) for one in volumes] == [2, 2, 1]
    assert all(sum(path.stat().st_size for path in one.rglob("*") if path.is_file()) < 6_000_000 for one in volumes)


def test_the_minutes_name_parties_media_and_digests_on_every_copy(vna: Vna, filled: str, tmp_path: Path) -> None:
    vna("export", tmp_path / "out", "--all", "--with-database")
    done = vna("export", "minutes", tmp_path / "out", "--giver", "Işıl Çağ", "--giver-title", "Başhekim", "--receiver",
               "Şule Öz", "--media", "SN-1", "--copies", "3", "--output", tmp_path / "minutes.pdf")  # fmt: skip
    assert done.code == 0, done.err
    said = _text(tmp_path / "minutes.pdf")
    for number in (1, 2, 3):
        assert f"copy {number} of 3" in said
    summary = json.loads((tmp_path / "out" / "export.json").read_text())
    digest = summary["volumes"][0]["manifest_sha256"]
    for words in ("Işıl Çağ", "Başhekim", "Şule Öz", "SN-1", "instances", digest[:12]):
        assert said.count(words) >= 3, words


def _text(path: Path) -> str:
    """The text of a PDF of reportlab, through its font's table of characters."""
    objects = dict(re.findall(rb"(\d+) 0 obj\s(.*?)endobj", path.read_bytes(), re.DOTALL))
    streams = [_stream(body) for body in objects.values() if b"endstream" in body and b"/Length1" not in body]
    table = next(one for one in streams if b"beginbfchar" in one)
    letters = {int(a, 16): chr(int(b, 16)) for a, b in re.findall(rb"<(\w\w)> <(\w{4})>", table)}
    shown = b"\n".join(b"\n".join(re.findall(rb"\((.*)\) Tj", one)) for one in streams)
    codes = re.sub(rb"\\(\d{3}|.)", lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1], shown)
    return "".join("\n" if code == 10 else letters[code] for code in codes)


def _stream(body: bytes) -> bytes:
    packed = body.partition(b"stream")[2].rpartition(b"endstream")[0].strip(b"\r\n")
    return zlib.decompress(base64.a85decode(b"<~" + packed, adobe=True) if b"ASCII85" in body else packed)
