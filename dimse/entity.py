"""The archive's application entity: which SOP Classes it serves, in which syntaxes, and who may associate."""

import logging
from typing import Any, Final

from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.presentation import PresentationContext

from dimse.commitment import CommitmentProvider
from dimse.extended import answer_find, answer_worklist
from dimse.find import Broker, find_service, worklist_service
from dimse.models import (
    FIND_CLASSES,
    MODALITY_WORKLIST,
    MODELS,
    PERFORMED_STEP,
    PERFORMED_STEP_RETRIEVE,
    STORAGE_COMMITMENT,
)
from dimse.procedure_step import step_service
from dimse.retrieve import MoveRules, retrieve_services
from dimse.status import SUCCESS
from dimse.store import ArchiveStore
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.negotiation import ContextTable, SupportedContext
from dimse.upper_layer.profile import (
    CALLED_AE_NOT_RECOGNIZED,
    CALLING_AE_NOT_RECOGNIZED,
    LOCAL_LIMIT_EXCEEDED,
    TEMPORARY_CONGESTION,
    USER_IDENTITY_REFUSED,
    Profile,
    Rejection,
    Secure,
    Service,
)
from vna import events as signals
from vna.archive.retrieve import Retrieval
from vna.archive.search import Search
from vna.archive.store import Store
from vna.model.access import Actor
from vna.model.errors import NotAuthorized, VnaError
from vna.model.priority import Priority
from vna.model.sop_classes import STORAGE_CLASSES, VERIFICATION
from vna.model.transfer_syntaxes import QUERY_TRANSFER_SYNTAXES, STORAGE_TRANSFER_SYNTAXES
from vna.places import Places
from vna.security.certificates import shown
from vna.security.identity import Identities, Identity, IdentityType
from vna.security.peers import Peers
from vna.turns import Turns
from vna.worklist.performed import PerformedSteps
from vna.worklist.schedule import Schedule

log = logging.getLogger(__name__)


_OF_WORKLIST: Final = (MODALITY_WORKLIST, PERFORMED_STEP, PERFORMED_STEP_RETRIEVE)


def contexts(*, unknown_sop_classes: bool) -> ContextTable:
    """Storage classes in every syntax and both roles (a C-GET requestor is SCP), query/retrieve,
    worklist, verification; storage commitment, whose results the requestor may bring as SCP."""
    storage = frozenset(STORAGE_TRANSFER_SYNTAXES)
    others = frozenset(QUERY_TRANSFER_SYNTAXES)
    supported = [SupportedContext(uid, storage, requestor_may_be_scp=True) for uid in sorted(STORAGE_CLASSES)]
    supported += [SupportedContext(uid, others) for uid in (VERIFICATION, *MODELS, *_OF_WORKLIST)]
    supported.append(SupportedContext(STORAGE_COMMITMENT, others, requestor_may_be_scp=True))
    return ContextTable(supported, STORAGE_TRANSFER_SYNTAXES if unknown_sop_classes else None)


