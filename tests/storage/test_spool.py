"""The spool in front of an object store: what is durable there reaches it whole, and is read from wherever it is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from storage.blobs.base import Growing, Piece
from storage.blobs.filesystem import FilesystemBlobs
from storage.blobs.spool_folder import SpoolFolder
from storage.blobs.spooled import SpooledBlobs, SpooledUpload
from storage.blobs.uploading import Uploading
from vna.model.errors import NotFound, OutOfResources, Unavailable

NAME = "studies/ab/1.2.3/1.2.3.4/1.2.3.4.5.0badcafe.dcm"
OTHER = "studies/cd/1.2.7/1.2.7.4/1.2.7.4.5.0badcafe.dcm"


class Farther(FilesystemBlobs):
    """A store in a folder that can be away, and can give back other bytes than it took."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.away = self.garbles = False
        self.taken: list[str] = []

    def put(self, name: str, pieces: Sequence[Piece]) -> None:
        self.check()
        self.taken.append(name)
        super().delete(name)
        super().put(name, [b"other bytes"] if self.garbles else pieces)

    def put_file(self, name: str, path: Path) -> None:
        self.put(name, [path.read_bytes()])
        path.unlink()

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        self.check()
        return super().read(name, offset, length)

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        self.check()
        return super().stream(name, offset, length)

    def check(self) -> None:
        if self.away:
            raise Unavailable("the blob store does not answer")


@pytest.fixture
def farther(tmp_path: Path) -> Farther:
    return Farther(tmp_path / "farther")


@pytest.fixture
def blobs(farther: Farther, tmp_path: Path) -> SpooledBlobs:
    return SpooledBlobs(farther, SpoolFolder(tmp_path / "waiting"), most=1 << 20)


def _upload(blobs: SpooledBlobs) -> tuple[int, bool]:
    return Uploading(blobs, threads=2).once(threading.Event())


def _grow(blobs: SpooledBlobs, name: str, data: bytes, digest: bytes | None = None) -> SpooledUpload:
    from hashlib import sha256

    upload = blobs.begin(name)
    assert upload is not None
    upload.write(data)
    upload.sync(sha256(data).digest() if digest is None else digest)
    return upload


def _file(blobs: SpooledBlobs) -> Path:
    (path,) = (path for path in blobs.spool.root.glob("objects/*/*"))
    return path


def test_what_is_put_waits_and_is_read_here_while_the_store_is_away(blobs: SpooledBlobs, farther: Farther) -> None:
    farther.away = True
    blobs.put(NAME, [b"some", b" bytes"])
    assert blobs.read(NAME) == b"some bytes"
    assert blobs.read(NAME, 5, 3) == b"byt"
    assert b"".join(blobs.stream(NAME, 2)) == b"me bytes"
    assert blobs.size(NAME) == 10
    assert blobs.spool.count().objects == 1
    assert _upload(blobs) == (0, False)
    assert blobs.read(NAME) == b"some bytes"


def test_what_was_uploaded_is_in_the_store_and_no_more_in_the_spool(blobs: SpooledBlobs, farther: Farther) -> None:
    blobs.put(NAME, [b"some bytes"])
    _grow(blobs, OTHER, b"x" * 300_000).close()
    incoming = blobs.spool_folder / "incoming-1"
    incoming.write_bytes(b"y" * 400_000)
    blobs.put_file("documents/ab/third", incoming)
    assert blobs.spool.count().bytes == blobs.spool.held_bytes() == 700_010
    assert _upload(blobs) == (3, True)
    assert farther.read(NAME) == b"some bytes"
    assert farther.size(OTHER) == 300_000
    assert farther.read("documents/ab/third") == b"y" * 400_000
    assert (blobs.spool.count().objects, blobs.spool.held_bytes()) == (0, 0)
    assert blobs.read(NAME) == b"some bytes"


def test_a_blob_larger_than_memory_is_uploaded_from_a_file(farther: Farther, tmp_path: Path) -> None:
    blobs = SpooledBlobs(farther, SpoolFolder(tmp_path / "waiting"), most=1 << 30)
    data = os.urandom(9 << 20)
    _grow(blobs, NAME, data).close()
    assert _upload(blobs) == (1, True)
    assert farther.read(NAME) == data
    assert list(blobs.spool_folder.iterdir()) == []


def test_what_a_killed_process_was_writing_is_neither_served_nor_uploaded(blobs: SpooledBlobs) -> None:
    upload = blobs.begin(NAME)
    assert upload is not None
    upload.write(b"x" * 300_000)
    with pytest.raises(NotFound):
        blobs.read(NAME)
    assert list(blobs.names("studies")) == []
    assert _upload(blobs) == (0, True)
    assert SpoolFolder(blobs.spool.root).recover() == 1
    with pytest.raises(Unavailable):
        upload.sync(bytes(32))  # whoever goes on all the same is told before it answers anybody
    upload.close()


