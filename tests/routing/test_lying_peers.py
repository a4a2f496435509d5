"""Application entities that lie, stall, break off: a clear error that names the source, and a bound on everything."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from dimse.client.find import STUDY_ROOT_FIND, FindSCU
from dimse.client.get import STUDY_ROOT_GET, GetSCU
from dimse.client.offers import COMMON, retrieving
from dimse.client.peer import Peer
from dimse.scu import Destination
from tests.hl7.certificates import make
from tests.objects import ct
from tests.peers.processes import free_port
from vna.model.errors import Mismatch, NotAuthorized, Rejected, TooLarge, Unavailable, VnaError
from vna.model.query import Level, Match, Query
from vna.model.sources import Bounds, StudyPart
from vna.security import tls

QUICK = Bounds(connect_seconds=2, wait_seconds=2, matches=200, instance_bytes=1 << 20)
CT = str(CTImageStorage)
PART = StudyPart("1.2.3", sop_class_uids=(CT,))

Handler = Callable[[Any], Iterator[Any]]


def image(**attributes: Any) -> Dataset:
    uids = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "SOPInstanceUID": "1.2.3.1.1"}
    ds = ct(**{**uids, **attributes})
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


@contextmanager
def city(handlers: list[Any], **options: Any) -> Iterator[Peer]:
    """An application entity that answers as it is told, as a peer of ours."""
    ae = AE("CITY")
    for uid in (Verification, STUDY_ROOT_FIND, STUDY_ROOT_GET):
        ae.add_supported_context(uid)
    ae.add_supported_context(CT, scu_role=True, scp_role=True)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers, **options.pop("server", {}))
    assert server is not None
    peer = Peer("CITY", Destination("127.0.0.1", server.server_address[1], "CITY"), "US", bounds=QUICK, **options)
    try:
        yield peer
    finally:
        peer.close()
        server.shutdown()


def gives(*objects: Dataset) -> list[Any]:
    def handle(_: Any) -> Iterator[Any]:
        yield len(objects)
        for ds in objects:
            yield 0xFF00, ds

    return [(evt.EVT_C_GET, handle)]


def fetched(peer: Peer, part: StudyPart = PART) -> list[str]:
    came = []
    for one in GetSCU(peer).fetch(part):
        b"".join(one.chunks)
        came.append(one.sop_instance_uid)
    return came


def test_an_honest_archive_is_believed() -> None:
    with city(gives(image(), image(SOPInstanceUID="1.2.3.1.2"))) as peer:
        assert fetched(peer) == ["1.2.3.1.1", "1.2.3.1.2"]


@pytest.mark.parametrize(
    ("objects", "part", "words"),
    [
        ([image(StudyInstanceUID="1.2.9")], PART, "another study than was asked for: 1.2.9"),
        ([image()], StudyPart("1.2.3", "1.2.3.9", (), (CT,)), "another series"),
        ([image()], StudyPart("1.2.3", "1.2.3.1", ("1.2.3.1.5",), (CT,)), "another instance"),
        ([image(), image()], PART, "twice"),
    ],
)
def test_what_was_not_asked_for_is_not_taken(objects: list[Dataset], part: StudyPart, words: str) -> None:
    with city(gives(*objects)) as peer, pytest.raises(Mismatch, match=f"CITY sends .*{words}"):
        fetched(peer, part)


def test_an_instance_larger_than_the_bound_is_refused_on_its_way() -> None:
    large = image(Rows=1024, Columns=1024, PixelData=bytes(2 << 20))
    with city(gives(large)) as peer, pytest.raises(VnaError, match="CITY"):
        fetched(peer)


def test_an_archive_that_stalls_is_not_waited_for() -> None:
    ended = threading.Event()

    def stalls(_: Any) -> Iterator[Any]:
        yield 1
        ended.wait(8)
        yield 0xFF00, image()

    begun = time.monotonic()
    with city([(evt.EVT_C_GET, stalls)]) as peer:
        with pytest.raises(Unavailable, match="CITY does not answer in time"):
            fetched(peer)
        assert time.monotonic() - begun < 6
        ended.set()


def test_an_archive_that_aborts_is_unavailable() -> None:
    def aborts(event: Any) -> Iterator[Any]:
        yield 2
        yield 0xFF00, image()
        event.assoc.abort()

    with city([(evt.EVT_C_GET, aborts)]) as peer, pytest.raises(Unavailable, match="CITY ended the association"):
        fetched(peer)


@pytest.mark.parametrize(("status", "kind"), [(0x0124, NotAuthorized), (0xA700, Unavailable), (0xC001, Rejected)])
def test_a_refusal_has_its_meaning(status: int, kind: type[VnaError]) -> None:
    def refuses(_: Any) -> Iterator[Any]:
        yield status, None

    with city([(evt.EVT_C_FIND, refuses)]) as peer, pytest.raises(kind, match=f"status {status:04X}"):
        list(FindSCU(peer).search(Query(Level.STUDY)))


def endless(_: Any) -> Iterator[Any]:
    number = 0
    while number < 100_000:
        number += 1
        ds = Dataset()
        ds.QueryRetrieveLevel = "STUDY"
        ds.StudyInstanceUID = f"1.2.{number}"
        yield 0xFF00, ds


def test_endless_matches_end_at_the_bound() -> None:
    came: list[Match] = []
    with city([(evt.EVT_C_FIND, endless)]) as peer:
        with pytest.raises(TooLarge, match="CITY answers with more than 200 matches"):
            came.extend(FindSCU(peer).search(Query(Level.STUDY)))
        assert len(came) == 200
        assert len(list(FindSCU(peer).search(Query(Level.STUDY, limit=50)))) == 50


def test_matches_come_no_faster_than_they_are_taken() -> None:
    """More of them than the upper layer lets wait: it leaves the rest to the network instead of giving up."""

    def many(_: Any) -> Iterator[Any]:
        for number in range(150):
            ds = Dataset()
            ds.QueryRetrieveLevel = "STUDY"
            ds.StudyInstanceUID = f"1.2.{number}"
            yield 0xFF00, ds

    with city([(evt.EVT_C_FIND, many)]) as peer:
        count = 0
        for _ in FindSCU(peer).search(Query(Level.STUDY)):
            count += 1
            time.sleep(0.01 if count < 50 else 0)
    assert count == 150


def test_an_association_is_used_again_while_it_is_fresh() -> None:
    opened = []
    with city([(evt.EVT_ACCEPTED, lambda event: opened.append(1)), (evt.EVT_C_FIND, lambda event: iter(()))]) as peer:
        for _ in range(4):
            list(FindSCU(peer).search(Query(Level.STUDY)))
        peer.echo()
    assert len(opened) == 2, "one to search, one for C-ECHO"


def test_what_is_no_dicom_port_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def web() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=web, daemon=True).start()
        with pytest.raises(Unavailable, match="CITY"):
            Peer("CITY", Destination("127.0.0.1", port, "X"), "US", bounds=QUICK).echo()
    with pytest.raises(Unavailable, match="CITY: no connection"):
        Peer("CITY", Destination("127.0.0.1", free_port(), "X"), "US", bounds=QUICK).echo()


def test_a_wrong_certificate_is_not_spoken_to(tmp_path: Path) -> None:
    pair, other = make(tmp_path, "city"), make(tmp_path, "other")
    context = tls.server_context(pair.certificate, pair.key, None, client_certificate=False)
    secure = {"ssl_context": context}
    with city([], server=secure, tls=tls.client_context(pair.certificate, None, None)) as peer:
        peer.echo()
    distrusting = tls.client_context(other.certificate, None, None)
    with city([], server=secure, tls=distrusting) as peer, pytest.raises(Unavailable, match="CITY"):
        peer.echo()


def test_what_is_proposed_for_a_get_has_room_in_one_association() -> None:
    for classes in ((), (CT,), COMMON[:5], COMMON[:40], COMMON):
        offer = retrieving(STUDY_ROOT_GET, classes)
        assert len(offer.contexts) <= 128
        assert {context.abstract_syntax for context in offer.contexts} == {STUDY_ROOT_GET, *(classes or COMMON)}
    assert len(retrieving(STUDY_ROOT_GET, (CT,)).contexts) > 10, "a syntax each, so that it can come as it is"


def test_an_association_that_nobody_uses_again_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dimse.client.peer.FRESH_SECONDS", 0.3)
    opened, released = threading.Event(), threading.Event()
    handlers = [(evt.EVT_ACCEPTED, lambda _: opened.set()), (evt.EVT_RELEASED, lambda _: released.set())]
    with city(handlers) as peer:
        peer.echo()
        assert opened.wait(5)
        assert not released.is_set()
        assert released.wait(5)
