"""The change feed: what happened to instances, page by page, from a number that the reader remembers."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import resource_url, service_url
from dicomweb.media_types import JSON, Offer, acceptable, choose
from dicomweb.query_parameters import NOT_ATTRIBUTES, read_number, read_pairs
from dicomweb.responses import HEADERS
from dicomweb.service import StudiesService
from vna.archive.changes import Change
from vna.model.errors import BadRequest
from vna.security.requests import actor_of

_USUAL, _MOST = 100, 1000
_OFFERS = (Offer(JSON),)


def changefeed(request: Request, service: StudiesService) -> Response:
    """Changes after the number `after`, at most `limit` of them; an empty list when there is nothing new.

    `Link` with `rel="next"` is where to go on: now when the page is full, else whenever it suits.
    """
    choose(acceptable(request), _OFFERS)
    parameters = dict(read_pairs(request.scope["query_string"]))
    unknown = sorted(parameters.keys() - {"after", "limit", *NOT_ATTRIBUTES})
    if unknown:
        raise BadRequest(f"{unknown[0][:64]} is no parameter of the change feed: it takes after and limit")
    after = read_number("after", parameters.get("after", "0"))
    limit = read_number("limit", parameters.get("limit", str(_USUAL)))
    if not 1 <= limit <= _MOST:
        raise BadRequest(f"limit is a number from 1 to {_MOST}")
    changes = service.changes.after(actor_of(request), after, limit)
    base = service_url(request, service.public_url)
    last = changes[-1].sequence if changes else after
    link = f'<{base}/changefeed?after={last}&limit={limit}>; rel="next"'
    return _json([_as_json(change, base) for change in changes], {"Link": link})


def latest(request: Request, service: StudiesService) -> Response:
    """The number of the newest change: for readers who only want what is still to come."""
    choose(acceptable(request), _OFFERS)
    return _json({"sequence": service.changes.latest(actor_of(request))}, {})


def _as_json(change: Change, base: str) -> dict[str, Any]:
    uids = change.study_instance_uid, change.series_instance_uid, change.sop_instance_uid
    return {
        "sequence": change.sequence,
        "action": change.action,
        "timestamp": change.at.isoformat(timespec="microseconds"),
        "StudyInstanceUID": uids[0],
        "SeriesInstanceUID": uids[1],
        "SOPInstanceUID": uids[2],
        "RetrieveURL": resource_url(base, *uids),
    }


def _json(body: Any, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), headers=HEADERS | headers, media_type=JSON)
