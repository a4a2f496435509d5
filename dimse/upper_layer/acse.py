"""Association control on our negotiation tables (PS3.7 D, PS3.8 7.1); release and abort stay pynetdicom's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from pynetdicom import evt
from pynetdicom._globals import APPLICATION_CONTEXT_NAME
from pynetdicom.acse import ACSE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation, UserIdentityNegotiation

from dimse.upper_layer.associate_pdu import AssociateIndication
from dimse.upper_layer.negotiation import negotiate
from dimse.upper_layer.profile import APPLICATION_CONTEXT_NOT_SUPPORTED, NO_REASON_GIVEN, Rejection

if TYPE_CHECKING:
    from dimse.upper_layer.association import LeanAssociation

log = logging.getLogger(__name__)

SMALLEST_PDU = 128
"""A peer that takes less cannot be sent a command set in reasonable pieces."""


class LeanACSE(ACSE):
    """Negotiates as acceptor by a Profile."""

    def __init__(self, assoc: LeanAssociation) -> None:
        super().__init__(assoc)
        self._lean = assoc

    def _negotiate_as_acceptor(self) -> None:
        assoc = self._lean
        request = cast(AssociateIndication, self.requestor.primitive)
        self.requestor.ae_title = request.calling_ae_title
        rejection = self._judge(request)
        if rejection is not None:
            log.info("association rejected", extra={"reason": str(rejection), **assoc.log_fields})
            self.send_reject(rejection.result, rejection.source, rejection.reason)
            evt.trigger(assoc, evt.EVT_REJECTED, {})
            assoc.kill()
            return
        self._answer_user_identity()
        self._answer_extended_negotiation()
        self._negotiate_contexts(request)
        self.send_accept()
        evt.trigger(assoc, evt.EVT_ACCEPTED, {})
        assoc.is_established = True
        evt.trigger(assoc, evt.EVT_ESTABLISHED, {})

    def _judge(self, request: AssociateIndication) -> Rejection | None:
        if request.application_context_name != APPLICATION_CONTEXT_NAME:
            return APPLICATION_CONTEXT_NOT_SUPPORTED
        if 0 < (self.requestor.maximum_length or 0) < SMALLEST_PDU:
            return NO_REASON_GIVEN
        admit = self._lean.profile.admit
        return admit(self._lean) if admit else None

    def _answer_user_identity(self) -> None:
        """A positive response is empty for a user name, with or without passcode (PS3.7 D.3.3.7.2)."""
        asked = self.requestor.user_identity
        if asked is None or not asked.positive_response_requested:
            return
        response = b"" if asked.user_identity_type in (1, 2) else self._lean.identity_response
        if response is None:
            return
        answer = UserIdentityNegotiation()
        answer.server_response = response
        self.acceptor.add_negotiation_item(answer)

    def _answer_extended_negotiation(self) -> None:
        for sop_class_uid, asked in self.requestor.sop_class_extended.items():
            hook = self._lean.profile.extended.get(str(sop_class_uid))
            answer = hook(asked or b"") if hook else None
            if answer is None:
                continue
            self._lean.extended_answers[str(sop_class_uid)] = answer
            item = SOPClassExtendedNegotiation()
            item.sop_class_uid = sop_class_uid
            item.service_class_application_information = answer
            self.acceptor.add_negotiation_item(item)

    def _negotiate_contexts(self, request: AssociateIndication) -> None:
        roles = {
            str(uid): (bool(item.scu_role), bool(item.scp_role)) for uid, item in self.requestor.role_selection.items()
        }
        outcome = negotiate(self._lean.profile.contexts, request.proposals, roles)
        self._lean._accepted_cx = outcome.accepted
        self._lean._rejected_cx = outcome.rejected
        for answer in outcome.role_answers:
            self.acceptor.add_negotiation_item(answer)
