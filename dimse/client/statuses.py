"""What the last response to a request of ours means (PS3.4 Tables C.4-1, C.4-2, C.4-3; PS3.7 annex C)."""

from collections.abc import Mapping
from typing import Any, Final

from dimse.status import (
    CANCEL,
    MOVE_DESTINATION_UNKNOWN,
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    SUBOPERATIONS_COMPLETE_WITH_FAILURES,
    SUCCESS,
    UNABLE_TO_CALCULATE_MATCHES,
    UNABLE_TO_PERFORM_SUBOPERATIONS,
)
from vna.model.comments import comment
from vna.model.errors import NotAuthorized, Rejected, Unavailable, VnaError

_ERRORS: Final[Mapping[int, type[VnaError]]] = {
    OUT_OF_RESOURCES: Unavailable,
    UNABLE_TO_CALCULATE_MATCHES: Unavailable,
    UNABLE_TO_PERFORM_SUBOPERATIONS: Unavailable,
    MOVE_DESTINATION_UNKNOWN: Rejected,
    NOT_AUTHORIZED: NotAuthorized,
    CANCEL: Unavailable,
}


def require_success(name: str, operation: str, response: Any) -> None:
    """Raise what a status that is no success means; sub-operations that failed are told by their counts."""
    status = int(response.Status)
    if status in (SUCCESS, SUBOPERATIONS_COMPLETE_WITH_FAILURES):
        return
    said = comment(str(getattr(response, "ErrorComment", None) or ""))
    words = f"{name} answers {operation} with status {status:04X}" + (f": {said}" if said else "")
    raise _ERRORS.get(status, Rejected)(words)
