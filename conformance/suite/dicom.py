"""The suite as a DICOM requestor: associations and DIMSE messages by pynetdicom, each of them evidence."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.dsutils import decode
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation, SOPClassExtendedNegotiation

from conformance.suite.check import Failed, NotApplicable

if TYPE_CHECKING:
    from conformance.suite.session import Session

IMPLICIT: Final = "1.2.840.10008.1.2"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
VERIFICATION: Final = "1.2.840.10008.1.1"
PATIENT_FIND, PATIENT_MOVE, PATIENT_GET = (f"1.2.840.10008.5.1.4.1.2.1.{number}" for number in (1, 2, 3))
STUDY_FIND, STUDY_MOVE, STUDY_GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))

PENDING: Final = (0xFF00, 0xFF01)

Offer = tuple[str, Sequence[str]]
"""An abstract syntax and the transfer syntaxes that are proposed for it."""


def offer(*abstract_syntaxes: str, syntaxes: Sequence[str] = (IMPLICIT, EXPLICIT)) -> list[Offer]:
    """A presentation context for each, with these transfer syntaxes."""
    return [(uid, syntaxes) for uid in abstract_syntaxes]


@dataclass(slots=True)
class Found:
    """What a C-FIND came to."""

    statuses: list[int] = field(default_factory=list)
    matches: list[Dataset] = field(default_factory=list)
    final: Dataset = field(default_factory=Dataset)

    @property
    def status(self) -> int:
        """The last one."""
        return int(self.final.get("Status", 0))

    def values(self, keyword: str) -> list[str]:
        """One of each match, as text; empty where it has none."""
        return [str(match.get(keyword, "") or "") for match in self.matches]


@dataclass(slots=True)
class Stored:
    """An instance that the server sent us by C-STORE."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data: bytes
    originator: str
    originator_message: int | None

    def dataset(self) -> Dataset:
        """As it was encoded; Failed when it cannot be read."""
        syntax = UID(self.transfer_syntax_uid)
        try:
            return decode(BytesIO(self.data), syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        except Exception as exc:
            raise Failed(f"the instance that came cannot be read as {syntax.name}: {exc}") from exc


@dataclass(slots=True)
class Retrieved:
    """What a C-GET or C-MOVE came to."""

    statuses: list[Dataset] = field(default_factory=list)
    identifier: Dataset | None = None

    @property
    def final(self) -> Dataset:
        """The last response."""
        return self.statuses[-1] if self.statuses else Dataset()

    @property
    def status(self) -> int:
        """Of the last response."""
        return int(self.final.get("Status", -1))

    def count(self, of: str) -> int | None:
        """Of sub-operations: Remaining, Completed, Failed or Warning, as the last response has it."""
        value = self.final.get(f"NumberOf{of}Suboperations")
        return None if value is None else int(value)


class Peer:
    """An association with the server that is looked at; `received` is what it stored with us over it."""

    def __init__(self, session: Session, assoc: Association, received: list[Stored]) -> None:
        self._session = session
        self.assoc = assoc
        self.received = received

    def accepted(self, uid: str) -> bool:
        """Whether a presentation context of this abstract syntax was accepted."""
        return any(str(one.abstract_syntax) == uid for one in self.assoc.accepted_contexts)

    def need(self, uid: str) -> None:
        """NotApplicable where the server does not offer it."""
        if not self.accepted(uid):
            raise NotApplicable(f"the server does not accept {UID(uid).name}")

    def syntax_of(self, uid: str) -> str:
        """The transfer syntax that was accepted for it first."""
        return next(
            str(one.transfer_syntax[0]) for one in self.assoc.accepted_contexts if str(one.abstract_syntax) == uid
        )

    def echo(self) -> Dataset:
        """C-ECHO: the response."""
        return _answered(self.assoc.send_c_echo(), "C-ECHO")

    def store(self, ds: Dataset) -> Dataset:
        """C-STORE in the syntax that the file meta information of `ds` names: the response."""
        self.need(str(ds.SOPClassUID))
        self._session.stored_studies.add(str(ds.StudyInstanceUID))
        try:
            return _answered(self.assoc.send_c_store(ds), "C-STORE")
        except ValueError as exc:
            raise NotApplicable(str(exc)) from exc

    def find(self, model: str, identifier: Dataset) -> Found:
        """C-FIND to its last response."""
        self.need(model)
        found = Found()
        for status, match in self.assoc.send_c_find(identifier, model):
            found.final = _answered(status, "C-FIND")
            found.statuses.append(int(status.Status))
            if match is not None:
                found.matches.append(match)
        return found

    def get(self, model: str, identifier: Dataset) -> Retrieved:
        """C-GET to its last response; what comes is in `received`."""
        self.need(model)
        return _retrieved(self.assoc.send_c_get(identifier, model), "C-GET")

    def move(self, model: str, identifier: Dataset, destination: str) -> Retrieved:
        """C-MOVE to its last response."""
        self.need(model)
        return _retrieved(self.assoc.send_c_move(identifier, destination, model), "C-MOVE")

    def create(self, uid: str, instance: str, attributes: Dataset) -> tuple[Dataset, Dataset | None]:
        """N-CREATE."""
        self.need(uid)
        status, answer = self.assoc.send_n_create(attributes, uid, instance)
        return _answered(status, "N-CREATE"), answer

    def set(self, uid: str, instance: str, changes: Dataset) -> tuple[Dataset, Dataset | None]:
        """N-SET."""
        self.need(uid)
        status, answer = self.assoc.send_n_set(changes, uid, instance)
        return _answered(status, "N-SET"), answer

    def read(self, uid: str, instance: str, tags: Sequence[int]) -> tuple[Dataset, Dataset | None]:
        """N-GET."""
        self.need(uid)
        status, answer = self.assoc.send_n_get(list(tags), uid, instance)  # type: ignore[arg-type]
        return _answered(status, "N-GET"), answer

    def action(self, uid: str, instance: str, number: int, said: Dataset) -> Dataset:
        """N-ACTION."""
        self.need(uid)
        return _answered(self.assoc.send_n_action(said, number, uid, instance)[0], "N-ACTION")


def _answered(status: Dataset, what: str) -> Dataset:
    if "Status" not in status:
        raise Failed(f"no valid response to {what}: the association ended or the time was over")
    return status


def _retrieved(responses: Iterable[tuple[Dataset, Dataset | None]], what: str) -> Retrieved:
    done = Retrieved()
    for status, identifier in responses:
        done.statuses.append(_answered(status, what))
        done.identifier = identifier
    return done


class Dicom:
    """Associations with the target `dimse`, or another place."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def open(
        self,
        offers: Iterable[Offer],
        *,
        roles: Sequence[str] = (),
        extended: dict[str, bytes] | None = None,
        handlers: Sequence[tuple[Any, Any]] = (),
        answer: int = 0x0000,
        **options: Any,
    ) -> Iterator[Peer]:
        """An association: Failed when there is none. We are SCP of `roles`; what is stored with us gets `answer`."""
        received: list[Stored] = []

        def keep(event: evt.Event) -> int:
            received.append(stored_of(event))
            return answer

        items = [_role(uid) for uid in roles] + [_extended(*one) for one in (extended or {}).items()]
        bound = [(evt.EVT_C_STORE, keep), *handlers]
        assoc = self.associate(offers, items=items, handlers=bound, **options)
        if not assoc.is_established:
            raise _why_not(assoc)
        try:
            yield Peer(self._session, assoc, received)
        finally:
            if assoc.is_established:
                assoc.release()

    def associate(
        self,
        offers: Iterable[Offer],
        *,
        items: Sequence[Any] = (),
        handlers: Sequence[tuple[Any, Any]] = (),
        max_pdu: int = 65_536,
        called: str = "",
        tls: Any = None,
        where: Any = None,
    ) -> Association:
        """Ask for an association; whether there is one says the caller."""
        there = where or self._session.targets.dimse
        assert there is not None
        ae = AE(self._session.caller.ae_title)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = self._session.caller.timeout
        ae.connection_timeout = min(10.0, self._session.caller.timeout)
        contexts = [build_context(uid, list(syntaxes)) for uid, syntaxes in offers]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ae.associate(
                there.host,
                there.port,
                contexts,
                ae_title=called or there.ae_title,
                max_pdu=max_pdu,
                ext_neg=list(items),
                evt_handlers=[*watched(self._session), *handlers],
                tls_args=(tls, there.host) if tls is not None else None,
            )

    def socket(self) -> socket.socket:
        """A bare connection, for what no library would send."""
        there = self._session.targets.dimse
        assert there is not None
        try:
            return socket.create_connection((there.host, there.port), timeout=self._session.caller.timeout)
        except OSError as exc:
            raise Failed(f"no connection to {there}: {exc}") from exc


def watched(session: Session) -> list[tuple[Any, Any]]:
    """Handlers that keep every association request, its answer and every DIMSE message as evidence."""

    def pdu(event: evt.Event) -> None:
        name = type(event.pdu).__name__
        if name.startswith("P_DATA"):
            return
        keep = session.evidence.sent if event.event.name == "EVT_PDU_SENT" else session.evidence.came
        keep(name.replace("_", "-"), str(event.pdu))

    def message(event: evt.Event) -> None:
        keep = session.evidence.sent if event.event.name == "EVT_DIMSE_SENT" else session.evidence.came
        keep(type(event.message).__name__.replace("_", "-"), _text(event))

    return [
        (evt.EVT_PDU_SENT, pdu),
        (evt.EVT_PDU_RECV, pdu),
        (evt.EVT_DIMSE_SENT, message),
        (evt.EVT_DIMSE_RECV, message),
    ]


def _text(event: evt.Event) -> str:
    text = str(event.message.command_set)
    stream = event.message.data_set
    content = stream.getvalue() if isinstance(stream, BytesIO) else b""
    if not content:
        return text
    if len(content) > 100_000:
        return f"{text}\n\nData set: {len(content)} bytes"
    context = next((c for c in event.assoc.accepted_contexts if c.context_id == event.message.context_id), None)
    try:
        syntax = UID(context.transfer_syntax[0])  # type: ignore[union-attr]
        ds = decode(BytesIO(content), syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        return f"{text}\n\nData set ({syntax.name}):\n{ds}"
    except Exception as exc:  # noqa: BLE001  evidence of what cannot be read is that it cannot
        return f"{text}\n\nData set: {len(content)} bytes that cannot be shown: {exc}"


def stored_of(event: evt.Event) -> Stored:
    """What came with a C-STORE request to us."""
    request: Any = event.request
    return Stored(
        str(request.AffectedSOPClassUID),
        str(request.AffectedSOPInstanceUID),
        str(event.context.transfer_syntax),
        event.encoded_dataset(include_meta=False),
        str(request.MoveOriginatorApplicationEntityTitle or "").strip(),
        request.MoveOriginatorMessageID,
    )


def _role(uid: str) -> SCP_SCU_RoleSelectionNegotiation:
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = UID(uid)
    role.scu_role, role.scp_role = False, True
    return role


def _extended(uid: str, asked: bytes) -> SOPClassExtendedNegotiation:
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid = UID(uid)
    item.service_class_application_information = asked
    return item


def _why_not(assoc: Association) -> Exception:
    """Failed, or NotApplicable where there was an association and nothing that was proposed is offered."""
    if assoc.is_rejected:
        primitive = assoc.acceptor.primitive
        reason = f": {primitive.reason_str} ({primitive.source_str})" if primitive is not None else ""
        return Failed(f"the association was rejected{reason}")
    proposed = {str(one.abstract_syntax): one.abstract_syntax for one in assoc.rejected_contexts}
    if not proposed:
        return Failed("the association was aborted, or there was no connection")
    names = ", ".join(UID(uid).name for uid in list(proposed)[:3])
    kind = Failed if VERIFICATION in proposed else NotApplicable
    return kind(f"the server does not accept {names}")


def identifier(**elements: Any) -> Dataset:
    """A data set of a few elements, by keyword."""
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds
