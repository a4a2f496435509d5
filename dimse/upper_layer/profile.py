"""What an application entity offers to those who associate with it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pynetdicom.presentation import PresentationContext

from dimse.upper_layer.handlers import StoreHandler
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.negotiation import ContextTable

if TYPE_CHECKING:
    from dimse.upper_layer.association import LeanAssociation


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""

    result: int
    source: int
    reason: int


CALLING_AE_NOT_RECOGNIZED: Final = Rejection(1, 1, 3)
CALLED_AE_NOT_RECOGNIZED: Final = Rejection(1, 1, 7)
APPLICATION_CONTEXT_NOT_SUPPORTED: Final = Rejection(1, 1, 2)
NO_REASON_GIVEN: Final = Rejection(1, 1, 1)
USER_IDENTITY_REFUSED: Final = Rejection(1, 2, 1)
TEMPORARY_CONGESTION: Final = Rejection(2, 3, 1)
LOCAL_LIMIT_EXCEEDED: Final = Rejection(2, 3, 2)

Service = Callable[["LeanAssociation", Any, PresentationContext], None]
"""Serves one request: association, pynetdicom's DIMSE primitive, the context it came in."""

Admit = Callable[["LeanAssociation"], Rejection | None]
"""Looks at assoc.requestor (AE title, address, user identity), assoc.called_ae and assoc.peer_certificate.

It may leave who was recognised in assoc.actor, and a positive response to a user identity in assoc.identity_response.
"""

ExtendedNegotiation = Callable[[bytes], bytes | None]
"""Service Class Application Information as asked for, to what we answer (PS3.7 D.3.3.5); None: no answer."""

Secure = Callable[[bool], ssl.SSLContext]
"""TLS for associations that we request; the argument says whether the certificate has to be for the name that we
call."""

EventHandler = tuple[Any, ...]
"""pynetdicom's (event, handler) or (event, handler, arguments)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Read-only, and shared by every association of a server."""

    ae_title: str
    contexts: ContextTable
    store: StoreHandler | None = None
    services: Mapping[str, Service] = field(default_factory=dict)
    event_handlers: Sequence[EventHandler] = ()
    admit: Admit | None = None
    extended: Mapping[str, ExtendedNegotiation] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    calling: Secure | None = None
    implementation_class_uid: str = "2.25.170790316983496353971419150695322508764"
    implementation_version_name: str = "VNA"
