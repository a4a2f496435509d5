"""A server in this process with a store in memory, and a peer that can send any bytes."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.handlers import Sink, StoreAnswer, StoreCommand
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.negotiation import ContextTable, SupportedContext
from dimse.upper_layer.profile import Profile
from vna.model.sop_classes import STORAGE_CLASSES, VERIFICATION
from vna.model.transfer_syntaxes import QUERY_TRANSFER_SYNTAXES, STORAGE_TRANSFER_SYNTAXES

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

QUICK = Limits(closing_timeout=0.5, dimse_timeout=5, send_timeout=5)


class MemorySink:
    def __init__(self) -> None:
        self.data = bytearray()
        self.abandoned = False

    def write(self, piece: memoryview) -> None:
        self.data += piece

    def abandon(self) -> None:
        self.abandoned = True


@dataclass
class MemoryStore:
    """Keeps data sets by SOP Instance UID; `on_begin`, `on_write` and `on_complete` may raise or wait."""

    stored: dict[str, bytes] = field(default_factory=dict)
    commands: list[StoreCommand] = field(default_factory=list)
    sinks: list[MemorySink] = field(default_factory=list)
    refused: list[BaseException] = field(default_factory=list)
    on_begin: Callable[[StoreCommand], None] = lambda _: None
    on_write: Callable[[memoryview], None] = lambda _: None
    on_complete: Callable[[StoreCommand], None] = lambda _: None

    def begin(self, assoc: LeanAssociation, command: StoreCommand) -> Sink:
        self.commands.append(command)
        self.on_begin(command)
        sink = MemorySink()
        self.sinks.append(sink)
        if self.on_write.__name__ != "<lambda>":
            return _Watched(sink, self.on_write)
        return sink

    def complete(self, assoc: LeanAssociation, command: StoreCommand, sink: Sink) -> StoreAnswer:
        self.on_complete(command)
        inner = sink.sink if isinstance(sink, _Watched) else sink
        assert isinstance(inner, MemorySink)
        self.stored[command.sop_instance_uid] = bytes(inner.data)
        return StoreAnswer(0)

    def refuse(self, assoc: LeanAssociation, command: StoreCommand, error: BaseException) -> StoreAnswer:
        self.refused.append(error)
        return StoreAnswer(0xA700, str(error))


class _Watched:
    def __init__(self, sink: MemorySink, on_write: Callable[[memoryview], None]) -> None:
        self.sink = sink
        self.on_write = on_write

    def write(self, piece: memoryview) -> None:
        self.on_write(piece)
        self.sink.write(piece)

    def abandon(self) -> None:
        self.sink.abandon()


def context_table(*, unknown: bool = False) -> ContextTable:
    syntaxes = frozenset(STORAGE_TRANSFER_SYNTAXES)
    contexts = [SupportedContext(uid, syntaxes, requestor_may_be_scp=True) for uid in STORAGE_CLASSES]
    others = (VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_GET)
    contexts += [SupportedContext(uid, frozenset(QUERY_TRANSFER_SYNTAXES)) for uid in others]
    return ContextTable(contexts, STORAGE_TRANSFER_SYNTAXES if unknown else None)


CONTEXTS = context_table()


def profile(store: MemoryStore | None = None, **changes: Any) -> Profile:
    made = Profile("VNA", CONTEXTS, store=store, limits=QUICK)
    return replace(made, **changes)


def eventually(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)


# What a peer sends, encoded by hand (PS3.8 9.3)


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def pdu(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(value)) + value


def pdv(context_id: int, control: int, value: bytes) -> bytes:
    return struct.pack(">LBB", len(value) + 2, context_id, control) + value


def context_item(context_id: int, abstract: str, *syntaxes: str) -> bytes:
    names = item(0x30, abstract.encode()) + b"".join(item(0x40, syntax.encode()) for syntax in syntaxes)
    return item(0x20, bytes([context_id, 0, 0, 0]) + names)


def associate_request(
    *contexts: bytes, max_pdu: int = 16384, user_items: bytes = b"", called: str = "VNA", calling: str = "RAW"
) -> bytes:
    user = item(0x51, struct.pack(">L", max_pdu)) + item(0x52, b"1.2.3.4") + user_items
    fixed = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16).encode(), calling.ljust(16).encode())
    return pdu(0x01, fixed + item(0x10, APPLICATION_CONTEXT.encode()) + b"".join(contexts) + item(0x50, user))


def element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, number, len(value)) + value


def us(value: int) -> bytes:
    return struct.pack("<H", value)


def uid(value: str) -> bytes:
    return value.encode() + b"\0" * (len(value) % 2)


def command_set(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return element(0x0000, struct.pack("<L", len(body))) + body


def store_request(
    message_id: int = 1, instance: str = "1.2.3", sop_class: str = CT, data_set_type: int = 0x0001
) -> bytes:
    return command_set(
        element(0x0002, uid(sop_class)),
        element(0x0100, us(0x0001)),
        element(0x0110, us(message_id)),
        element(0x0700, us(0)),
        element(0x0800, us(data_set_type)),
        element(0x1000, uid(instance)),
    )


def echo_request(message_id: int = 1) -> bytes:
    return command_set(
        element(0x0002, uid(VERIFICATION)),
        element(0x0100, us(0x0030)),
        element(0x0110, us(message_id)),
        element(0x0800, us(0x0101)),
    )


def read_command(encoded: bytes) -> dict[int, bytes]:
    found = {}
    while encoded:
        group, number, length = struct.unpack_from("<HHL", encoded)
        assert group == 0
        found[number] = encoded[8 : 8 + length]
        encoded = encoded[8 + length :]
    return found


STORE_CONTEXTS = (context_item(1, CT, EXPLICIT, IMPLICIT), context_item(3, VERIFICATION, IMPLICIT))

RELEASE_REQUEST = pdu(0x05, bytes(4))
RELEASE_RESPONSE = pdu(0x06, bytes(4))


class RawPeer:
    """A socket that speaks PDUs."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, *encoded: bytes) -> None:
        self.socket.sendall(b"".join(encoded))

    def associate(self, *contexts: bytes, **options: Any) -> bytes:
        """Ask for an association and return what the acceptor answered; it must have accepted."""
        self.send(associate_request(*(contexts or STORE_CONTEXTS), **options))
        kind, value = self.receive()
        assert kind == 0x02, (kind, value)
        return value

    def receive(self) -> tuple[int, bytes]:
        """The next PDU's type and value; (0, b"") when the connection is closed."""
        header = self._exactly(6)
        if len(header) < 6:
            return 0, b""
        kind, length = struct.unpack(">BxL", header)
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            try:
                piece = self.socket.recv(count - len(received))
            except ConnectionError:
                piece = b""
            if not piece:
                break
            received += piece
        return received

    def receive_command(self) -> dict[int, bytes]:
        """The command set in the next PDU, which must be P-DATA-TF with one whole command in it."""
        kind, value = self.receive()
        assert kind == 0x04, (kind, value)
        length, _, control = struct.unpack_from(">LBB", value)
        assert (length + 4, control) == (len(value), 0x03)
        return read_command(value[6:])

    def receive_status(self) -> int:
        return int.from_bytes(self.receive_command()[0x0900], "little")

    def receive_abort(self) -> tuple[int, int]:
        """Source and reason of the A-ABORT that must be next, with the connection closed after it."""
        kind, value = self.receive()
        assert kind == 0x07, (kind, value)
        assert self.receive() == (0, b"")
        return value[2], value[3]

    def store(self, data: bytes = b"data", **fields: Any) -> int:
        self.send(pdu(0x04, pdv(1, 0x03, store_request(**fields)) + pdv(1, 0x02, data)))
        return self.receive_status()

    def echo(self) -> int:
        self.send(pdu(0x04, pdv(3, 0x03, echo_request())))
        return self.receive_status()

    def release(self) -> None:
        self.send(RELEASE_REQUEST)
        assert self.receive() == (0x06, bytes(4))

    def close(self) -> None:
        self.socket.close()


@contextmanager
def raw_peer(port: int) -> Iterator[RawPeer]:
    peer = RawPeer(port)
    try:
        yield peer
    finally:
        peer.close()


def receiver_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("dicom-")]
