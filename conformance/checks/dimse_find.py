"""Query/Retrieve Service Class: C-FIND as provider (PS3.4 C.4.1, C.6)."""

# ruff: noqa: ARG005 (keys that need nothing of the corpus)

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from pydicom import Dataset
from pydicom.sequence import Sequence

from conformance.suite.check import Failed, NotApplicable, Target, check
from conformance.suite.corpus import Corpus, over_dicom
from conformance.suite.dicom import (
    EXPLICIT,
    IMPLICIT,
    PATIENT_FIND,
    PENDING,
    STUDY_FIND,
    Found,
    identifier,
    offer,
)
from conformance.suite.session import Session

COVERS = ("C-FIND",)


def ask(session: Session, model: str = STUDY_FIND, extended: bytes = b"", **keys: Any) -> Found:
    """One query, which has to end with Success."""
    with session.dicom.open(offer(model), extended={model: extended} if extended else None) as peer:
        if extended and not _agreed(peer.assoc, model, extended):
            raise NotApplicable("the server does not agree to that extended negotiation")
        found = peer.find(model, identifier(**keys))
    if found.status != 0x0000:
        raise Failed(f"the query ends with {found.status:04X} {found.final.get('ErrorComment', '')}".rstrip())
    return found


def _agreed(assoc: Any, model: str, asked: bytes) -> bool:
    answers = {str(uid): answer for uid, answer in assoc.acceptor.sop_class_extended.items()}
    answer = answers.get(model, b"").ljust(len(asked), b"\0")
    return all(not wanted or given for wanted, given in zip(asked, answer, strict=False))


def expect(found: Found, keyword: str, wanted: Iterable[str], of: Iterable[str] | None = None) -> None:
    """Whether exactly these came; other runs' objects are none of ours, so only values `of` are looked at."""
    came = found.values(keyword)
    if of is not None:
        known = set(of)
        came = [value for value in came if value in known]
    if sorted(came) != sorted(wanted):
        raise Failed(f"of {keyword} {sorted(wanted)} was to be found, {sorted(came)} came")


# ------------------------------------------------------------------------------------------------ levels and statuses


@check(
    "dimse.find.study", "PS3.4 C.4.1.3.1", "STUDY level, Study Root: by Study Instance UID", Target.DIMSE, covers=COVERS
)
def study(session: Session) -> None:
    corpus = over_dicom(session)
    found = ask(session, QueryRetrieveLevel="STUDY", StudyInstanceUID=corpus.study(0), PatientID="")
    expect(found, "PatientID", [corpus.patient])


@check(
    "dimse.find.patient", "PS3.4 C.6.1.1.2", "PATIENT level, Patient Root: by Patient ID", Target.DIMSE, covers=COVERS
)
def patient(session: Session) -> None:
    corpus = over_dicom(session)
    found = ask(session, PATIENT_FIND, QueryRetrieveLevel="PATIENT", PatientID=corpus.patient, PatientName="")
    expect(found, "PatientID", [corpus.patient])
    if not found.values("PatientName")[0].startswith("Conformance^Adam"):
        raise Failed(f"the Patient's Name is {found.values('PatientName')[0]!r}")


@check(
    "dimse.find.patient-studies",
    "PS3.4 C.6.1.1.3",
    "STUDY level, Patient Root: the studies of a patient, and of no other",
    Target.DIMSE,
    covers=COVERS,
)
def patient_studies(session: Session) -> None:
    corpus = over_dicom(session)
    keys: dict[str, Any] = {"QueryRetrieveLevel": "STUDY", "PatientID": corpus.patient, "StudyInstanceUID": ""}
    expect(ask(session, PATIENT_FIND, **keys), "StudyInstanceUID", [corpus.study(0), corpus.study(1)])


@check("dimse.find.series", "PS3.4 C.6.2.1.3", "SERIES level: the series of a study", Target.DIMSE, covers=COVERS)
def series(session: Session) -> None:
    corpus = over_dicom(session)
    keys: dict[str, Any] = {
        "StudyInstanceUID": corpus.study(0),
        "SeriesInstanceUID": "",
        "Modality": "",
        "SeriesNumber": "",
    }
    found = ask(session, QueryRetrieveLevel="SERIES", **keys)
    expect(found, "SeriesInstanceUID", {str(one.SeriesInstanceUID) for one in corpus.of(corpus.study(0))})
    expect(found, "Modality", ["CT", "MR"])


