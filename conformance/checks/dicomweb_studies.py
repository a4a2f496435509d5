"""The Studies service as an origin server: store and search (PS3.18 8, 10.5, 10.6)."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import httpx
from pydicom import Dataset

from conformance.suite import objects
from conformance.suite.check import Failed, Target, check
from conformance.suite.corpus import Corpus, made
from conformance.suite.session import Session
from conformance.suite.stow import parts_of, related

JSON: Final = "application/dicom+json"
STORE, SEARCH, RETRIEVE = ("STOW-RS",), ("QIDO-RS",), ("WADO-RS",)


def stow(session: Session, *instances: Dataset, study: str = "", accept: str = JSON) -> httpx.Response:
    """One request of these instances."""
    body, kind = related([objects.part10(one) for one in instances])
    path = f"/studies/{study}" if study else "/studies"
    session.stored_studies.update(str(one.StudyInstanceUID) for one in instances)
    headers = {"Content-Type": kind, "Accept": accept}
    return session.web.post(f"{session.targets.dicomweb}{path}", body, headers=headers)


def over_web(session: Session) -> Corpus:
    """The studies to look for, stored by STOW-RS."""

    def store() -> Corpus:
        corpus = made(session, "W")
        answer = stow(session, *corpus.instances)
        if answer.status_code != 200:
            raise Failed(f"the request is answered {answer.status_code}")
        return corpus

    return session.once("the studies to look for over the web", store)


def expect_status(answer: httpx.Response, *wanted: int) -> httpx.Response:
    """Failed where it is another."""
    if answer.status_code not in wanted:
        raise Failed(f"the answer is {answer.status_code}, not {' or '.join(map(str, wanted))}")
    return answer


def values(item: Any, tag: str) -> list[Any]:
    """Of an attribute of the DICOM JSON model."""
    element = item.get(tag) if isinstance(item, dict) else None
    return list(element.get("Value") or []) if isinstance(element, dict) else []


def search(session: Session, path: str, params: Any = None, accept: str = JSON) -> list[dict[str, Any]]:
    """The matches of a search."""
    url = f"{session.targets.dicomweb}{path}"
    answer = expect_status(session.web.get(url, params=params, headers={"Accept": accept}), 200, 204)
    if answer.status_code == 204 or not answer.content:
        return []
    try:
        found = answer.json()
    except ValueError as exc:
        raise Failed(f"the answer is no JSON: {exc}") from exc
    if not isinstance(found, list):
        raise Failed("the answer is no array (PS3.18 F.2)")
    return found


def expect(found: list[dict[str, Any]], tag: str, wanted: list[str]) -> None:
    """Whether exactly these values came."""
    came = sorted(str(value) for item in found for value in values(item, tag))
    if came != sorted(wanted):
        raise Failed(f"of {tag} {len(wanted)} values were to be found, {len(came)} came: {came[:4]}")


# -------------------------------------------------------------------------------------------------------------- store


@check("dicomweb.store.success", "PS3.18 10.5.3", "An instance is stored with 200", Target.DICOMWEB, covers=STORE)
def store_success(session: Session) -> None:
    ds = objects.image(session)
    answer = expect_status(stow(session, ds), 200)
    named = [uid for item in values(_response(answer), "00081199") for uid in values(item, "00081155")]
    if named != [ds.SOPInstanceUID]:
        raise Failed(f"Referenced SOP Sequence of the response names {named}")


def _response(answer: httpx.Response) -> Any:
    try:
        found = answer.json()
    except ValueError as exc:
        raise Failed(f"the response is no JSON: {exc}") from exc
    return found[0] if isinstance(found, list) and found else found


@check(
    "dicomweb.store.other-study",
    "PS3.18 10.5.3",
    "An instance of another study than the address names is not stored: 409, with a Failed SOP Sequence",
    Target.DICOMWEB,
    covers=STORE,
)
def store_other_study(session: Session) -> None:
    answer = expect_status(stow(session, objects.image(session), study=session.uid()), 409)
    failed = values(_response(answer), "00081198")
    if not failed or not values(failed[0], "00081197"):
        raise Failed("the response has no Failed SOP Sequence with a Failure Reason")


@check(
    "dicomweb.store.media-type",
    "PS3.18 8.7",
    "A body of a media type that is not served is refused with 415 (or 400)",
    Target.DICOMWEB,
    covers=STORE,
)
def store_media_type(session: Session) -> None:
    headers = {"Content-Type": "text/plain", "Accept": JSON}
    expect_status(session.web.post(f"{session.targets.dicomweb}/studies", b"no image", headers=headers), 415, 400)


@check(
    "dicomweb.store.quoted-boundary",
    "RFC 2046 5.1.1",
    "A boundary in quotation marks is read",
    Target.DICOMWEB,
    covers=STORE,
)
def store_quoted(session: Session) -> None:
    ds = objects.image(session)
    body, kind = related([objects.part10(ds)])
    name, _, boundary = kind.rpartition("boundary=")
    headers = {"Content-Type": f'{name}boundary="{boundary}"', "Accept": JSON}
    session.stored_studies.add(str(ds.StudyInstanceUID))
    expect_status(session.web.post(f"{session.targets.dicomweb}/studies", body, headers=headers), 200)


# ------------------------------------------------------------------------------------------------------------- search


@check("dicomweb.search.study", "PS3.18 10.6.1.1", "Studies are found by UID", Target.DICOMWEB, covers=SEARCH)
def search_study(session: Session) -> None:
    corpus = over_web(session)
    found = search(session, "/studies", {"StudyInstanceUID": corpus.study(0)})
    expect(found, "0020000D", [corpus.study(0)])


@check("dicomweb.search.series", "PS3.18 10.6.1.1", "The series of a study", Target.DICOMWEB, covers=SEARCH)
def search_series(session: Session) -> None:
    corpus = over_web(session)
    found = search(session, f"/studies/{corpus.study(0)}/series")
    expect(found, "0020000E", sorted({str(one.SeriesInstanceUID) for one in corpus.of(corpus.study(0))}))


@check("dicomweb.search.instances", "PS3.18 10.6.1.1", "The instances of a study", Target.DICOMWEB, covers=SEARCH)
def search_instances(session: Session) -> None:
    corpus = over_web(session)
    found = search(session, f"/studies/{corpus.study(0)}/instances")
    expect(found, "00080018", [str(one.SOPInstanceUID) for one in corpus.of(corpus.study(0))])


@check(
    "dicomweb.search.nothing",
    "PS3.18 10.6.3",
    "What matches nothing is 200 or 204, empty",
    Target.DICOMWEB,
    covers=SEARCH,
)
def search_nothing(session: Session) -> None:
    if search(session, "/studies", {"StudyInstanceUID": session.uid()}):
        raise Failed("something was found")


REQUIRED: Final = (  # PS3.18 Tables 10.6.3-3 to 10.6.3-5: what a match has to hold
    "00080020", "00080030", "00080050", "00080061", "00100010", "00100020", "0020000D", "00200010", "00201206",
    "00201208",
)  # fmt: skip


@check(
    "dicomweb.search.returned",
    "PS3.18 10.6.3.3",
    "A match of a study holds the attributes that it has to, with their VR",
    Target.DICOMWEB,
    covers=SEARCH,
)
def search_returned(session: Session) -> None:
    corpus = over_web(session)
    found = search(session, "/studies", {"StudyInstanceUID": corpus.study(0)})
    match = found[0] if found else {}
    lacking = [tag for tag in REQUIRED if tag not in match or "vr" not in match[tag]]
    if lacking:
        raise Failed(f"the match has no {', '.join(lacking)}")
    if sorted(values(match, "00080061")) != ["CT", "MR"]:
        raise Failed(f"Modalities in Study is {values(match, '00080061')}")


MATCHINGS: Final[tuple[tuple[str, str, str, dict[str, str], tuple[int, ...]], ...]] = (
    ("keyword", "8.3.4.1", "An attribute by its keyword", {"StudyDate": "20250711"}, (1,)),
    ("tag", "8.3.4.1", "An attribute by its tag", {"00080020": "20250711"}, (1,)),
    ("wildcard", "8.3.4.1.1", "An asterisk stands for any text", {"PatientName": "Conform*Adam*"}, (0, 1)),
    ("question", "8.3.4.1.1", "A question mark stands for one character", {"PatientName": "Conf?rmance*"}, (0, 1)),
    ("range", "8.3.4.1.1", "A range of dates", {"StudyDate": "20250301-20250710"}, (0,)),
    ("range-open", "8.3.4.1.1", "A range that is open at its end", {"StudyDate": "20250311-"}, (1,)),
    ("modality", "10.6.1.2.3", "Modalities in Study", {"ModalitiesInStudy": "MR"}, (0,)),
)


def matching(params: dict[str, str], wanted: tuple[int, ...], session: Session) -> None:
    """Of the patient's studies exactly these are found."""
    corpus = over_web(session)
    pairs = "&".join(f"{name}={value}" for name, value in params.items())  # as it stands: nothing is percent-encoded
    found = search(session, f"/studies?PatientID={corpus.patient}&{pairs}")
    expect(found, "0020000D", [corpus.study(number) for number in wanted])


