"""Search transaction: studies, series and instances that match (PS3.18 10.6)."""

import time
from collections.abc import Iterable

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import Target, resource_url, service_url, target_of
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, Offer, acceptable, choose
from dicomweb.native_xml import native_xml
from dicomweb.query_parameters import ACROSS, TOTAL, Parameters, parse, read_pairs
from dicomweb.responses import HEADERS, multipart
from dicomweb.service import StudiesService
from vna import events as signals
from vna.mime.writer import Part
from vna.model.attributes import BY_TAG, COMPUTED
from vna.model.dictionary import keyword_of
from vna.model.query import Element, Level, Match
from vna.security.requests import actor_of

TOTAL_FIELD = "X-Total-Count"
COUNT_OFFERS = (Offer(JSON), Offer(DICOM_JSON))
OFFERS = (Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML, multipart=True))
MODALITIES_IN_STUDY = "00080061"
RETRIEVE_URL = "00081190"
REQUIRED: dict[Level, tuple[tuple[str, str], ...]] = {  # type R of PS3.18 Tables 10.6.3-3 to 10.6.3-5, with the VR
    Level.STUDY: (
        ("00080020", "DA"),
        ("00080030", "TM"),
        ("00080050", "SH"),
        (MODALITIES_IN_STUDY, "CS"),
        ("00080090", "PN"),
        ("00100010", "PN"),
        ("00100020", "LO"),
        ("00100030", "DA"),
        ("00100040", "CS"),
        ("00200010", "SH"),
        ("00201206", "IS"),
        ("00201208", "IS"),
    ),
    Level.SERIES: (("00080060", "CS"), ("00200011", "IS"), ("00201209", "IS")),
    Level.IMAGE: (("00080016", "UI"), ("00200013", "IS")),
}
"""Given without a value where none is known (PS3.4 C.2.2.1.2)."""

_NO_MODALITY: Element = {"vr": "CS", "Value": [None]}
"""One value, an empty one (PS3.18 F.2.5): OHIF's study list breaks on a ModalitiesInStudy that has no Value at all."""

_UIDS = frozenset({"0020000D", "0020000E", "00080018"})
_LEVELS = {tag: attribute.level for tag, attribute in BY_TAG.items()} | {c.tag: c.level for c in COMPUTED}
_OF_ALL_LEVELS = frozenset({"00080054", "00080056", "00080201"})
"""Kept at one level, and an attribute of the answers of each."""


def search_studies(request: Request, service: StudiesService) -> Response:
    """Studies, with the patient of each."""
    return _search(request, service, Level.STUDY)


def search_series(request: Request, service: StudiesService) -> Response:
    """Series, of one study or of all."""
    return _search(request, service, Level.SERIES)


def search_instances(request: Request, service: StudiesService) -> Response:
    """Instances, of one series, of one study, or of all."""
    return _search(request, service, Level.IMAGE)


def count_studies(request: Request, service: StudiesService) -> Response:
    """How many studies match."""
    return _count(request, service, Level.STUDY)


def count_series(request: Request, service: StudiesService) -> Response:
    """How many series match."""
    return _count(request, service, Level.SERIES)


def count_instances(request: Request, service: StudiesService) -> Response:
    """How many instances match."""
    return _count(request, service, Level.IMAGE)


def _count(request: Request, service: StudiesService, level: Level) -> Response:
    """`{"count": 12}`; a Warning where there may be more than were counted."""
    offer = choose(acceptable(request), COUNT_OFFERS)
    parameters = parse(read_pairs(request.scope["query_string"]), target_of(request))
    total = service.search.count(actor_of(request), parameters.query(level))
    sentences = _ignored(parameters, total.unsupported)
    if parameters.across is not None:
        sentences.append(f"{ACROSS} was ignored: what is counted is in this archive")
    if total.cap:
        sentences.append(f"There may be more: the count ended after {total.cap}")
    headers = HEADERS | _warning(sentences, service_url(request, service.public_url))
    return Response(orjson.dumps({"count": total.number}), headers=headers, media_type=offer.media_type)