@check("dimse.find.image", "PS3.4 C.6.2.1.4", "IMAGE level: the instances of a series", Target.DIMSE, covers=COVERS)
def image(session: Session) -> None:
    corpus = over_dicom(session)
    wanted = corpus.of(corpus.study(0), "CT")
    keys: dict[str, Any] = {"StudyInstanceUID": corpus.study(0), "SeriesInstanceUID": wanted[0].SeriesInstanceUID}
    found = ask(session, QueryRetrieveLevel="IMAGE", SOPInstanceUID="", InstanceNumber="", **keys)
    expect(found, "SOPInstanceUID", [str(one.SOPInstanceUID) for one in wanted])
    expect(found, "InstanceNumber", ["1", "2", "3"])


@check(
    "dimse.find.statuses",
    "PS3.4 Table C.4-1",
    "Each match is Pending with its identifier, the last response is Success without one",
    Target.DIMSE,
    covers=COVERS,
)
def statuses(session: Session) -> None:
    corpus = over_dicom(session)
    found = ask(session, QueryRetrieveLevel="SERIES", StudyInstanceUID=corpus.study(0), SeriesInstanceUID="")
    *pending, last = found.statuses
    if any(status not in PENDING for status in pending) or last != 0x0000:
        raise Failed(f"the statuses are {[f'{status:04X}' for status in found.statuses]}")
    if len(found.matches) != len(pending):
        raise Failed(f"{len(pending)} responses are Pending, {len(found.matches)} have an identifier")


@check(
    "dimse.find.nothing",
    "PS3.4 C.4.1.3.1",
    "What matches nothing is one response, Success",
    Target.DIMSE,
    covers=COVERS,
)
def nothing(session: Session) -> None:
    found = ask(session, QueryRetrieveLevel="STUDY", StudyInstanceUID=session.uid())
    if found.statuses != [0x0000]:
        raise Failed(f"the statuses are {[f'{status:04X}' for status in found.statuses]}")


@check(
    "dimse.find.no-level",
    "PS3.4 Table C.4-1",
    "An identifier without Query/Retrieve Level is refused (A900, or another failure), and has no matches",
    Target.DIMSE,
    covers=COVERS,
)
def no_level(session: Session) -> None:
    refused(session, identifier(StudyInstanceUID="", PatientID="nobody"))


@check(
    "dimse.find.unknown-level",
    "PS3.4 Table C.4-1",
    "An identifier of a level that its information model does not have is refused",
    Target.DIMSE,
    covers=COVERS,
)
def unknown_level(session: Session) -> None:
    refused(session, identifier(QueryRetrieveLevel="PATIENT", PatientID="nobody"))


def refused(session: Session, asked: Dataset) -> None:
    """Whether a query of Study Root ends with a failure."""
    with session.dicom.open(offer(STUDY_FIND)) as peer:
        found = peer.find(STUDY_FIND, asked)
    if found.status >> 12 not in (0xA, 0xC) and found.status not in (0x0110, 0x0122):
        raise Failed(f"the query ends with {found.status:04X}, which is no failure")


# ---------------------------------------------------------------------------------------------- what responses hold


@check(
    "dimse.find.returned",
    "PS3.4 C.4.1.1.3.2",
    "A response holds every key that was asked, the level, and where it can be retrieved from",
    Target.DIMSE,
    covers=COVERS,
)
def returned(session: Session) -> None:
    corpus = over_dicom(session)
    keys: dict[str, Any] = {
        "PatientName": "",
        "PatientID": "",
        "StudyDate": "",
        "StudyTime": "",
        "AccessionNumber": "",
        "StudyID": "",
    }
    found = ask(session, QueryRetrieveLevel="STUDY", StudyInstanceUID=corpus.study(0), **keys)
    match = found.matches[0] if found.matches else Dataset()
    lacking = [keyword for keyword in ("QueryRetrieveLevel", "StudyInstanceUID", *keys) if keyword not in match]
    if lacking:
        raise Failed(f"the response has no {', '.join(lacking)}")
    if not match.get("RetrieveAETitle") and not match.get("StorageMediaFileSetID"):
        raise Failed("the response has neither Retrieve AE Title nor Storage Media File-Set ID")
    ours = corpus.first()
    wrong = [keyword for keyword in keys if _text(match, keyword) != _text(ours, keyword)]
    if wrong:
        said = ", ".join(f"{keyword} {_text(match, keyword)!r}" for keyword in wrong)
        raise Failed(f"other values than were stored: {said}")


