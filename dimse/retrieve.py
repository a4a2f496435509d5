"""C-MOVE and C-GET as provider, in all information models (PS3.4 C.4.2, C.4.3, PS3.7 9.1.3, 9.1.4)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, Final

from pynetdicom.dimse_primitives import C_GET, C_MOVE
from pynetdicom.dsutils import decode
from pynetdicom.presentation import PresentationContext

from dimse.callers import actor_of
from dimse.delivery import Deliveries, Originator
from dimse.extended import FindOptions
from dimse.identifiers import read_request
from dimse.models import MODELS, UNIQUE_KEYS, InformationModel
from dimse.priority import priority_of
from dimse.scu import Destination, StoreSCU, destination_of
from dimse.status import RETRIEVE_STATUS, UNABLE_TO_PROCESS, status_of
from dimse.suboperations import Reports, Tally
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.profile import Profile, Service
from vna import events as signals
from vna.archive.retrieve import Retrieval
from vna.model.access import Actor, Peer
from vna.model.destination import Encoded, Item
from vna.model.dictionary import keyword_of
from vna.model.errors import BadRequest, NotFound, Unavailable, VnaError
from vna.model.identifiers import is_uid
from vna.model.instances import Instance, Selection
from vna.model.priority import Priority
from vna.model.query import Level
from vna.pacing import paced
from vna.turns import Turns

log = logging.getLogger(__name__)

MOVE_CLASSES: Final = tuple(uid for uid in MODELS if uid.endswith(".2"))
GET_CLASSES: Final = tuple(uid for uid in MODELS if uid.endswith(".3"))

LONGEST_WAIT: Final = 3600.0
"""Seconds that a request waits for its turn: its requestor hears Pending meanwhile."""

Request = C_MOVE | C_GET
Destinations = Callable[[str], Peer | None]


@dataclass(frozen=True, slots=True)
class MoveRules:
    """How C-MOVE sends: `associations` at once to a destination, once there are more than `few` instances."""

    associations: int = 2
    few: int = 20

    def parallel(self, instances: int) -> int:
        """How many associations so many instances are worth."""
        return self.associations if instances > self.few else 1


def retrieve_services(
    retrieval: Retrieval,
    destinations: Destinations,
    sender: Profile,
    rules: MoveRules | None = None,
    turns: Turns | None = None,
) -> Mapping[str, Service]:
    """The services of MOVE_CLASSES and GET_CLASSES for the profile of our upper layer.

    `destinations` knows application entities by title (`Peers.get`); `sender` is the profile of our own requests;
    `turns` says how many are served at once.
    """
    turns = turns or Turns()
    move = MoveProvider(retrieval, turns, destinations, sender, rules or MoveRules())
    get = GetProvider(retrieval, turns)
    return dict.fromkeys(MOVE_CLASSES, move.serve) | dict.fromkeys(GET_CLASSES, get.serve)


class _Provider:
    """What C-MOVE and C-GET have in common: from the request to its instances, and from errors to responses."""

    name = ""

    def __init__(self, retrieval: Retrieval, turns: Turns) -> None:
        self._retrieval = retrieval
        self._turns = turns

    def serve(self, assoc: LeanAssociation, request: Any, context: PresentationContext) -> None:
        """Serve one request to its last response."""
        reports = Reports(assoc, request, context)
        fields: dict[str, Any] = {"peer_ae": assoc.requestor.ae_title, "service": self.name}
        try:
            self._serve(assoc, request, context, reports, fields)
        except VnaError as error:
            log.warning("retrieval refused", extra={**fields, "reason": str(error)})
            reports.refused(status_of(error, RETRIEVE_STATUS, UNABLE_TO_PROCESS), str(error))
        except Exception:
            log.exception("retrieval failed", extra=fields)
            reports.refused(UNABLE_TO_PROCESS, "the archive could not process the request")

    def _serve(
        self,
        assoc: LeanAssociation,
        request: Any,
        context: PresentationContext,
        reports: Reports,
        fields: dict[str, Any],
    ) -> None:
        actor = actor_of(assoc)
        instances = self._retrieval.instances(actor, read_selection(request, context))
        self._retrieval.expect(actor, instances)
        tally = Tally(len(instances))
        priority = priority_of(actor, request.Priority)

        def waits() -> bool:
            reports.alive(tally)
            return assoc.stands() and not assoc.is_cancelled(request.MessageID)

        with self._turns.turn(priority, LONGEST_WAIT, waits) as has_turn:
            started = time.perf_counter()
            if has_turn:
                self._send(assoc, request, reports, tally, self._items(actor, instances, priority))
        if not assoc.stands():
            log.warning("retrieval broken off by the requestor", extra=fields)
            return
        cancelled = assoc.is_cancelled(request.MessageID)
        status = reports.final(tally, cancelled=cancelled)
        failed = frozenset(tally.failed_uids)
        signals.emit(
            "retrieve.answered",
            door=self.name,
            instances=tally.completed + tally.warnings,
            bytes=sum(i.size for i in instances if i.sop_instance_uid not in failed) if not tally.remaining else 0,
            seconds=time.perf_counter() - started,
        )
        counts = {"completed": tally.completed, "failed": tally.failed, "warnings": tally.warnings}
        log.info("retrieval answered", extra={**fields, **counts, "status": f"{status:04X}", "reason": tally.reason})

    def _items(self, actor: Actor, instances: Sequence[Instance], priority: Priority) -> list[Item]:
        return [
            Item(
                instance.sop_class_uid,
                instance.sop_instance_uid,
                instance.transfer_syntax_uid,
                partial(self._encoded, actor, instance, priority),
            )
            for instance in instances
        ]

    def _encoded(self, actor: Actor, instance: Instance, priority: Priority, accepted: Sequence[str]) -> Encoded:
        outgoing = self._retrieval.dataset(actor, instance, accepted)
        if self._turns.pace.limits(priority):
            outgoing.chunks = paced(outgoing.chunks, self._turns.pace, priority)
        return outgoing

    def _send(
        self, assoc: LeanAssociation, request: Any, reports: Reports, tally: Tally, items: Sequence[Item]
    ) -> None:
        raise NotImplementedError


class MoveProvider(_Provider):
    """C-MOVE: to a destination that is known by its AE title, over associations of our own."""

    name = "C-MOVE"

    def __init__(
        self, retrieval: Retrieval, turns: Turns, destinations: Destinations, sender: Profile, rules: MoveRules
    ) -> None:
        super().__init__(retrieval, turns)
        self._destinations = destinations
        self._sender = sender
        self._rules = rules

    def _send(
        self, assoc: LeanAssociation, request: Any, reports: Reports, tally: Tally, items: Sequence[Item]
    ) -> None:
        scu = StoreSCU(
            self._destination(request.MoveDestination or ""),
            self._sender,
            parallel=self._rules.parallel(len(items)),
            priority=request.Priority,
            originator=Originator(assoc.requestor.ae_title.strip(), request.MessageID),
        )
        reports.pending(tally)
        for sent in scu.send(
            items,
            cancelled=lambda: assoc.is_cancelled(request.MessageID),
            heartbeat=lambda: reports.alive(tally),
        ):
            tally.add(sent)
            reports.pending(tally)

    def _destination(self, ae_title: str) -> Destination:
        peer = self._destinations(ae_title.strip())
        if peer is None or not peer.host or not peer.port:
            raise NotFound("the Move Destination is not a known application entity")
        return destination_of(peer)


class GetProvider(_Provider):
    """C-GET: over the association of the request, in the SOP Classes its requestor takes as SCP."""

    name = "C-GET"

    def _send(
        self, assoc: LeanAssociation, request: Any, reports: Reports, tally: Tally, items: Sequence[Item]
    ) -> None:
        deliveries = Deliveries(assoc, priority=request.Priority)
        reports.pending(tally)
        for item, following in zip(items, [*items[1:], None], strict=False):
            if assoc.is_cancelled(request.MessageID):
                return
            try:
                tally.add(deliveries.deliver(item, following))
            except Unavailable:  # the association is gone, and with it who asked
                return
            reports.pending(tally)


def read_selection(request: Request, context: PresentationContext) -> Selection:
    """The unique keys of an identifier (PS3.4 C.4.2.1.4.1, C.4.3.1.3.1).

    The key of the level is one value, or for UIDs a list. Keys of the levels above narrow; they may be missing, as UIDs
    name without them too and some requestors leave them out. Other attributes have no meaning in a retrieval.
    """
    model = MODELS[str(context.abstract_syntax)]
    try:
        level, keys = _unique_keys(request, context, model)
    except VnaError:
        raise
    except Exception as error:  # whatever pydicom raises over what is no data set
        raise BadRequest("the identifier cannot be read") from error
    if not keys[level]:
        raise BadRequest(f"{keyword_of(UNIQUE_KEYS[level])} must be given at level {level.name}")
    return Selection(
        patient_id=_patient_id(keys.get(Level.PATIENT, ())),
        study_uids=_uids(Level.STUDY, keys),
        series_uids=_uids(Level.SERIES, keys),
        sop_instance_uids=_uids(Level.IMAGE, keys),
    )


def _unique_keys(
    request: Request, context: PresentationContext, model: InformationModel
) -> tuple[Level, dict[Level, tuple[str, ...]]]:
    syntax = context.transfer_syntax[0]
    identifier = decode(
        request.Identifier or BytesIO(), syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated
    )
    query = read_request(identifier, model, FindOptions(relational=True)).query
    given = {key.path[0]: key.values for key in query.keys if len(key.path) == 1}
    levels = (*model.above(query.level), query.level)
    return query.level, {level: given.get(UNIQUE_KEYS[level], ()) for level in levels}


def _patient_id(values: Sequence[str]) -> str | None:
    if len(values) > 1 or any(character in value for value in values for character in "*?"):
        raise BadRequest("PatientID must be one value, without wildcards")
    return values[0] if values else None


def _uids(level: Level, keys: Mapping[Level, Sequence[str]]) -> tuple[str, ...]:
    values = tuple(keys.get(level, ()))
    for value in values:
        if not is_uid(value):
            raise BadRequest(f"{keyword_of(UNIQUE_KEYS[level])} must be UIDs, without wildcards")
    return values
