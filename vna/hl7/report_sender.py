"""Reports sent over MLLP to the system of the facility that ordered."""

import re
import ssl
import time
from datetime import datetime
from pathlib import Path
from typing import Final

from vna.hl7.acknowledgment import Code
from vna.hl7.client import Answer, Sender
from vna.hl7.oru_r01_writing import Envelope, message
from vna.model.errors import Rejected, Unavailable, VnaError
from vna.model.message_charsets import UNDECLARED, codec_of
from vna.model.orders import Order
from vna.model.profile import Profile
from vna.model.reports import Report
from vna.model.sources import Source
from vna.security.tls import client_context

_ANSWER_SECONDS: Final = 30.0
_LEFT_ALONE_SECONDS: Final = 30.0
"""A receiver that did not answer is not tried again for so long, so that a thousand reports do not wait for it one
after the other."""

_NUMBERS: Final = re.compile(r"\d{5,}")
_WORDS: Final = 200


class ReportSender:
    """A connection each report: they are few, and a receiver may be away for days between two."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._silent: dict[str, float] = {}

    def send(self, receiver: Source, message_id: str, order: Order, report: Report) -> None:
        """Returns when the receiver has taken it; Rejected for AE, Unavailable for AR or no answer."""
        if time.monotonic() < self._silent.get(receiver.name, 0.0):
            raise Unavailable(f"{receiver.name} did not answer a moment ago")
        data = message(self._envelope(receiver, message_id), order, report)
        spoken = receiver.messages
        try:
            with Sender(spoken.host, spoken.port, tls=_tls(receiver), timeout=_ANSWER_SECONDS) as sender:
                answer = sender.send(data)
        except VnaError as exc:
            self._silent[receiver.name] = time.monotonic() + _LEFT_ALONE_SECONDS
            raise Unavailable(f"{receiver.name}: {exc}") from exc
        if answer.code in (Code.ERROR.value, "CE"):
            raise Rejected(_told(receiver, answer))
        if not answer.accepted or answer.control_id not in ("", message_id):
            raise Unavailable(_told(receiver, answer))

    def _envelope(self, receiver: Source, message_id: str) -> Envelope:
        hl7 = self._profile.hl7
        declared = receiver.messages.character_set
        return Envelope(
            sender=(hl7.receiving_application, hl7.receiving_facility),
            receiver=(receiver.application, receiver.sending_facility or receiver.facility),
            at=datetime.now(self._profile.zone),
            message_id=message_id,
            codec=codec_of([declared]) or UNDECLARED if declared else UNDECLARED,
            character_set=declared or "UTF8",
        )


def _told(receiver: Source, answer: Answer) -> str:
    """For who looks at jobs: without numbers, which may be those of people."""
    words = _NUMBERS.sub("...", answer.words)[:_WORDS]
    return f"{receiver.name} answers {answer.code or 'no code'}: {words}"


def _tls(receiver: Source) -> ssl.SSLContext | None:
    if not receiver.messages.tls:
        return None
    files = (receiver.archive.tls_ca, receiver.archive.tls_certificate, receiver.archive.tls_key)
    return client_context(*(Path(name) if name else None for name in files))
