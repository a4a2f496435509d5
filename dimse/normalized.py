"""Data sets of DIMSE-N messages, and one request of ours with its response (PS3.7 10.1)."""

from __future__ import annotations

import time
from io import BytesIO
from queue import Empty
from typing import Any, Final

from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT, A_RELEASE
from pynetdicom.presentation import PresentationContext

from dimse.answers import dataset_of, with_charset
from dimse.upper_layer.association import LeanAssociation
from storage.limits import Limits
from storage.metadata import scan
from storage.part10 import FileMeta
from vna.model.errors import MissingAttribute, Unavailable
from vna.model.query import Element

Elements = dict[str, Element]

_LIMITS: Final = Limits(max_header_bytes=16 << 20, max_depth=16, max_elements=200_000)
_TICK: Final = 0.25
_PUT_ASIDE: Final = 32
"""Requests of the peer that may wait while we wait for its response."""


def read_elements(encoded: BytesIO | None, syntax: str) -> Elements:
    """The data set of a message."""
    if encoded is None:
        raise MissingAttribute("the request has no attributes")
    return scan(encoded.getvalue(), FileMeta("", "", syntax, 0), _LIMITS).elements


def written(elements: Elements, context: PresentationContext) -> BytesIO:
    """A data set as it goes into a message of this context."""
    syntax = context.transfer_syntax[0]
    ds = with_charset(dataset_of(elements), ())
    return BytesIO(encode(ds, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated) or b"")


def ask(assoc: LeanAssociation, request: Any, context: PresentationContext, seconds: float) -> Any:
    """Send a request; its response. Unavailable when the peer has gone, or does not answer in so many seconds.

    What the peer asks meanwhile waits, and is served afterwards.
    """
    assert context.context_id is not None
    aside: list[Any] = []
    deadline = time.monotonic() + seconds
    with assoc.undisturbed():
        assoc.dimse.send_msg(request, context.context_id)
        try:
            while time.monotonic() < deadline and len(aside) < _PUT_ASIDE and is_open(assoc):
                try:
                    item = assoc.dimse.msg_queue.get(timeout=_TICK)
                except Empty:
                    continue
                message: Any = item[1]
                is_answer = isinstance(message, type(request)) and message.Status is not None
                if is_answer and message.MessageIDBeingRespondedTo == request.MessageID:
                    return message
                aside.append(item)
        finally:
            for item in aside:
                assoc.dimse.msg_queue.put(item)
    raise Unavailable("the peer did not answer")


def is_open(assoc: LeanAssociation) -> bool:
    """Whether the association stands, and its peer has not asked to end it."""
    return assoc.stands() and not isinstance(assoc.dul.peek_next_pdu(), A_RELEASE | A_ABORT | A_P_ABORT)
