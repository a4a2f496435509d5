"""Bytes that a store returns corrupt are never given as good; what was read in parts is kept, compared and bounded."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.blobs.base import BlobStore
from storage.blobs.cache import ReadCache
from storage.blobs.checked import CheckedBlobs
from storage.blobs.filesystem import FilesystemBlobs
from storage.blobs.known import Known
from storage.blobs.s3 import S3Blobs
from tests.peers import wrong_store
from tests.peers.juicefs import JuiceFS
from tests.peers.wrong_store import WrongStore
from vna.model.errors import Damaged, NotFound

CONTENT = random.Random(7).randbytes(300_000)
LARGE = random.Random(8).randbytes((8 << 20) + 1000)


def known(content: bytes) -> Known:
    return Known(len(content), hashlib.sha256(content).digest())


@pytest.fixture
def proxy(juicefs: JuiceFS) -> Iterator[WrongStore]:
    with wrong_store.wrong_store(juicefs.port) as proxy:
        yield proxy


@pytest.fixture
def store(juicefs: JuiceFS, proxy: WrongStore, tmp_path: Path) -> S3Blobs:
    return S3Blobs(
        endpoint=proxy.endpoint,
        bucket=juicefs.new_bucket(),
        access_key=juicefs.access_key,
        secret_key=juicefs.secret_key,
        spool_folder=tmp_path / "spool",
    )


def checked(store: BlobStore, folder: Path, told: list[str], most: int = 1 << 30) -> CheckedBlobs:
    cache = ReadCache(folder / "cache", most) if most else None
    return CheckedBlobs(store, cache, lambda name, _: told.append(name))


@pytest.mark.parametrize(("offset", "length"), [(0, None), (100, None), (1000, 5000)], ids=["all", "tail", "range"])
def test_what_comes_corrupt_is_fetched_again_and_never_given(
    store: S3Blobs, proxy: WrongStore, tmp_path: Path, offset: int, length: int | None
) -> None:
    told: list[str] = []
    blobs = checked(store, tmp_path, told)
    store.put("a", [CONTENT])
    proxy.fail(wrong_store.CORRUPT, 2, "GET")
    with pytest.raises(Damaged):
        b"".join(blobs.stream_known("a", known(CONTENT), offset, length))
    assert told == ["a"]
    proxy.fail(wrong_store.CORRUPT, 1, "GET")
    end = len(CONTENT) if length is None else offset + length
    assert blobs.read_known("a", known(CONTENT), offset, length) == CONTENT[offset:end]
    assert told == ["a"]


def test_a_large_object_that_comes_corrupt_breaks_off_before_its_last_bytes(
    store: S3Blobs, proxy: WrongStore, tmp_path: Path
) -> None:
    told: list[str] = []
    blobs = checked(store, tmp_path, told)
    store.put("a", [LARGE])
    assert b"".join(blobs.stream_known("a", known(LARGE), 132)) == LARGE[132:]
    proxy.fail(wrong_store.CORRUPT, 1, "GET")
    given = bytearray()
    pieces = blobs.stream_known("a", known(LARGE))
    with pytest.raises(Damaged):
        given.extend(itertools.chain.from_iterable(pieces))
    assert len(given) < len(LARGE)
    assert told == ["a"]


def test_what_was_read_in_parts_is_not_asked_for_again(store: S3Blobs, proxy: WrongStore, tmp_path: Path) -> None:
    blobs = checked(store, tmp_path, [])
    other = checked(store, tmp_path, [])  # another process of the node
    store.put("a", [CONTENT])
    proxy.requests.clear()
    threads = [threading.Thread(target=blobs.read_known, args=("a", known(CONTENT), n, 10)) for n in range(5, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.read_known("a", known(CONTENT), 20, 30) == CONTENT[20:50]
    assert b"".join(other.stream_known("a", known(CONTENT))) == CONTENT
    assert [method for method, _ in proxy.requests] == ["GET"]


def test_what_is_gone_or_cut_is_told(store: S3Blobs, tmp_path: Path) -> None:
    told: list[str] = []
    blobs = checked(store, tmp_path, told)
    with pytest.raises(NotFound):
        blobs.read_known("gone", known(CONTENT), 10, 10)
    store.put("cut", [CONTENT[:-1]])
    for offset, length in ((0, None), (10, 10)):
        with pytest.raises(Damaged):
            blobs.read_known("cut", known(CONTENT), offset, length)
    assert told == ["gone", "cut", "cut"]


def test_the_cache_keeps_to_its_bound_and_what_was_read_last(tmp_path: Path) -> None:
    folder = FilesystemBlobs(tmp_path / "blobs")
    objects = [random.Random(n).randbytes(10_000) for n in range(30)]
    for number, content in enumerate(objects):
        folder.put(f"blob-{number}", [content])
    blobs = checked(folder, tmp_path, [], most=100_000)
    for number, content in enumerate(objects):
        assert blobs.read_known(f"blob-{number}", known(content), 1, 10) == content[1:11]
    kept = list((tmp_path / "cache").glob("*/??/*"))
    assert 0 < sum(path.stat().st_size for path in kept) <= 100_000
    assert hashlib.sha256(objects[-1]).hexdigest() in {path.name for path in kept}
    larger = random.Random(99).randbytes(10_001)
    folder.put("larger", [larger])
    assert blobs.read_known("larger", known(larger), 1, 10) == larger[1:11]
    assert hashlib.sha256(larger).hexdigest() not in {path.name for path in (tmp_path / "cache").glob("*/??/*")}


def test_what_the_machine_kept_before_it_started_last_is_not_read(tmp_path: Path) -> None:
    (left := tmp_path / "cache" / "an-earlier-start" / "aa").mkdir(parents=True)
    (left / "aabb").write_bytes(b"torn by a power cut")
    ReadCache(tmp_path / "cache", 1000)
    assert not left.exists()
