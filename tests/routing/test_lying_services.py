"""Services that lie, stall, break off, lead elsewhere: a clear error that names the source, and nothing kept."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import orjson
import pytest

from dicomweb.client.qido_rs import QidoRs
from dicomweb.client.service import Remote, Service, client
from dicomweb.client.wado_rs import WadoRs
from dicomweb.client.wado_uri import WadoUri
from tests.hl7.certificates import make
from tests.objects import ct, part10
from tests.routing.servers import Behave, Server, answer, multipart, says, serving
from vna.model.errors import (
    Mismatch,
    NotAuthorized,
    NotFound,
    Rejected,
    TooLarge,
    Unavailable,
    VnaError,
)
from vna.model.query import Level, Query
from vna.model.sources import Bounds, Fetching, StudyPart
from vna.pacing import Pace
from vna.security import tls

QUICK = Bounds(connect_seconds=2, wait_seconds=1, grace_seconds=1.5, bytes_per_second=4096, instance_bytes=1 << 20)
PART = StudyPart("1.2.3", "1.2.3.1", ("1.2.3.1.1",))
DICOM = "application/dicom"
MULTIPART = 'multipart/related; type="application/dicom"; boundary=b'


def image(uid: str = "1.2.3.1.1", **attributes: str) -> bytes:
    return part10(
        ct(**{"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "SOPInstanceUID": uid, **attributes})
    )


def service(server: Server, scheme: str = "http", verify: ssl.SSLContext | bool = False) -> Service:
    remote = Remote("CITY", client(verify, 2, user=("reader", "tulip")), Pace(0), QUICK)
    return Service(remote, f"{scheme}://127.0.0.1:{server.port}/rs")


def taken(door: Fetching, part: StudyPart = PART) -> list[bytes]:
    return [b"".join(one.chunks) for one in door.fetch(part)]


def test_an_honest_answer_is_taken_byte_for_byte() -> None:
    content = image()
    with serving(says(answer("200 OK", multipart(content), Content_Type=MULTIPART))) as server:
        assert taken(WadoRs(service(server))) == [content]
    assert server.asked[0].startswith(b"GET /rs/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1 HTTP/1.1")
    with serving(says(answer("200 OK", content, Content_Type=DICOM))) as server:
        assert taken(WadoUri(service(server))) == [content]


HTML = answer("200 OK", b"<html>login</html>", Content_Type="text/html")
LIES: list[tuple[str, bytes, type[VnaError], str]] = [
    (
        "HTML",
        HTML,
        Unavailable,
        "CITY answers with text/html where multipart/related or application/dicom was asked for",
    ),
    ("HTML that calls itself DICOM", answer("200 OK", b"<html>" * 99, Content_Type=DICOM), Rejected, "no DICOM object"),
    (
        "an error text in a part",
        answer("200 OK", multipart(b"not found"), Content_Type=MULTIPART),
        Rejected,
        "no DICOM",
    ),
    ("nothing at all", answer("200 OK", b"", Content_Type=DICOM), Unavailable, "without a byte"),
    ("no media type", answer("200 OK", image()), Unavailable, "no media type"),
    ("another instance", answer("200 OK", image("1.2.9"), Content_Type=DICOM), Mismatch, "another instance"),
    (
        "another series",
        answer("200 OK", image(SeriesInstanceUID="1.2.9"), Content_Type=DICOM),
        Mismatch,
        "another series than was asked for: 1.2.9",
    ),
    ("another study", answer("200 OK", image(StudyInstanceUID="1.2.9"), Content_Type=DICOM), Mismatch, "another study"),
    ("the same twice", answer("200 OK", multipart(image(), image()), Content_Type=MULTIPART), Mismatch, "twice"),
    (
        "half a multipart body",
        answer("200 OK", multipart(image(), closed=False), Content_Type=MULTIPART),
        Unavailable,
        "cannot be read: the body ends within part 1",
    ),
    (
        "half a body",
        answer("200 OK", image()[:900], Content_Type=DICOM, Content_Length="5000"),
        Unavailable,
        "ends the connection before its answer is whole",
    ),
    ("parts of HTML", HTML.replace(b"text/html", MULTIPART.encode()), Unavailable, "cannot be read"),
    ("no boundary", answer("200 OK", image(), Content_Type="multipart/related"), Unavailable, "names no boundary"),
    (
        "a body that is coded",
        answer("200 OK", image(), Content_Type=DICOM, Content_Encoding="gzip"),
        Unavailable,
        "coded, which was not asked for",
    ),
    ("no HTTP", b"220 ftp ready\r\n\r\n", Unavailable, "ends the connection before its answer is whole"),
    ("an error", answer("500 Oops"), Unavailable, "HTTP status 500"),
    ("busy for ever", answer("503 Busy"), Unavailable, "HTTP status 503"),
    ("not allowed", answer("401 Who"), NotAuthorized, "does not take our login"),
    ("not there", answer("404 No"), NotFound, "does not give 1 of 1 instances, among them 1.2.3.1.1"),
    (
        "elsewhere",
        answer("302 Found", Location="http://127.0.0.2:9/rs/studies/1.2.3"),
        Rejected,
        "redirects to 127.0.0.2:9, which is not known as its own",
    ),
    ("in circles", answer("302 Found", Location="/rs/again"), Rejected, "redirects again and again"),
]


@pytest.mark.parametrize(("content", "kind", "words"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_what_is_no_answer_to_what_was_asked_is_an_error_in_words(
    content: bytes, kind: type[VnaError], words: str
) -> None:
    with serving(says(content)) as server, pytest.raises(VnaError, match="CITY") as caught:
        taken(WadoRs(service(server)))
    assert words in str(caught.value)
    assert isinstance(caught.value, kind)
    assert "tulip" not in str(caught.value)


def test_nobody_is_asked_where_a_redirect_leads_and_the_login_stays_with_the_source() -> None:
    with serving(says(HTML)) as elsewhere:
        away = answer("307 Away", Location=f"{elsewhere.url}/rs/studies/1.2.3")
        with serving(says(away)) as server, pytest.raises(Rejected):
            taken(WadoRs(service(server)))
    assert elsewhere.asked == []
    assert b"Authorization: Basic" in server.asked[0]


def test_a_redirect_within_the_source_is_followed() -> None:
    content = image()

    def behave(sock: socket.socket, head: bytes) -> None:
        moved = answer("308 There", Location="/other/instance")
        sock.sendall(answer("200 OK", content, Content_Type=DICOM) if b"/other/" in head else moved)

    with serving(behave) as server:
        assert taken(WadoRs(service(server))) == [content]


def endless(sock: socket.socket, _: bytes) -> None:
    sock.sendall(answer("200 OK", image(), Content_Type=DICOM, Content_Length="", Connection="close"))
    while True:
        sock.sendall(bytes(65536))


def test_an_endless_body_ends_at_the_bound() -> None:
    with serving(endless) as server, pytest.raises(TooLarge, match="CITY sends more than 1048576 bytes"):
        taken(WadoRs(service(server)))


def stalls(before: bytes) -> Behave:
    def behave(sock: socket.socket, _: bytes) -> None:
        sock.sendall(before)
        time.sleep(5)

    return behave


@pytest.mark.parametrize(
    "before",
    [b"", b"HTTP/1.1 200 OK\r\n", answer("200 OK", image()[:900], Content_Type=DICOM, Content_Length="90000")],
    ids=["before the answer", "in its head", "in its body"],
)
def test_who_stalls_is_not_waited_for_longer_than_the_bound(before: bytes) -> None:
    begun = time.monotonic()
    with serving(stalls(before)) as server, pytest.raises(Unavailable, match="CITY does not answer in time"):
        taken(WadoRs(service(server)))
    assert time.monotonic() - begun < 4


def trickles(sock: socket.socket, _: bytes) -> None:
    sock.sendall(answer("200 OK", image()[:900], Content_Type=DICOM, Content_Length="90000"))
    while True:
        sock.sendall(b"\0")
        time.sleep(0.05)


def test_who_trickles_is_let_go() -> None:
    with serving(trickles) as server, pytest.raises(Unavailable, match="CITY sends fewer than 4096 bytes a second"):
        taken(WadoRs(service(server)))


def test_what_fails_before_an_answer_is_tried_again_and_what_fails_within_one_is_not() -> None:
    content, busy = image(), [True, True]

    def behave(sock: socket.socket, _: bytes) -> None:
        sock.sendall(answer("503 Busy") if busy and busy.pop() else answer("200 OK", content, Content_Type=DICOM))

    with serving(behave) as server:
        assert taken(WadoRs(service(server))) == [content]
        assert len(server.asked) == 3
    half = answer("200 OK", content[:900], Content_Type=DICOM, Content_Length="5000")
    with serving(says(half)) as server, pytest.raises(Unavailable):
        taken(WadoRs(service(server)))
    assert len(server.asked) == 1


def test_a_source_is_let_go_of_when_its_reader_stops() -> None:
    content = multipart(image("1.2.3.1.1"), image("1.2.3.1.2"))
    with serving(says(answer("200 OK", content, Content_Type=MULTIPART))) as server:
        door = WadoRs(service(server))
        for _ in range(5):  # with two connections
            fetching = door.fetch(StudyPart("1.2.3"))
            next(fetching)
            fetching.close()  # type: ignore[attr-defined]  # a generator
        assert len(taken(door, StudyPart("1.2.3"))) == 2


@pytest.fixture
def listener(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    pair = make(tmp_path, "city")
    return tls.server_context(pair.certificate, pair.key, None, client_certificate=False), pair.certificate


def test_tls_is_spoken_with_who_shows_the_certificate_that_is_known(listener: tuple[ssl.SSLContext, Path]) -> None:
    context, certificate = listener
    content = image()
    with serving(says(answer("200 OK", content, Content_Type=DICOM)), context) as server:
        assert taken(WadoRs(service(server, "https", tls.client_context(certificate, None, None)))) == [content]


def test_a_wrong_certificate_is_not_spoken_to(listener: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    other = make(tmp_path, "other")
    with serving(says(HTML), listener[0]) as server, pytest.raises(Rejected, match="CITY cannot be trusted"):
        taken(WadoRs(service(server, "https", tls.client_context(other.certificate, None, None))))
    assert server.asked in ([], [b""])


JSON = "application/dicom+json"
FOUND = orjson.dumps([{"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}])


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (HTML, Unavailable, "text/html"),
        (answer("200 OK", b'{"error": "no"}', Content_Type=JSON), Unavailable, "no list of matches"),
        (answer("200 OK", b'[{"00100010": 5}]', Content_Type=JSON), Unavailable, "no list of matches"),
        (answer("200 OK", b"[[[", Content_Type=JSON), Unavailable, "no list of matches"),
        (answer("200 OK", b'["x"]', Content_Type=JSON), Unavailable, "no list of matches"),
    ],
)
def test_what_is_no_list_of_matches_is_an_error(content: bytes, kind: type[VnaError], words: str) -> None:
    with serving(says(content)) as server, pytest.raises(kind, match=words):
        list(QidoRs(service(server)).search(Query(Level.STUDY)))


def test_a_service_that_gives_the_same_page_for_ever_gives_it_once() -> None:
    page = orjson.dumps([{"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}} for number in range(1000)])
    with serving(says(answer("200 OK", page, Content_Type=JSON))) as server:
        assert len(list(QidoRs(service(server)).search(Query(Level.STUDY)))) == 1000
    assert len(server.asked) == 2


def test_no_matches_at_all_are_none() -> None:
    with serving(says(answer("204 No Content"))) as server:
        assert list(QidoRs(service(server)).search(Query(Level.STUDY))) == []
