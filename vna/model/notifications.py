"""Notifying the payer of an examination: what is told, what comes back, and how far it is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from vna.model.orders import Order, OrderKey


class NotificationState(StrEnum):
    """`sending` was said before the payer was asked: if nobody knows more, it may have arrived."""

    WAITING = "waiting"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Notification:
    """What the payer was told of an order, the newest attempt. `round` counts how often it was told anew;
    `last_sent_at` is UTC."""

    key: OrderKey
    state: NotificationState = NotificationState.WAITING
    attempts: int = 0
    last_sent_at: str = ""
    response_code: str = ""
    response_message: str = ""
    round: int = 1


@dataclass(frozen=True, slots=True)
class Notice:
    """What the payer is told. `facility_code` is the payer's own code of the facility; `accession_number` stands only
    where it has to be told; `reference` is ours, and the same however often one notice is sent."""

    order: Order
    facility_code: str
    accession_number: str
    reference: str
    performed_at: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the payer said; no repetition changes a refusal."""

    accepted: bool
    code: str = ""
    message: str = ""


class Payer(Protocol):
    """Where notices go. Unavailable when nobody answers, or with something that is no answer."""

    def tell(self, notice: Notice) -> Answer:
        """Send it."""
        ...

    def known(self, notice: Notice) -> Answer | None:
        """What was said to an earlier attempt, where the payer has it; None when it did not arrive."""
        ...
