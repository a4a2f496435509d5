"""What the DICOM objects of a report have in common: whose they are, their series, and their UIDs."""

from dataclasses import dataclass

from storage.values import Element
from vna.model.contents import StudyContents
from vna.model.orders import Order, made_uid
from vna.model.reports import Report

Elements = dict[str, Element]

STRUCTURED, ENCAPSULATED = "sr", "pdf"
"""Forms of a report, as the profile names them."""

_SERIES = {STRUCTURED: ("SR", 990), ENCAPSULATED: ("DOC", 991)}
_TYPE_2 = {  # PS3.3 C.7.1.1, C.7.2.1, C.7.5.1: there, with a value or without
    "00080020": "DA",
    "00080030": "TM",
    "00080050": "SH",
    "00080070": "LO",
    "00080090": "PN",
    "00100010": "PN",
    "00100020": "LO",
    "00100030": "DA",
    "00100040": "CS",
    "00200010": "SH",
}
_COPIED = (  # what the images say of patient and study
    *("00080020", "00080030", "00080050", "00080051", "00080090", "00080201", "00081030"),
    *("00100010", "00100020", "00100021", "00100024", "00100030", "00100040", "00101002", "00200010"),
)
_OF_ANY_SERIES = ("00080080", "00101000")
_LONGEST = {"LO": 64, "PN": 64, "SH": 16}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object of a report belongs: beside the images of a study, which is of an order that may be known."""

    report: Report
    study: StudyContents
    order: Order | None = None
    earlier: tuple[Report, ...] = ()
    """The approved versions that it adds to."""

    @property
    def title(self) -> str:
        """The report's kind, in the language of its readers."""
        from_kind = {"radiology": "Radyoloji Raporu", "pathology": "Patoloji Raporu"}[self.report.kind.value]
        return f"{from_kind} - Ek" if self.report.addendum_to else from_kind


def series_uid(report: Report, study_instance_uid: str, form: str) -> str:
    """The series of all versions of an order's report in a study, in one form."""
    return made_uid(f"{report.key} {form} of {study_instance_uid}")


def instance_uid(report: Report, study_instance_uid: str, form: str) -> str:
    """The same whenever it is made."""
    return made_uid(f"{report.key} {form} {report.number} of {study_instance_uid}")


def common(place: Place, form: str, sop_class_uid: str) -> Elements:
    """Patient, study, series, equipment and SOP Common of an object (PS3.3 C.7.1.1, C.7.2.1, C.7.5.1, C.12.1)."""
    report, study = place.report, place.study
    modality, number = _SERIES[form]
    made: Elements = {tag: {"vr": vr} for tag, vr in _TYPE_2.items()}
    made.update({tag: study.elements[tag] for tag in _COPIED if tag in study.elements})
    for tag in _OF_ANY_SERIES:
        made.update(next(({tag: some.elements[tag]} for some in study.series if tag in some.elements), {}))
    return made | {
        "00080005": one("CS", "ISO_IR 192"),
        "00080016": one("UI", sop_class_uid),
        "00080018": one("UI", instance_uid(report, study.study_instance_uid, form)),
        "00080023": one("DA", report.approved_at[:8]),
        "00080033": one("TM", report.approved_at[8:14]),
        "00080060": one("CS", modality),
        "00080070": one("LO", "VNA"),
        "0008103E": one("LO", place.title),
        "0020000D": one("UI", study.study_instance_uid),
        "0020000E": one("UI", series_uid(report, study.study_instance_uid, form)),
        "00200011": one("IS", number),
        "00200013": one("IS", report.number),
    }


def one(vr: str, value: object) -> Element:
    """An element with one value; words are cut to what the VR can hold (PS3.5 6.2)."""
    if isinstance(value, str) and vr in _LONGEST:
        value = value.replace("\\", "/")[: _LONGEST[vr]].strip()
    return {"vr": vr, "Value": [{"Alphabetic": value} if vr == "PN" else value]}


def items(*some: Elements) -> Element:
    """A sequence."""
    return {"vr": "SQ", "Value": list(some)}


def code(value: str, scheme: str, meaning: str) -> Elements:
    """An item that names something by a code (PS3.3 8.8)."""
    return {
        "00080100": one("SH", value),
        "00080102": one("SH", scheme),
        "00080104": one("LO", meaning.strip() or value),
    }
