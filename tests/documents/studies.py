"""Studies as the index tells them, made by hand."""

from __future__ import annotations

from typing import Any

from vna.model.contents import Reference, SeriesContents, StudyContents
from vna.model.dictionary import tag_of, vr_of

CT = "1.2.840.10008.5.1.4.1.1.2"
UID = "1.2.826.0.1.3680043.10.1561.7"


def elements(**values: Any) -> dict[str, dict[str, Any]]:
    """By keyword: a text, a number, or a list of items that are dicts by keyword."""
    made = {}
    for keyword, value in values.items():
        tag = tag_of(keyword)
        assert tag is not None
        vr = vr_of(tag)
        if vr == "SQ":
            listed: list[Any] = [elements(**item) for item in value]
        else:
            listed = [{"Alphabetic": value} if vr == "PN" else value]
        made[tag] = {"vr": vr, "Value": listed}
    return made


def code_item(value: str, scheme: str, meaning: str = "") -> dict[str, str]:
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def series(number: int = 1, **values: Any) -> SeriesContents:
    uid = f"{UID}.{number}"
    known = {"Modality": "CT", "SeriesInstanceUID": uid, "SeriesNumber": number}
    return SeriesContents(uid, elements(**known | values), (Reference(CT, f"{uid}.1", 1),))


def study(*held: SeriesContents, facility: str = "", **values: Any) -> StudyContents:
    """A CT study of Ayşe Deneme, patient P1."""
    known = {
        "PatientID": "P1",
        "PatientName": "Deneme^Ayşe^Nur^Dr.^MSc",
        "PatientBirthDate": "19800229",
        "PatientSex": "F",
        "StudyInstanceUID": UID,
        "StudyDate": "20260102",
        "StudyTime": "101112.5",
        "StudyDescription": "Toraks BT",
        "AccessionNumber": "A1",
    }
    kept = {keyword: value for keyword, value in (known | values).items() if value}
    return StudyContents(UID, facility, elements(**kept), held or (series(),))
