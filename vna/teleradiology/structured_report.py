"""A report as a Basic Text SR document (PS3.3 A.35.1) with the sections of PS3.16 TID 2000."""

from collections.abc import Iterator, Sequence

from storage.encode import encode
from storage.part10 import EXPLICIT_LITTLE, write_file_meta
from vna.model.contents import SeriesContents
from vna.model.orders import Person
from vna.model.reports import PartName, Report, ReportKind
from vna.teleradiology.report_dataset import (
    ENCAPSULATED,
    STRUCTURED,
    Elements,
    Place,
    code,
    common,
    instance_uid,
    items,
    one,
    series_uid,
)
from vna.teleradiology.sanitising import plain_text

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.88.11"

_TITLES = {
    ReportKind.RADIOLOGY: code("11528-7", "LN", "Radiology Report"),  # PS3.16 CID 7000
    ReportKind.PATHOLOGY: code("11526-1", "LN", "Pathology Report"),
}
_ADDENDUM = code("55107-7", "LN", "Addendum")
_SECTIONS = {  # heading (PS3.16 CID 7001), and what stands below it (CID 7002)
    PartName.TECHNIQUE: (
        code("55111-9", "LN", "Current Procedure Descriptions"),
        code("121065", "DCM", "Procedure Description"),
    ),
    PartName.COMPARISON: (code("18834-2", "LN", "Previous Findings"), code("121069", "DCM", "Previous Finding")),
    PartName.FINDINGS: (code("59776-5", "LN", "Findings"), code("121071", "DCM", "Finding")),
    PartName.CONCLUSION: (code("55110-1", "LN", "Conclusions"), code("121077", "DCM", "Conclusion")),
}
_LANGUAGE = code("121049", "DCM", "Language of Content Item and Descendants")  # TID 1204
_TURKISH = code("tr", "RFC5646", "Turkish")
_OBSERVER_TYPE, _PERSON = code("121005", "DCM", "Observer Type"), code("121006", "DCM", "Person")  # TID 1002
_OBSERVER_NAME = code("121008", "DCM", "Person Observer Name")
_MOST_EVIDENCE = 5000


def written(place: Place) -> bytes:
    """The document as a Part 10 file; the same whenever it is made of the same."""
    said = common(place, STRUCTURED, SOP_CLASS) | _document(place) | _content(place.report)
    uid = instance_uid(place.report, place.study.study_instance_uid, STRUCTURED)
    return write_file_meta(SOP_CLASS, uid, EXPLICIT_LITTLE) + encode(said)


def _document(place: Place) -> Elements:
    """SR Document Series and General (PS3.3 C.17.1, C.17.2)."""
    report = place.report
    made: Elements = {
        "00081111": items(),
        "0040A372": items(),
        "0040A491": one("CS", "COMPLETE"),
        "0040A493": one("CS", "VERIFIED"),
        "0040A496": one("CS", "FINAL"),
        "0040A073": items(*(_verifier(place, person) for person in report.radiologists)),
        "0040A370": items(_request(place)),
    }
    listed = _evidence(place)
    if listed:
        made["0040A375"] = items(_of_study(place, listed))
    if place.earlier:
        made["0040A360"] = items(_of_study(place, [_earlier(place)]))
    return made


def _verifier(place: Place, person: Person) -> Elements:
    """An item of the Verifying Observer Sequence; no national number goes into objects that everybody gets."""
    return {
        "0040A027": one("LO", _organization(place)),
        "0040A030": one("DT", place.report.approved_at),
        "0040A075": one("PN", person.name or person.number),
        "0040A088": items(),
    }


def _organization(place: Place) -> str:
    name = next((some.elements["00080080"] for some in place.study.series if "00080080" in some.elements), None)
    found = (name or {}).get("Value") or [place.report.key.facility]
    return str(found[0])


def _request(place: Place) -> Elements:
    """An item of the Referenced Request Sequence (PS3.3 Table C.17-3)."""
    order = place.order
    made: Elements = {
        "00080050": one("SH", place.report.key.accession_number),
        "00081110": items(),
        "0020000D": one("UI", place.study.study_instance_uid),
        "00321060": {"vr": "LO"},
        "00321064": items(),
        "00401001": one("SH", place.report.key.accession_number),
        "00402016": {"vr": "LO"},
        "00402017": {"vr": "LO"},
    }
    if order is not None and order.sut.code:
        made["00321060"] = one("LO", order.sut.text or order.sut.code)
        made["00321064"] = items(code(order.sut.code, "99SUT", order.sut.text or order.sut.code))
    return made


