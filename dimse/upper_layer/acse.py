"""Association control on our negotiation tables (PS3.7 D, PS3.8 7.1); release and abort stay pynetdicom's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom._globals import APPLICATION_CONTEXT_NAME
from pynetdicom.acse import ACSE
from pynetdicom.pdu_primitives import A_ASSOCIATE, SOPClassExtendedNegotiation, UserIdentityNegotiation

from dimse.upper_layer.associate_request import AssociateIndication
from dimse.upper_layer.negotiation import negotiate
from dimse.upper_layer.profile import (
    APPLICATION_CONTEXT_NOT_SUPPORTED,
    NO_REASON_GIVEN,
    TEMPORARY_CONGESTION,
    Rejection,
)

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
        outcome = negotiate(assoc.profile.contexts, request.proposals, request.roles)
        assoc._accepted_cx, assoc._rejected_cx = outcome.accepted, outcome.rejected
        assoc.role_answers = outcome.role_answers
        self.send_accept()
        evt.trigger(assoc, evt.EVT_ACCEPTED, {})
        assoc.is_established = True
        evt.trigger(assoc, evt.EVT_ESTABLISHED, {})

    def _judge(self, request: AssociateIndication) -> Rejection | None:
        if request.application_context != APPLICATION_CONTEXT_NAME:
            return APPLICATION_CONTEXT_NOT_SUPPORTED
        if 0 < (self.requestor.maximum_length or 0) < SMALLEST_PDU:
            return NO_REASON_GIVEN
        admit = self._lean.profile.admit
        try:
            return admit(self._lean) if admit else None
        except Exception:
            log.exception("association not judged", extra=self._lean.log_fields)
            return TEMPORARY_CONGESTION

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
            answer = self._extended_answer(str(sop_class_uid), asked or b"")
            if answer is None:
                continue
            self._lean.extended_answers[str(sop_class_uid)] = answer
            item = SOPClassExtendedNegotiation()
            item.sop_class_uid = sop_class_uid
            item.service_class_application_information = answer
            self.acceptor.add_negotiation_item(item)

    def _extended_answer(self, sop_class_uid: str, asked: bytes) -> bytes | None:
        hook = self._lean.profile.extended.get(sop_class_uid)
        try:
            return hook(asked) if hook else None
        except Exception:
            log.exception("extended negotiation not answered", extra=self._lean.log_fields)
            return None

    def send_accept(self) -> None:
        """An accept without contexts and roles: the upper layer puts them in as it sends (complete_accept)."""
        request = cast(A_ASSOCIATE, self.requestor.primitive)
        primitive = A_ASSOCIATE()
        primitive.application_context_name = UID(APPLICATION_CONTEXT_NAME)
        primitive.calling_ae_title = request.calling_ae_title
        primitive.called_ae_title = request.called_ae_title
        primitive.result, primitive.result_source = 0x00, 0x01
        primitive.user_information = self.acceptor.user_information
        self.acceptor.primitive = primitive
        self.dul.send_pdu(primitive)
