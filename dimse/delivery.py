"""One instance over an established association: context chosen, data set streamed, answer judged (PS3.4 B.2)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from dimse.status import SOP_CLASS_NOT_SUPPORTED, SUCCESS, is_warning
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.handlers import StoreAnswer, StoreCommand
from dimse.upper_layer.send import send_store
from vna.model.comments import comment
from vna.model.destination import Item, Sent, Verdict, failed
from vna.model.errors import VnaError
from vna.model.transfer_syntaxes import EXPLICIT_LE, IMPLICIT_LE

log = logging.getLogger(__name__)

FALLBACKS: Final = (EXPLICIT_LE, IMPLICIT_LE)
"""What an instance is transcoded to when its stored syntax is not taken, in order of preference."""

_MOST_MESSAGE_IDS: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Originator:
    """On whose C-MOVE request an instance is sent (PS3.7 9.1.1.1.7, 9.1.1.1.8)."""

    ae_title: str
    message_id: int


class Deliveries:
    """Sends items over one association, on which we are SCU of their SOP Classes."""

    def __init__(self, assoc: LeanAssociation, *, priority: int = 0, originator: Originator | None = None) -> None:
        self._assoc = assoc
        self._priority = priority
        self._originator = originator
        self._message_id = 0
        self._ahead: _Ready | Sent | None = None
        self._contexts: dict[str, dict[str, int]] = {}
        for context in assoc.accepted_contexts:
            if context.as_scu and context.context_id is not None:
                syntaxes = self._contexts.setdefault(str(context.abstract_syntax), {})
                syntaxes.setdefault(str(context.transfer_syntax[0]), context.context_id)

    def deliver(self, item: Item, following: Item | None = None) -> Sent:
        """Send one item; Unavailable when the association is gone and another one may succeed.

        `following` is what will be sent next, if that is known: it is begun to be read while the peer answers.
        """
        ahead, self._ahead = self._ahead, None
        ready = ahead if ahead is not None and ahead.item is item else self._readied(item)
        if isinstance(ready, Sent):
            return ready
        try:
            return self._send(ready, following)
        finally:
            ready.pieces.close()

    def _readied(self, item: Item) -> _Ready | Sent:
        """With its first bytes read; or why it cannot be sent."""
        contexts = self._contexts.get(item.sop_class_uid)
        if not contexts:
            return Sent(item, Verdict.FAILED, SOP_CLASS_NOT_SUPPORTED, "no presentation context for its SOP Class")
        try:
            encoded = item.encode(sorted(contexts, key=_preference))
            syntax = encoded.transfer_syntax_uid
            return _Ready(item, syntax, contexts[syntax], _Pieces(encoded.chunks))
        except VnaError as error:
            return failed(item, error)
        except Exception as error:
            log.exception("instance not readable", extra={"sop_instance_uid": item.sop_instance_uid})
            return failed(item, error)

    def _send(self, ready: _Ready, following: Item | None) -> Sent:
        item, pieces = ready.item, ready.pieces

        def look_ahead() -> None:
            if following is not None:
                self._ahead = self._readied(following)

        try:
            command = self._command(item, ready.transfer_syntax_uid, ready.context_id)
            answer = send_store(self._assoc, command, pieces, look_ahead)
        except Exception:
            if pieces.error is None:
                raise
            log.error("instance broke off", extra={"sop_instance_uid": item.sop_instance_uid}, exc_info=pieces.error)
            return failed(item, pieces.error)
        return _judged(item, answer)

    def _command(self, item: Item, syntax: str, context_id: int) -> StoreCommand:
        self._message_id = self._message_id % _MOST_MESSAGE_IDS + 1
        return StoreCommand(
            message_id=self._message_id,
            context_id=context_id,
            sop_class_uid=item.sop_class_uid,
            sop_instance_uid=item.sop_instance_uid,
            priority=self._priority,
            transfer_syntax_uid=syntax,
            abstract_syntax_uid=item.sop_class_uid,
            move_originator_ae=self._originator.ae_title if self._originator else "",
            move_originator_message_id=self._originator.message_id if self._originator else None,
        )


@dataclass(frozen=True, slots=True)
class _Ready:
    """An item of which the first bytes were read."""

    item: Item
    transfer_syntax_uid: str
    context_id: int
    pieces: _Pieces


class _Pieces:
    """Chunks of which the first is read at once, so that what cannot be read at all costs no association.

    `error` is what reading raised later: that is not the association's fault.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.error: Exception | None = None
        self._chunks = chunks
        try:
            first = [next(chunks)]
        except StopIteration:
            first = []
        self._all = chain(first, chunks)

    def __iter__(self) -> _Pieces:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._all)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise

    def close(self) -> None:
        """Let go of what the chunks are read from."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


def _preference(syntax: str) -> tuple[int, str]:
    return (FALLBACKS.index(syntax) if syntax in FALLBACKS else len(FALLBACKS), syntax)


def _judged(item: Item, answer: StoreAnswer) -> Sent:
    reason = comment(answer.error_comment)
    if answer.status == SUCCESS:
        return Sent(item, Verdict.COMPLETED, answer.status, reason)
    verdict = Verdict.WARNING if is_warning(answer.status) else Verdict.FAILED
    return Sent(item, verdict, answer.status, reason or f"answered with status {answer.status:04X}")