class Admission:
    """Who may associate: known AE titles in `enforced` mode, where the called title has to be ours as well.

    `bulk` are the associations that those may have together whose requests are bulk, whatever they say of them;
    `identities` say who works there, where somebody has to log in at all.
    """

    def __init__(
        self,
        peers: Peers,
        *ae_titles: str,
        local: bool,
        bulk: Places | None = None,
        identities: Identities | None = None,
    ) -> None:
        self._peers = peers
        self._ae_titles = frozenset(filter(None, ae_titles))
        self._local = local
        self._bulk = bulk
        self._identities = identities

    def __call__(self, assoc: LeanAssociation) -> Rejection | None:
        """Leaves the actor in the association, or says why not."""
        calling = assoc.requestor.ae_title.strip()
        information = assoc.requestor.address_info
        address = str(information.address) if information is not None else ""
        if not self._local and str(assoc.called_ae).strip() not in self._ae_titles:
            return _refused(CALLED_AE_NOT_RECOGNIZED, "called AE title", calling, address)
        try:
            certificate = shown(assoc.peer_certificate) if assoc.peer_certificate else None
            assoc.actor = self._peers.actor_for(calling, address, certificate)
        except NotAuthorized as exc:
            return _refused(CALLING_AE_NOT_RECOGNIZED, "calling AE title", calling, address, str(exc))
        except VnaError as exc:
            return _refused(TEMPORARY_CONGESTION, str(exc), calling, address)
        try:
            assoc.actor = self._with_user(assoc)
        except NotAuthorized as exc:
            return _refused(USER_IDENTITY_REFUSED, "user identity", calling, address, str(exc))
        except VnaError as exc:
            return _refused(TEMPORARY_CONGESTION, str(exc), calling, address)
        if assoc.actor.priority is Priority.BULK and not self._has_room(assoc):
            return _refused(LOCAL_LIMIT_EXCEEDED, "bulk associations", calling, address)
        return None

    def _with_user(self, assoc: LeanAssociation) -> Actor:
        asked = assoc.requestor.user_identity
        entity: Actor = assoc.actor
        if asked is None:
            return entity
        if asked.user_identity_type == IdentityType.KERBEROS:
            raise NotAuthorized("Kerberos tickets are not taken")
        assoc.identity_response = b""
        if self._local or self._identities is None:
            return entity
        identity = Identity(asked.user_identity_type or 0, asked.primary_field or b"", asked.secondary_field or b"")
        return self._identities.with_user(entity, identity)

    def _has_room(self, assoc: LeanAssociation) -> bool:
        free = self._bulk.take(Priority.BULK) if self._bulk is not None else None
        if free is None:
            return self._bulk is None
        ended = assoc.on_end

        def on_end(one: LeanAssociation) -> None:
            free()
            if ended is not None:
                ended(one)

        assoc.on_end = on_end
        return True


def _refused(rejection: Rejection, reason: str, calling: str, address: str, why: str = "") -> Rejection:
    signals.emit("association.refused", reason=reason)
    log.warning("association refused", extra={"peer_ae": calling, "address": address, "reason": why or reason})
    return rejection


def profile(
    *,
    ae_title: str,
    store: Store,
    search: Search,
    retrieval: Retrieval,
    schedule: Schedule,
    performed: PerformedSteps,
    peers: Peers,
    admission: Admission,
    commitment: CommitmentProvider,
    limits: Limits,
    unknown_sop_classes: bool = False,
    move_rules: MoveRules | None = None,
    broker: Broker | None = None,
    retrieving: Turns | None = None,
    storing: Turns | None = None,
    calling: Secure | None = None,
) -> Profile:
    """What the upper layer offers on the archive's behalf; `calling` is for destinations that are called over TLS."""
    services: dict[str, Service] = dict.fromkeys(FIND_CLASSES, find_service(search, ae_title, broker=broker))
    sender = Profile(ae_title, ContextTable([]), limits=limits, calling=calling)
    services.update(retrieve_services(retrieval, peers.get, sender, move_rules, retrieving))
    services[VERIFICATION] = echo
    services[MODALITY_WORKLIST] = worklist_service(schedule)
    services[PERFORMED_STEP] = services[PERFORMED_STEP_RETRIEVE] = step_service(performed)
    services[STORAGE_COMMITMENT] = commitment.serve
    return Profile(
        ae_title,
        contexts(unknown_sop_classes=unknown_sop_classes),
        store=ArchiveStore(store, storing),
        services=services,
        admit=admission,
        extended={**dict.fromkeys(FIND_CLASSES, answer_find), MODALITY_WORKLIST: answer_worklist},
        limits=limits,
        implementation_version_name="VNA_0_1",
    )


def echo(assoc: LeanAssociation, request: Any, context: PresentationContext) -> None:
    """C-ECHO as provider (PS3.4 A.4)."""
    response: Any = C_ECHO()
    response.MessageIDBeingRespondedTo = request.MessageID
    response.AffectedSOPClassUID = request.AffectedSOPClassUID
    response.Status = SUCCESS
    assert context.context_id is not None
    assoc.dimse.send_msg(response, context.context_id)
