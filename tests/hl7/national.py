"""Order and report messages of invented patients, as the national profile has them."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import base64
from collections.abc import Iterable

PATIENT = "10000000146"
DOCTOR = "10000000214"
RADIOLOGIST = "10000000382"
FACILITY = "500059"
FINDINGS = "Serebral ve serebellar parankimde dansite değişikliği, yer kaplayan lezyon saptanmadı."

Fields = dict[int, str]


def segment(name: str, fields: Fields) -> str:
    """A segment of these fields; MSH counts its separator as the first."""
    last = max(fields, default=0)
    first = 2 if name == "MSH" else 1
    return "|".join([name, *(fields.get(number, "") for number in range(first, last + 1))])


def header(kind: str, control_id: str = "C1", **changes: str) -> Fields:
    """MSH; `changes` are fields by their number with m before it."""
    fields = {
        2: "^~\\&",
        3: "HBYS",
        4: "ORNEK",
        5: "TELETIP",
        6: "TELETIP",
        7: "20261130090000",
        9: kind,
        10: control_id,
        11: "P",
        12: "2.3.1",
        18: "UTF8",
    }
    return fields | {int(name[1:]): value for name, value in changes.items()}


def person(number: str, family: str, given: str, prefix: str = "DR") -> str:
    return f"{number}^{family}^{given}^^^{prefix}"


def group(accession: str = "A1", control: str = "NW") -> dict[str, Fields]:
    """Every field of the table, of one order."""
    return {
        "PID": {3: "F1001^^^TC", 4: f"{PATIENT}^^^TC", 5: "ÖRNEK^AYŞE", 7: "19800102", 8: "F"},
        "PV1": {2: "O", 19: "REF-77", 20: "SGK"},
        "ORC": {
            1: control,
            2: f"{accession}^HBYS",
            3: accession,
            5: "SC",
            7: "1^once^^TS",
            9: "20261130090000",
            12: person(DOCTOR, "HEKİM", "DENEME"),
            17: "150^Nöroloji^ÖRNEK",
            21: FACILITY,
        },
        "OBR": {
            1: "1",
            2: accession,
            3: accession,
            4: "R100250^Bilgisayarlı tomografi, beyin^SUT^24725-4^CT Head^LNC",
            6: "20261130090000",
            13: "Baş ağrısı\\X0D0A\\3 gündür",
            15: "Radiology^^^^^R",
            16: person(DOCTOR, "HEKİM", "DENEME"),
            18: accession,
            20: "SYS-1",
            21: "FR-2",
            24: "CT",
            27: "1^once^^20261130100000^^S",
            31: "3^TEDAVİYE YANIT DEĞERLENDİRME",
            34: f"{RADIOLOGIST}&TEKNİK&ER&&&TKR",
            36: "20261130100000",
        },
        "NTE": {1: "1", 3: "NTE0001^Baş ağrısı^TELETIP"},
        "DG1": {1: "1", 3: "R51^Baş ağrısı^I10", 6: "A"},
    }


def order(*groups: dict[str, Fields], msh: Fields | None = None) -> str:
    """ORM^O01 of one or several orders of the patient of the first."""
    groups = groups or (group(),)
    lines = [segment("MSH", msh or header("ORM^O01"))]
    lines += [segment(name, groups[0][name]) for name in ("PID", "PV1") if name in groups[0]]
    for one in groups:
        lines += [segment(name, one[name]) for name in ("ORC", "OBR", "NTE", "DG1") if name in one]
    return "\r".join(lines) + "\r"


def part(text: str, number: int, codec: str = "utf-8") -> str:
    return f"{base64.b64encode(text.encode(codec)).decode()}^{number}"


def observation(*parts: str, kind: str = "TXT^BASE64", state: str = "F", **changes: str) -> Fields:
    """OBX; without parts the four of a usual report, in no order."""
    usual = (
        part("Normal sınırlarda inceleme.", 4),
        part("Kontrastsız kesitler.", 1),
        part(FINDINGS, 3),
        part("Önceki inceleme yok.", 2),
    )
    fields = {
        1: "1",
        2: "TX",
        3: kind,
        5: "~".join(parts or usual),
        11: state,
        13: "4^5",
        16: "~".join((person(RADIOLOGIST, "RAPOR", "ECE"), person(DOCTOR, "HEKİM", "DENEME"))),
        17: "IV^iohexol^350 mg/ml~O^baryum sülfat",
    }
    return fields | {int(name[1:]): value for name, value in changes.items()}


def reported(accession: str = "A1") -> dict[str, Fields]:
    """The order of a report."""
    one = group(accession)
    one["OBR"] |= {7: "20261130113000"}
    return one


def report(*observations: Fields, of: dict[str, Fields] | None = None, msh: Fields | None = None) -> str:
    """ORU^R01 with one report, whose DG1 follow each OBX."""
    of = of or reported()
    lines = [segment("MSH", msh or header("ORU^R01"))]
    lines += [segment(name, of[name]) for name in ("PID", "PV1", "ORC", "OBR") if name in of]
    for one in observations or (observation(),):
        lines += [segment("OBX", one)] + ([segment("DG1", of["DG1"])] if "DG1" in of else [])
    return "\r".join(lines) + "\r"


def changed(part: str, number: int, value: str, accession: str = "A1") -> dict[str, Fields]:
    """A usual order with one field that is something else."""
    one = group(accession)
    one[part] = one[part] | {number: value}
    return one


def without(names: Iterable[str], accession: str = "A1") -> dict[str, Fields]:
    """A usual order without these segments."""
    return {name: fields for name, fields in group(accession).items() if name not in set(names)}
