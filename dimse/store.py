"""C-STORE as provider: what the upper layer receives goes into the archive (PS3.4 B.2, PS3.7 9.1.1)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, cast

from dimse.callers import actor_of, address_of
from dimse.priority import priority_of
from dimse.status import PROCESSING_FAILURE, STORE_STATUS, SUCCESS, status_of
from dimse.upper_layer.handlers import Sink, StoreAnswer, StoreCommand
from storage.spool import Incoming
from vna.archive.store import Store
from vna.model.comments import comment_of
from vna.model.errors import BadRequest, VnaError
from vna.model.identifiers import is_uid
from vna.model.instances import Arrival, Door
from vna.model.priority import Priority
from vna.turns import Turns

if TYPE_CHECKING:
    from dimse.upper_layer.association import LeanAssociation

log = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 30.0
"""Seconds that a bulk instance that was received waits for its turn: less than senders wait for an answer."""


class ArchiveStore:
    """The upper layer's StoreHandler over the archive's one way in; what is sent as bulk may have to wait."""

    def __init__(self, store: Store, turns: Turns | None = None) -> None:
        self._store = store
        self._turns = turns or Turns()

    def begin(self, assoc: LeanAssociation, command: StoreCommand) -> Sink:
        """A spool for the data set, when the command makes sense and the policy allows it."""
        if not is_uid(command.sop_instance_uid):
            raise BadRequest("Affected SOP Instance UID is not a UID")
        incoming = self._store.open(actor_of(assoc), arrival_of(assoc, command))
        return _Paced(incoming, self._turns) if _is_bulk(assoc, command) else incoming

    def complete(self, assoc: LeanAssociation, command: StoreCommand, sink: Sink) -> StoreAnswer:
        """Success means that the instance is durable and indexed, or was already; the archive logs what it refuses."""
        try:
            if isinstance(sink, _Paced):
                self._accept_bulk(assoc, command, sink.incoming)
            else:
                self._store.accept(cast("Incoming", sink), actor_of(assoc), arrival_of(assoc, command))
        except VnaError as error:
            return _refusal(error)
        return StoreAnswer(SUCCESS)

    def _accept_bulk(self, assoc: LeanAssociation, command: StoreCommand, incoming: Incoming) -> None:
        with incoming, self._turns.turn(Priority.BULK, _LONGEST_WAIT):
            self._store.accept(incoming, actor_of(assoc), arrival_of(assoc, command))

    def refuse(self, assoc: LeanAssociation, command: StoreCommand, error: BaseException) -> StoreAnswer:
        """Of what ended before the archive saw it whole; what is no VnaError has been logged by the upper layer."""
        if isinstance(error, VnaError):
            uid = command.sop_instance_uid if is_uid(command.sop_instance_uid) else ""
            peer = {"peer_ae": assoc.requestor.ae_title, "address": address_of(assoc)}
            log.warning("store refused", extra={**peer, "sop_instance_uid": uid, "reason": str(error)})
        return _refusal(error)


class _Paced:
    """The sink of an instance that is sent as bulk."""

    def __init__(self, incoming: Incoming, turns: Turns) -> None:
        self.incoming = incoming
        self._pace = turns.pace

    def write(self, piece: memoryview) -> None:
        """Take the next bytes, at the pace of bulk."""
        self._pace.take(len(piece), Priority.BULK)
        self.incoming.write(piece)

    def abandon(self) -> None:
        """Throw away what was written."""
        self.incoming.abandon()


def _is_bulk(assoc: LeanAssociation, command: StoreCommand) -> bool:
    return priority_of(actor_of(assoc), command.priority) is Priority.BULK


def _refusal(error: BaseException) -> StoreAnswer:
    return StoreAnswer(status_of(error, STORE_STATUS, PROCESSING_FAILURE), comment_of(error))


def arrival_of(assoc: LeanAssociation, command: StoreCommand) -> Arrival:
    """What association and command say of an instance beside its bytes."""
    return Arrival(
        Door.C_STORE,
        calling_ae=assoc.requestor.ae_title.strip(),
        address=address_of(assoc),
        sop_class_uid=command.sop_class_uid,
        sop_instance_uid=command.sop_instance_uid,
        transfer_syntax_uid=command.transfer_syntax_uid,
    )