def _text(ds: Dataset, keyword: str) -> str:
    text = str(ds.get(keyword, "") or "")
    return text.rstrip("^") if keyword == "PatientName" else text.partition(".")[0]


@check(
    "dimse.find.only-asked",
    "PS3.4 C.4.1.1.3.2",
    "A response holds no key that was not asked",
    Target.DIMSE,
    covers=COVERS,
)
def only_asked(session: Session) -> None:
    corpus = over_dicom(session)
    found = ask(session, QueryRetrieveLevel="STUDY", StudyInstanceUID=corpus.study(0), StudyDate="")
    allowed = {
        "QueryRetrieveLevel", "StudyInstanceUID", "StudyDate", "SpecificCharacterSet", "RetrieveAETitle",
        "StorageMediaFileSetID", "StorageMediaFileSetUID", "InstanceAvailability", "TimezoneOffsetFromUTC",
    }  # fmt: skip
    more = [one.keyword or str(one.tag) for match in found.matches for one in match if one.keyword not in allowed]
    if more:
        raise Failed(f"the response has {', '.join(more[:6])} too")


OPTIONAL: Final[tuple[tuple[str, str], ...]] = (
    ("ModalitiesInStudy", "['CT', 'MR']"),
    ("NumberOfStudyRelatedSeries", "2"),
    ("NumberOfStudyRelatedInstances", "5"),
)


def counted(keyword: str, wanted: str, session: Session) -> None:
    """An optional key that is returned has the value that holds."""
    corpus = over_dicom(session)
    keys: dict[str, Any] = {"StudyInstanceUID": corpus.study(0), keyword: ""}
    found = ask(session, QueryRetrieveLevel="STUDY", **keys)
    value = found.matches[0].get(keyword) if found.matches else None
    if value in (None, ""):
        raise NotApplicable(f"the server does not return {keyword}, which is optional")
    said = str(value) if isinstance(value, (str, int)) or keyword.startswith("Number") else str(sorted(value))
    if said != wanted:
        raise Failed(f"{keyword} is {said}, not {wanted}")


for _keyword, _wanted in OPTIONAL:
    check(
        f"dimse.find.optional.{_keyword}",
        "PS3.4 C.3.4",
        f"{_keyword} is right where it is returned",
        Target.DIMSE,
        covers=COVERS,
    )(partial(counted, _keyword, _wanted))


@check(
    "dimse.find.optional.ModalitiesInStudy-match",
    "PS3.4 C.3.4",
    "Matching Modalities in Study finds studies that have such a series, where it is supported",
    Target.DIMSE,
    covers=COVERS,
)
def modalities_in_study(session: Session) -> None:
    corpus = over_dicom(session)
    keys: dict[str, Any] = {"PatientID": corpus.patient, "StudyInstanceUID": "", "ModalitiesInStudy": "MR"}
    with session.dicom.open(offer(STUDY_FIND)) as peer:
        found = peer.find(STUDY_FIND, identifier(QueryRetrieveLevel="STUDY", **keys))
    if 0xFF01 in found.statuses:
        raise NotApplicable("the server says that it does not support an optional key (FF01)")
    expect(found, "StudyInstanceUID", [corpus.study(0)])


# -------------------------------------------------------------------------------------------------------- matching

Keys = Callable[[Corpus], dict[str, Any]]


