"""Instance Availability Notification as user: N-CREATE (PS3.4 R.3.2.1)."""

from __future__ import annotations

from typing import Any, Final

from pynetdicom.dimse_primitives import N_CREATE

from dimse.client.associated import associated
from dimse.models import AVAILABILITY_NOTIFICATION
from dimse.normalized import Elements, ask, written
from dimse.scu import destination_of
from dimse.status import DUPLICATE_SOP_INSTANCE, SUCCESS
from dimse.upper_layer.profile import Profile
from vna.model.access import Peer
from vna.model.errors import Rejected

_TAKEN: Final = frozenset({SUCCESS, DUPLICATE_SOP_INSTANCE, 0x0107, 0x0116})
"""The second says that it was taken before, the others are warnings (PS3.7 C.4)."""


class NoticeSCU:
    """Tells application entities how instances can be had."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def notify(self, peer: Peer, sop_instance_uid: str, elements: Elements) -> None:
        """As `vna.archive.availability.Notifying` says."""
        request: Any = N_CREATE()
        request.MessageID = 1
        request.AffectedSOPClassUID = AVAILABILITY_NOTIFICATION
        request.AffectedSOPInstanceUID = sop_instance_uid
        with associated(destination_of(peer), self._profile, AVAILABILITY_NOTIFICATION) as (assoc, context):
            request.AttributeList = written(elements, context)
            response = ask(assoc, request, context, self._profile.limits.dimse_timeout)
        if response.Status not in _TAKEN:
            words = f": {response.ErrorComment}" if response.ErrorComment else ""
            raise Rejected(f"{peer.ae_title} answers the notice with status {response.Status:04X}{words}")
