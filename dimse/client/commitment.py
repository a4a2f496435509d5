"""Storage commitment on associations of ours: results that we report, and requests that we make (PS3.4 J.3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pynetdicom.presentation import PresentationContext

from dimse.commitment import report_on
from dimse.models import STORAGE_COMMITMENT
from dimse.scu import Destination
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.request import ProposedContext, ProposedRole, open_association
from vna.model.access import Peer
from vna.model.commitments import Outcome
from vna.model.errors import Rejected
from vna.model.transfer_syntaxes import EXPLICIT_LE, IMPLICIT_LE

_CONTEXTS: Final = (ProposedContext(STORAGE_COMMITMENT, (EXPLICIT_LE, IMPLICIT_LE)),)
_AS_PROVIDER: Final = (ProposedRole(STORAGE_COMMITMENT, as_scu=False, as_scp=True),)


class ReportSCP:
    """Reports results on new associations, in the role of the provider (PS3.7 D.3.3.4)."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def report(self, peer: Peer, transaction_uid: str, outcomes: tuple[Outcome, ...]) -> None:
        """As `vna.model.commitments.Reporter` says.

        A peer that takes the context without a word on roles is told all the same: some do not negotiate them.
        """
        destination = Destination(peer.host, peer.port, peer.ae_title)
        with association(destination, self._profile, roles=_AS_PROVIDER) as (assoc, context):
            report_on(assoc, context, transaction_uid, outcomes, self._profile.ae_title)


@contextmanager
def association(
    destination: Destination, profile: Profile, *, roles: tuple[ProposedRole, ...] = ()
) -> Iterator[tuple[LeanAssociation, PresentationContext]]:
    """An association for storage commitment, with its one context; released in the end."""
    assoc = open_association(
        destination.host,
        destination.port,
        _CONTEXTS,
        called_ae=destination.ae_title,
        profile=profile,
        roles=roles,
    )
    try:
        contexts = assoc.accepted_contexts
        if not contexts:
            raise Rejected(f"{destination.ae_title} does not take storage commitment")
        yield assoc, contexts[0]
    except BaseException:
        assoc.abort()
        raise
    assoc.release()
