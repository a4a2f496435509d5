"""What nodes ask of each other's spools: with the nodes' secret, and not at all without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from storage.blobs.filesystem import FilesystemBlobs
from storage.blobs.spool_folder import SpoolFolder
from storage.blobs.spooled import SpooledBlobs
from storage.index import nodes
from storage.index.engine import Database
from storage.index.nodes import Node
from tests.archives import Backend, LiveArchive, lay_index, start_archive
from vna.archive.neighbours import Neighbours
from vna.model.errors import NotFound, Unavailable
from vna.security.node_secret import FIELD, NodeSecret

SECRET = "not so secret at all"
NAME, OTHER = "studies/ab/1.2.3/1.2.3.4/1.2.3.4.5.0badcafe.dcm", "documents/ab/abcdef"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveArchive, SpoolFolder]]:
    """A node in `enforced` mode whose object store is away, with something in its spool."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "data").mkdir()
    environment = {
        "VNA_DATABASE__URL": f"sqlite:///{folder}/data/index.sqlite",
        "VNA_STORAGE__URL": "s3://bucket?endpoint=http://127.0.0.1:1",
        "VNA_STORAGE__ACKNOWLEDGE": "spool",
        "VNA_NODE__SECRET": SECRET,
        "VNA_SECURITY__MODE": "enforced",
    }
    live = start_archive(Backend("sqlite+seaweedfs", folder, environment))
    yield live, SpoolFolder(folder / "data" / "waiting")
    live.stop()


@pytest.fixture
def database(tmp_path: Path, node: tuple[LiveArchive, SpoolFolder]) -> Iterator[Database]:
    """An index in which that node is known as `a`."""
    lay_index(tmp_path)
    with closing(Database(f"sqlite:///{tmp_path}/index.sqlite")) as opened:
        _known(opened, "a", node[0].http, waiting=2)
        yield opened


def _known(database: Database, name: str, url: str, waiting: int, seen: str = "2026-01-01T00:00:00.000000Z") -> None:
    with database.transaction() as connection:
        nodes.beat(connection, Node(name, url, "1", "m", seen, seen, waiting, waiting, may_wait=waiting > 0))


@pytest.fixture
def neighbours(database: Database) -> Iterator[Neighbours]:
    with closing(Neighbours(database, "b", NodeSecret(SECRET))) as asking:
        yield asking


def test_what_waits_there_is_read_by_range_listed_and_deleted(
    node: tuple[LiveArchive, SpoolFolder], neighbours: Neighbours
) -> None:
    spool = node[1]
    spool.put(NAME, [b"some bytes"])
    spool.put(OTHER, [b"x" * 3_000_000])
    assert neighbours.read(NAME) == b"some bytes"
    assert neighbours.read(NAME, 5, 3) == b"byt"
    assert neighbours.read(NAME, 5) == b"bytes"
    assert neighbours.read(NAME, 5, 0) == b""
    assert sum(map(len, neighbours.stream(OTHER))) == neighbours.size(OTHER) == 3_000_000
    assert neighbours.names("studies") == [NAME]
    assert neighbours.names("documents") == [OTHER]
    neighbours.delete(OTHER)
    with pytest.raises(NotFound):
        spool.size(OTHER)
    with pytest.raises(NotFound):
        neighbours.read("studies/none")


def test_without_the_right_secret_nothing_is_told(
    node: tuple[LiveArchive, SpoolFolder], database: Database, tmp_path: Path
) -> None:
    live, spool = node
    target = f"/internal/blobs/{NAME}"
    spool.delete(NAME)
    spool.put(NAME, [b"some bytes"])
    good = NodeSecret(SECRET)
    old = f"{int(time.time()) - 400} {good._mac(str(int(time.time()) - 400), 'GET', target, '')}"
    for proof in ("", "x", "1 x", good.sign("GET", "/internal/blobs/other"), good.sign("DELETE", target), old):
        assert httpx.get(live.http + target, headers={FIELD: proof}).status_code == httpx.codes.FORBIDDEN
    signed = {FIELD: good.sign("GET", target)}
    assert httpx.get(live.http + target, headers=signed).content == b"some bytes"
    assert httpx.get(live.http + target, headers=signed | {"Range": "bytes=1-"}).status_code == httpx.codes.FORBIDDEN
    for secret in (None, NodeSecret("another secret altogether")):
        with closing(Neighbours(database, "b", secret)) as asking, pytest.raises(Unavailable):
            asking.read(NAME)


def test_a_node_that_may_have_it_and_does_not_answer_makes_it_unavailable_and_not_missing(
    database: Database, neighbours: Neighbours, tmp_path: Path
) -> None:
    blobs = SpooledBlobs(FilesystemBlobs(tmp_path / "s"), SpoolFolder(tmp_path / "w"), most=1, others=neighbours)
    _known(database, "stopped long ago", "http://127.0.0.1:1", waiting=0)
    with pytest.raises(NotFound):
        blobs.read("studies/none")
    _known(database, "killed", "http://127.0.0.1:1", waiting=1)
    neighbours._known = (0.0, [])
    for ask in (blobs.read, blobs.stream, blobs.size, lambda name: list(blobs.names(name)), blobs.delete):
        with pytest.raises(Unavailable):
            ask("studies/none")


def test_an_object_that_was_uploaded_between_the_questions_is_found(tmp_path: Path) -> None:
    inner = FilesystemBlobs(tmp_path / "s")

    class Uploaded(Neighbours):
        def __init__(self) -> None:
            """It uploads when it is asked."""

        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            inner.put(name, [b"some bytes"])
            raise NotFound("not in this spool")

    blobs = SpooledBlobs(inner, SpoolFolder(tmp_path / "w"), most=1, others=Uploaded())
    assert blobs.read(NAME) == b"some bytes"


def test_metrics_say_what_waits(node: tuple[LiveArchive, SpoolFolder]) -> None:
    live, spool = node
    spool.delete(NAME)
    before = spool.count()
    spool.put(NAME, [b"some bytes"])
    said = httpx.get(f"{live.http}/metrics").text
    assert f"vna_spool_objects {before.objects + 1}.0" in said
    assert f"vna_spool_bytes {before.bytes + 10}.0" in said
