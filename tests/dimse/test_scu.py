"""The C-STORE and C-ECHO user: batches of presentation contexts, files, echoes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import _STORAGE_CLASSES

from dimse.scu import Destination, StoreSCU, batches, echo, proposals, sender
from dimse.upper_layer.request import ProposedContext
from tests.dimse.clients import CT, EXPLICIT, IMPLICIT, MR, Receiver, received_of, receiving
from tests.dimse.door import QUICK, Door
from tests.objects import ct, part10
from tests.peers.processes import free_port
from vna.model.destination import Item, Verdict
from vna.model.errors import NotAuthorized, Unavailable
from vna.model.sop_classes import VERIFICATION

JPEG = "1.2.840.10008.1.2.4.50"


@dataclass
class Encoded:
    transfer_syntax_uid: str
    chunks: Iterator[bytes]


def item(sop_class: str, syntax: str = EXPLICIT) -> Item:
    return Item(sop_class, "1.2.3", syntax, lambda _: pytest.fail("not to be read"))


def scu(receiver: Receiver, *, fallback: bool = False) -> StoreSCU:
    return StoreSCU(Destination("127.0.0.1", receiver.port, "DEST"), sender("SENDER", QUICK), fallback=fallback)


@pytest.fixture
def destination() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_each_syntax_is_proposed_in_a_context_of_its_own() -> None:
    assert proposals(item(CT, JPEG), fallback=True) == (
        ProposedContext(CT, (JPEG,)),
        ProposedContext(CT, (EXPLICIT,)),
        ProposedContext(CT, (IMPLICIT,)),
    )
    assert proposals(item(CT, EXPLICIT), fallback=True) == proposals(item(CT, IMPLICIT), fallback=True)[::-1]
    assert proposals(item(CT, JPEG), fallback=False) == (ProposedContext(CT, (JPEG,)),)


def test_what_fits_goes_in_one_batch_in_its_own_order() -> None:
    items = [item(MR), item(CT), item(MR, JPEG)]
    (batch,) = batches(items, fallback=True)
    assert batch.items == tuple(items)
    assert len(batch.contexts) == len(set(batch.contexts)) == 5


def test_more_than_128_contexts_are_split_over_associations() -> None:
    items = [item(f"1.2.{number % 100}", JPEG) for number in range(300)]
    made = list(batches(items, fallback=True))
    assert [len(batch.contexts) for batch in made] == [126, 126, 48]
    assert sorted(i.sop_class_uid for b in made for i in b.items) == sorted(i.sop_class_uid for i in items)
    for batch in made:
        for one in batch.items:
            assert set(proposals(one, fallback=True)) <= set(batch.contexts)


def test_items_of_more_than_128_contexts_all_arrive() -> None:
    classes = sorted(_STORAGE_CLASSES.values())[:70]  # of those that pynetdicom takes
    with receiving([(uid, [EXPLICIT, IMPLICIT]) for uid in classes]) as receiver:
        items = [Item(uid, f"{uid}.1", EXPLICIT, lambda _: Encoded(EXPLICIT, iter([b"\0" * 10]))) for uid in classes]
        sent = list(scu(receiver, fallback=True).send(items))
    assert {one.verdict.value for one in sent} == {"completed"}
    assert receiver.associations == 2
    assert len(receiver.uids) == 70


def of(ds: Dataset) -> Item:
    """An image as something to send."""
    content = part10(ds)
    data = content[144 + int.from_bytes(content[140:144], "little") :]
    return Item(ds.SOPClassUID, ds.SOPInstanceUID, EXPLICIT, lambda _: Encoded(EXPLICIT, iter([data])))


def test_each_item_has_its_end(destination: Receiver) -> None:
    statuses = {"1.2.2": 0xB000, "1.2.3": 0xA700}
    destination.decide = lambda event: statuses.get(received_of(event).sop_instance_uid, 0)
    items = [of(ct(SOPInstanceUID=f"1.2.{number}")) for number in (1, 2, 3)]
    items.append(of(ct(SOPInstanceUID="1.2.4", SOPClassUID=MR)))
    ends = {sent.item.sop_instance_uid: (sent.verdict, sent.status) for sent in scu(destination).send(items)}
    assert ends == {
        "1.2.1": (Verdict.COMPLETED, 0x0000),
        "1.2.2": (Verdict.WARNING, 0xB000),
        "1.2.3": (Verdict.FAILED, 0xA700),
        "1.2.4": (Verdict.FAILED, 0x0122),
    }
    assert destination.received[0].originator == (None, None)


def test_without_a_listener_every_item_fails_with_a_reason() -> None:
    sent = list(scu(Receiver(port=free_port())).send([of(ct()), of(ct())]))
    assert [(one.verdict, one.reason) for one in sent] == [(Verdict.FAILED, "no connection to the peer")] * 2


def test_sending_can_be_stopped_between_items(destination: Receiver) -> None:
    sending = scu(destination).send([of(ct()) for _ in range(20)])
    next(sending)
    sending.close()  # type: ignore[attr-defined]
    assert len(destination.received) < 20


def test_an_echo_is_answered(door: Door) -> None:
    echo(Destination("127.0.0.1", door.port, "VNA"), sender("ECHOER", QUICK))


def test_an_echo_to_nobody_says_so() -> None:
    with pytest.raises(Unavailable, match="no connection"):
        echo(Destination("127.0.0.1", free_port(), "VNA"), sender("ECHOER", QUICK))


def test_an_echo_that_is_rejected_says_so() -> None:
    ae = AE("STRICT")
    ae.require_called_aet = True
    ae.add_supported_context(VERIFICATION)
    server = ae.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    try:
        with pytest.raises(NotAuthorized, match="reject"):
            echo(Destination("127.0.0.1", server.server_address[1], "OTHER"), sender("ECHOER", QUICK))
    finally:
        server.shutdown()
