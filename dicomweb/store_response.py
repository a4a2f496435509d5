"""The Store Instances Response Module: what became of each instance, and the status code of all (PS3.18 10.5.3, I)."""

from collections.abc import Sequence

import orjson
from starlette.responses import Response

from dicomweb.address import resource_url
from dicomweb.errors import status_of
from dicomweb.intake import Refused, Result
from dicomweb.media_types import DICOM_XML
from dicomweb.native_xml import native_xml
from dicomweb.responses import HEADERS
from vna.model.comments import comment, comment_of
from vna.model.errors import (
    BadRequest,
    CannotUnderstand,
    DuplicateInstance,
    Mismatch,
    NotAuthorized,
    OutOfResources,
    SOPClassNotSupported,
    SyntaxNotSupported,
    TooLarge,
    Unavailable,
    VnaError,
)
from vna.model.instances import Accepted
from vna.model.query import Element

FAILURE_REASON: dict[type[VnaError], int] = {  # PS3.18 Table I.2-2; 0111 and 0124 are those of PS3.7 C.5
    OutOfResources: 0xA700,
    TooLarge: 0xA700,
    Mismatch: 0xA900,
    CannotUnderstand: 0xC000,
    DuplicateInstance: 0x0111,
    SOPClassNotSupported: 0x0122,
    SyntaxNotSupported: 0xC122,
    NotAuthorized: 0x0124,
    BadRequest: 0xC000,
    VnaError: 0x0110,
}
ERROR_COMMENT = "00000902"
"""No table of PS3.18 has it, and other archives give it too: Failure Reason is only a number."""

DOES_NOT_MATCH_CLASS = 0xB007
"""Warning Reason of an instance with values that break their own rules (PS3.18 Table I.2-1)."""

_OF_ALL = (OutOfResources, TooLarge, Unavailable)
"""Failures that have a status code of their own when nothing else happened."""
_SENTENCES = 3


def response(results: Sequence[Result], service: str, study: str, media_type: str) -> Response:
    """The answer to a request whose parts had these results."""
    dataset = module(results, service, study)
    body = native_xml(dataset) if media_type == DICOM_XML else orjson.dumps(dataset)
    headers = dict(HEADERS)
    warning = _warning(results, service)
    if warning:
        headers["Warning"] = warning
    return Response(body, status_code(results), headers, media_type)


def status_code(results: Sequence[Result]) -> int:
    """200 all stored, 202 some stored or some with warnings, 409 none (PS3.18 Table 10.5.3-1).

    None stored for one cause that has a code of its own is that code: 507 no space, 413 too large, 503 not available.
    """
    stored = [result for result in results if isinstance(result, Accepted)]
    if len(stored) == len(results) and not any(result.warnings for result in stored):
        return 200
    if stored:
        return 202
    causes = {_status_of_all(result) for result in results if isinstance(result, Refused)}
    return causes.pop() if len(causes) == 1 else 409


def module(results: Sequence[Result], service: str, study: str) -> dict[str, Element]:
    """The response data set as DICOM JSON (PS3.18 Table I.1-1)."""
    stored = [result for result in results if isinstance(result, Accepted)]
    failed = [result for result in results if isinstance(result, Refused)]
    studies = {result.study_instance_uid for result in stored} or ({study} if study and not failed else set())
    dataset = {"00081190": _element("UR", *(resource_url(service, uid) for uid in studies if len(studies) == 1))}
    for tag, items in (
        ("00081198", [_failed_item(result) for result in failed if result.sop_instance_uid]),
        ("00081199", [_stored_item(result, service) for result in stored]),
        ("0008119A", [_reason(result) for result in failed if not result.sop_instance_uid]),
    ):
        if items:
            dataset[tag] = _element("SQ", *items)
    return dataset


def _stored_item(result: Accepted, service: str) -> dict[str, Element]:
    url = resource_url(service, result.study_instance_uid, result.series_instance_uid, result.sop_instance_uid)
    item = _reference(result.sop_class_uid, result.sop_instance_uid) | {"00081190": _element("UR", url)}
    if result.warnings:
        item |= {ERROR_COMMENT: _element("LO", comment(result.warnings[0]))}
        item |= {"00081196": _element("US", DOES_NOT_MATCH_CLASS)}
    return dict(sorted(item.items()))


def _failed_item(result: Refused) -> dict[str, Element]:
    item = _reference(result.sop_class_uid, result.sop_instance_uid) | _reason(result)
    return dict(sorted(item.items()))


def _reference(sop_class_uid: str, sop_instance_uid: str) -> dict[str, Element]:
    return {"00081150": _element("UI", sop_class_uid), "00081155": _element("UI", sop_instance_uid)}


def _reason(result: Refused) -> dict[str, Element]:
    kinds = type(result.error).__mro__ if result.error is not None else (VnaError,)
    reason = next(FAILURE_REASON[kind] for kind in kinds if kind in FAILURE_REASON)
    return {ERROR_COMMENT: _element("LO", comment_of(result.error)), "00081197": _element("US", reason)}


def _element(vr: str, *values: object) -> Element:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def _status_of_all(result: Refused) -> int:
    return status_of(result.error) if isinstance(result.error, _OF_ALL) else 409


def _warning(results: Sequence[Result], service: str) -> str:
    """The first sentences of what went wrong, whole: an Error Comment is short."""
    sentences: list[str] = []
    for result in results:
        told = result.warnings if isinstance(result, Accepted) else (_sentence(result),)
        sentences += [sentence for sentence in told if sentence not in sentences]
    text = "; ".join(sentences[:_SENTENCES]) + ("; ..." if len(sentences) > _SENTENCES else "")
    printable = "".join(c if " " <= c <= "~" else "?" for c in text)
    return f"299 {service}: {printable}" if text else ""


def _sentence(result: Refused) -> str:
    return str(result.error) if result.error is not None else "processing failure; the archive's log says why"
