"""An association of ours for the services of one SOP Class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pynetdicom.presentation import PresentationContext

from dimse.scu import Destination, opened
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.request import ProposedContext, ProposedRole
from vna.model.errors import Rejected
from vna.model.transfer_syntaxes import EXPLICIT_LE, IMPLICIT_LE


@contextmanager
def associated(
    destination: Destination, profile: Profile, sop_class_uid: str, *, roles: tuple[ProposedRole, ...] = ()
) -> Iterator[tuple[LeanAssociation, PresentationContext]]:
    """The association with its one context; released in the end, aborted when the block raises."""
    assoc = opened(destination, profile, (ProposedContext(sop_class_uid, (EXPLICIT_LE, IMPLICIT_LE)),), roles)
    try:
        contexts = assoc.accepted_contexts
        if not contexts:
            raise Rejected(f"{destination.ae_title} does not offer the SOP Class {sop_class_uid}")
        yield assoc, contexts[0]
    except BaseException:
        assoc.abort()
        raise
    if assoc.stands():
        assoc.release()
