"""Requests in a context that does not offer them are answered, and the association lives on (PS3.7 annex C.5)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from pynetdicom import AE

from dimse.models import MODELS
from dimse.upper_layer.inprocess import listening
from dimse.upper_layer.operations import REQUESTS
from tests.archives import Backend, ready
from tests.dimse.upper_layer.harness import (
    CT,
    EXPLICIT,
    IMPLICIT,
    command_set,
    context_item,
    element,
    pdu,
    pdv,
    raw_peer,
    uid,
    us,
)
from tests.objects import ct, part10
from vna.app import build
from vna.app.doors import dimse_server
from vna.model.sop_classes import VERIFICATION

SERVED = {CT: "C-STORE", VERIFICATION: "C-ECHO"} | {
    model: {"1": "C-FIND", "2": "C-MOVE", "3": "C-GET"}[model[-1]] for model in MODELS
}
NUMBERS = {name: number for number, name in REQUESTS.items()}
ECHO_CONTEXT = 3
DATA_SET, NO_DATA_SET = 0x0001, 0x0101


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    settings = Backend("sqlite+folder", tmp_path_factory.mktemp("archive")).settings()
    ready(settings)
    application = build(settings)
    with listening(dimse_server(application), grace_seconds=0.2) as number:
        yield number
    application.close()


def request(name: str, sop_class: str, data_set_type: int) -> bytes:
    """Every element that some request has, so that none is missed."""
    return command_set(
        element(0x0002, uid(sop_class)),
        element(0x0003, uid(sop_class)),
        element(0x0100, us(NUMBERS[name])),
        element(0x0110, us(7)),
        element(0x0600, b"ANY "),
        element(0x0700, us(0)),
        element(0x0800, us(data_set_type)),
        element(0x1000, b"1.2.3\0"),
        element(0x1001, b"1.2.3\0"),
        element(0x1002, us(1)),
        element(0x1008, us(1)),
    )


@pytest.mark.parametrize(
    ("context", "name"), [(context, name) for context in SERVED for name in NUMBERS if SERVED[context] != name]
)
def test_a_request_that_its_context_does_not_offer_is_answered_and_the_association_stays(
    port: int, caplog: pytest.LogCaptureFixture, context: str, name: str
) -> None:
    with raw_peer(port) as peer, caplog.at_level(logging.INFO):
        peer.associate(context_item(1, context, IMPLICIT), context_item(ECHO_CONTEXT, VERIFICATION, IMPLICIT))
        for sop_class in (context, CT, VERIFICATION):
            for data in (b"", b"\x08\0\x18\0\x04\0\0\0001.2", bytes(40_000)):
                sent = request(name, sop_class, DATA_SET if data else NO_DATA_SET)
                pieces = [data[start : start + 10_000] for start in range(0, len(data), 10_000)]
                peer.send(pdu(0x04, pdv(1, 0x03, sent)))
                for number, piece in enumerate(pieces, start=1):
                    peer.send(pdu(0x04, pdv(1, 0x02 if number == len(pieces) else 0x00, piece)))
                answer = peer.receive_command()
                expected = {0x0122, 0xC000} if name == "C-STORE" else {0x0211}
                assert int.from_bytes(answer[0x0900], "little") in expected
                assert int.from_bytes(answer[0x0100], "little") == NUMBERS[name] | 0x8000
                assert answer[0x0120] == us(7)
                assert answer[0x0002] == uid(sop_class)
                assert len(answer[0x0902]) <= 64
        assert peer.echo() == 0
        peer.release()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_pynetdicom_is_told_and_goes_on(port: int) -> None:
    ds = ct()
    part10(ds)
    ae = AE()
    ae.add_requested_context(CT, EXPLICIT)
    assoc = ae.associate("127.0.0.1", port)
    assert [status.Status for status, _ in assoc.send_c_find(ds, CT)] == [0x0211]
    assert assoc.send_n_create(ds, CT, "1.2.3")[0].Status == 0x0211
    assert assoc.send_c_store(ds).Status == 0
    assoc.release()


def test_the_context_says_what_a_request_is_for_whatever_class_it_names(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with raw_peer(port) as peer:
        peer.associate(context_item(1, CT, EXPLICIT), context_item(ECHO_CONTEXT, VERIFICATION, IMPLICIT))
        peer.send(pdu(0x04, pdv(ECHO_CONTEXT, 0x03, request("C-ECHO", CT, NO_DATA_SET))))
        assert peer.receive_status() == 0
        peer.release()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_cancellations_of_nothing_are_passed_over(port: int, caplog: pytest.LogCaptureFixture) -> None:
    cancel = command_set(element(0x0100, us(0x0FFF)), element(0x0120, us(7)), element(0x0800, us(NO_DATA_SET)))
    with raw_peer(port) as peer:
        peer.associate()
        for context_id in (1, ECHO_CONTEXT) * 10:
            peer.send(pdu(0x04, pdv(context_id, 0x03, cancel)))
        assert peer.echo() == 0
        peer.release()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
