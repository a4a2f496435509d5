"""Every kind of blob store does the same: a folder, and two S3 stores of different makers."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from storage.blobs import s3_upload
from storage.blobs.base import BlobStore
from storage.blobs.filesystem import FilesystemBlobs
from storage.blobs.s3 import S3Blobs
from tests.peers import wrong_store
from tests.peers.juicefs import JuiceFS
from tests.peers.seaweedfs import SeaweedFS
from tests.peers.wrong_store import WrongStore
from vna.model.errors import Damaged, NotFound, Unavailable

CONTENT = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(256)) * 64  # 512 KiB
Server = SeaweedFS | JuiceFS


def s3(server: Server, folder: Path, *, bucket: str, endpoint: str = "", seconds: float = 20.0) -> S3Blobs:
    return S3Blobs(
        endpoint=endpoint or server.endpoint,
        bucket=bucket,
        access_key=server.access_key,
        secret_key=server.secret_key,
        spool_folder=folder / "spool",
        seconds=seconds,
    )


@pytest.fixture(scope="module", params=["folder", "seaweedfs", "juicefs"])
def blobs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BlobStore:
    folder = tmp_path_factory.mktemp("blobs")
    if request.param == "folder":
        return FilesystemBlobs(folder)
    server: Server = request.getfixturevalue(request.param)
    made = s3(server, folder, bucket=f"{request.param}-blobs")
    made.prepare()
    return made


@pytest.fixture(scope="module", params=["seaweedfs", "juicefs"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


Bad = tuple[WrongStore, S3Blobs]
_names = (f"studies/aa/{number}" for number in itertools.count())


@contextmanager
def _behind(server: Server, folder: Path, seconds: float) -> Iterator[Bad]:
    with wrong_store.wrong_store(server.port) as proxy:
        bucket = server.new_bucket()
        yield proxy, s3(server, folder, bucket=bucket, endpoint=proxy.endpoint, seconds=seconds)


@pytest.fixture
def bad(server: Server, tmp_path: Path) -> Iterator[Bad]:
    """A store behind something that does wrong."""
    with _behind(server, tmp_path, 20.0) as made:
        yield made


@pytest.fixture
def hopeless(server: Server, tmp_path: Path) -> Iterator[Bad]:
    """The same, of which little patience is asked."""
    with _behind(server, tmp_path, 2.0) as made:
        yield made


@pytest.mark.parametrize("content", [b"", b"x", CONTENT], ids=["nothing", "a byte", "much"])
def test_what_was_put_is_read_back_whole_and_in_ranges(blobs: BlobStore, content: bytes) -> None:
    name = next(_names)
    blobs.put(name, [content[:100], content[100:]])
    assert blobs.size(name) == len(content)
    assert blobs.read(name) == content
    assert b"".join(blobs.stream(name)) == content
    assert blobs.read(name, len(content) // 2, 0) == b""
    half = len(content) // 2
    assert blobs.read(name, half) == content[half:]
    assert b"".join(blobs.stream(name, half, len(content) - half)) == content[half:]
    if content:
        assert blobs.read(name, half, 1) == content[half : half + 1]


def test_a_file_of_the_spool_is_kept_and_gone_from_there(blobs: BlobStore) -> None:
    name, path = next(_names), blobs.spool_folder / "incoming"
    path.write_bytes(CONTENT)
    blobs.put_file(name, path)
    assert blobs.read(name) == CONTENT
    assert not path.exists()


def test_names_are_listed_in_order_and_deleted_ones_are_gone(blobs: BlobStore) -> None:
    names = [f"listed/{folder}/{file}" for folder in "ab" for file in range(3)]
    for name in reversed(names):
        blobs.put(name, [b"x"])
    assert list(blobs.names("listed")) == names
    assert list(blobs.names("list")) == []
    blobs.delete(names[0])
    blobs.delete(names[0])
    assert list(blobs.names("listed")) == names[1:]
    for read in (blobs.read, blobs.stream, blobs.size):
        with pytest.raises(NotFound):
            read(names[0])


def test_a_blob_that_is_shorter_than_what_is_asked_of_it_is_damaged(blobs: BlobStore) -> None:
    name = next(_names)
    blobs.put(name, [b"0123456789"])
    for offset, length in ((5, 6), (20, 1)):
        with pytest.raises(Damaged):
            blobs.read(name, offset, length)
        with pytest.raises(Damaged):
            list(blobs.stream(name, offset, length))


def test_a_large_object_goes_in_parts_and_comes_back_whole(server: Server, tmp_path: Path) -> None:
    store, path = s3(server, tmp_path, bucket=server.new_bucket()), tmp_path / "large"
    content = CONTENT * 70  # 35 MiB
    path.write_bytes(content)
    store.put_file("studies/large", path)
    assert hashlib.sha256(b"".join(store.stream("studies/large"))).digest() == hashlib.sha256(content).digest()
    assert store.read("studies/large", s3_upload.PART_BYTES - 5, 10) == content[s3_upload.PART_BYTES - 5 :][:10]


def test_parts_of_an_upload_that_failed_are_taken_away(hopeless: Bad, tmp_path: Path) -> None:
    proxy, store = hopeless
    (path := tmp_path / "large").write_bytes(CONTENT * 40)
    proxy.fail(wrong_store.BUSY, 100, "PUT")
    with pytest.raises(Unavailable):
        store.put_file("studies/large", path)
    proxy.mend()
    assert path.exists()
    assert store.abort_uploads(timedelta(seconds=-60)) == 0
    store.put_file("studies/large", path)
    assert store.size("studies/large") == len(CONTENT) * 40


def test_parts_that_a_killed_process_left_are_found_by_their_age(server: Server, tmp_path: Path) -> None:
    store = s3(server, tmp_path, bucket=server.new_bucket())
    store.client._create_multipart_upload(store.bucket, "studies/left", {})
    assert store.abort_uploads(timedelta(hours=1)) == 0
    assert store.abort_uploads(timedelta(seconds=-60)) == 1
    assert store.abort_uploads(timedelta(seconds=-60)) == 0


@pytest.mark.parametrize(
    "how", [wrong_store.BUSY, wrong_store.LOSE_ANSWER, wrong_store.CORRUPT_UPLOAD], ids=["busy", "lost", "corrupt"]
)
def test_what_fails_on_its_way_in_is_sent_again_and_arrives(bad: Bad, tmp_path: Path, how: str) -> None:
    proxy, store = bad
    proxy.fail(how, 2, "PUT")
    store.put("studies/one", [CONTENT])
    assert store.read("studies/one") == CONTENT
    proxy.fail(how, 2, "PUT")
    proxy.fail(wrong_store.LOSE_ANSWER if how == wrong_store.LOSE_ANSWER else wrong_store.BUSY, 1, "POST")
    (path := tmp_path / "large").write_bytes(CONTENT * 40)
    store.put_file("studies/large", path)
    assert store.read("studies/large") == CONTENT * 40


def test_bytes_that_never_arrive_whole_are_never_acknowledged(hopeless: Bad) -> None:
    proxy, store = hopeless
    proxy.fail(wrong_store.CORRUPT_UPLOAD, 100, "PUT")
    with pytest.raises(Unavailable):
        store.put("studies/one", [CONTENT])


@pytest.mark.parametrize("how", [wrong_store.BUSY, wrong_store.CUT, wrong_store.LOSE_ANSWER])
def test_a_read_that_breaks_off_is_gone_on_with(bad: Bad, how: str) -> None:
    proxy, store = bad
    store.put("studies/one", [CONTENT * 8])
    proxy.fail(how, 2, "GET")
    assert store.read("studies/one") == CONTENT * 8
    proxy.fail(how, 2, "GET")
    assert b"".join(store.stream("studies/one", 7)) == (CONTENT * 8)[7:]
    proxy.fail(how, 1, "GET")
    assert list(store.names("studies")) == ["studies/one"]


@pytest.mark.parametrize("how", [wrong_store.BUSY, wrong_store.SILENT])
def test_nobody_waits_long_for_a_store_that_does_nothing(hopeless: Bad, how: str) -> None:
    proxy, store = hopeless
    calls: list[Callable[[], object]] = [
        lambda: store.read("a"),
        lambda: store.size("a"),
        lambda: store.put("a", [b"a"]),
    ]
    proxy.fail(how, 1000)
    began = monotonic()
    for call in calls:
        with pytest.raises(Unavailable):
            call()
    assert monotonic() - began < 7
    proxy.mend()
    store.put("a", [b"a"])
    assert store.read("a") == b"a"
