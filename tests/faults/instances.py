"""Small CT images, the same again from a seed: one is encoded, the others differ from it in their UIDs and pixels."""

from __future__ import annotations

import functools
import hashlib
import random
from dataclasses import dataclass

from pydicom.uid import ExplicitVRLittleEndian

from tests.objects import ct, part10

_DIGITS = 34
_PREAMBLE = 132


def uid(number: int) -> str:
    """A UID of 39 characters, whatever the number, so that it can replace another one."""
    return f"2.25.1{number % 10 ** (_DIGITS - 1):0{_DIGITS - 1}d}"


@dataclass(frozen=True, slots=True)
class Instance:
    """A Part 10 file that is sent."""

    patient_id: str
    study: str
    series: str
    sop: str
    part10: bytes

    @property
    def data_set(self) -> bytes:
        return data_set_of(self.part10)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data_set).hexdigest()


def data_set_of(part10: bytes) -> bytes:
    """What follows the File Meta Information (PS3.10 7.1), which every receiver writes anew."""
    assert part10[128:132] == b"DICM", "no Part 10 file"
    assert part10[_PREAMBLE : _PREAMBLE + 8] == b"\x02\x00\x00\x00UL\x04\x00"
    length = int.from_bytes(part10[_PREAMBLE + 8 : _PREAMBLE + 12], "little")
    return part10[_PREAMBLE + 12 + length :]


class Maker:
    """Instances of one sender; another seed makes other ones."""

    def __init__(self, seed: int, *, patients: int = 3, prefix: int = 0, pixels: int = 1 << 15) -> None:
        self._random = random.Random(seed)
        self._patients = [f"F{prefix % 10**8:08d}-{number:02d}" for number in range(patients)]
        self._template, self._holders = _template(pixels)
        self._pixels = pixels

    def study(self, patient_id: str = "") -> Study:
        return Study(self, patient_id or self._random.choice(self._patients), self._uid(), self._uid())

    def make(self, study: Study, sop: str = "") -> Instance:
        values = (study.patient_id, study.study, study.series, sop or self._uid())
        made = self._template
        for holder, value in zip(self._holders, values, strict=True):
            made = made.replace(holder, value.encode().ljust(len(holder)))
        noise = self._random.randbytes(256)
        return Instance(*values, made[: -self._pixels] + noise * (self._pixels // 256))

    def _uid(self) -> str:
        return uid(self._random.getrandbits(110))


@dataclass(frozen=True, slots=True)
class Study:
    """Where instances are filed: one series of one study."""

    maker: Maker
    patient_id: str
    study: str
    series: str

    def instance(self) -> Instance:
        return self.maker.make(self)


@functools.cache
def _template(pixels: int) -> tuple[bytes, tuple[bytes, ...]]:
    study, series, sop = (uid(number) for number in (1, 2, 3))
    patient = "P" * 12
    ds = ct(StudyInstanceUID=study, SeriesInstanceUID=series, PatientID=patient, PixelData=bytes(pixels))
    ds.SOPInstanceUID = sop
    ds.Rows, ds.Columns = max(pixels // 2 // 128, 1), min(pixels // 2, 128)
    holders = tuple(value.encode() for value in (patient, study, series, sop))
    return part10(ds, ExplicitVRLittleEndian), holders
