"""Associations that we request, to send on."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation, UserIdentityNegotiation
from pynetdicom.presentation import PresentationContext

from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.handlers import StoreHandler
from dimse.upper_layer.negotiation import MOST_CONTEXTS
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.secure import Tls
from dimse.upper_layer.server import application_entity
from dimse.upper_layer.sockets import LeanSocket, address_information
from vna.model.errors import BadRequest, NotAuthorized, Unavailable


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context to propose; context IDs follow the order of the list: 1, 3, 5 ..."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProposedRole:
    """Roles we ask for in a SOP Class other than SCU only (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    as_scu: bool
    as_scp: bool


def open_association(
    host: str,
    port: int,
    contexts: Sequence[ProposedContext],
    *,
    called_ae: str,
    profile: Profile,
    roles: Sequence[ProposedRole] = (),
    user_identity: UserIdentityNegotiation | None = None,
    tls: ssl.SSLContext | None = None,
    accepts: Callable[[bytes], bool] | None = None,
    store: StoreHandler | None = None,
) -> LeanAssociation:
    """Associate as `profile.ae_title`; `store` takes what a C-GET of ours brings, `accepts` judges the certificate
    that the peer shows.

    Unavailable when there is no connection or no answer, NotAuthorized when the peer rejects permanently.
    The caller ends it with release() or abort().
    """
    if not 0 < len(contexts) <= MOST_CONTEXTS:
        raise BadRequest(f"an association takes 1 to {MOST_CONTEXTS} presentation contexts, not {len(contexts)}")
    address = resolve(host, port)
    assoc = LeanAssociation(application_entity(profile), "requestor", profile, store)
    if tls is not None:
        assoc.tls = Tls(tls, host) if accepts is None else Tls(tls, host, accepts)
    assoc.acceptor.ae_title = called_ae
    assoc.acceptor.address_info = address_information(address)
    configure_requestor(assoc)
    for role in roles:
        assoc.requestor.add_negotiation_item(role_item(role))
    if user_identity is not None:
        assoc.requestor.add_negotiation_item(user_identity)
    assoc.requestor.requested_contexts = [context_item(number, item) for number, item in enumerate(contexts)]
    assoc.request()
    if not assoc.is_established:
        assoc.kill()
        raise refusal(assoc)
    assoc.start()
    return assoc


def configure_requestor(assoc: LeanAssociation) -> None:
    profile = assoc.profile
    requestor = assoc.requestor
    requestor.ae_title = profile.ae_title
    requestor.address_info = address_information(("", 0))  # known when connected
    requestor.maximum_length = profile.limits.max_pdu
    requestor.implementation_class_uid = UID(profile.implementation_class_uid)
    requestor.implementation_version_name = profile.implementation_version_name
    assoc.set_socket(LeanSocket(assoc))


def resolve(host: str, port: int) -> tuple[str, int]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"no address for {host}") from error
    address = found[0][4]
    return str(address[0]), int(address[1])


def context_item(number: int, proposed: ProposedContext) -> PresentationContext:
    context = PresentationContext()
    context.context_id = 2 * number + 1
    context.abstract_syntax = UID(proposed.abstract_syntax)
    context._transfer_syntax = [UID(uid) for uid in proposed.transfer_syntaxes]
    return context


def role_item(role: ProposedRole) -> SCP_SCU_RoleSelectionNegotiation:
    item = SCP_SCU_RoleSelectionNegotiation()
    item.sop_class_uid = UID(role.sop_class_uid)
    item.scu_role, item.scp_role = role.as_scu, role.as_scp
    return item


def refusal(assoc: LeanAssociation) -> Unavailable | NotAuthorized:
    answer = assoc.acceptor.primitive
    if isinstance(answer, A_ASSOCIATE) and answer.result:
        reason = f"the peer rejects the association: {answer.reason_str}"
        return NotAuthorized(reason) if answer.result == 1 else Unavailable(reason)
    if isinstance(answer, A_ASSOCIATE):
        return Unavailable("the peer takes the association and none of its presentation contexts")
    if assoc.dul.was_connected:
        return Unavailable("the peer does not take the association; is it a DICOM port?")
    return Unavailable(assoc.connection_error or "no connection to the peer")
