"""Calling a service: packages both ways, faults, and other sides that do not answer as they should."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.soap.conftest import Live
from tests.soap.echo import BROKEN, ECHO, NAMESPACE
from tests.soap.wire import envelope
from vna.model.errors import NotAuthorized, Unavailable
from vna.soap.client import call
from vna.soap.faults import FaultCode, SoapFault
from vna.soap.limits import Limits
from vna.soap.message import Content, Message, Packaging, include, new_content_id
from vna.soap.versions import Version
from vna.xml.parser import Bounds
from vna.xml.text import carried


def body(text: str = "hello", *content_ids: str, error: str = "") -> etree._Element:
    element = etree.Element(f"{{{NAMESPACE}}}echo")
    etree.SubElement(element, f"{{{NAMESPACE}}}text").text = text
    if error:
        etree.SubElement(element, f"{{{NAMESPACE}}}error").text = error
    for content_id in content_ids:
        include(etree.SubElement(element, f"{{{NAMESPACE}}}document"), content_id)
    return element


def content(data: bytes, content_id: str, *, size: int | None = None) -> Content:
    return Content(content_id, "application/pdf", lambda: iter((data,)), size)


def documents(message: Message) -> list[bytes]:
    found = []
    for element in message.body.iter(f"{{{NAMESPACE}}}document"):
        attachment = message.content(element)
        with attachment.open() as file:
            data = file.read()
        assert (attachment.size, element.get("size")) == (len(data), str(len(data)))
        assert attachment.sha1 == element.get("sha1") == hashlib.sha1(data, usedforsecurity=False).hexdigest()
        found.append(data)
    return found


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("packaging", [Packaging.PLAIN, Packaging.XOP])
def test_a_call_is_answered_in_its_version_and_packaging(live: Live, version: Version, packaging: Packaging) -> None:
    with call(live.url, ECHO, body("ğüş"), version=version, packaging=packaging) as message:
        assert (message.version, message.packaging, message.action) == (version, packaging, f"{ECHO}Response")
        assert message.body.findtext(f"{{{NAMESPACE}}}text") == "ğüş"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=50).map(carried),
    st.lists(st.tuples(st.binary(max_size=300) | st.just(bytes(100_000)), st.booleans()), max_size=4),
    st.sampled_from(Version),
)
def test_whatever_is_sent_comes_back(live: Live, text: str, data: list[tuple[bytes, bool]], version: Version) -> None:
    ids = [new_content_id() for _ in data]
    contents = [content(d, i, size=len(d) if sized else None) for (d, sized), i in zip(data, ids, strict=True)]
    with call(live.url, ECHO, body(text, *ids), contents, version=version) as message:
        assert documents(message) == [d for d, _ in data]
        assert (message.body.findtext(f"{{{NAMESPACE}}}text") or "") == text


@pytest.mark.parametrize("content_id", ["plain@x", "urn:ihe:iti@x y", "a%41b@ü", "<in>brackets"])
def test_content_ids_of_any_characters_are_escaped_in_the_reference(live: Live, content_id: str) -> None:
    with call(live.url, ECHO, body("", content_id), [content(b"data", content_id)]) as message:
        assert documents(message) == [b"data"]


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize(
    ("error", "code"), [("conflict", FaultCode.SENDER), ("full", FaultCode.RECEIVER), ("bug", FaultCode.RECEIVER)]
)
def test_faults_are_raised_with_their_code_and_words(live: Live, version: Version, error: str, code: FaultCode) -> None:
    with pytest.raises(SoapFault) as told:
        call(live.url, ECHO, body(error=error), version=version)
    assert told.value.code is code
    assert told.value.reason


def test_a_content_that_is_shorter_than_it_says_is_an_error_and_no_message(live: Live) -> None:
    with pytest.raises(Unavailable):
        call(live.url, ECHO, body("", "a@b"), [content(b"short", "a@b", size=10)])


def test_a_content_that_fails_at_once_is_a_fault_and_one_that_fails_later_is_no_message(live: Live) -> None:
    with pytest.raises(SoapFault, match="the blob cannot be read"):
        call(live.url, BROKEN, body("10"))
    with pytest.raises(Unavailable):
        call(live.url, BROKEN, body("3000000"))


def test_an_answer_past_the_bounds_is_refused_and_nothing_of_it_is_left(live: Live, tmp_path: Path) -> None:
    for limits in (Limits(attachment_bytes=1000), Limits(message_bytes=1000), Limits(Bounds(size=100))):
        with pytest.raises(Unavailable, match="than"):
            call(live.url, ECHO, body("", "a@b"), [content(bytes(5000), "a@b")], limits=limits, spool_folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """A server that answers this to anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                while b"Envelope>" not in connection.recv(65536):
                    pass
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(5)


def http(content: str, *, status: str = "200 OK", kind: str = "application/soap+xml") -> bytes:
    length = len(content.encode())
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{content}".encode()


RELATED = '<a:RelatesTo xmlns:a="http://www.w3.org/2005/08/addressing">urn:uuid:another</a:RelatesTo>'


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "cannot be reached"),
        (http("<html/>", kind="text/html"), "no SOAP message that can be read"),
        (http("<html/>", status="502 Bad Gateway", kind="text/html"), "HTTP status 502"),
        (http("<a/>"), "no SOAP envelope"),
        (http(envelope()[:-9]), "not well-formed"),
        (http(envelope(headers=RELATED)), "answers another message"),
        (http(envelope(), status="500 Error"), "HTTP status 500 and no fault"),
        (http(envelope(), kind="application/soap+xml\r\nContent-Encoding: gzip"), "coded, which was not asked for"),
        (http("--b--", kind="multipart/related; boundary=b"), "no part"),
    ],
)
def test_an_answer_that_is_none_is_told_as_unavailable(answer: bytes, words: str) -> None:
    with saying(answer) as url, pytest.raises(Unavailable, match=words):
        call(url, ECHO, body())


def test_an_answer_that_comes_byte_by_byte_is_given_up() -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n\r\n")
                while not done.wait(0.05):
                    connection.sendall(b" ")

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        threading.Timer(5, done.set).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(Unavailable, match="less than 4096 bytes a second"):
            call(address, ECHO, body(), limits=Limits(grace_seconds=0.5))
        assert not done.is_set()
        done.set()
        thread.join(5)


def test_a_refused_caller_is_told_so() -> None:
    with saying(http("{}", status="401 Unauthorized", kind="application/json")) as url, pytest.raises(NotAuthorized):
        call(url, ECHO, body())


def test_nobody_there_and_no_answer_in_time_are_told_without_the_path() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Unavailable, match=f"^{place} does not answer in time$"):
            call(f"http://{place}/secret", ECHO, body(), timeout=0.3)
    with pytest.raises(Unavailable, match=f"^{place} cannot be reached"):
        call(f"http://{place}/secret", ECHO, body())
