"""C-STORE out: to our own server, to dcmtk, to pynetdicom, and back through C-GET."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import psutil
import pydicom.data
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt

from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.handlers import Sink, StoreAnswer, StoreCommand
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.profile import NO_REASON_GIVEN, TEMPORARY_CONGESTION
from dimse.upper_layer.request import ProposedContext, ProposedRole, open_association
from dimse.upper_layer.send import encode_message, fragments, send_store
from tests.dimse.upper_layer.harness import (
    CT,
    EXPLICIT,
    IMPLICIT,
    STUDY_ROOT_GET,
    MemoryStore,
    profile,
)
from tests.dimse.upper_layer.test_stream import feed
from tests.peers.dcmtk import Dcmtk
from tests.peers.processes import free_port
from vna.model.errors import BadRequest, NotAuthorized, Unavailable
from vna.model.sop_classes import VERIFICATION

COMMAND = StoreCommand(1, 1, CT, "1.2.3", 0, EXPLICIT, CT)
PROPOSED = (ProposedContext(CT, (EXPLICIT,)), ProposedContext(VERIFICATION, (IMPLICIT,)))


def associate(port: int, **options: Any) -> LeanAssociation:
    chosen = {"called_ae": "VNA", "profile": profile(ae_title="SENDER"), **options}
    return open_association("127.0.0.1", port, chosen.pop("contexts", PROPOSED), **chosen)


@given(st.lists(st.binary(max_size=50)), st.integers(1, 20))
def test_fragments_are_the_pieces_in_full_portions(pieces: list[bytes], limit: int) -> None:
    found = list(fragments(pieces, limit))
    assert b"".join(bytes(piece) for gathered, _, _ in found for piece in gathered) == b"".join(pieces)
    assert [is_last for _, _, is_last in found] == [False] * (len(found) - 1) + [True]
    assert all(length == limit for _, length, _ in found[:-1])
    assert all(sum(map(len, gathered)) == length for gathered, length, _ in found)


@pytest.mark.parametrize("max_pdu", [0, 128, 16384, 10**6])
def test_no_pdu_is_longer_than_the_peer_takes(max_pdu: int) -> None:
    wire = b"".join(bytes(one) for batch in encode_message(COMMAND, [bytes(300_000)], max_pdu) for one in batch)
    events = feed([wire], limits=Limits(max_pdu=max_pdu or 1 << 18, pdu_slack=0))
    assert sum(len(event[1]) for event in events if isinstance(event[-1], bytes)) > 300_000  # type: ignore[arg-type,misc]
    assert [event[2] for event in events if event[0] == "fragment"][-1] == 0x02


def test_instances_go_out_one_after_the_other(port: int, store: MemoryStore) -> None:
    assoc = associate(port)
    for number in range(1, 6):
        command = StoreCommand(number, 1, CT, f"1.2.{number}", 0, EXPLICIT, CT, "MOVER", 4)
        assert send_store(assoc, command, [bytes([number]) * 200_000, b"", b"end"]) == StoreAnswer(0)
    assert assoc.send_c_echo().Status == 0
    assoc.release()
    assert assoc.is_released
    assert store.stored == {f"1.2.{n}": bytes([n]) * 200_000 + b"end" for n in range(1, 6)}
    assert store.commands[0].move_originator_ae == "MOVER"


def test_what_the_peer_refuses_is_told_with_its_comment(serve: Callable[..., int]) -> None:
    class Full(MemoryStore):
        def complete(self, assoc: LeanAssociation, command: StoreCommand, sink: Sink) -> StoreAnswer:
            return StoreAnswer(0xA700, "no space")

    assoc = associate(serve(profile(Full())))
    assert send_store(assoc, COMMAND, [b"x"]) == StoreAnswer(0xA700, "no space")
    assoc.release()


def test_dcmtk_and_pynetdicom_receive_what_we_send(dcmtk: Dcmtk) -> None:
    path = str(pydicom.data.get_testdata_file("CT_small.dcm"))
    ds = dcmread(path)
    got: list[Dataset] = []

    def on_store(event: evt.Event) -> int:
        got.append(event.dataset)
        return 0

    ae = AE()
    ae.add_supported_context(CT, EXPLICIT)
    port = free_port()
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])
    assert server is not None
    try:
        assoc = associate(port, contexts=[ProposedContext(CT, (EXPLICIT,))])
        with open(path, "rb") as file:  # noqa: PTH123
            pydicom.filereader.read_preamble(file, False)
            pydicom.filereader._read_file_meta_info(file)
            command = StoreCommand(1, 1, CT, ds.SOPInstanceUID, 0, EXPLICIT, CT)
            assert send_store(assoc, command, iter(lambda: file.read(1000), b"")) == StoreAnswer(0)
        assoc.release()
    finally:
        server.shutdown()
    assert got == [ds]


def test_c_get_sub_operations_go_back_on_the_same_association(serve: Callable[..., int]) -> None:
    """The requestor takes the SCP role of the storage class (PS3.7 D.3.3.4)."""
    data = BytesIO()
    ds = dcmread(str(pydicom.data.get_testdata_file("CT_small.dcm")))
    answers: list[StoreAnswer] = []
    pydicom.filewriter.write_dataset(pydicom.filebase.DicomBytesIO(), ds)  # fails here if it cannot be encoded
    encoded = encode_explicit(ds)
    data.write(encoded)

    def get(assoc: LeanAssociation, message: Any, context: Any) -> None:
        store_context = next(cx for cx in assoc.accepted_contexts if cx.abstract_syntax == CT and cx.as_scu)
        assert store_context.context_id is not None
        for number in (1, 2):
            command = StoreCommand(number, store_context.context_id, CT, ds.SOPInstanceUID, 0, EXPLICIT, CT)
            answers.append(send_store(assoc, command, [encoded[:1000], encoded[1000:]]))
            message.MessageIDBeingRespondedTo, message.Status = message.MessageID, 0xFF00
            message.NumberOfCompletedSuboperations, message.NumberOfRemainingSuboperations = number, 2 - number
            message.NumberOfFailedSuboperations = message.NumberOfWarningSuboperations = 0
            message.Identifier = None
            assoc.dimse.send_msg(message, context.context_id)
        message.Status, message.NumberOfRemainingSuboperations = 0, None
        assoc.dimse.send_msg(message, context.context_id)

    got: list[Dataset] = []

    def on_store(event: evt.Event) -> int:
        got.append(event.dataset)
        return 0

    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", ds.StudyInstanceUID
    ae = AE()
    ae.add_requested_context(STUDY_ROOT_GET)
    ae.add_requested_context(CT, EXPLICIT)
    port = serve(profile(services={STUDY_ROOT_GET: get}))
    role = build_role(CT, scp_role=True)
    assoc = ae.associate("127.0.0.1", port, ext_neg=[role], evt_handlers=[(evt.EVT_C_STORE, on_store)])
    statuses = [status.Status for status, _ in assoc.send_c_get(query, STUDY_ROOT_GET)]
    assoc.release()
    assert statuses == [0xFF00, 0xFF00, 0]
    assert answers == [StoreAnswer(0), StoreAnswer(0)]
    assert got == [ds, ds]


def encode_explicit(ds: Dataset) -> bytes:
    from pynetdicom.dsutils import encode

    encoded = encode(ds, False, True)
    assert encoded is not None
    return encoded


def test_our_own_c_get_is_received_through_the_lean_path(serve: Callable[..., int], store: MemoryStore) -> None:
    def get(assoc: LeanAssociation, message: Any, context: Any) -> None:
        command = StoreCommand(9, 3, CT, "1.2.3", 0, EXPLICIT, CT)
        assert send_store(assoc, command, [b"pixels"]) == StoreAnswer(0)
        message.MessageIDBeingRespondedTo, message.Status, message.Identifier = message.MessageID, 0, None
        message.NumberOfCompletedSuboperations = 1
        message.NumberOfFailedSuboperations = message.NumberOfWarningSuboperations = 0
        assoc.dimse.send_msg(message, context.context_id)

    port = serve(profile(services={STUDY_ROOT_GET: get}))
    contexts = [ProposedContext(STUDY_ROOT_GET, (IMPLICIT,)), ProposedContext(CT, (EXPLICIT,))]
    assoc = associate(port, contexts=contexts, roles=[ProposedRole(CT, as_scu=False, as_scp=True)], store=store)
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", "1.2"
    assert [status.Status for status, _ in assoc.send_c_get(query, STUDY_ROOT_GET)] == [0]
    assoc.release()
    assert store.stored == {"1.2.3": b"pixels"}


def test_a_gigabyte_goes_through_in_flat_memory(serve: Callable[..., int]) -> None:
    class Counting:
        size = 0

        def write(self, piece: memoryview) -> None:
            self.size += len(piece)

        def abandon(self) -> None:
            self.size = -1

    class Count(MemoryStore):
        counted: Counting = Counting()

        def begin(self, assoc: LeanAssociation, command: StoreCommand) -> Sink:
            return self.counted

        def complete(self, assoc: LeanAssociation, command: StoreCommand, sink: Sink) -> StoreAnswer:
            return StoreAnswer(0)

    process = psutil.Process()
    store = Count()
    assoc = associate(serve(profile(store)))
    highest = before = process.memory_info().rss

    def pieces() -> Iterator[bytes]:
        nonlocal highest
        for _ in range(1024):
            highest = max(highest, process.memory_info().rss)
            yield bytes(1 << 20)

    assert send_store(assoc, COMMAND, pieces()) == StoreAnswer(0)
    assoc.release()
    assert store.counted.size == 1 << 30
    assert highest - before < 30_000_000


def test_a_source_that_fails_aborts_the_association(port: int, store: MemoryStore) -> None:
    def pieces() -> Iterator[bytes]:
        yield bytes(1_000_000)
        raise OSError("blob store")

    assoc = associate(port)
    with pytest.raises(Unavailable):
        send_store(assoc, COMMAND, pieces())
    assert not assoc.stands()
    assert not store.stored


def test_a_peer_that_dies_while_we_send_is_unavailable(serve: Callable[..., int], store: MemoryStore) -> None:
    victims: list[LeanAssociation] = []

    class Dying(MemoryStore):
        def begin(self, assoc: LeanAssociation, command: StoreCommand) -> Sink:
            victims.append(assoc)
            assoc.break_off()
            return super().begin(assoc, command)

    assoc = associate(serve(profile(Dying())))
    with pytest.raises(Unavailable):
        send_store(assoc, COMMAND, (bytes(1 << 20) for _ in range(1000)))
    assert victims
    assoc.abort()


def test_a_peer_that_does_not_answer_is_given_up(serve: Callable[..., int], store: MemoryStore) -> None:
    hold = threading.Event()

    def slow(command: StoreCommand) -> None:
        hold.wait(5)

    store.on_complete = slow
    impatient = profile(ae_title="SENDER", limits=Limits(dimse_timeout=0.3, closing_timeout=0.3))
    assoc = associate(serve(profile(store)), profile=impatient)
    with pytest.raises(Unavailable, match="in time"):
        send_store(assoc, COMMAND, [b"x"])
    hold.set()
    assert not assoc.stands()


def test_no_connection_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no connection"):
        associate(free_port())
    with pytest.raises(Unavailable, match="no address"):
        open_association("no.such.host.invalid", 104, PROPOSED, called_ae="VNA", profile=profile())


def test_a_rejection_is_told_apart(serve: Callable[..., int]) -> None:
    with pytest.raises(NotAuthorized, match="rejects"):
        associate(serve(profile(admit=lambda _: NO_REASON_GIVEN)))
    with pytest.raises(Unavailable, match="rejects"):
        associate(serve(profile(admit=lambda _: TEMPORARY_CONGESTION)))


def test_no_accepted_context_is_unavailable(port: int) -> None:
    with pytest.raises(Unavailable, match="none of its presentation contexts"):
        associate(port, contexts=[ProposedContext("1.2.3.4", (EXPLICIT,))])


def test_more_contexts_than_there_are_ids_is_a_bad_request(port: int) -> None:
    with pytest.raises(BadRequest):
        associate(port, contexts=[ProposedContext(CT, (EXPLICIT,))] * 129)


def test_several_associations_send_at_once(port: int, store: MemoryStore) -> None:
    def send(number: int) -> None:
        assoc = associate(port)
        for instance in range(10):
            command = StoreCommand(instance, 1, CT, f"1.{number}.{instance}", 0, EXPLICIT, CT)
            assert send_store(assoc, command, [os.urandom(50_000)]) == StoreAnswer(0)
        assoc.release()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.stored) == 40
