"""Storage commitment: a request, and the check of its result (PS3.18 13)."""

from collections.abc import Mapping

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.composition import datasets
from dicomweb.errors import refusal
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, Offer, acceptable, choose
from dicomweb.native_xml import native_xml
from dicomweb.responses import HEADERS
from dicomweb.service import StudiesService
from vna.archive.commitment import WEB
from vna.archive.commitment_elements import asked_of, require_transaction, result_elements
from vna.mime.media_type import parse_media_type
from vna.model.commitments import State
from vna.model.errors import BadRequest, TooLarge
from vna.model.query import Element
from vna.security.requests import actor_of

_OFFERS = (Offer(DICOM_JSON), Offer(DICOM_XML), Offer(JSON))
_TAKEN = (DICOM_JSON, JSON, DICOM_XML)
_MOST_BODY = 32 << 20
_AGAIN_SECONDS = "2"


async def request_commitment(request: Request, service: StudiesService) -> Response:
    """Take a request, durable before the answer: 202, as the bytes are read behind it (PS3.18 13.4).

    409 when the Transaction UID is in use, or was.
    """
    actor, transaction_uid = actor_of(request), require_transaction(request.path_params["transaction"])
    service.commitments.require(actor)
    choose(acceptable(request), _OFFERS)
    media_type = _content_type(request)
    if media_type not in _TAKEN:
        return refusal(request, 415, f"a storage commitment request is {DICOM_JSON} or {DICOM_XML}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BODY:
            raise TooLarge(f"a storage commitment request has at most {_MOST_BODY} bytes")

    def keep() -> None:
        asked = asked_of(_only(datasets(media_type, bytes(body))), service.commitments.most)
        service.commitments.request(actor, transaction_uid, asked, door=WEB)

    await run_in_threadpool(keep)
    return _later()


def check_commitment(request: Request, service: StudiesService) -> Response:
    """What came of a request of the same caller: 202 as long as that is not known (PS3.18 13.5)."""
    offer = choose(acceptable(request), _OFFERS)
    transaction_uid = require_transaction(request.path_params["transaction"])
    found = service.commitments.result(actor_of(request), transaction_uid)
    if found.commitment.state is State.PENDING:
        return _later()
    said = result_elements(found.outcomes)
    body = native_xml(said) if offer.media_type == DICOM_XML else orjson.dumps(said)
    return Response(body, headers=HEADERS, media_type=offer.media_type)


def _later() -> Response:
    return Response(status_code=202, headers={**HEADERS, "Retry-After": _AGAIN_SECONDS})


def _content_type(request: Request) -> str:
    try:
        return parse_media_type(request.headers.get("content-type", "")).name
    except BadRequest:
        return ""


def _only(found: list[dict[str, Element]]) -> Mapping[str, Element]:
    if len(found) != 1:
        raise BadRequest("a storage commitment request is one data set")
    return found[0]