def _of_study(place: Place, series: Sequence[Elements]) -> Elements:
    return {"00081115": items(*series), "0020000D": one("UI", place.study.study_instance_uid)}


def _evidence(place: Place) -> list[Elements]:
    """The images, as far as they are not too many; never a report's objects."""
    made, left = [], _MOST_EVIDENCE
    for series in place.study.series:
        if left > 0 and not _is_of_report(place, series):
            made.append(
                {
                    "00081199": items(
                        *(_reference(ref.sop_class_uid, ref.sop_instance_uid) for ref in series.instances[:left])
                    ),
                    "0020000E": one("UI", series.series_instance_uid),
                }
            )
            left -= len(series.instances)
    return made


def _is_of_report(place: Place, series: SeriesContents) -> bool:
    study = place.study.study_instance_uid
    return any(
        series.series_instance_uid == series_uid(place.report, study, form) for form in (STRUCTURED, ENCAPSULATED)
    )


def _earlier(place: Place) -> Elements:
    study = place.study.study_instance_uid
    return {
        "00081199": items(*(_reference(SOP_CLASS, instance_uid(one, study, STRUCTURED)) for one in place.earlier)),
        "0020000E": one("UI", series_uid(place.report, study, STRUCTURED)),
    }


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Elements:
    return {"00081150": one("UI", sop_class_uid), "00081155": one("UI", sop_instance_uid)}


def _content(report: Report) -> Elements:
    """The tree, from its root on."""
    inside = [
        _item("HAS CONCEPT MOD", "CODE", _LANGUAGE) | {"0040A168": items(_TURKISH)},
        _item("HAS OBS CONTEXT", "CODE", _OBSERVER_TYPE) | {"0040A168": items(_PERSON)},
        *(_observer(person) for person in report.radiologists),
        *_sections(report),
    ]
    return {
        "0040A040": one("CS", "CONTAINER"),
        "0040A043": items(_TITLES[report.kind]),
        "0040A050": one("CS", "SEPARATE"),
        "0040A504": items({"00080105": one("CS", "DCMR"), "0040DB00": one("CS", "2000")}),
        "0040A730": items(*inside),
    }


def _observer(person: Person) -> Elements:
    name = person.name or person.number
    return _item("HAS OBS CONTEXT", "PNAME", _OBSERVER_NAME) | {"0040A123": one("PN", name)}


def _sections(report: Report) -> Iterator[Elements]:
    """A section a part; of an addendum one for all of it."""
    said = {name: list(_said(report, name)) for name in PartName}
    if report.addendum_to:
        yield _section(_ADDENDUM, [item for name in PartName for item in said[name]])
        return
    for name, found in said.items():
        if found:
            yield _section(_SECTIONS[name][0], found)


def _section(heading: Elements, inside: Sequence[Elements]) -> Elements:
    return _item("CONTAINS", "CONTAINER", heading) | {"0040A050": one("CS", "SEPARATE"), "0040A730": items(*inside)}


def _said(report: Report, name: PartName) -> Iterator[Elements]:
    element = _SECTIONS[name][1]
    for part in report.parts:
        if part.name is name:
            yield _item("CONTAINS", "TEXT", element) | {"0040A160": one("UT", plain_text(part).replace("\n", "\r\n"))}
    if name is PartName.TECHNIQUE:
        for agent in report.contrast:
            words = " ".join(filter(None, ("Kontrast:", agent.substance, agent.concentration, agent.route)))
            yield _item("CONTAINS", "TEXT", element) | {"0040A160": one("UT", words)}
    if name is PartName.CONCLUSION:
        for coded in report.diagnoses:
            if coded.code:
                value = code(coded.code, "I10", coded.text or coded.code)
                yield _item("CONTAINS", "CODE", element) | {"0040A168": items(value)}


def _item(relationship: str, value_type: str, concept: Elements) -> Elements:
    return {
        "0040A010": one("CS", relationship),
        "0040A040": one("CS", value_type),
        "0040A043": items(concept),
    }
