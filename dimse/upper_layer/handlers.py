"""What the lean path asks of whoever stores: a sink to write data sets to, and answers (PS3.7 9.1.1, PS3.4 B.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dimse.upper_layer.association import LeanAssociation


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """One C-STORE-RQ (PS3.7 9.3.1.1) and the presentation context it came in.

    UIDs are as received, without padding, and unchecked: they may be empty, malformed or path-like.
    """

    message_id: int
    context_id: int
    sop_class_uid: str
    sop_instance_uid: str
    priority: int
    transfer_syntax_uid: str
    abstract_syntax_uid: str
    move_originator_ae: str = ""
    move_originator_message_id: int | None = None


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """The status of a C-STORE-RSP; the comment is cut to the 64 characters of an LO (PS3.7 9.3.1.2)."""

    status: int
    error_comment: str = ""


class Sink(Protocol):
    """Takes the encoded data set of one message."""

    def write(self, piece: memoryview) -> None:
        """Take the next bytes. The memory is reused as soon as this returns: copy what must be kept.

        Raising ends the sink (abandon() follows); the association lives on and the error is answered.
        """

    def abandon(self) -> None:
        """Throw away what was written: the message will not be completed."""


class StoreHandler(Protocol):
    """Stores instances. Called in the association's own receiving thread, one message at a time."""

    def begin(self, assoc: LeanAssociation, command: StoreCommand) -> Sink:
        """Open a sink before the first byte; raising refuses the instance, and its data set is read and dropped."""

    def complete(self, assoc: LeanAssociation, command: StoreCommand, sink: Sink) -> StoreAnswer:
        """Store what was written. The sink belongs to the handler from here on, also when this raises."""

    def refuse(self, assoc: LeanAssociation, command: StoreCommand, error: BaseException) -> StoreAnswer:
        """The answer when begin(), write() or complete() raised; an error that is no VnaError has been logged."""
