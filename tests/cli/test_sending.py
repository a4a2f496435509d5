"""Files on their way to another application entity: what each is, and in which syntax it goes."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from dimse.scu import Destination, StoreSCU, sender
from tests.cli.conftest import Vna
from tests.dimse.clients import CT, EXPLICIT, IMPLICIT, RLE, Receiver, receiving
from tests.dimse.door import QUICK
from tests.dimse.test_get import rle_image
from tests.objects import ct, part10
from tests.pixels.objects import ramp, read_as
from vna.cli.sending import open_file
from vna.model.destination import Sent, Verdict
from vna.model.errors import CannotUnderstand


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


@contextmanager
def speaking_no_dicom() -> Iterator[int]:
    """A port where something else is spoken."""

    class Greeting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                self.request.recv(1 << 16)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


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


def test_what_holds_no_instance_is_nothing_sent_and_no_success(vna: Vna, receiver: Receiver, tmp_path: Path) -> None:
    write(tmp_path, b"hello")
    done = vna("send", tmp_path / "one", "--to", f"DEST@127.0.0.1:{receiver.port}")
    assert (done.code, done.out) == (1, "0 sent, 0 failed, 1 not DICOM\n")
    assert done.err == "vna: nothing was sent: there is no DICOM instance in what was named\n"


def test_a_port_that_is_not_dicoms_is_said_once_and_whole(vna: Vna, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(part10(ct()))
    with speaking_no_dicom() as port:
        to = f"DEST@127.0.0.1:{port}"
        done = vna("send", *sorted(tmp_path.glob("*.dcm")), "--to", to)
    assert (done.code, done.out) == (1, "0 sent, 3 failed, 0 not DICOM\n")
    assert done.err == (f"failed: 3 not sent to {to}: the peer does not take the association; is it a DICOM port?\n")


def test_a_refusal_of_one_file_is_said_of_that_file(vna: Vna, receiver: Receiver, tmp_path: Path) -> None:
    receiver.decide = lambda _: 0xA700
    path = write(tmp_path, part10(ct()))
    done = vna("send", path, "--to", f"DEST@127.0.0.1:{receiver.port}")
    assert (done.code, done.out) == (1, "0 sent, 1 failed, 0 not DICOM\n")
    assert done.err == f"failed: {path}: answered with status A700\n"