def test_a_file_that_lost_bytes_in_a_power_cut_is_set_aside(blobs: SpooledBlobs, farther: Farther) -> None:
    blobs.put(NAME, [b"some bytes"])
    path = _file(blobs)
    path.write_bytes(b"\0\0\0\0" + path.read_bytes()[4:])
    assert _upload(blobs)[1]
    assert farther.taken == []
    assert [file.name for file in (blobs.spool.root / "aside").iterdir()] == [path.name]
    assert blobs.spool.count().objects == 0


def test_a_spool_that_was_copied_with_other_modes_is_whole_after_the_next_start(blobs: SpooledBlobs) -> None:
    blobs.put(NAME, [b"some bytes"])
    _file(blobs).chmod(0o600)
    assert blobs.spool.recover() == 0
    assert blobs.read(NAME) == b"some bytes"


def test_a_store_that_gives_back_other_bytes_has_not_got_them(blobs: SpooledBlobs, farther: Farther) -> None:
    farther.garbles = True
    blobs.put(NAME, [b"some bytes"])
    assert _upload(blobs) == (0, False)
    assert blobs.read(NAME) == b"some bytes"
    farther.garbles = False
    assert _upload(blobs) == (1, True)
    assert farther.read(NAME) == b"some bytes"


def test_what_is_deleted_while_it_is_uploaded_is_in_neither_place(blobs: SpooledBlobs, farther: Farther) -> None:
    blobs.put(NAME, [b"some bytes"])
    put = farther.put

    def deleted_meanwhile(name: str, pieces: Sequence[Piece]) -> None:
        blobs.delete(name)
        put(name, pieces)

    farther.put = deleted_meanwhile  # type: ignore[method-assign]
    assert _upload(blobs) == (1, True)
    assert list(blobs.names("studies")) == []
    with pytest.raises(NotFound):
        farther.size(NAME)


def test_what_is_not_wanted_after_all_is_taken_back_from_the_store(blobs: SpooledBlobs, farther: Farther) -> None:
    upload = _grow(blobs, NAME, b"x" * 300_000)
    assert _upload(blobs) == (1, True)
    upload.discard()
    with pytest.raises(NotFound):
        farther.size(NAME)


def test_names_are_those_of_both_places_once_each(blobs: SpooledBlobs) -> None:
    blobs.put(NAME, [b"1"])
    assert _upload(blobs) == (1, True)
    blobs.put(OTHER, [b"2"])
    blobs.put("journal/2026/01/01/a.jsonl.gz", [b"3"])
    blobs.spool.put(NAME, [b"1"])  # a crash after the upload
    assert list(blobs.names("studies")) == [NAME, OTHER]


def test_a_full_spool_lets_everything_pass_or_refuses_it(farther: Farther, tmp_path: Path) -> None:
    blobs = SpooledBlobs(farther, SpoolFolder(tmp_path / "waiting"), most=15)
    blobs.put(NAME, [b"some bytes"])
    blobs.put(OTHER, [b"some bytes"])
    assert farther.taken == [OTHER]
    _grow(blobs, "studies/x", b"x" * 20).close()
    assert blobs.begin("studies/y") is None
    blobs.check()
    farther.away = True
    with pytest.raises(OutOfResources):
        blobs.put("studies/z", [b"some bytes"])
    with pytest.raises(OutOfResources):
        blobs.check()


def test_a_spool_that_is_no_more_used_runs_empty(blobs: SpooledBlobs, farther: Farther) -> None:
    blobs.put(NAME, [b"some bytes"])
    after = SpooledBlobs(farther, SpoolFolder(blobs.spool.root), most=0)
    assert after.read(NAME) == b"some bytes"
    after.put(OTHER, [b"2"])
    assert farther.taken == [OTHER]
    assert _upload(after) == (1, True)
    assert list(after.names("studies")) == [NAME, OTHER]


def test_one_process_of_a_node_uploads(blobs: SpooledBlobs) -> None:
    one, other = Uploading(blobs), Uploading(blobs)
    with one.alone() as first, other.alone() as second:
        assert (first, second) == (True, False)
    with other.alone() as later:
        assert later


def test_names_from_outside_lead_nowhere_else(blobs: SpooledBlobs) -> None:
    for name in ("", "/etc/passwd", "a+b", "a\0b", "x" * 300):
        with pytest.raises(NotFound):
            blobs.spool.read(name)
    with pytest.raises(NotFound):
        blobs.spool.read("../spool/incoming-1")


def test_it_takes_objects_while_they_come(blobs: SpooledBlobs) -> None:
    assert isinstance(blobs, Growing)
