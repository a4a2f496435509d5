"""C-STORE through the lean path: real clients, and a peer that sends bytes of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from pydicom import dcmread
from pynetdicom import AE

from dimse.upper_layer.handlers import StoreCommand
from tests.dimse.upper_layer.harness import (
    CT,
    EXPLICIT,
    MR,
    MemoryStore,
    RawPeer,
    context_item,
    context_table,
    element,
    eventually,
    pdu,
    pdv,
    profile,
    raw_peer,
    store_request,
    us,
)
from tests.peers.dcmtk import Dcmtk
from vna.model.errors import CannotUnderstand, OutOfResources
from vna.model.sop_classes import VERIFICATION
from vna.model.transfer_syntaxes import STORAGE_TRANSFER_SYNTAXES


def sample(name: str) -> Path:
    return Path(str(pydicom.data.get_testdata_file(name)))


def test_dcmtk_stores_a_compressed_image(port: int, store: MemoryStore, dcmtk: Dcmtk) -> None:
    done = dcmtk("storescu", "-xw", "-R", "127.0.0.1", port, sample("JPEG2000.dcm"))
    assert done.returncode == 0, done.stdout
    command = store.commands[0]
    assert command.transfer_syntax_uid == "1.2.840.10008.1.2.4.91"
    assert command.sop_class_uid == command.abstract_syntax_uid == "1.2.840.10008.5.1.4.1.1.7"
    received = dcmread(BytesIO(store.stored[command.sop_instance_uid]), force=True)
    sent = dcmread(sample("JPEG2000.dcm"))
    assert received.PixelData == sent.PixelData
    assert received.SOPInstanceUID == sent.SOPInstanceUID == command.sop_instance_uid


@pytest.mark.parametrize("pdu_length", [4096, 16384, 131072])
def test_many_instances_follow_each_other_on_one_association(
    port: int, store: MemoryStore, dcmtk: Dcmtk, pdu_length: int
) -> None:
    done = dcmtk("storescu", "--max-send-pdu", pdu_length, "--repeat", 20, "127.0.0.1", port, sample("CT_small.dcm"))
    assert done.returncode == 0, done.stdout
    assert len(store.commands) == 20
    assert {len(sink.data) for sink in store.sinks} == {len(store.sinks[0].data)}


def test_pynetdicom_stores_with_its_own_association(port: int, store: MemoryStore) -> None:
    ds = dcmread(sample("MR_small.dcm"))
    ae = AE()
    ae.add_requested_context(ds.SOPClassUID, EXPLICIT)
    assoc = ae.associate("127.0.0.1", port)
    status = assoc.send_c_store(ds)
    assoc.release()
    assert status.Status == 0
    assert assoc.is_released
    assert list(store.stored) == [ds.SOPInstanceUID]


def test_a_store_the_handler_refuses_is_answered_after_its_data_set(
    serve: Callable[..., int], store: MemoryStore
) -> None:
    def refuse(command: StoreCommand) -> None:
        raise OutOfResources("no space left")

    store.on_begin = refuse
    with raw_peer(serve(profile(store))) as peer:
        peer.associate()
        peer.send(pdu(0x04, pdv(1, 0x03, store_request())), *[pdu(0x04, pdv(1, 0x00, bytes(16000)))] * 5)
        peer.send(pdu(0x04, pdv(1, 0x02, b"end")))
        answer = peer.receive_command()
        assert answer[0x0900] == us(0xA700)
        assert answer[0x0902] == b"no space left "
        assert answer[0x1000] == b"1.2.3\0"
        assert peer.echo() == 0
        peer.release()
    assert not store.sinks


def test_a_sink_that_fails_is_abandoned_and_the_association_goes_on(
    serve: Callable[..., int], store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(piece: memoryview) -> None:
        raise OSError(28, "No space left on device")

    store.on_write = fail
    with raw_peer(serve(profile(store))) as peer:
        peer.associate()
        assert peer.store(b"first") == 0xA700
        store.on_write = lambda _: None
        assert peer.store(b"second", instance="1.2.4") == 0
    assert [sink.abandoned for sink in store.sinks] == [True, False]
    assert store.stored == {"1.2.4": b"second"}
    assert len([record for record in caplog.records if record.message == "store failed"]) == 1


def test_an_unexpected_error_while_completing_is_logged_once_and_never_success(
    port: int, store: MemoryStore, peer: RawPeer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(command: StoreCommand) -> None:
        raise KeyError("bug")

    store.on_complete = fail
    peer.associate()
    assert peer.store() == 0xA700
    assert [record.exc_info is not None for record in caplog.records if record.levelno >= logging.ERROR] == [True]


def test_a_handler_that_cannot_even_refuse_gives_processing_failure(
    serve: Callable[..., int], store: MemoryStore
) -> None:
    def fail(command: StoreCommand) -> None:
        raise KeyError("bug")

    class Broken(MemoryStore):
        def refuse(self, *args: Any) -> Any:
            raise RuntimeError("bug")

    broken = Broken(on_complete=fail)
    with raw_peer(serve(profile(broken))) as peer:
        peer.associate()
        assert peer.store() == 0x0110


def test_a_class_other_than_the_contexts_is_refused(peer: RawPeer, store: MemoryStore) -> None:
    peer.associate()
    assert peer.store(sop_class=MR) == 0x0122
    assert peer.store() == 0
    assert len(store.commands) == 1


def test_a_store_in_a_context_that_is_not_for_storing_is_refused(peer: RawPeer, store: MemoryStore) -> None:
    peer.associate()
    peer.send(pdu(0x04, pdv(3, 3, store_request(sop_class=VERIFICATION)) + pdv(3, 2, b"x")))
    assert peer.receive_status() == 0x0122
    assert not store.commands


def test_a_store_without_data_set_is_refused(peer: RawPeer, store: MemoryStore) -> None:
    peer.associate()
    peer.send(pdu(0x04, pdv(1, 0x03, store_request(data_set_type=0x0101))))
    assert peer.receive_status() == 0xA700
    assert isinstance(store.refused[0], CannotUnderstand)
    assert peer.store() == 0


def test_an_empty_data_set_reaches_the_handler(peer: RawPeer, store: MemoryStore) -> None:
    peer.associate()
    assert peer.store(b"") == 0
    assert store.stored == {"1.2.3": b""}


def test_the_move_originator_is_told(peer: RawPeer, store: MemoryStore) -> None:
    peer.associate()
    moved = store_request() + element(0x1030, b"MOVER ") + element(0x1031, us(12))
    peer.send(pdu(0x04, pdv(1, 0x03, moved) + pdv(1, 0x02, b"x")))
    assert peer.receive_status() == 0
    assert (store.commands[0].move_originator_ae, store.commands[0].move_originator_message_id) == ("MOVER", 12)


def test_command_and_data_in_many_small_fragments_make_one_instance(peer: RawPeer, store: MemoryStore) -> None:
    peer.associate()
    command, data = store_request(), bytes(range(256)) * 4
    pieces = [pdv(1, 0x01, command[i : i + 7]) for i in range(0, 70, 7)] + [pdv(1, 0x03, command[70:])]
    pieces += [pdv(1, 0x00, data[i : i + 50]) for i in range(0, 1000, 50)] + [pdv(1, 0x02, data[1000:])]
    wire = b"".join(pdu(0x04, b"".join(pieces[i : i + 3])) for i in range(0, len(pieces), 3))
    for start in range(0, len(wire), 100):
        peer.send(wire[start : start + 100])
    assert peer.receive_status() == 0
    assert store.stored == {"1.2.3": data}


def test_requests_pipelined_without_waiting_are_answered_in_order(peer: RawPeer, store: MemoryStore) -> None:
    peer.associate()
    peer.send(*[pdu(0x04, pdv(1, 3, store_request(n, f"1.2.{n}")) + pdv(1, 2, b"x" * n)) for n in range(1, 21)])
    answers = [peer.receive_command() for _ in range(20)]
    assert [int.from_bytes(answer[0x0120], "little") for answer in answers] == list(range(1, 21))
    assert {name: len(data) for name, data in store.stored.items()} == {f"1.2.{n}": n for n in range(1, 21)}


def test_release_right_behind_the_last_fragment_is_answered_after_the_store(peer: RawPeer, store: MemoryStore) -> None:
    peer.associate()
    peer.send(pdu(0x04, pdv(1, 3, store_request()) + pdv(1, 2, b"x")) + pdu(0x05, bytes(4)))
    assert peer.receive_status() == 0
    assert peer.receive()[0] == 0x06
    assert store.stored == {"1.2.3": b"x"}


def test_a_sender_that_aborts_in_the_middle_leaves_nothing(
    peer: RawPeer, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    peer.associate()
    peer.send(pdu(0x04, pdv(1, 3, store_request()) + pdv(1, 0, b"half")), pdu(0x07, bytes(4)))
    eventually(lambda: bool(store.sinks) and store.sinks[0].abandoned)
    assert not store.stored
    interrupted = [record for record in caplog.records if record.message == "store interrupted"]
    assert [(record.bytes, record.sop_instance_uid) for record in interrupted] == [(4, "1.2.3")]  # type: ignore[attr-defined]


def test_a_sender_that_vanishes_in_the_middle_leaves_nothing(
    peer: RawPeer, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    peer.associate()
    peer.send(pdu(0x04, pdv(1, 3, store_request()) + pdv(1, 0, b"half")))
    eventually(lambda: bool(store.sinks))
    peer.close()
    eventually(lambda: store.sinks[0].abandoned)
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_unknown_storage_classes_are_stored_when_that_is_asked_for(
    serve: Callable[..., int], store: MemoryStore
) -> None:
    private = "1.2.840.113619.4.26"
    with raw_peer(serve(profile(store, contexts=context_table(unknown=True)))) as peer:
        peer.associate(context_item(1, private, EXPLICIT), context_item(3, VERIFICATION, EXPLICIT))
        assert peer.store(sop_class=private) == 0


def test_every_transfer_syntax_is_taken_as_proposed(peer: RawPeer, store: MemoryStore) -> None:
    contexts = [context_item(2 * n + 1, CT, syntax) for n, syntax in enumerate(STORAGE_TRANSFER_SYNTAXES)]
    peer.associate(*contexts)
    for n in range(len(contexts)):
        peer.send(pdu(0x04, pdv(2 * n + 1, 3, store_request()) + pdv(2 * n + 1, 2, b"x")))
        assert peer.receive_status() == 0
    assert [command.transfer_syntax_uid for command in store.commands] == list(STORAGE_TRANSFER_SYNTAXES)


def test_small_objects_from_a_sender_with_nagles_algorithm_do_not_stall(
    port: int, store: MemoryStore, dcmtk: Dcmtk
) -> None:
    """Each would take 40 ms if acknowledgements were delayed: 4 s for all."""
    small = sample("rtplan.dcm")
    started = time.monotonic()
    done = dcmtk("storescu", "--repeat", 100, "127.0.0.1", port, small, env={"TCP_NODELAY": "0"})
    assert done.returncode == 0, done.stdout
    assert len(store.commands) == 100
    assert time.monotonic() - started < 2
