"""A service on a real server: versions, addressing, packaging, and the ways in which senders differ."""

from __future__ import annotations

import base64
import hashlib
import quopri
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from tests.soap import fake_repository
from tests.soap.conftest import Live, Serve
from tests.soap.echo import ECHO, NAMESPACE, echo
from tests.soap.wire import ADDRESSED, MTOM, ROOT, TYPE11, TYPE12, Answered, document, envelope, multipart, post
from vna.security.http import HttpRules, local
from vna.soap.exchange import Rules
from vna.soap.service import Service
from vna.soap.versions import Version
from vna.xml.namespaces import SOAP11, SOAP12, WSA

DATA = b"--b \r\n--bb\r\n\0\xff" * 1000
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "binary": bytes,
    "base64": base64.encodebytes,
    "quoted-printable": lambda data: quopri.encodestring(data, quotetabs=True),
}
SHA1 = hashlib.sha1(DATA, usedforsecurity=False).hexdigest()


def echoed(answer: Answered) -> list[tuple[str | None, str | None]]:
    assert not answer.is_fault, answer.reason
    return [(found.get("size"), found.get("sha1")) for found in answer.body.iter(f"{{{NAMESPACE}}}document")]


@pytest.mark.parametrize(
    ("namespace", "kind"), [(SOAP11, TYPE11), (SOAP12, TYPE12), (SOAP11, TYPE12), (SOAP12, TYPE11)]
)
def test_the_answer_is_in_the_version_of_the_envelope_whatever_its_content_type(
    live: Live, namespace: str, kind: str
) -> None:
    answer = post(live, envelope(namespace=namespace), kind)
    assert (answer.status, answer.namespace) == (200, namespace)
    assert answer.headers["content-type"] == (TYPE11 if namespace == SOAP11 else TYPE12).replace("utf-8", "UTF-8")
    assert answer.body.findtext(f"{{{NAMESPACE}}}text") == "hello"


def test_the_answer_says_its_action_which_must_be_understood_and_what_it_answers(live: Live) -> None:
    answer = post(live, envelope())
    assert answer.header("Action") == f"{ECHO}Response"
    assert answer.header("RelatesTo") == "urn:uuid:1"
    assert str(answer.header("MessageID")).startswith("urn:uuid:")
    (action,) = answer.envelope.iter(f"{{{WSA}}}Action")
    assert action.get(f"{{{SOAP12}}}mustUnderstand") == "1"


@pytest.mark.parametrize("text", ["ğüşıöç İÇŞ 漢字 🩻", "&lt;&amp;&gt;", "<![CDATA[<a>]]>", "a<!-- c -->b<?p i?>c"])
def test_text_comes_through_in_every_form(live: Live, text: str) -> None:
    expected = {"&": "<&>", "<": "<a>", "a": "abc"}.get(text[0], text)
    answer = post(live, envelope(text=text).encode())
    assert answer.body.findtext(f"{{{NAMESPACE}}}text") == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-9"])
def test_other_encodings_than_utf_8_are_read(live: Live, encoding: str) -> None:
    said = {"utf-16": "UTF-16", "iso-8859-9": "ISO-8859-9"}.get(encoding, "UTF-8")
    text = f'<?xml version="1.0" encoding="{said}"?>{envelope(text="ğüşıİ")}'
    answer = post(live, text.encode(encoding), "application/soap+xml")
    assert answer.body.findtext(f"{{{NAMESPACE}}}text") == "ğüşıİ"


def test_soap_action_and_the_action_parameter_are_ignored(live: Live) -> None:
    assert post(live, envelope(), f'{TYPE12}; action="urn:other"', SOAPAction='"urn:another"').status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        MTOM,
        MTOM.replace('boundary="b"', "boundary=b"),
        MTOM.replace('"<root>"', "root"),
        MTOM.replace('"<root>"', '"<another>"'),
        MTOM.replace('start="<root>"; ', ""),
        MTOM.replace('type="application/xop+xml"; ', ""),
        MTOM.replace('"application/soap+xml"', f'"application/soap+xml; action=\\"{ECHO}\\""'),
        MTOM.replace("; ", ";"),
        "Multipart/Related" + MTOM[17:].replace("boundary", "Boundary"),
    ],
)
def test_content_types_are_read_as_senders_write_them(live: Live, content_type: str) -> None:
    body = multipart(
        (ROOT, envelope(document("cid:doc")).encode()), ("Content-ID: <doc>", DATA.replace(b"--b", b"==b"))
    )
    answer = post(live, body, content_type)
    assert echoed(answer)[0][0] == str(len(DATA))


