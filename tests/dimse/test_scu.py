"""The C-STORE and C-ECHO user: batches of presentation contexts, files, echoes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import _STORAGE_CLASSES

from dimse.delivery import Item
from dimse.scu import Destination, StoreSCU, batches, echo, proposals, sender
from dimse.send_files import FileEnd, SentFile, send_files
from dimse.sop_classes import VERIFICATION
from dimse.upper_layer.request import ProposedContext
from tests.dimse.clients import CT, EXPLICIT, IMPLICIT, MR, RLE, Receiver, received_of, receiving
from tests.dimse.door import QUICK, Door
from tests.dimse.test_get import rle_image
from tests.objects import ct, part10
from tests.peers.processes import free_port
from tests.pixels.objects import ramp, read_as
from vna.model.errors import NotAuthorized, Unavailable

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


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def ends(found: Iterator[SentFile]) -> dict[str, FileEnd]:
    return {one.path.name: one.end for one in found}


def test_each_file_has_its_end(destination: Receiver, tmp_path: Path) -> None:
    first, second, other = ct(SOPInstanceUID="1.2.1"), ct(SOPInstanceUID="1.2.2"), ct(SOPInstanceUID="1.2.3")
    statuses = {"1.2.2": 0xB000, "1.2.3": 0xA700}
    destination.decide = lambda event: statuses.get(received_of(event).sop_instance_uid, 0)
    paths = [
        write(tmp_path, "good", part10(first)),
        write(tmp_path, "warned", part10(second)),
        write(tmp_path, "refused", part10(other)),
        write(tmp_path, "other class", part10(ct(SOPClassUID=MR))),
        write(tmp_path, "text", b"hello"),
        write(tmp_path, "empty", b""),
        tmp_path / "missing",
    ]
    found = list(send_files(paths, scu(destination)))
    assert ends(iter(found)) == {
        "good": FileEnd.SENT,
        "warned": FileEnd.SENT_WITH_WARNING,
        "refused": FileEnd.FAILED,
        "other class": FileEnd.FAILED,
        "text": FileEnd.NOT_DICOM,
        "empty": FileEnd.NOT_DICOM,
        "missing": FileEnd.NOT_DICOM,
    }
    assert {one.reason for one in found if one.path.name == "refused"} == {"answered with status A700"}
    assert destination.received[0].originator == (None, None)


def test_a_file_is_sent_byte_for_byte(destination: Receiver, tmp_path: Path) -> None:
    content = part10(ct())
    assert ends(send_files([write(tmp_path, "one", content)], scu(destination))) == {"one": FileEnd.SENT}
    assert content.endswith(destination.received[0].data)
    assert len(destination.received[0].data) > 512


def test_a_file_whose_syntax_is_refused_fails_unless_transcoding_is_asked_for(
    destination: Receiver, tmp_path: Path
) -> None:
    path = write(tmp_path, "rle", rle_image())
    (failed,) = send_files([path], scu(destination))
    assert failed.end is FileEnd.FAILED
    (sent,) = send_files([path], scu(destination, fallback=True), transcoding=True)
    assert sent.end is FileEnd.SENT
    (got,) = destination.received
    assert got.transfer_syntax_uid in (EXPLICIT, IMPLICIT)
    assert np.array_equal(read_as(got.data, got.transfer_syntax_uid).pixel_array, ramp(2, 16, 16))


def test_a_file_in_a_syntax_that_is_taken_is_not_transcoded(tmp_path: Path) -> None:
    with receiving([(CT, [RLE, EXPLICIT])]) as receiver:
        list(send_files([write(tmp_path, "rle", rle_image())], scu(receiver, fallback=True), transcoding=True))
    assert receiver.received[0].transfer_syntax_uid == RLE


def test_files_to_nobody_fail_with_a_reason(tmp_path: Path) -> None:
    path = write(tmp_path, "one", part10(ct()))
    (failed,) = send_files([path], scu(Receiver(port=free_port())))
    assert (failed.end, failed.reason) == (FileEnd.FAILED, "no connection to the peer")


def test_sending_can_be_stopped_between_files(destination: Receiver, tmp_path: Path) -> None:
    paths = [write(tmp_path, str(number), part10(ct())) for number in range(6)]
    found = send_files(paths, scu(destination))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert len(destination.received) < 6


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