def _search(request: Request, service: StudiesService, level: Level) -> Response:
    actor, target = actor_of(request), target_of(request)
    offer = choose(acceptable(request), OFFERS)
    parameters = parse(read_pairs(request.scope["query_string"]), target)
    started = time.perf_counter()
    if parameters.across is None:
        page = service.search.find(actor, parameters.query(level))
    else:
        page = service.across.find(actor, parameters.query(level), parameters.across)
    signals.emit(
        "query.answered",
        door="QIDO-RS",
        level=level.name,
        matches=len(page.matches),
        seconds=time.perf_counter() - started,
    )
    base = service_url(request, service.public_url)
    sentences = [f"The answer is not whole: {lack}" for lack in page.lacking]
    sentences += _ignored(parameters, page.unsupported)
    if page.capped:
        sentences.append("There are additional results that can be requested")
    headers = dict(HEADERS)
    if parameters.across is not None and parameters.switches.get(TOTAL):
        sentences.append(f"{TOTAL} was ignored: what other archives have is not counted")
    elif parameters.switches.get(TOTAL):
        total = service.search.count(actor, parameters.query(level))
        if total.cap:
            sentences.append(f"{TOTAL} is not known: the count ended after {total.cap}")
        else:
            headers[TOTAL_FIELD] = str(total.number)
    headers |= _warning(sentences, base)
    if not page.matches:
        return Response(status_code=204, headers=headers)
    answers = _answers(page.matches, level, target, parameters, base)
    if offer.multipart:
        parts = [Part((("Content-Type", DICOM_XML),), [native_xml(dict(sorted(one.items())))]) for one in answers]
        response = multipart(parts, media_type=DICOM_XML)
        response.headers.update(headers)
        return response
    return Response(orjson.dumps(answers, option=orjson.OPT_SORT_KEYS), headers=headers, media_type=offer.media_type)


def _answers(
    matches: Iterable[Match], level: Level, target: Target, parameters: Parameters, base: str
) -> list[dict[str, Element]]:
    """Each match as a data set: what the tables ask for, what was matched, and what was included.

    Attributes of the levels above are left out where the address already names the study or series (PS3.18 10.6.3.3).
    """
    named = Level.SERIES if target.series else Level.STUDY if target.study else Level.PATIENT
    asked = parameters.fields | {path[0] for path in parameters.keys} | _UIDS | _OF_ALL_LEVELS
    everything = parameters.all_fields or named is Level.PATIENT
    required = {tag: {"vr": vr} for one, table in REQUIRED.items() if named < one <= level for tag, vr in table}
    shared: dict[int, dict[str, Element]] = {}  # what matches have in common is put together once
    found: list[dict[str, Element]] = []
    for match in matches:
        common = shared.get(id(match.above))
        if common is None:
            above = match.above.items()
            kept = {tag: e for tag, e in above if everything or tag in asked or _LEVELS.get(tag, level) > named}
            common = shared[id(match.above)] = {**required, **kept}
        one = {**common, **match.own}
        if MODALITIES_IN_STUDY in one and not one[MODALITIES_IN_STUDY].get("Value"):
            one[MODALITIES_IN_STUDY] = _NO_MODALITY
        place = one.setdefault(RETRIEVE_URL, _address(base, match))
        if not place.get("Value"):  # it is elsewhere, and cannot be had by this protocol
            del one[RETRIEVE_URL]
        found.append(one)
    return found


def _address(base: str, match: Match) -> Element:
    url = resource_url(base, match.study_instance_uid, match.series_instance_uid, match.sop_instance_uid)
    return {"vr": "UR", "Value": [url]}


def _ignored(parameters: Parameters, unsupported: frozenset[str]) -> list[str]:
    """What the caller asked for and did not get (PS3.18 8.3.4.1)."""
    unknown = unsupported & (parameters.fields | {path[0] for path in parameters.keys})
    return parameters.ignored + [f"{_name(tag)} was ignored: it is not known at this level" for tag in sorted(unknown)]


def _warning(sentences: Iterable[str], base: str) -> dict[str, str]:
    """`Warning: 299 <service>: ...` (PS3.18 8.3.4.4.1)."""
    text = _printable(sentences)
    return {"Warning": f"299 {base}: {text}"} if text else {}


def _name(tag: str) -> str:
    return keyword_of(tag) or tag


def _printable(sentences: Iterable[str]) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in "; ".join(sentences))[:1000]
