"""Statuses of DIMSE responses, and which error becomes which (PS3.4 Tables B.2-1, C.4-2, C.4-3; PS3.7 annex C)."""

from collections.abc import Mapping
from typing import Final

from vna.model.errors import (
    BadRequest,
    CannotUnderstand,
    Conflict,
    DuplicateInstance,
    Mismatch,
    NotAcceptable,
    NotAuthorized,
    NotFound,
    OutOfResources,
    Rejected,
    TooLarge,
    Unavailable,
    VnaError,
)

SUCCESS: Final = 0x0000
PENDING: Final = 0xFF00
CANCEL: Final = 0xFE00
SUBOPERATIONS_COMPLETE_WITH_FAILURES: Final = 0xB000
UNABLE_TO_CALCULATE_MATCHES: Final = 0xA701
UNABLE_TO_PERFORM_SUBOPERATIONS: Final = 0xA702
MOVE_DESTINATION_UNKNOWN: Final = 0xA801
IDENTIFIER_DOES_NOT_MATCH: Final = 0xA900
UNABLE_TO_PROCESS: Final = 0xC000
PROCESSING_FAILURE: Final = 0x0110
DUPLICATE_SOP_INSTANCE: Final = 0x0111
INVALID_OBJECT_INSTANCE: Final = 0x0117
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
NOT_AUTHORIZED: Final = 0x0124
OUT_OF_RESOURCES: Final = 0xA700
DATA_SET_DOES_NOT_MATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000

StatusTable = Mapping[type[VnaError], int]

STORE_STATUS: Final[StatusTable] = {
    OutOfResources: OUT_OF_RESOURCES,
    TooLarge: OUT_OF_RESOURCES,
    Mismatch: DATA_SET_DOES_NOT_MATCH,
    CannotUnderstand: CANNOT_UNDERSTAND,
    DuplicateInstance: DUPLICATE_SOP_INSTANCE,
    Conflict: DUPLICATE_SOP_INSTANCE,
    BadRequest: INVALID_OBJECT_INSTANCE,
    NotAcceptable: SOP_CLASS_NOT_SUPPORTED,
    Rejected: SOP_CLASS_NOT_SUPPORTED,
    NotAuthorized: NOT_AUTHORIZED,
    Unavailable: PROCESSING_FAILURE,
    NotFound: PROCESSING_FAILURE,
}
"""PS3.4 Table B.2-1; the four of PS3.7 9.1.1.1.9 where it has none."""

RETRIEVE_STATUS: Final[StatusTable] = {
    BadRequest: IDENTIFIER_DOES_NOT_MATCH,
    NotAuthorized: NOT_AUTHORIZED,
    NotFound: MOVE_DESTINATION_UNKNOWN,
    OutOfResources: UNABLE_TO_CALCULATE_MATCHES,
    Unavailable: UNABLE_TO_CALCULATE_MATCHES,
}
"""Of what stops a C-MOVE or C-GET before its first sub-operation (PS3.4 Tables C.4-2, C.4-3)."""

_WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116})


def status_of(error: BaseException, table: StatusTable, otherwise: int) -> int:
    """What `table` says of the nearest class of an error."""
    kinds = (kind for kind in type(error).__mro__ if issubclass(kind, VnaError))
    return next((table[kind] for kind in kinds if kind in table), otherwise)


def is_warning(status: int) -> bool:
    """Whether a C-STORE was done, with something to say about it (PS3.7 C.4)."""
    return status >> 12 == 0xB or status in _WARNINGS
