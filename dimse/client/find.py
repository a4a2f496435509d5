"""C-FIND as user: matches as they come (PS3.4 C.4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from pynetdicom.dimse_primitives import C_FIND

from dimse.client import identifier
from dimse.client.exchange import PENDING
from dimse.client.peer import Offer, Peer
from dimse.client.statuses import require_success
from dimse.models import MODELS
from dimse.priority import value_of
from dimse.upper_layer.request import ProposedContext
from vna.model.errors import TooLarge
from vna.model.priority import Priority
from vna.model.query import Key, Level, Match, Query
from vna.model.sources import PATIENT, Terms
from vna.model.transfer_syntaxes import IMPLICIT_LE

STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.1.1"
NOBODYS_UID: Final = "2.25.0"
"""No study is called so: who has this one has everything that is asked for."""

_OFFER: Final = Offer(tuple(ProposedContext(uid, (IMPLICIT_LE,)) for uid in (STUDY_ROOT_FIND, PATIENT_ROOT_FIND)))


class FindSCU:
    """Searches one archive: the level PATIENT by Patient Root, all others by Study Root."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def verify(self) -> None:
        """Search for what nobody has."""
        for _ in self.search(Query(Level.STUDY, (Key(("0020000D",), "UI", (NOBODYS_UID,)),), limit=1)):
            pass

    def search(self, query: Query, terms: Terms = PATIENT) -> Iterator[Match]:
        """Matches as they come. TooLarge when more come than there may be, and `query` names no limit of its own."""
        model = PATIENT_ROOT_FIND if query.level is Level.PATIENT else STUDY_ROOT_FIND
        request: Any = C_FIND()
        request.AffectedSOPClassUID = model
        request.Priority = value_of(Priority.ROUTINE)
        request.Identifier = BytesIO(identifier.searching(query, MODELS[model].levels))
        count = 0
        with self._peer.line(_OFFER, terms=terms) as line:
            responses = line.exchange.ask(request, model, terms=terms)
            try:
                for response in responses:
                    if response.Status not in PENDING:
                        require_success(self._peer.name, "C-FIND", response)
                        break
                    if query.limit is not None and count >= query.limit:
                        break
                    if count >= self._peer.bounds.matches:
                        raise TooLarge(f"{self._peer.name} answers with more than {self._peer.bounds.matches} matches")
                    count += 1
                    encoded = response.Identifier.getvalue() if response.Identifier is not None else b""
                    yield identifier.answered(self._peer.name, encoded, query.level)
            finally:
                responses.close()  # type: ignore[attr-defined]  # a generator