MATCHINGS: Final[tuple[tuple[str, str, str, Keys, tuple[int, ...]], ...]] = (
    ("single-value", "C.2.2.2.1", "An accession number finds its study",
     lambda c: {"AccessionNumber": str(c.first(1).AccessionNumber)}, (1,)),
    ("single-value-date", "C.2.2.2.1", "A date finds the studies of that day",
     lambda c: {"StudyDate": "20250711"}, (1,)),
    ("universal", "C.2.2.2.3", "A key without a value matches everything", lambda c: {"StudyDescription": ""}, (0, 1)),
    ("wildcard-asterisk", "C.2.2.2.4", "An asterisk stands for any text",
     lambda c: {"PatientName": "Conform*^A*", "AccessionNumber": f"{str(c.first().AccessionNumber)[:-1]}*"}, (0, 1)),
    ("wildcard-question", "C.2.2.2.4", "A question mark stands for one character",
     lambda c: {"PatientName": "Conf?rmance^Ad?m*"}, (0, 1)),
    ("wildcard-none", "C.2.2.2.4", "A question mark does not stand for two characters",
     lambda c: {"PatientName": "Conf?mance^Adam*"}, ()),
    ("wildcard-id", "C.2.2.2.4", "Wildcards in Patient ID", lambda c: {"PatientID": f"{c.patient[:-1]}?"}, (0, 1, 2)),
    ("range", "C.2.2.2.5", "A range of dates finds what is in it", lambda c: {"StudyDate": "20250301-20250710"}, (0,)),
    ("range-ends", "C.2.2.2.5", "A range of dates has both its ends",
     lambda c: {"StudyDate": "20250310-20250711"}, (0, 1)),
    ("range-before", "C.2.2.2.5", "A range that is open at its begin", lambda c: {"StudyDate": "-20250310"}, (0,)),
    ("range-after", "C.2.2.2.5", "A range that is open at its end", lambda c: {"StudyDate": "20250311-"}, (1,)),
    ("range-time", "C.2.2.2.5", "A range of times", lambda c: {"StudyTime": "120000-150000"}, (1,)),
    ("uid-list", "C.2.2.2.2", "A list of UIDs finds each of them",
     lambda c: {"StudyInstanceUID": [c.study(0), c.study(1)]}, (0, 1)),
    ("together", "C.2.2.1", "Several keys have to match together",
     lambda c: {"StudyDate": "20250310", "AccessionNumber": str(c.first(1).AccessionNumber)}, ()),
)  # fmt: skip


def matches(keys: Keys, wanted: tuple[int, ...], session: Session) -> None:
    """Among the studies of this run exactly these match."""
    corpus = over_dicom(session)
    asked: dict[str, Any] = {"PatientID": corpus.patient, "StudyInstanceUID": "", **keys(corpus)}
    found = ask(session, QueryRetrieveLevel="STUDY", **asked)
    ours = [corpus.study(number) for number in range(3)]
    expect(found, "StudyInstanceUID", [corpus.study(number) for number in wanted], of=ours)


for _id, _clause, _title, _keys, _studies in MATCHINGS:
    check(f"dimse.find.match.{_id}", f"PS3.4 {_clause}", _title, Target.DIMSE, covers=COVERS)(
        partial(matches, _keys, _studies)
    )


REQUIRED: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (  # PS3.4 Tables C.6-2, C.6-3, C.6-4 (Patient Root), C.6-5
    ("STUDY", ("StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID", "StudyID")),
    ("SERIES", ("Modality", "SeriesNumber")),
    ("IMAGE", ("InstanceNumber",)),
)


def required(level: str, keyword: str, session: Session) -> None:
    """The key is supported: its own value finds the object, another finds nothing."""
    corpus = over_dicom(session)
    ours = corpus.first()
    above = {"STUDY": (), "SERIES": ("StudyInstanceUID",), "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID")}
    unique = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
    keys: dict[str, Any] = {name: ours.get(name) for name in (*above[level], unique)}
    found = ask(session, QueryRetrieveLevel=level, **keys, **{keyword: ours.get(keyword)})
    expect(found, unique, [str(ours.get(unique))])
    other = {"StudyDate": "19010101", "StudyTime": "000001", "Modality": "XX"}.get(keyword, "98765")
    if ask(session, QueryRetrieveLevel=level, **{**keys, keyword: other}).matches:
        raise Failed(f"{keyword} is a required key, and {other} finds an object whose value is {ours.get(keyword)}")


for _level, _keywords in REQUIRED:
    for _keyword in _keywords:
        check(
            f"dimse.find.required.{_level.lower()}.{_keyword}",
            "PS3.4 C.6.2.1",
            f"{_keyword} is a required key of the {_level} level: it is matched",
            Target.DIMSE,
            covers=COVERS,
        )(partial(required, _level, _keyword))


# ------------------------------------------------------------------------------------------- extended negotiation


@check(
    "dimse.find.relational",
    "PS3.4 C.4.1.3.2.1",
    "A relational query, where it is agreed: SERIES level by Patient ID alone",
    Target.DIMSE,
    covers=COVERS,
)
def relational(session: Session) -> None:
    corpus = over_dicom(session)
    keys: dict[str, Any] = {"PatientID": corpus.patient, "SeriesInstanceUID": "", "Modality": "MR"}
    found = ask(session, extended=b"\x01", QueryRetrieveLevel="SERIES", **keys)
    expect(found, "SeriesInstanceUID", [str(corpus.of(corpus.study(0), "MR")[0].SeriesInstanceUID)])