for _id, _clause, _title, _params, _studies in MATCHINGS:
    check(f"dicomweb.search.match.{_id}", f"PS3.18 {_clause}", _title, Target.DICOMWEB, covers=SEARCH)(
        partial(matching, _params, _studies)
    )


@check(
    "dicomweb.search.match.encoded-wildcard",
    "PS3.18 8.3.1",
    "An asterisk that is percent-encoded (%2A) is a wildcard all the same",
    Target.DICOMWEB,
    covers=SEARCH,
)
def encoded_wildcard(session: Session) -> None:
    corpus = over_web(session)
    found = search(session, f"/studies?PatientID={corpus.patient}&PatientName=Conform%2A")
    expect(found, "0020000D", [corpus.study(0), corpus.study(1)])


@check(
    "dicomweb.search.limit",
    "PS3.18 8.3.4.4",
    "limit and offset cut pages that fit together",
    Target.DICOMWEB,
    covers=SEARCH,
)
def pages(session: Session) -> None:
    corpus = over_web(session)
    came: list[dict[str, Any]] = []
    for offset in range(5):
        page = search(session, f"/studies/{corpus.study(0)}/instances", {"limit": 1, "offset": offset})
        if len(page) != 1:
            raise Failed(f"a page of one has {len(page)} matches")
        came += page
    expect(came, "00080018", [str(one.SOPInstanceUID) for one in corpus.of(corpus.study(0))])


