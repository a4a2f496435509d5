"""PDUs by hand, for requests that no library would send (PS3.8 9.3)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conformance.suite.dicom import IMPLICIT, VERIFICATION

if TYPE_CHECKING:
    from conformance.suite.session import Session

NAMES: Final = {
    0x01: "A-ASSOCIATE-RQ",
    0x02: "A-ASSOCIATE-AC",
    0x03: "A-ASSOCIATE-RJ",
    0x04: "P-DATA-TF",
    0x05: "A-RELEASE-RQ",
    0x06: "A-RELEASE-RP",
    0x07: "A-ABORT",
}
ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RP, ABORT = 0x02, 0x03, 0x04, 0x06, 0x07
APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
_IMPLEMENTATION: Final = "1.2.826.0.1.3680043.10.1561.9"


@dataclass(frozen=True, slots=True)
class Pdu:
    """What came; `kind` is 0 when the connection was closed, -1 when nothing came in time."""

    kind: int
    body: bytes = b""

    @property
    def name(self) -> str:
        """As the standard calls it."""
        if self.kind in NAMES:
            return NAMES[self.kind]
        return {0: "the end of the connection", -1: "nothing in time"}.get(self.kind, f"a PDU of type {self.kind:02X}H")


def pdu(kind: int, body: bytes) -> bytes:
    """One PDU."""
    return struct.pack(">BBI", kind, 0, len(body)) + body


def item(kind: int, body: bytes) -> bytes:
    """One item or sub-item of an association request."""
    return struct.pack(">BBH", kind, 0, len(body)) + body


def request(
    session: Session,
    *,
    version: int = 1,
    application_context: str = APPLICATION_CONTEXT,
    contexts: Sequence[tuple[int, str, str]] = ((1, VERIFICATION, IMPLICIT),),
    max_length: int = 16_384,
    more: bytes = b"",
    more_user_information: bytes = b"",
) -> bytes:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2); `more` are items, `more_user_information` sub-items beside the usual ones."""
    target = session.targets.dimse
    assert target is not None
    titles = target.ae_title.encode().ljust(16) + session.caller.ae_title.encode().ljust(16)
    user = item(0x51, struct.pack(">I", max_length)) + item(0x52, _IMPLEMENTATION.encode()) + more_user_information
    proposed = b"".join(
        item(0x20, bytes([number, 0, 0, 0]) + item(0x30, abstract.encode()) + item(0x40, syntax.encode()))
        for number, abstract, syntax in contexts
    )
    variable = item(0x10, application_context.encode()) + proposed + item(0x50, user) + more
    return pdu(0x01, struct.pack(">HH", version, 0) + titles + bytes(32) + variable)


class Line:
    """A connection on which PDUs are sent and read, each of them evidence."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._socket = session.dicom.socket()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Bytes, whatever they are."""
        self._session.evidence.sent(NAMES.get(data[0], f"a PDU of type {data[0]:02X}H") if data else "nothing", data)
        try:
            self._socket.sendall(data)
        except OSError:
            self._session.evidence.note("The connection was closed while it was sent")

    def read(self, seconds: float = 0) -> Pdu:
        """The next PDU."""
        self._socket.settimeout(seconds or self._session.caller.timeout)
        came = self._read()
        self._session.evidence.came(came.name, came.body)
        return came

    def _read(self) -> Pdu:
        try:
            head = self._exactly(6)
            if len(head) < 6:
                return Pdu(0)
            kind, _, length = struct.unpack(">BBI", head)
            return Pdu(kind, self._exactly(min(length, 1 << 20)))
        except TimeoutError:
            return Pdu(-1)
        except OSError:
            return Pdu(0)

    def _exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            piece = self._socket.recv(count - len(got))
            if not piece:
                return got
            got += piece
        return got


def items(body: bytes, skip: int) -> list[tuple[int, bytes]]:
    """Items of an A-ASSOCIATE body after `skip` bytes, or sub-items of one."""
    found, at = [], skip
    while at + 4 <= len(body):
        kind, _, length = struct.unpack_from(">BBH", body, at)
        found.append((kind, body[at + 4 : at + 4 + length]))
        at += 4 + length
    return found


def accepted(body: bytes) -> dict[int, tuple[int, list[str]]]:
    """Of an A-ASSOCIATE-AC: result and transfer syntaxes by presentation context ID (PS3.8 9.3.3.2)."""
    found = {}
    for kind, content in items(body, 68):
        if kind == 0x21:
            syntaxes = [sub.decode("ascii", "replace") for one, sub in items(content, 4) if one == 0x40]
            found[content[0]] = (content[2], syntaxes)
    return found


def user_information(body: bytes) -> dict[int, bytes]:
    """Of an A-ASSOCIATE-AC: sub-items by their type (PS3.8 9.3.3.3)."""
    return {sub: content for kind, user in items(body, 68) if kind == 0x50 for sub, content in items(user, 0)}
