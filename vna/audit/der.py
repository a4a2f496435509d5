"""Time stamps as DER has them: the certificates in them sorted, which OpenSSL's authority does not do.

They are a SET OF (RFC 5652 10.2.3), which DER sorts (X.690 11.6). No signature is over their order, and the library
that checks time stamps reads nothing else.
"""

from collections.abc import Iterator

_CERTIFICATES = 0xA0
_SIGNED_DATA = (1, 1, 0)
"""The way to it: TimeStampResp.timeStampToken, ContentInfo.content, what that wraps (RFC 3161 2.4.2, RFC 5652 3)."""


def canonical(token: bytes) -> bytes:
    """The same response with its certificates in order; ValueError where it is none."""
    return _sorted_at(token, _SIGNED_DATA)


def _sorted_at(element: bytes, way: tuple[int, ...]) -> bytes:
    """An element with the certificates sorted of what lies on this way in it."""
    parts = list(_parts(element))
    if way:
        if len(parts) <= way[0]:
            raise ValueError("no time stamp is in it")
        parts[way[0]] = _sorted_at(parts[way[0]], way[1:])
    else:
        parts = [_sorted_set(part) if part[0] == _CERTIFICATES else part for part in parts]
    return _element(element[0], b"".join(parts))


def _sorted_set(element: bytes) -> bytes:
    return _element(element[0], b"".join(sorted(_parts(element))))


def _parts(element: bytes) -> Iterator[bytes]:
    """What is in a constructed element, each with its tag and length."""
    start, end = _content(element, 0)
    while start < end:
        _, after = _content(element, start)
        if after > end:
            raise ValueError("a part is longer than the whole")
        yield element[start:after]
        start = after


def _content(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element that begins here begins and ends: tags of one byte, definite lengths."""
    if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
        raise ValueError("the time stamp is cut off, or no DER")
    length, begin = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or begin + size > len(data):
            raise ValueError("the time stamp is cut off, or no DER")
        length, begin = int.from_bytes(data[begin : begin + size]), begin + size
    if begin + length > len(data):
        raise ValueError("the time stamp is cut off")
    return begin, begin + length


def _element(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(content).to_bytes(size) + content
