"""pynetdicom as the peer: a requestor of C-GET and C-MOVE, and a destination that does what a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, build_role, evt

PATIENT_ROOT, STUDY_ROOT, PATIENT_STUDY_ONLY = (f"1.2.840.10008.5.1.4.1.2.{number}" for number in (1, 2, 3))
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT, IMPLICIT, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.5"


def identifier(**elements: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


@dataclass
class Received:
    """An instance as a peer got it."""

    sop_instance_uid: str
    transfer_syntax_uid: str
    data: bytes
    originator: tuple[str | None, int | None] = (None, None)
    association: int = 0


@dataclass
class Answers:
    """All responses to one request."""

    statuses: list[Dataset] = field(default_factory=list)
    last_identifier: Dataset | None = None
    received: list[Received] = field(default_factory=list)

    @property
    def final(self) -> Dataset:
        return self.statuses[-1]

    @property
    def status(self) -> int:
        return int(self.final.Status)

    @property
    def comment(self) -> str:
        return str(self.final.get("ErrorComment", ""))

    @property
    def counts(self) -> tuple[int | None, ...]:
        """Remaining, completed, failed, warning; None for those that the last response does not have."""
        names = ("Remaining", "Completed", "Failed", "Warning")
        return tuple(self.final.get(f"NumberOf{name}Suboperations") for name in names)

    @property
    def failed(self) -> list[str]:
        if self.last_identifier is None or "FailedSOPInstanceUIDList" not in self.last_identifier:
            return []
        value = self.last_identifier.FailedSOPInstanceUIDList
        return [value] if isinstance(value, str) else list(value)

    @property
    def uids(self) -> set[str]:
        return {one.sop_instance_uid for one in self.received}


def received_of(event: evt.Event) -> Received:
    request: Any = event.request
    return Received(
        str(request.AffectedSOPInstanceUID),
        str(event.context.transfer_syntax),
        event.encoded_dataset(include_meta=False),
        (request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID),
        id(event.assoc),
    )


Accepting = Sequence[tuple[str, Sequence[str]]]
BOTH: Accepting = ((CT, (EXPLICIT, IMPLICIT)),)


def get(
    port: int,
    model: str,
    wanted: Dataset,
    *,
    accepting: Accepting = BOTH,
    on_store: Callable[[evt.Event], int] = lambda _: 0,
    on_pending: Callable[[Any, int], None] = lambda _assoc, _context: None,
    calling: str = "GETTER",
    priority: int = 0,
) -> Answers:
    """C-GET, taking the SOP Classes of `accepting` as SCP."""
    answers = Answers()

    def store(event: evt.Event) -> int:
        answers.received.append(received_of(event))
        return on_store(event)

    ae = AE(calling)
    ae.add_requested_context(f"{model}.3", [EXPLICIT, IMPLICIT])
    for sop_class, syntaxes in accepting:
        ae.add_requested_context(sop_class, list(syntaxes))
    roles: list[Any] = [build_role(sop_class, scp_role=True) for sop_class in {sop_class for sop_class, _ in accepting}]
    assoc = ae.associate("127.0.0.1", port, ae_title="VNA", ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert assoc.is_established
    collect(answers, assoc.send_c_get(wanted, f"{model}.3", priority=priority), assoc, on_pending)
    if assoc.is_established:
        assoc.release()
    return answers


def move(
    port: int,
    model: str,
    wanted: Dataset,
    destination: str,
    *,
    on_pending: Callable[[Any, int], None] = lambda _assoc, _context: None,
    calling: str = "MOVER",
    message_id: int = 1,
    priority: int = 0,
) -> Answers:
    """C-MOVE to an AE title."""
    answers = Answers()
    ae = AE(calling)
    ae.add_requested_context(f"{model}.2", [EXPLICIT, IMPLICIT])
    assoc = ae.associate("127.0.0.1", port, ae_title="VNA")
    assert assoc.is_established
    responses = assoc.send_c_move(wanted, destination, f"{model}.2", msg_id=message_id, priority=priority)
    collect(answers, responses, assoc, on_pending)
    if assoc.is_established:
        assoc.release()
    return answers


def collect(
    answers: Answers,
    responses: Iterator[tuple[Dataset, Dataset | None]],
    assoc: Any,
    on_pending: Callable[[Any, int], None],
) -> None:
    for status, answered in responses:
        answers.statuses.append(status)
        answers.last_identifier = answered
        if status.get("Status") == 0xFF00:
            on_pending(assoc, 1)
            if not assoc.is_established:
                return


@dataclass
class Receiver:
    """A destination's doings: `decide` gives the status of each instance, and may abort the association."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    associations: int = 0
    at_once: int = 0
    most_at_once: int = 0
    decide: Callable[[evt.Event], int] = lambda _: 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def uids(self) -> set[str]:
        return {one.sop_instance_uid for one in self.received}

    def store(self, event: evt.Event) -> int:
        status = self.decide(event)
        if status < 0:
            return 0xC000
        with self.lock:
            self.received.append(received_of(event))
        return status

    def accepted(self, _: evt.Event) -> None:
        with self.lock:
            self.associations += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)

    def ended(self, _: evt.Event) -> None:
        with self.lock:
            self.at_once -= 1


@contextmanager
def receiving(
    accepting: Accepting = BOTH, ae_title: str = "DEST", maximum_associations: int = 10
) -> Iterator[Receiver]:
    """A storage SCP on a free port."""
    receiver = Receiver()
    ae = AE(ae_title)
    ae.maximum_associations = maximum_associations
    for sop_class, syntaxes in accepting:
        ae.add_supported_context(sop_class, list(syntaxes))
    server = ae.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[
            (evt.EVT_C_STORE, receiver.store),
            (evt.EVT_ACCEPTED, receiver.accepted),
            (evt.EVT_CONN_CLOSE, receiver.ended),
        ],
    )
    assert server is not None
    receiver.port = server.server_address[1]
    try:
        yield receiver
    finally:
        server.shutdown()
