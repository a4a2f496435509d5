"""A message as it goes over HTTP: its Content-Type, its length where that is known, its bytes (MTOM 3, XOP 4)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from vna.mime.writer import Part, multipart_size, new_boundary, write_multipart
from vna.model.file_range import BodyPiece
from vna.sending import as_bytes, gather
from vna.soap.message import Content, Packaging, new_content_id
from vna.soap.package import MULTIPART, XOP_TYPE
from vna.soap.versions import Version

_JOINED = 1 << 20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`pieces` can be taken once; what fails on the way fails there. `size` is in bytes, where it is known."""

    content_type: str
    size: int | None
    pieces: Iterator[BodyPiece]

    def joined(self) -> bytes | None:
        """All of it, when it is small."""
        return b"".join(as_bytes(self.pieces)) if self.size is not None and self.size <= _JOINED else None

    def begun(self) -> Iterator[BodyPiece]:
        """All of it in pieces, of which the first has been read: a failure there can still be told."""
        gathered = gather(self.pieces)
        return chain(list(islice(gathered, 1)), gathered)


def outgoing(
    envelope: bytes,
    version: Version,
    contents: Sequence[Content] = (),
    packaging: Packaging = Packaging.PLAIN,
    *,
    action: str = "",
) -> Outgoing:
    """In an MTOM package where there are contents or one is asked for, else the envelope alone.

    `action` goes into the Content-Type of a SOAP 1.2 request (RFC 3902 3).
    """
    said = f'; action="{action}"' if action and version is Version.SOAP12 else ""
    if not contents and packaging is not Packaging.XOP:
        return Outgoing(f"{version.media_type}; charset=UTF-8{said}", len(envelope), iter((envelope,)))
    boundary, root = new_boundary(), new_content_id()
    parts = [_root(envelope, version, root), *map(_part, contents)]
    content_type = (
        f'{MULTIPART}; type="{XOP_TYPE}"; start="<{root}>"; start-info="{version.media_type}"; boundary="{boundary}"'
    )
    return Outgoing(content_type + said, multipart_size(parts, boundary), write_multipart(parts, boundary))


def _root(envelope: bytes, version: Version, content_id: str) -> Part:
    kind = f'{XOP_TYPE}; charset=UTF-8; type="{version.media_type}"'
    return Part(_fields(kind, content_id), (envelope,), len(envelope))


def _part(content: Content) -> Part:
    return Part(_fields(content.media_type, content.content_id), _Late(content), content.size)


def _fields(content_type: str, content_id: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", content_type),
        ("Content-Transfer-Encoding", "binary"),
        ("Content-ID", f"<{content_id}>"),
    )


@dataclass(frozen=True, slots=True)
class _Late:
    """Opened when it is iterated: a message of many contents has one of them open at a time."""

    content: Content

    def __iter__(self) -> Iterator[BodyPiece]:
        return self.content.pieces()
