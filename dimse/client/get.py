"""C-GET as user: instances stream to whoever reads them, over the association that asked (PS3.4 C.4.3)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from pynetdicom.dimse_primitives import C_GET

from dimse.client import identifier
from dimse.client.channel import MOST_SECONDS, Begins, Breaks, Channel, Ends
from dimse.client.exchange import PENDING
from dimse.client.move import failed_uids
from dimse.client.offers import retrieving
from dimse.client.peer import Line, Peer
from dimse.client.statuses import require_success
from dimse.priority import value_of
from dimse.status import PROCESSING_FAILURE, SUCCESS
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.handlers import StoreAnswer, StoreCommand
from storage.part10 import write_file_meta
from vna.archive.arriving import Answer
from vna.model.comments import reason_of
from vna.model.errors import TooLarge, Unavailable
from vna.model.priority import Priority
from vna.model.sources import Fetched, StudyPart
from vna.pacing import Pace

STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
_TICK: Final = 0.25


class GetSCU:
    """Fetches from one archive. The sender is told that an instance has arrived when the next one is asked for."""

    by_name = False

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def verify(self) -> None:
        """That it offers C-GET, and sends in the association: nothing is fetched."""
        with self._peer.line(retrieving(STUDY_ROOT_GET, ())) as line:
            line.exchange.context(STUDY_ROOT_GET)

    def fetch(self, part: StudyPart) -> Iterator[Fetched]:
        """Instances as they come. A sender that says it could not send some is Unavailable, after the others."""
        request: Any = C_GET()
        request.AffectedSOPClassUID = STUDY_ROOT_GET
        request.Priority = value_of(part.priority)
        request.Identifier = BytesIO(identifier.naming(part))
        answer = Answer(self._peer.name, part, self._peer.bounds)
        coming = _Coming(self._peer.pace, part.priority, self._peer.bounds.instance_bytes)
        offer = retrieving(STUDY_ROOT_GET, part.sop_class_uids)
        try:
            with self._peer.line(offer, coming, priority=part.priority) as line:
                line.assoc.on_wake = coming.channel.poke
                with line.assoc.undisturbed():
                    line.exchange.send(request, STUDY_ROOT_GET)
                    last = yield from self._instances(line, request, coming.channel, answer)
        finally:
            coming.channel.close()
        require_success(self._peer.name, "C-GET", last)
        failed = last.NumberOfFailedSuboperations or 0
        if failed and not part.sop_instance_uids:
            among = "".join(f", among them {uid}" for uid in failed_uids(self._peer.name, last)[:1])
            raise Unavailable(f"{self._peer.name} could not send {failed} instances{among}")
        answer.finish()

    def _instances(self, line: Line, request: Any, channel: Channel, answer: Answer) -> Any:
        """Yields them; returns the last response."""
        count, deadline = 0, time.monotonic() + self._peer.bounds.wait_seconds
        patience = _TICK
        while True:
            event = channel.get(patience)
            patience = _TICK
            if isinstance(event, Begins):
                reading = _Reading(self._peer, line, channel, event.command)
                yield answer.take(reading.chunks())
                reading.drain()
                count, deadline = channel.count, time.monotonic() + self._peer.bounds.wait_seconds
                continue
            response = line.exchange.waiting(request, 0)
            if response is not None:
                if response.Status not in PENDING:
                    return response
                patience = 0.0  # another response may be there, and nobody pokes for it again
                deadline = time.monotonic() + self._peer.bounds.wait_seconds
            elif not line.assoc.stands() and event is None:
                raise Unavailable(f"{self._peer.name} ended the association before everything had come")
            elif channel.count != count:
                count, deadline = channel.count, time.monotonic() + self._peer.bounds.wait_seconds
            elif time.monotonic() > deadline:
                raise Unavailable(f"{self._peer.name} does not answer in time")


class _Reading:
    """One instance out of the channel, as a Part 10 file."""

    def __init__(self, peer: Peer, line: Line, channel: Channel, command: StoreCommand) -> None:
        self._peer = peer
        self._line = line
        self._channel = channel
        self._command = command
        self._ended: Ends | None = None

    def chunks(self) -> Iterator[bytes]:
        """File Meta Information, and the data set as it comes."""
        said = self._command
        yield write_file_meta(said.sop_class_uid, said.sop_instance_uid, said.transfer_syntax_uid)
        yield from self._data_set()

    def _data_set(self) -> Iterator[bytes]:
        deadline = time.monotonic() + self._peer.bounds.wait_seconds
        while self._ended is None:
            event = self._channel.get(_TICK)
            if isinstance(event, bytes):
                deadline = time.monotonic() + self._peer.bounds.wait_seconds
                yield event
            elif isinstance(event, Ends):
                self._ended = event
            elif isinstance(event, Breaks) or (event is None and not self._line.assoc.stands()):
                raise Unavailable(f"{self._peer.name} ended the association in the middle of an instance")
            elif time.monotonic() > deadline:
                raise Unavailable(f"{self._peer.name} stalls in the middle of an instance")

    def drain(self) -> None:
        """The reader has what it wants: the rest of it, and the word to the sender."""
        for _ in self._data_set():
            pass
        assert self._ended is not None
        self._ended.taken.set()


class _Coming:
    """The store handler of a C-GET: puts what comes into a channel."""

    def __init__(self, pace: Pace, priority: Priority, most: int) -> None:
        self.channel = Channel()
        self._pace = pace
        self._priority = priority
        self._most = most

    def begin(self, _assoc: LeanAssociation, command: StoreCommand) -> _Sink:
        """Open the sink of one instance."""
        self.channel.put(Begins(command))
        return _Sink(self.channel, self._pace, self._priority, self._most)

    def complete(self, _assoc: LeanAssociation, _command: StoreCommand, sink: Any) -> StoreAnswer:
        """Wait until the reader has taken it."""
        sink.flush()
        ends = Ends()
        self.channel.put(ends)
        if not ends.taken.wait(MOST_SECONDS) or self.channel.is_closed:
            raise Unavailable("nobody takes what was asked for")
        return StoreAnswer(SUCCESS)

    def refuse(self, _assoc: LeanAssociation, _command: StoreCommand, error: BaseException) -> StoreAnswer:
        """Say why it was not taken."""
        return StoreAnswer(PROCESSING_FAILURE, reason_of(error))


class _Sink:
    _PIECE = 128 << 10

    def __init__(self, channel: Channel, pace: Pace, priority: Priority, most: int) -> None:
        self._channel = channel
        self._pace = pace
        self._priority = priority
        self._most = most
        self._size = 0
        self._gathered = bytearray()

    def write(self, piece: memoryview) -> None:
        """Pass it on, in pieces worth a change of threads."""
        self._size += len(piece)
        if self._size > self._most:
            raise TooLarge(f"larger than {self._most} bytes")
        self._pace.take(len(piece), self._priority)
        self._gathered += piece
        if len(self._gathered) >= self._PIECE:
            self.flush()

    def flush(self) -> None:
        if self._gathered:
            self._channel.put(bytes(self._gathered))
            self._gathered = bytearray()

    def abandon(self) -> None:
        """It will not be completed."""
        if not self._channel.is_closed:
            self._channel.put(Breaks())
