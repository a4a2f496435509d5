"""Deleting over HTTP, as other archives have it; PS3.18 knows no such transaction."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import target_of
from dicomweb.query_parameters import read_pairs
from dicomweb.responses import HEADERS
from dicomweb.service import StudiesService
from vna.model.errors import BadRequest
from vna.security.requests import actor_of

_LONGEST_REASON = 200


def delete(request: Request, service: StudiesService) -> Response:
    """Hide the study, series or instance; `reason` is kept with it."""
    reason = dict(read_pairs(request.scope["query_string"])).get("reason", "")
    if len(reason) > _LONGEST_REASON:
        raise BadRequest(f"reason is a text of at most {_LONGEST_REASON} characters")
    target = target_of(request)
    service.deletion.delete(actor_of(request), target.study, target.series, target.instance, reason=reason)
    return Response(status_code=204, headers=HEADERS)
