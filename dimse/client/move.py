"""C-MOVE as user: has instances sent to an application entity, most often ours (PS3.4 C.4.2)."""

from __future__ import annotations

from collections import deque
from io import BytesIO
from typing import Any, Final

from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_MOVE
from pynetdicom.dsutils import decode

from dimse.client import identifier
from dimse.client.peer import Offer, Peer
from dimse.client.statuses import require_success
from dimse.priority import value_of
from dimse.upper_layer.request import ProposedContext
from vna.model.errors import Unavailable
from vna.model.sources import Moved, StudyPart
from vna.model.transfer_syntaxes import IMPLICIT_LE

STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
_OFFER: Final = Offer((ProposedContext(STUDY_ROOT_MOVE, (IMPLICIT_LE,)),))


class MoveSCU:
    """Has one archive send. Whether something arrived is seen where it arrives: counts are what the archive says."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def verify(self) -> None:
        """That it offers C-MOVE: what can be sent without anything being sent."""
        with self._peer.line(_OFFER) as line:
            line.exchange.context(STUDY_ROOT_MOVE)

    def move(self, part: StudyPart, destination_ae: str) -> Moved:
        """Have it sent there, and wait for the end."""
        request: Any = C_MOVE()
        request.AffectedSOPClassUID = STUDY_ROOT_MOVE
        request.Priority = value_of(part.priority)
        request.MoveDestination = destination_ae
        request.Identifier = BytesIO(identifier.naming(part))
        with self._peer.line(_OFFER, priority=part.priority) as line:
            last = deque(line.exchange.ask(request, STUDY_ROOT_MOVE), maxlen=1)[0]
        require_success(self._peer.name, "C-MOVE", last)
        return Moved(
            last.NumberOfCompletedSuboperations or 0,
            last.NumberOfFailedSuboperations or 0,
            last.NumberOfWarningSuboperations or 0,
            failed_uids(self._peer.name, last),
        )


def failed_uids(name: str, response: Any) -> tuple[str, ...]:
    """FailedSOPInstanceUIDList of a last response."""
    if response.Identifier is None:
        return ()
    try:
        found = decode(BytesIO(response.Identifier.getvalue()), True, True).get("FailedSOPInstanceUIDList") or ()
    except Exception as exc:
        raise Unavailable(f"{name} answers with an identifier that cannot be read") from exc
    return (str(found),) if isinstance(found, (str, UID)) else tuple(str(uid) for uid in found)
