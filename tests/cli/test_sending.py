"""Files on their way to another application entity: what each is, and in which syntax it goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dimse.delivery import Sent, Verdict
from dimse.scu import Destination, StoreSCU, sender
from tests.dimse.clients import CT, EXPLICIT, IMPLICIT, RLE, Receiver, receiving
from tests.dimse.door import QUICK
from tests.dimse.test_get import rle_image
from tests.objects import ct, part10
from tests.pixels.objects import ramp, read_as
from vna.cli.sending import open_file
from vna.model.errors import CannotUnderstand


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


def send(receiver: Receiver, path: Path, *, fallback: bool = True) -> Sent:
    file = open_file(path)
    assert file is not None
    scu = StoreSCU(
        Destination("127.0.0.1", receiver.port, "DEST"), sender("SENDER", QUICK), parallel=1, fallback=fallback
    )
    (sent,) = scu.send([file.item()])
    return sent


def write(folder: Path, content: bytes) -> Path:
    path = folder / "one"
    path.write_bytes(content)
    return path


def test_a_file_is_sent_byte_for_byte(receiver: Receiver, tmp_path: Path) -> None:
    content = part10(ct())
    assert send(receiver, write(tmp_path, content)).verdict is Verdict.COMPLETED
    assert content.endswith(receiver.received[0].data)
    assert len(receiver.received[0].data) > 512


def test_a_file_whose_syntax_is_not_taken_is_transcoded(receiver: Receiver, tmp_path: Path) -> None:
    assert send(receiver, write(tmp_path, rle_image())).verdict is Verdict.COMPLETED
    (got,) = receiver.received
    assert got.transfer_syntax_uid in (EXPLICIT, IMPLICIT)
    assert np.array_equal(read_as(got.data, got.transfer_syntax_uid).pixel_array, ramp(2, 16, 16))


def test_without_a_fallback_nothing_is_transcoded(receiver: Receiver, tmp_path: Path) -> None:
    assert send(receiver, write(tmp_path, rle_image()), fallback=False).verdict is Verdict.FAILED
    assert not receiver.received


def test_a_file_in_a_syntax_that_is_taken_is_not_transcoded(tmp_path: Path) -> None:
    with receiving([(CT, [RLE, EXPLICIT])]) as receiver:
        send(receiver, write(tmp_path, rle_image()))
    assert receiver.received[0].transfer_syntax_uid == RLE


def test_what_group_2_does_not_say_the_data_set_does(tmp_path: Path) -> None:
    ds = ct()
    content = part10(ds)
    file = open_file(write(tmp_path, content[144 + int.from_bytes(content[140:144], "little") :]))
    assert file is not None
    assert (file.meta.sop_class_uid, file.meta.sop_instance_uid) == (ds.SOPClassUID, ds.SOPInstanceUID)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(200)])
def test_other_files_are_no_instances(tmp_path: Path, content: bytes) -> None:
    assert open_file(write(tmp_path, content)) is None


def test_a_file_cut_in_its_group_2_is_not_understood(tmp_path: Path) -> None:
    with pytest.raises(CannotUnderstand):
        open_file(write(tmp_path, part10(ct())[:200]))
