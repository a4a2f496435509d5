"""Messages that are wrong, hostile or slow: a fault in plain words, and nothing left of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from lxml import etree

from tests.soap.conftest import Bounded, Live
from tests.soap.echo import ECHO
from tests.soap.wire import (
    ACTION,
    ADDRESSED,
    MESSAGE_ID,
    MTOM,
    ROOT,
    TYPE11,
    TYPE12,
    Answered,
    document,
    envelope,
    multipart,
    post,
    root_of,
)
from vna.soap.limits import Limits
from vna.xml.namespaces import SOAP11, SOAP12, WSA
from vna.xml.parser import Bounds

REQUIRED = "MessageAddressingHeaderRequired"
INVALID = "InvalidAddressingHeader"
LATE = f'<a:ReplyTo xmlns:a="{WSA}"><a:Address>http://10.0.0.1/</a:Address></a:ReplyTo>'
SECURITY = '<w:Security xmlns:w="urn:w" s:mustUnderstand="true"/>'
NO_NAMESPACE = '<thing s:mustUnderstand="1"/>'

HEADERS = {
    "no headers": ("", ["Sender", REQUIRED], "no wsa:Action"),
    "no action": (MESSAGE_ID, ["Sender", REQUIRED], "no wsa:Action"),
    "an empty action": (MESSAGE_ID + ACTION.replace(ECHO, " "), ["Sender", REQUIRED], "no wsa:Action"),
    "no message id": (ACTION, ["Sender", REQUIRED], "no wsa:MessageID"),
    "an unknown action": (ADDRESSED.replace(ECHO, "urn:x"), ["Sender", "ActionNotSupported"], "it supports " + ECHO),
    "two actions": (ADDRESSED + ACTION, ["Sender", INVALID, "InvalidCardinality"], "two wsa:Action"),
    "a late reply": (ADDRESSED + LATE, ["Sender", INVALID, "OnlyAnonymousAddressSupported"], "anonymous"),
    "a foreign block": (ADDRESSED + SECURITY, ["MustUnderstand"], "{urn:w}Security"),
    "a block without namespace": (ADDRESSED + NO_NAMESPACE, ["MustUnderstand"], "thing"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_wrong_headers_are_a_fault_that_names_them(live: Live, case: str) -> None:
    headers, codes, words = HEADERS[case]
    answer = post(live, envelope(headers=headers))
    assert answer.codes == codes
    assert words in answer.reason
    assert answer.status == (500 if codes[0] == "MustUnderstand" else 400)


def test_a_fault_of_soap_1_1_has_its_own_codes_and_status(live: Live) -> None:
    unknown = post(live, envelope(headers=ADDRESSED.replace(ECHO, "urn:x"), namespace=SOAP11), TYPE11)
    assert (unknown.status, unknown.codes) == (500, ["ActionNotSupported"])
    broken = post(live, "<a", TYPE11)
    assert (broken.status, broken.namespace, broken.codes) == (500, SOAP11, ["Client"])


def test_a_fault_says_which_block_was_not_understood_and_what_it_answers(live: Live) -> None:
    answer = post(live, envelope(headers=ADDRESSED + SECURITY))
    (block,) = answer.envelope.iter(f"{{{SOAP12}}}NotUnderstood")
    prefix, _, local = block.get("qname", "").partition(":")
    assert (block.nsmap[prefix], local) == ("urn:w", "Security")
    assert answer.header("RelatesTo") == "urn:uuid:1"
    assert answer.header("Action") == f"{WSA}/soap/fault"
    assert post(live, envelope(headers=ADDRESSED + ACTION)).header("Action") == f"{WSA}/fault"


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(10)
)
FILE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
BODILESS = f'<s:Envelope xmlns:s="{SOAP12}"><s:Header>{ADDRESSED}</s:Header></s:Envelope>'
ENVELOPES = {
    "nothing": ("", "not well-formed"),
    "no XML": ("hello", "not well-formed"),
    "half": (envelope()[:-20], "not well-formed"),
    "two roots": (envelope() + envelope(), "not well-formed"),
    "an undeclared prefix": ("<s:Envelope/>", "not well-formed"),
    "an unknown entity": (envelope(text="&nbsp;"), "not well-formed"),
    "a null": (envelope(text="\0"), "not well-formed"),
    "a document type": ("<!DOCTYPE a>" + envelope(), "document type"),
    "one after a comment": ("<?xml version='1.0'?><!-- > --> <?p ?>\n<!DOCTYPE a>" + envelope(), "document type"),
    "an entity bomb": (BOMB + "]>" + envelope(text="&k;"), "document type"),
    "an external entity": (FILE + envelope(text="&x;"), "document type"),
    "an external DTD": ('<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">' + envelope(), "document type"),
    "another document": ("<a/>", "no SOAP envelope"),
    "no body": (BODILESS, "no Body"),
    "an empty body": (BODILESS.replace("</s:Header>", "</s:Header><s:Body/>"), "is empty"),
    "a depth": (envelope("<a>" * 3000 + "</a>" * 3000), "not well-formed"),
    "an unknown encoding": ('<?xml version="1.0" encoding="EBCDIC-CP-US"?>' + envelope(), "encoding"),
}


@pytest.mark.parametrize("case", ENVELOPES)
@pytest.mark.parametrize("packaged", [False, True])
def test_what_is_no_envelope_is_a_fault_of_the_sender(live: Live, case: str, packaged: bool) -> None:
    text, words = ENVELOPES[case]
    root = ROOT.replace("charset=UTF-8; ", "")
    content, kind = (multipart((root, text.encode())), MTOM) if packaged else (text.encode(), "application/soap+xml")
    answer = post(live, content, kind)
    assert (answer.status, answer.codes) == (400, ["Sender"])
    assert words in answer.reason
    assert len(answer.reason) < 400


def test_bytes_that_are_not_in_their_encoding_are_a_fault(live: Live) -> None:
    answer = post(live, envelope(text="ğ").encode("iso-8859-9"), "application/soap+xml; charset=utf-8")
    assert (answer.codes, answer.reason) == (["Sender"], "the envelope is not in its encoding, utf-8")


def test_an_envelope_of_an_unknown_version_says_which_are_known(live: Live) -> None:
    answer = post(live, envelope(namespace="urn:soap:9"))
    assert (answer.status, answer.codes) == (500, ["VersionMismatch"])
    supported = {block.nsmap["n"] for block in answer.envelope.iter(f"{{{SOAP12}}}SupportedEnvelope")}
    assert supported == {SOAP11, SOAP12}


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json", "multipart/form-data; boundary=b", "nonsense"])
def test_other_content_types_are_refused_with_those_that_are_taken(live: Live, kind: str) -> None:
    answer = post(live, envelope(), kind)
    assert answer.status == 415
    assert "application/soap+xml, text/xml, or multipart/related" in answer.reason


def test_compressed_bodies_are_refused(live: Live) -> None:
    answer = post(live, b"\x1f\x8b", TYPE12, Content_Encoding="gzip")
    assert (answer.status, answer.reason) == (415, "the body is in 'gzip', and has to come as it is")


ENVELOPE = envelope(document("cid:d")).encode()
DOCUMENT = ("Content-ID: <d>", b"data")
PACKAGES = {
    "no attachment": (multipart((ROOT, ENVELOPE)), "it has none"),
    "a cid that points nowhere": (multipart((ROOT, ENVELOPE), ("Content-ID: <e>", b"")), "it has 1 of other names"),
    "two parts with one id": (multipart((ROOT, ENVELOPE), DOCUMENT, DOCUMENT), "one Content-ID"),
    "a part with the root's id": (multipart((ROOT, ENVELOPE), ("Content-ID: <root>", b"")), "one Content-ID"),
    "a wrong boundary": (multipart((ROOT, ENVELOPE), DOCUMENT, boundary="other"), "boundary"),
    "no end": (multipart((ROOT, ENVELOPE), DOCUMENT)[:-3], "before the closing boundary"),
    "a cut": (multipart((ROOT, ENVELOPE), DOCUMENT)[:-20], "before the closing boundary"),
    "no part": (b"--b--\r\n", "no part"),
    "a strange encoding": (
        multipart((ROOT, ENVELOPE), (DOCUMENT[0] + "\nContent-Transfer-Encoding: x-zip", b"")),
        "'x-zip', which is not known",
    ),
    "what is no base64": (
        multipart((ROOT, ENVELOPE), (DOCUMENT[0] + "\nContent-Transfer-Encoding: base64", b"====")),
        "not in base64",
    ),
    "half a group of base64": (
        multipart((ROOT, ENVELOPE), (DOCUMENT[0] + "\nContent-Transfer-Encoding: base64", b"AAAAA")),
        "within a group",
    ),
    "a header without colon": (multipart((ROOT, ENVELOPE), ("nonsense", b"")), "no field"),
    "a root of another type": (multipart(("Content-Type: text/html", ENVELOPE), DOCUMENT), "'text/html'"),
    "an address of another kind": (
        multipart((ROOT, envelope(document("file:///etc/passwd")).encode()), DOCUMENT),
        "no cid: address",
    ),
    "an Include and text": (
        multipart((ROOT, envelope(document("cid:d").replace("</", "text</")).encode()), DOCUMENT),
        "something else than one xop:Include",
    ),
    "inline text that is no base64": (
        multipart((ROOT, envelope("<e:document>%%%</e:document>").encode())),
        "neither an xop:Include nor base64",
    ),
}


@pytest.mark.parametrize("case", PACKAGES)
def test_broken_packages_are_a_fault_of_the_sender(live: Live, case: str) -> None:
    content, words = PACKAGES[case]
    answer = post(live, content, MTOM)
    assert answer.codes == ["Sender"]
    assert words in answer.reason
    assert list(live.spool.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"),
    [
        ("conflict", 400, "Sender", "it is there already"),
        ("denied", 400, "Sender", "store is denied"),
        ("full", 500, "Receiver", "no space left"),
        ("fault", 400, "Sender", "a rule says no"),
        ("bug", 500, "Receiver", "the archive could not process the message; its log says why"),
    ],
)
def test_what_an_operation_raises_is_told_in_words_and_a_bug_is_not(
    live: Live, error: str, status: int, code: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = post(live, envelope(f"<e:error>{error}</e:error>"))
    assert (answer.status, answer.codes, answer.reason) == (status, [code], reason)
    assert len([record for record in caplog.records if record.name == "vna.soap.exchange"]) == 1


TIGHT = Limits(Bounds(10_000, 200), attachment_bytes=50_000, attachments=3, message_bytes=200_000)
BOUNDS = {
    "a long envelope": (envelope(text="x" * 10_000).encode(), TYPE12, "the envelope is longer than 10000 bytes"),
    "a long root": (multipart((ROOT, envelope(text="x" * 10_000).encode())), MTOM, "longer than 10000 bytes"),
    "a long root that start does not name": (
        multipart((ROOT, envelope(text="x" * 10_000).encode())),
        MTOM.replace("root", "x"),
        "longer than 10000 bytes",
    ),
    "many tags": (envelope("<a/>" * 200).encode(), TYPE12, "the envelope has more than 200 tags"),
    "many attributes": (
        envelope("<a " + "".join(f"a{n}=''" for n in range(200)) + "/>").encode(),
        TYPE12,
        "the envelope has more than 200 tags and attributes",
    ),
    "a large attachment": (
        multipart((ROOT, ENVELOPE), ("Content-ID: <d>", bytes(50_001))),
        MTOM,
        "an attachment is larger than 50000 bytes",
    ),
    "a large attachment in base64": (
        multipart((ROOT, ENVELOPE), ("Content-ID: <d>\nContent-Transfer-Encoding: base64", b"AAAA" * 16_667)),
        MTOM,
        "an attachment is larger than 50000 bytes",
    ),
    "many attachments": (
        multipart((ROOT, ENVELOPE), *((f"Content-ID: <{n}>", b"") for n in range(4))),
        MTOM,
        "more than 4 parts",
    ),
    "a large message": (
        multipart((ROOT, ENVELOPE), *([("X: y", bytes(49_999))] * 3)) + bytes(60_000),
        MTOM,
        "the message is larger than 200000 bytes",
    ),
}


@pytest.fixture
def tight(bounded: Bounded) -> Live:
    return bounded(TIGHT)


@pytest.mark.parametrize("chunked", [False, True])
def test_what_is_past_a_bound_is_told_after_the_sender_has_sent_it(tight: Live, chunked: bool) -> None:
    for case, (content, kind, words) in BOUNDS.items():
        pieces: bytes | Iterator[bytes] = content
        if chunked:
            pieces = (content[at : at + 9999] for at in range(0, len(content), 9999))
        sent = httpx.post(tight.url, content=pieces, headers={"Content-Type": kind}, timeout=30)
        answer = Answered(sent.status_code, sent.headers, etree.fromstring(root_of(sent)))
        assert (answer.status, answer.codes) == (413, ["Sender"]), case
        assert words in answer.reason, case
        assert list(tight.spool.iterdir()) == [], case
    at_the_bound = multipart((ROOT, ENVELOPE), ("Content-ID: <d>", bytes(50_000)), boundary="zz")
    assert post(tight, at_the_bound, MTOM.replace('"b"', "zz")).status == 200


def test_a_submission_of_a_hundred_thousand_objects_is_refused(live: Live) -> None:
    slot = "<r:Slot name='a'><r:ValueList><r:Value>1</r:Value></r:ValueList></r:Slot>"
    entries = f"<r:ExtrinsicObject id='x'>{slot * 4}</r:ExtrinsicObject>" * 100_000
    small = "<r:E id='x'/>" * 510_000
    started = time.monotonic()
    for inside, words in ((entries, "longer than 16777216 bytes"), (small, "more than 500000 tags")):
        answer = post(live, envelope(f"<r:L xmlns:r='urn:r'>{inside}</r:L>"))
        assert (answer.status, answer.codes) == (413, ["Sender"])
        assert words in answer.reason
    assert time.monotonic() - started < 20


def talk(live: Live, *said: bytes, pause: float = 0.0, timeout: float = 10) -> bytes:
    """Everything the service says to these bytes; each piece after a pause."""
    heard = b""
    with socket.create_connection(("127.0.0.1", live.port), timeout=timeout) as connection:
        for piece in said:
            connection.sendall(piece)
            time.sleep(pause)
        while piece := connection.recv(65536):
            heard += piece
    return heard


def head(length: int, kind: str = TYPE12) -> bytes:
    fields = f"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    return fields.encode()


IMPATIENT = Limits(idle_seconds=0.4, grace_seconds=0.6, bytes_per_second=1000)


def test_a_sender_that_stops_is_told_and_let_go(bounded: Bounded) -> None:
    live = bounded(IMPATIENT)
    heard = talk(live, head(5_000_000, MTOM), multipart((ROOT, ENVELOPE), ("Content-ID: <d>", bytes(2_000_000)))[:-9])
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert b"nothing of the message arrived for 0.4 seconds" in heard
    assert b"connection: close" in heard.lower()
    assert list(live.spool.iterdir()) == []
    assert _open_files(live.spool) == 0


def test_a_sender_that_trickles_is_told_and_let_go(bounded: Bounded) -> None:
    live = bounded(IMPATIENT)
    heard = b""
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as connection:
        connection.sendall(head(100_000))
        for _ in range(20):
            connection.sendall(b" ")
            time.sleep(0.1)
            connection.settimeout(0.01)
            try:
                heard += connection.recv(65536)
                break
            except TimeoutError:
                connection.settimeout(10)
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert b"less than 1000 bytes a second" in heard


def test_nothing_is_left_of_a_sender_that_goes_away(live: Live) -> None:
    for length in (10, 5_000_000):
        with socket.create_connection(("127.0.0.1", live.port)) as connection:
            connection.sendall(
                head(9_000_000, MTOM) + multipart((ROOT, ENVELOPE), ("Content-ID: <d>", bytes(length)))[:-9]
            )
            time.sleep(0.3)
    deadline = time.monotonic() + 5
    while _open_files(live.spool) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _open_files(live.spool) == 0
    assert list(live.spool.iterdir()) == []


def _open_files(folder: Path) -> int:
    """Files in a folder that this process holds open, those without a name too."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found += descriptor.readlink().is_relative_to(folder)
        except OSError:
            continue
    return found


def test_get_says_what_the_address_is_for(live: Live) -> None:
    answer = httpx.get(live.url)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"status": 405, "message": "this address takes SOAP messages by POST"}
