"""Storage commitment on associations of ours: results that we report, and requests that we make (PS3.4 J.3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from pynetdicom.dimse_primitives import N_ACTION

from dimse.client.associated import associated
from dimse.commitment import PUSH_MODEL_INSTANCE, REQUEST_COMMITMENT, CommitmentProvider, report_on
from dimse.models import STORAGE_COMMITMENT
from dimse.normalized import ask, written
from dimse.scu import Destination, destination_of
from dimse.status import SUCCESS
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.request import ProposedRole
from vna.archive.commitment import Commitments
from vna.archive.commitment_elements import request_elements
from vna.model.access import Action, Actor, ActorKind, Peer
from vna.model.commitments import Outcome, Referenced
from vna.model.errors import Rejected

_LOOK_SECONDS: Final = 0.2
_AS_PROVIDER: Final = (ProposedRole(STORAGE_COMMITMENT, as_scu=False, as_scp=True),)


class ReportSCP:
    """Reports results on new associations, in the role of the provider (PS3.7 D.3.3.4)."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def report(self, peer: Peer, transaction_uid: str, outcomes: tuple[Outcome, ...]) -> None:
        """As `vna.model.commitments.Reporter` says.

        A peer that takes the context without a word on roles is told all the same: some do not negotiate them.
        """
        with associated(destination_of(peer), self._profile, STORAGE_COMMITMENT, roles=_AS_PROVIDER) as (
            assoc,
            context,
        ):
            report_on(assoc, context, transaction_uid, outcomes, self._profile.ae_title)


class CommitmentSCU:
    """Asks one application entity to keep what it was sent, and stays for the answer."""

    def __init__(self, destination: Destination, profile: Profile, requests: Commitments) -> None:
        peer = Actor(ActorKind.AE, destination.ae_title, frozenset({Action.ECHO}))
        provider = CommitmentProvider(requests, profile.ae_title, 0.0, lambda _assoc: peer)
        self._destination = destination
        self._profile = replace(profile, services={STORAGE_COMMITMENT: provider.serve})

    def request(
        self, transaction_uid: str, asked: Sequence[Referenced], *, is_known: Callable[[], bool], seconds: float
    ) -> None:
        """N-ACTION (PS3.4 J.3.2.1.2), then wait until the result is known or the peer has gone, at most so long.

        The result may come on this association, or to the archive's own door on another one. Rejected says with which
        status the request was refused.
        """
        message: Any = N_ACTION()
        message.MessageID = 1
        message.RequestedSOPClassUID = STORAGE_COMMITMENT
        message.RequestedSOPInstanceUID = PUSH_MODEL_INSTANCE
        message.ActionTypeID = REQUEST_COMMITMENT
        with associated(self._destination, self._profile, STORAGE_COMMITMENT) as (assoc, context):
            message.ActionInformation = written(request_elements(transaction_uid, asked), context)
            response = ask(assoc, message, context, self._profile.limits.dimse_timeout)
            if response.Status != SUCCESS:
                words = f": {response.ErrorComment}" if response.ErrorComment else ""
                raise Rejected(f"storage commitment was refused with status {response.Status:04X}{words}")
            ends = time.monotonic() + seconds
            while time.monotonic() < ends and not is_known() and assoc.stands():
                assoc.dul.closed.wait(_LOOK_SECONDS)
        while time.monotonic() < ends and not is_known():
            time.sleep(_LOOK_SECONDS)