def test_a_boundary_that_begins_with_uuid_needs_no_quotes(live: Live) -> None:
    boundary = "uuid:f693220a-ef9b-4e62-8d02-f8ea7918b7d9"
    body = multipart((ROOT, envelope(document("cid:d")).encode()), ("Content-ID: <d>", DATA), boundary=boundary)
    assert echoed(post(live, body, MTOM.replace('"b"', boundary))) == [(str(len(DATA)), SHA1)]


@pytest.mark.parametrize(
    ("href", "content_id"),
    [
        ("cid:1.a@x.org", "Content-ID: <1.a@x.org>"),
        ("cid:1.a@x.org", "Content-ID: 1.a@x.org"),
        ("cid:1.a@x.org", "content-id:<1.a@x.org>"),
        ("cid:1.a%40x.org", "Content-Id: <1.a@x.org>"),
        ("cid:a@urn%3Aihe%3Aiti", "CONTENT-ID: <a@urn:ihe:iti>"),
        ("cid:a@urn:ihe:iti", "Content-ID: <a@urn%3Aihe%3Aiti>"),
        ("cid:a@urn%3Aihe%3Aiti", "Content-ID: <a@urn%3Aihe%3Aiti>"),
        ("CID:a+b%20c", "Content-ID: <a+b c>"),
    ],
)
def test_content_ids_are_found_escaped_or_not_in_brackets_or_not(live: Live, href: str, content_id: str) -> None:
    body = multipart((ROOT, envelope(document(href)).encode()), (content_id, DATA), boundary="xyz")
    assert echoed(post(live, body, MTOM.replace('"b"', "xyz"))) == [(str(len(DATA)), SHA1)]


