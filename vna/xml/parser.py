"""XML from outside: no document type, so no entities of its own; nothing fetched; as much memory as its bounds say."""

import re
from dataclasses import dataclass

from lxml import etree

from vna.model.errors import BadRequest, TooLarge

_ENCODINGS = {  # the names that are met, and what Python calls them (XML 1.0 4.3.3)
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "iso-8859-1": "iso-8859-1",
    "iso-8859-9": "iso-8859-9",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252",
    "windows-1254": "cp1254",
}
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_DECLARED = re.compile(rb"""<\?xml\s[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_BEFORE_ROOT = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a document may be, and how many marks (tags and attributes) it may have.

    A mark costs some 300 bytes of memory however few it takes in the document.
    """

    size: int = 16 << 20
    marks: int = 500_000


DEFAULT_BOUNDS = Bounds()


def parse(document: bytes, bounds: Bounds = DEFAULT_BOUNDS, *, charset: str = "") -> etree._Element:
    """The root element, without comments and processing instructions.

    `charset` is what the transport says of it, which goes before what the document says (RFC 7303 3.2). BadRequest
    where it is not well-formed or has a document type declaration, TooLarge past the bounds; both in words that
    follow the name of the document: "is no XML: ...".
    """
    if len(document) > bounds.size:
        raise TooLarge(f"is longer than {bounds.size} bytes")
    document = _as_utf8(document, charset)
    if document.count(b"<") + (document.count(b'"') + document.count(b"'")) // 2 > bounds.marks:
        raise TooLarge(f"has more than {bounds.marks} tags and attributes")
    before = _BEFORE_ROOT.match(document)
    assert before is not None  # it matches nothing as well
    if document.startswith(b"<!", before.end()):
        raise BadRequest("has a document type declaration, which is not taken")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=True,  # texts over 10 MB; what it would open otherwise needs a document type
    )
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as exc:
        raise BadRequest(f"is no XML: it is not well-formed, {_reason(exc)}") from exc
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadRequest("has a document type declaration, which is not taken")
    return root


def _as_utf8(document: bytes, charset: str) -> bytes:
    """In UTF-8 without byte order mark, so that there is one way to see a tag."""
    for mark, codec in _MARKS:
        if document.startswith(mark):
            return _decoded(document[len(mark) :], codec)
    declared = _DECLARED.match(document)
    named = charset or (declared[1].decode("ascii") if declared else "utf-8")
    codec = _ENCODINGS.get(named.strip().lower(), "")
    if not codec:
        raise BadRequest(f"is in the encoding {named[:40]!r}, which is not taken: UTF-8 and UTF-16 are")
    return _decoded(document, codec)


def _decoded(document: bytes, codec: str) -> bytes:
    try:
        return document if codec == "utf-8" and document.isascii() else document.decode(codec).encode("utf-8")
    except UnicodeError as exc:
        raise BadRequest(f"is not in its encoding, {codec}") from exc


def _reason(exc: etree.XMLSyntaxError) -> str:
    """The first line that libxml2 says of it, without what it quotes: that may be of a patient."""
    said = re.sub(r"(['\"]).*?\1", "...", str(exc.msg or "no document")).splitlines()[0]
    return said[:120]