@check(
    "dimse.find.combined-datetime",
    "PS3.4 C.2.2.2.5.4",
    "Combined date and time matching, where it is agreed: one range of moments",
    Target.DIMSE,
    covers=COVERS,
)
def combined(session: Session) -> None:
    corpus = over_dicom(session)
    keys: dict[str, Any] = {"PatientID": corpus.patient, "StudyInstanceUID": ""}
    when: dict[str, Any] = {"StudyDate": "20250310-20250711", "StudyTime": "090000-120000"}
    expect(ask(session, extended=b"\x00\x01", QueryRetrieveLevel="STUDY", **keys, **when), "StudyInstanceUID", [])
    when = {"StudyDate": "20250309-20250712", "StudyTime": "100000-120000"}
    found = ask(session, extended=b"\x00\x01", QueryRetrieveLevel="STUDY", **keys, **when)
    expect(found, "StudyInstanceUID", [corpus.study(0), corpus.study(1)])


@check(
    "dimse.find.fuzzy",
    "PS3.4 C.2.2.2.1",
    "Fuzzy matching of names, where it is agreed: components in another order and case",
    Target.DIMSE,
    covers=COVERS,
)
def fuzzy(session: Session) -> None:
    corpus = over_dicom(session)
    keys: dict[str, Any] = {"PatientID": corpus.patient, "StudyInstanceUID": "", "PatientName": "adam conformance"}
    found = ask(session, extended=b"\x00\x00\x01", QueryRetrieveLevel="STUDY", **keys)
    expect(found, "StudyInstanceUID", [corpus.study(0), corpus.study(1)])


# --------------------------------------------------------------------------------------------------------- and more


@check(
    "dimse.find.both-syntaxes",
    "PS3.5 10.1",
    "The same matches come in Implicit and in Explicit VR Little Endian",
    Target.DIMSE,
    covers=COVERS,
)
def both_syntaxes(session: Session) -> None:
    corpus = over_dicom(session)
    asked = identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=corpus.study(0), PatientName="", StudyDate="")
    answers = []
    for syntax in (IMPLICIT, EXPLICIT):
        with session.dicom.open(offer(STUDY_FIND, syntaxes=[syntax])) as peer:
            answers.append([str(match) for match in peer.find(STUDY_FIND, asked).matches])
    if answers[0] != answers[1]:
        raise Failed("the matches differ")


@check(
    "dimse.find.sequence",
    "PS3.4 C.2.2.2.6",
    "A sequence of one item matches what is in it, where it is supported",
    Target.DIMSE,
    covers=COVERS,
)
def sequence(session: Session) -> None:
    corpus = over_dicom(session)
    item = identifier(ScheduledProcedureStepID=f"none-{session.mark}")
    keys: dict[str, Any] = {"StudyInstanceUID": corpus.study(0), "SeriesInstanceUID": ""}
    with session.dicom.open(offer(STUDY_FIND)) as peer:
        asked = identifier(QueryRetrieveLevel="SERIES", RequestAttributesSequence=Sequence([item]), **keys)
        found = peer.find(STUDY_FIND, asked)
    if 0xFF01 in found.statuses or found.status >> 12 in (0xA, 0xC):
        raise NotApplicable("the server says that it does not support it")
    if found.matches:
        raise Failed("a Scheduled Procedure Step ID that no series has finds series")


@check(
    "dimse.find.cancel",
    "PS3.4 C.4.1.3.1",
    "After C-CANCEL the last response is Cancel, or Success where all matches were given; the association stands",
    Target.DIMSE,
    covers=COVERS,
)
def cancel(session: Session) -> None:
    corpus = over_dicom(session)
    keys: dict[str, Any] = {"StudyInstanceUID": corpus.study(0), "SeriesInstanceUID": ""}
    with session.dicom.open(offer(STUDY_FIND)) as peer:
        peer.need(STUDY_FIND)
        last = None
        asked = identifier(QueryRetrieveLevel="SERIES", **keys)
        for status, _ in peer.assoc.send_c_find(asked, STUDY_FIND, msg_id=31):
            if last is None:
                peer.assoc.send_c_cancel(31, query_model=STUDY_FIND)
            last = status.get("Status")
        if last not in (0xFE00, 0x0000):
            raise Failed("there is no last response" if last is None else f"the last response is {last:04X}")
        if peer.find(STUDY_FIND, asked).status != 0x0000:
            raise Failed("the next query on the association does not end with Success")