@pytest.mark.parametrize("size", [0, 1, 3, 8191, 65_536, 100_000, (1 << 20) - 1, 1 << 20, 3_000_001])
@pytest.mark.parametrize("encoding", ["binary", "base64", "quoted-printable"])
def test_attachments_of_every_size_come_out_of_every_transfer_encoding(live: Live, size: int, encoding: str) -> None:
    data = (hashlib.sha256(b"%d" % size).digest() * (size // 32 + 1))[:size]
    if encoding == "quoted-printable" and size > 100_000:
        pytest.skip("nobody sends so much in it")
    coded = ENCODERS[encoding](data)
    part = f"Content-ID: <d>\nContent-Transfer-Encoding: {encoding.upper()}"
    body = multipart((ROOT, envelope(document("cid:d")).encode()), (part, coded), boundary="a-boundary")
    expected = (str(size), hashlib.sha1(data, usedforsecurity=False).hexdigest())
    assert echoed(post(live, body, MTOM.replace('"b"', "a-boundary"))) == [expected]


def test_the_root_may_come_after_other_parts_when_start_names_it(live: Live) -> None:
    body = multipart(("Content-ID: <d>", DATA), (ROOT, envelope(document("cid:d")).encode()), boundary="zz")
    assert echoed(post(live, body, MTOM.replace('"b"', "zz"))) == [(str(len(DATA)), SHA1)]


def test_inline_base64_is_taken_in_a_plain_envelope_and_in_an_mtom_package(live: Live) -> None:
    text = envelope(f"<e:document>\n {base64.encodebytes(DATA).decode()} </e:document><e:document/>")
    expected = [(str(len(DATA)), SHA1), ("0", hashlib.sha1(b"", usedforsecurity=False).hexdigest())]
    assert echoed(post(live, text)) == expected
    assert echoed(post(live, multipart((ROOT, text.encode())), MTOM)) == expected


def test_soap_with_attachments_is_taken(live: Live) -> None:
    text = envelope("<e:document>cid:d</e:document>", namespace=SOAP11)
    body = multipart(
        ("Content-Type: text/xml\nContent-ID: <r>", text.encode()), ("Content-ID: <d>", DATA), boundary="q"
    )
    answer = post(live, body, 'multipart/related; type="text/xml"; start="<r>"; boundary=q')
    assert echoed(answer) == [(str(len(DATA)), SHA1)]


def test_chunked_bodies_are_taken(live: Live) -> None:
    body = multipart((ROOT, envelope(document("cid:d")).encode()), ("Content-ID: <d>", DATA), boundary="zz")
    pieces = (body[at : at + 777] for at in range(0, len(body), 777))
    answer = httpx.post(live.url, content=pieces, headers={"Content-Type": MTOM.replace('"b"', "zz")})
    assert answer.status_code == 200


def test_the_answer_to_a_package_is_a_package_though_it_holds_nothing_else(live: Live) -> None:
    packaged = post(live, multipart((ROOT, envelope().encode())), MTOM)
    assert packaged.headers["content-type"].startswith('multipart/related; type="application/xop+xml"; start="<')
    assert 'start-info="application/soap+xml"' in packaged.headers["content-type"]
    assert int(packaged.headers["content-length"])
    assert post(live, envelope()).headers["content-type"] == TYPE12.replace("utf-8", "UTF-8")


def test_header_blocks_for_others_need_not_be_understood(live: Live) -> None:
    foreign = '<f:thing xmlns:f="urn:f" s:mustUnderstand="1" s:role="urn:somebody-else"/><f:other xmlns:f="urn:f"/>'
    assert post(live, envelope(headers=ADDRESSED + foreign)).status == 200


@pytest.mark.parametrize("reply_to", ["", f"<a:Address>{WSA}/anonymous</a:Address>"])
def test_reply_to_may_be_absent_or_anonymous(live: Live, reply_to: str) -> None:
    block = f'<a:ReplyTo xmlns:a="{WSA}">{reply_to}</a:ReplyTo>' if reply_to else ""
    assert post(live, envelope(headers=ADDRESSED + block)).status == 200


def test_without_addressing_soap_action_says_what_is_asked_and_the_answer_has_no_such_headers(
    serve: Serve, tmp_path: Path
) -> None:
    rules = Rules({ECHO: echo}, versions=(Version.SOAP11,), wants_addressing=False)
    service = Service("/old", rules, tmp_path)
    live = serve(local(Starlette(routes=service.routes()), HttpRules()), "/old", tmp_path)

    answer = post(live, envelope(headers="", namespace=SOAP11), TYPE11, SOAPAction=f'"{ECHO}"')

    assert answer.status == 200
    assert not list(answer.envelope[0])
    assert post(live, envelope(headers="", namespace=SOAP11), TYPE11).codes == ["ActionNotSupported"]
    mismatch = post(live, envelope())
    assert (mismatch.codes, mismatch.reason) == (["VersionMismatch"], "this address takes SOAP 1.1 alone")
    assert mismatch.envelope.find(f".//{{{SOAP12}}}SupportedEnvelope").get("qname") == "n:Envelope"  # type: ignore[union-attr]


def test_the_fixtures_of_other_stacks_are_understood(repository: Live, wire_samples: Path) -> None:
    captured = (wire_samples / "jaxws-ri-2.3.0.2-iti43-request.captured.txt").read_bytes().replace(b"\r\n", b"\n")
    header, _, body = captured.partition(b"\n\n")
    kind = next(line for line in header.decode().splitlines() if line.startswith("Content-Type:")).partition(":")[2]
    request = body.replace(b"\n", b"\r\n")
    answer = post(repository, request, kind.strip())
    assert not answer.is_fault, answer.reason
    assert answer.header("RelatesTo") == "uuid:1b031c45-67e9-4ed2-84d2-a7528cd46b6d"

    sample = (wire_samples / "nist-PnrXop-Xop" / "body.txt").read_bytes().replace(b"\n", b"\r\n")
    boundary = sample[2:].partition(b"\r\n")[0].decode()
    kind = f'multipart/related; boundary={boundary}; type="application/xop+xml"; start-info="application/soap+xml"'
    answer = post(repository, sample, kind)
    assert not answer.is_fault, answer.reason
    (said,) = answer.body.iter("{*}RegistryError")
    assert said.get("codeContext", "").startswith("Document01 ")


@pytest.fixture
def wire_samples() -> Path:
    folder = Path(__file__).parents[3] / "shared" / "data" / "xds" / "fixtures" / "wire"
    if not folder.is_dir():
        pytest.skip("the sample messages are not here")
    return folder


def test_retrieved_documents_come_in_their_parts(repository: Live) -> None:
    wanted = "".join(
        f"<d:DocumentRequest><d:RepositoryUniqueId>1.2.3</d:RepositoryUniqueId>"
        f"<d:DocumentUniqueId>{name}</d:DocumentUniqueId></d:DocumentRequest>"
        for name in fake_repository.SIZES
    )
    headers = ADDRESSED.replace(ECHO, fake_repository.RETRIEVE)
    body = f'<d:RetrieveDocumentSetRequest xmlns:d="urn:ihe:iti:xds-b:2007">{wanted}</d:RetrieveDocumentSetRequest>'
    text = f'<s:Envelope xmlns:s="{SOAP12}"><s:Header>{headers}</s:Header><s:Body>{body}</s:Body></s:Envelope>'

    answer = httpx.post(repository.url, content=text, headers={"Content-Type": TYPE12})

    for name in fake_repository.SIZES:
        assert fake_repository.document(name) in answer.content
    assert int(answer.headers["content-length"]) == len(answer.content)