@check(
    "dicomweb.search.includefield", "PS3.18 8.3.4.3", "includefield adds an attribute", Target.DICOMWEB, covers=SEARCH
)
def includefield(session: Session) -> None:
    corpus = over_web(session)
    params = {"StudyInstanceUID": corpus.study(0), "includefield": "StudyDescription"}
    expect(search(session, "/studies", params), "00081030", ["Conformance head"])


@check(
    "dicomweb.search.includefield-all",
    "PS3.18 8.3.4.3",
    "includefield=all gives every attribute that is known of the level",
    Target.DICOMWEB,
    covers=SEARCH,
)
def includefield_all(session: Session) -> None:
    corpus = over_web(session)
    params = {"StudyInstanceUID": corpus.study(0), "includefield": "all"}
    expect(search(session, "/studies", params), "00081030", ["Conformance head"])


@check(
    "dicomweb.search.fuzzymatching",
    "PS3.18 8.3.4.2",
    "fuzzymatching finds a name in another order, or a Warning says that it is not done",
    Target.DICOMWEB,
    covers=SEARCH,
)
def fuzzymatching(session: Session) -> None:
    corpus = over_web(session)
    params = {"PatientID": corpus.patient, "PatientName": "adam conformance", "fuzzymatching": "true"}
    url = f"{session.targets.dicomweb}/studies"
    answer = expect_status(session.web.get(url, params=params, headers={"Accept": JSON}), 200, 204)
    count = len(answer.json()) if answer.status_code == 200 and answer.content else 0
    if count != 2 and "299" not in answer.headers.get("Warning", ""):
        raise Failed(f"{count} of two studies are found, and there is no Warning field")


@check(
    "dicomweb.search.sequence",
    "PS3.18 8.3.4.1",
    "An attribute of a sequence's items narrows",
    Target.DICOMWEB,
    covers=SEARCH,
)
def sequence(session: Session) -> None:
    corpus = over_web(session)
    params = {"RequestAttributesSequence.ScheduledProcedureStepID": f"none-{session.mark}"}
    if search(session, f"/studies/{corpus.study(0)}/series", params):
        raise Failed("a Scheduled Procedure Step ID that no series has finds series")


@check("dicomweb.search.xml", "PS3.18 10.6.3.3", "Matches as XML, a part each", Target.DICOMWEB, covers=SEARCH)
def search_xml(session: Session) -> None:
    corpus = over_web(session)
    url = f"{session.targets.dicomweb}/studies/{corpus.study(0)}/series"
    accept = {"Accept": 'multipart/related; type="application/dicom+xml"'}
    answer = expect_status(session.web.get(url, headers=accept), 200)
    if len(parts_of(answer)) != 2:
        raise Failed(f"two series are {len(parts_of(answer))} parts")


@check(
    "dicomweb.search.not-acceptable",
    "PS3.18 8.7",
    "A media type that is not served is 406",
    Target.DICOMWEB,
    covers=SEARCH,
)
def not_acceptable(session: Session) -> None:
    over_web(session)
    expect_status(session.web.get(f"{session.targets.dicomweb}/studies", headers={"Accept": "image/png"}), 406)
