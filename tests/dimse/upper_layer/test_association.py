"""Negotiation on the wire, services beside the lean path, and orderly ends."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation, UserIdentityNegotiation

from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.handlers import Sink, StoreAnswer, StoreCommand
from dimse.upper_layer.inprocess import listening
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.profile import CALLED_AE_NOT_RECOGNIZED, USER_IDENTITY_REFUSED, Rejection
from dimse.upper_layer.server import Server
from tests.dimse.upper_layer.harness import (
    CT,
    EXPLICIT,
    IMPLICIT,
    STUDY_ROOT_FIND,
    MemoryStore,
    RawPeer,
    associate_request,
    context_item,
    echo_request,
    eventually,
    item,
    pdu,
    pdv,
    profile,
    raw_peer,
    store_request,
)
from tests.peers.dcmtk import Dcmtk
from vna.model.sop_classes import STORAGE_CLASSES, VERIFICATION


def user_identity(kind: int, positive_response: int, primary: bytes, secondary: bytes = b"") -> bytes:
    fields = struct.pack(">BBH", kind, positive_response, len(primary)) + primary
    return item(0x58, fields + struct.pack(">H", len(secondary)) + secondary)


def test_dcmtk_echoes(port: int, dcmtk: Dcmtk) -> None:
    assert dcmtk("echoscu", "-aec", "VNA", "--repeat", 5, "127.0.0.1", port).returncode == 0


def test_a_hundred_and_twenty_eight_contexts_are_negotiated_quickly(peer: RawPeer) -> None:
    contexts = [context_item(2 * n + 1, uid, EXPLICIT, IMPLICIT) for n, uid in enumerate(sorted(STORAGE_CLASSES)[:128])]
    request = associate_request(*contexts)
    started = time.monotonic()
    peer.send(request)
    assert peer.receive()[0] == 0x02
    assert time.monotonic() - started < 0.5  # 10 ms on a machine that does nothing else


def test_an_echo_and_a_store_share_an_association(peer: RawPeer, store: MemoryStore) -> None:
    peer.associate()
    assert [peer.echo(), peer.store(), peer.echo(), peer.store(instance="1.2.4"), peer.echo()] == [0] * 5
    peer.release()
    assert list(store.stored) == ["1.2.3", "1.2.4"]


def test_an_echo_does_not_wait_for_a_poll(peer: RawPeer) -> None:
    peer.associate()
    peer.echo()
    started = time.monotonic()
    for _ in range(20):
        peer.echo()
    assert (time.monotonic() - started) / 20 < 0.05  # under 2 ms on a machine that does nothing else


def test_an_idle_association_takes_no_cpu_time(port: int) -> None:
    peers = [RawPeer(port) for _ in range(20)]
    for one in peers:
        one.associate()
    time.sleep(0.1)
    started = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - started < 0.1
    for one in peers:
        one.release()
        one.close()


def test_a_c_find_is_served_by_pynetdicom_and_can_be_cancelled(serve: Callable[..., int]) -> None:
    cancelled = threading.Event()

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        assert event.identifier.PatientID == "P1"
        for number in range(2000):
            if event.is_cancelled:
                cancelled.set()
                yield 0xFE00, None
                return
            answer = Dataset()
            answer.PatientID = str(number)
            yield 0xFF00, answer
            time.sleep(0.002)

    query = Dataset()
    query.PatientID, query.QueryRetrieveLevel = "P1", "STUDY"
    ae = AE()
    ae.add_requested_context(STUDY_ROOT_FIND, IMPLICIT)
    assoc = ae.associate("127.0.0.1", serve(profile(event_handlers=[(evt.EVT_C_FIND, find)])))
    statuses = []
    for status, _ in assoc.send_c_find(query, STUDY_ROOT_FIND, msg_id=7):
        statuses.append(status.Status)
        if len(statuses) == 5:
            assoc.send_c_cancel(7, query_model=STUDY_ROOT_FIND)
    assoc.release()
    assert cancelled.is_set()
    assert statuses[-1] == 0xFE00
    assert set(statuses[:-1]) == {0xFF00}


def test_a_query_stops_when_the_peer_is_gone(serve: Callable[..., int]) -> None:
    stopped = threading.Event()

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        answer = Dataset()
        answer.PatientID = "P1"
        try:
            while not event.is_cancelled:
                yield 0xFF00, answer
                time.sleep(0.005)
        finally:
            stopped.set()

    query = Dataset()
    query.PatientID, query.QueryRetrieveLevel = "P1", "STUDY"
    ae = AE()
    ae.add_requested_context(STUDY_ROOT_FIND, IMPLICIT)
    assoc = ae.associate("127.0.0.1", serve(profile(event_handlers=[(evt.EVT_C_FIND, find)])))
    responses = assoc.send_c_find(query, STUDY_ROOT_FIND)
    next(responses)
    assoc.abort()
    assert stopped.wait(5)


def test_a_service_of_our_own_replaces_pynetdicoms(serve: Callable[..., int]) -> None:
    def refuse(assoc: LeanAssociation, message: Any, context: Any) -> None:
        message.MessageIDBeingRespondedTo, message.Status = message.MessageID, 0x0122
        assoc.dimse.send_msg(message, context.context_id)

    with raw_peer(serve(profile(services={VERIFICATION: refuse}))) as peer:
        peer.associate()
        assert peer.echo() == 0x0122


def test_a_service_that_breaks_aborts_its_association_only(serve: Callable[..., int]) -> None:
    def broken(assoc: LeanAssociation, message: Any, context: Any) -> None:
        raise KeyError("bug")

    with raw_peer(serve(profile(services={VERIFICATION: broken}))) as peer:
        peer.associate()
        peer.send(pdu(0x04, pdv(3, 0x03, echo_request())))
        assert peer.receive()[0] == 0x07


def test_whom_the_profile_does_not_admit_is_rejected(serve: Callable[..., int], dcmtk: Dcmtk) -> None:
    def admit(assoc: LeanAssociation) -> Rejection | None:
        assoc.actor = assoc.requestor.ae_title
        return None if assoc.called_ae == "VNA" else CALLED_AE_NOT_RECOGNIZED

    port = serve(profile(admit=admit))
    done = dcmtk("echoscu", "-aec", "OTHER", "127.0.0.1", port)
    assert done.returncode != 0
    assert "Called AE Title Not Recognized" in done.stdout
    assert dcmtk("echoscu", "-aec", "VNA", "127.0.0.1", port).returncode == 0


def test_a_user_name_is_confirmed_with_an_empty_response(serve: Callable[..., int]) -> None:
    """PS3.7 D.3.3.7.2: zero length for a user name with or without passcode."""
    seen = []

    def admit(assoc: LeanAssociation) -> Rejection | None:
        identity = assoc.requestor.user_identity
        assert identity is not None
        seen.append((identity.user_identity_type, identity.primary_field, identity.secondary_field))
        return None if identity.secondary_field == b"right" else USER_IDENTITY_REFUSED

    port = serve(profile(admit=admit))
    with raw_peer(port) as peer:
        accepted = peer.associate(user_items=user_identity(2, 1, b"dr", b"right"))
        assert item(0x59, b"\0\0") in accepted
    with raw_peer(port) as peer:
        peer.send(associate_request(context_item(1, CT, EXPLICIT), user_items=user_identity(2, 1, b"dr", b"wrong")))
        assert peer.receive() == (0x03, bytes((0, 1, 2, 1)))
    assert seen == [(2, b"dr", b"right"), (2, b"dr", b"wrong")]


def test_a_token_is_confirmed_with_what_the_profile_says(serve: Callable[..., int]) -> None:
    def admit(assoc: LeanAssociation) -> Rejection | None:
        assoc.identity_response = b"saml"
        return None

    with raw_peer(serve(profile(admit=admit))) as peer:
        assert item(0x59, b"\0\x04saml") in peer.associate(user_items=user_identity(4, 1, b"<x/>"))


def test_pynetdicom_takes_our_answer_to_its_identity(port: int) -> None:
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field, identity.positive_response_requested = 1, b"dr", True
    ae = AE()
    ae.add_requested_context(VERIFICATION)
    assoc = ae.associate("127.0.0.1", port, ext_neg=[identity])
    assert assoc.is_established
    assoc.release()


def test_extended_negotiation_is_answered_by_its_hook(serve: Callable[..., int]) -> None:
    agreed = []

    def relational_only(asked: bytes) -> bytes:
        return asked[:1] + bytes(len(asked) - 1)

    def service(assoc: LeanAssociation, message: Any, context: Any) -> None:
        agreed.append(dict(assoc.extended_answers))
        message.MessageIDBeingRespondedTo, message.Status = message.MessageID, 0
        assoc.dimse.send_msg(message, context.context_id)

    wanted = SOPClassExtendedNegotiation()
    wanted.sop_class_uid, wanted.service_class_application_information = STUDY_ROOT_FIND, b"\x01\x01\x01"
    ae = AE()
    ae.add_requested_context(STUDY_ROOT_FIND)
    ae.add_requested_context(VERIFICATION)
    offered = profile(extended={STUDY_ROOT_FIND: relational_only}, services={VERIFICATION: service})
    assoc = ae.associate("127.0.0.1", serve(offered), ext_neg=[wanted])
    assert assoc.acceptor.sop_class_extended == {STUDY_ROOT_FIND: b"\x01\0\0"}
    assoc.send_c_echo()
    assoc.release()
    assert agreed == [{STUDY_ROOT_FIND: b"\x01\0\0"}]


def test_a_peer_that_takes_only_tiny_pdus_is_rejected(peer: RawPeer) -> None:
    peer.send(associate_request(context_item(1, CT, EXPLICIT), max_pdu=7))
    assert peer.receive()[0] == 0x03


def test_another_application_context_is_rejected(peer: RawPeer) -> None:
    request = associate_request(context_item(1, CT, EXPLICIT)).replace(
        b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2"
    )
    peer.send(request)
    assert peer.receive() == (0x03, bytes((0, 1, 1, 2)))


def test_another_protocol_version_is_rejected(peer: RawPeer) -> None:
    request = bytearray(associate_request(context_item(1, CT, EXPLICIT)))
    request[6:8] = b"\0\x02"
    peer.send(bytes(request))
    assert peer.receive() == (0x03, bytes((0, 1, 2, 2)))


def test_a_peer_that_speaks_later_protocol_versions_too_is_accepted(peer: RawPeer) -> None:
    request = bytearray(associate_request(context_item(1, CT, EXPLICIT)))
    request[6:8] = b"\0\x03"
    peer.send(bytes(request))
    assert peer.receive()[0] == 0x02


def test_shutting_down_lets_a_running_store_finish(store: MemoryStore) -> None:
    entered, finish = threading.Event(), threading.Event()

    def slow(command: StoreCommand) -> None:
        entered.set()
        assert finish.wait(5)

    store.on_complete = slow
    server = Server(profile(store))
    with listening(server) as port, raw_peer(port) as busy, raw_peer(port) as idle, raw_peer(port) as silent:
        busy.associate()
        idle.associate()
        eventually(lambda: server.active == 3)
        busy.send(pdu(0x04, pdv(1, 3, store_request()) + pdv(1, 2, b"x")))
        assert entered.wait(5)
        ending = threading.Thread(target=server.shutdown, args=(5,))
        ending.start()
        assert idle.receive()[0] == 0x07
        assert silent.receive()[0] == 0x07
        finish.set()
        assert busy.receive_status() == 0
        assert busy.receive()[0] == 0x07
        for one in (busy, idle, silent):
            one.close()
        ending.join(5)
        assert not ending.is_alive()
        assert server.active == 0
    assert store.stored


def test_shutting_down_ends_what_takes_longer_than_the_grace(store: MemoryStore) -> None:
    server = Server(profile(store))
    with listening(server) as port, raw_peer(port) as peer:
        peer.associate()
        peer.send(pdu(0x04, pdv(1, 3, store_request()) + pdv(1, 0, b"half")))
        eventually(lambda: bool(store.sinks))
        server.shutdown(0.1)
        assert peer.receive()[0] == 0x07
    assert store.sinks[0].abandoned


@pytest.mark.parametrize("ending", ["release", "abort", "vanish"])
def test_every_end_of_an_association_is_noticed(store: MemoryStore, ending: str) -> None:
    server = Server(profile(store))
    with listening(server) as port, raw_peer(port) as peer:
        peer.associate()
        eventually(lambda: server.active == 1)
        if ending == "release":
            peer.release()
            peer.close()
        elif ending == "abort":
            peer.send(pdu(0x07, bytes(4)))
        else:
            peer.close()
        eventually(lambda: server.active == 0, 1)


def test_a_store_that_outlasts_the_idle_time_is_answered(serve: Callable[..., int], store: MemoryStore) -> None:
    store.on_complete = lambda _: time.sleep(0.7)
    limits = Limits(network_timeout=0.3, receive_timeout=0.3, closing_timeout=0.3)
    with raw_peer(serve(profile(store, limits=limits))) as peer:
        peer.associate()
        one = pdu(0x04, pdv(1, 3, store_request()) + pdv(1, 2, b"x"))
        peer.send(one, one[:40])
        assert peer.receive_status() == 0
        peer.send(one[40:])
        assert peer.receive_status() == 0
        peer.release()


def test_a_service_that_outlasts_the_idle_time_is_not_disturbed(serve: Callable[..., int]) -> None:
    def slow(assoc: LeanAssociation, message: Any, context: Any) -> None:
        time.sleep(0.7)
        message.MessageIDBeingRespondedTo, message.Status = message.MessageID, 0
        assoc.dimse.send_msg(message, context.context_id)

    limits = Limits(network_timeout=0.2, closing_timeout=0.3)
    with raw_peer(serve(profile(services={VERIFICATION: slow}, limits=limits))) as peer:
        peer.associate()
        assert peer.echo() == 0


@pytest.mark.parametrize("moment", ["begin", "complete"])
def test_a_store_handler_may_abort_its_association(serve: Callable[..., int], moment: str) -> None:
    class Aborting(MemoryStore):
        def begin(self, assoc: LeanAssociation, command: StoreCommand) -> Sink:
            if moment == "begin":
                assoc.abort()
            return super().begin(assoc, command)

        def complete(self, assoc: LeanAssociation, command: StoreCommand, sink: Sink) -> StoreAnswer:
            assoc.abort()
            return StoreAnswer(0)

    with raw_peer(serve(profile(Aborting()))) as peer:
        peer.associate()
        peer.send(pdu(0x04, pdv(1, 3, store_request())), pdu(0x04, pdv(1, 2, b"x")))
        kind, value = peer.receive()
        assert (kind, value[2]) == (0x07, 0)
        assert peer.receive() == (0, b"")


def test_an_admission_that_breaks_rejects_for_now(serve: Callable[..., int]) -> None:
    def admit(assoc: LeanAssociation) -> Rejection | None:
        raise KeyError("bug")

    with raw_peer(serve(profile(admit=admit))) as peer:
        peer.send(associate_request(context_item(1, CT, EXPLICIT)))
        assert peer.receive() == (0x03, bytes((0, 2, 3, 1)))
