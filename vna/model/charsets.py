"""Characters of a data set: Specific Character Set to text and back (PS3.3 C.12.1.1.2, PS3.5 6.1)."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from pydicom.charset import convert_encodings, encode_string, python_encoding

ASCII = "ascii"
UNKNOWN = (ASCII,)
"""What an absent, empty or unknown Specific Character Set says: the default repertoire (PS3.5 6.1.2.1)."""

_CONTROLS = b"\t\n\x0c\r"
TEXT_DELIMITERS = frozenset(_CONTROLS)
VALUE_DELIMITERS = frozenset(_CONTROLS + b"\\")
NAME_DELIMITERS = frozenset(_CONTROLS + b"\\^=")
"""Bytes that end a code extension, for ST, LT, UT; for LO, SH, UC; and for PN (PS3.5 6.1.2.5.3)."""

CODECS: dict[str, str] = {  # PS3.3 Tables C.12-2 to C.12-5; the default repertoire is ASCII here, not ISO 8859-1
    **python_encoding,
    "": ASCII,
    "ISO_IR 6": ASCII,
    "ISO 2022 IR 6": ASCII,
    "ISO_IR 203": "iso8859_15",
    "ISO 2022 IR 203": "iso8859_15",
    "ISO 2022 IR 58": "gb2312",
    "ISO 2022 58": "gb2312",
    "ISO_IR 192": "utf-8",
}
_STAND_ALONE = frozenset({"utf-8", "GB18030", "GBK"})  # no code extensions (PS3.5 6.1.2.5.4)
_LATIN_1 = CODECS["ISO_IR 100"]

_G0 = {  # escape sequence: codec that reads the segment with its escape, "" where it is ASCII or JIS X 0201
    b"\x1b(B": "",
    b"\x1b(J": "",
    b"\x1b$B": "iso2022_jp",
    b"\x1b$(D": "iso2022_jp_2",
}
_G1 = {  # escape sequence: codec of the right half; the left half stays ASCII
    b"\x1b-A": _LATIN_1,
    b"\x1b-B": CODECS["ISO_IR 101"],
    b"\x1b-C": CODECS["ISO_IR 109"],
    b"\x1b-D": CODECS["ISO_IR 110"],
    b"\x1b-F": CODECS["ISO_IR 126"],
    b"\x1b-G": CODECS["ISO_IR 127"],
    b"\x1b-H": CODECS["ISO_IR 138"],
    b"\x1b-L": CODECS["ISO_IR 144"],
    b"\x1b-M": CODECS["ISO_IR 148"],
    b"\x1b-T": CODECS["ISO_IR 166"],
    b"\x1b-b": CODECS["ISO_IR 203"],
    b"\x1b)I": CODECS["ISO_IR 13"],
    b"\x1b$)C": CODECS["ISO 2022 IR 149"],
    b"\x1b$)A": CODECS["ISO 2022 IR 58"],
}
_SINGLE_BYTE = frozenset(_G1.values()) - {CODECS["ISO 2022 IR 149"], CODECS["ISO 2022 IR 58"]}
_SEGMENTS = re.compile(rb"(\x1b(?:\$[()]?|[()\-])[A-Za-z])")
_SPELLING = re.compile(r"(ISO)[ _-]?(IR|2022)[ _-]?(?:(IR)[ _-]?)?(\d+|GBK)\Z")


def _normal(term: str) -> str:
    """The defined term behind common misspellings such as `ISO-IR 100`, `ISO_2022_IR_6` or `UTF-8`."""
    term = term.strip(" \0").upper()
    if term in CODECS:
        return term
    if term in {"UTF8", "UTF-8", "UTF_8"}:
        return "ISO_IR 192"
    if (match := _SPELLING.match(term)) is None:
        return term
    _, first, second, number = match.groups()
    return f"ISO_IR {number}" if first == "IR" else f"ISO 2022 {second or 'IR'} {number}"


@lru_cache(maxsize=256)
def codecs_of(terms: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Python codecs for the values of Specific Character Set, the initial one first, and what is wrong with them (""
    if nothing).

    An unknown first term reads as the default repertoire; unknown code extensions are left out. A character set
    without code extensions stands alone.
    """
    names = [_normal(term) for term in terms] or [""]
    known = [CODECS[name] for name in names if name in CODECS]
    unknown = [name for name in names if name not in CODECS]
    problem = f"unknown character set {unknown[0][:16]!r}" if unknown else ""
    if names[0] not in CODECS:
        known.insert(0, ASCII)
    if known[0] in _STAND_ALONE:
        return (known[0],), problem
    extensions = [codec for codec in known[1:] if codec not in _STAND_ALONE]
    return (known[0], *extensions), problem


def decode(raw: bytes, encodings: Sequence[str], delimiters: frozenset[int] = VALUE_DELIMITERS) -> tuple[str, bool]:
    """Text of `raw`, and whether every byte meant a character; those that do not are replaced, never an error.

    `delimiters` are the bytes that end a code extension. Bytes outside a declared ASCII are read as UTF-8 when they are
    that, else as ISO 8859-1: what systems that forget to declare a character set send.
    """
    first = encodings[0]
    if b"\x1b" not in raw or first in _STAND_ALONE:
        return _plain(raw, first, encodings)
    text, right, good = "", first, True
    pieces = _SEGMENTS.split(raw)
    for index in range(0, len(pieces), 2):
        escape, body = pieces[index - 1] if index else b"", pieces[index]
        part, fine, right = _segment(escape, body, encodings, right, delimiters)
        text, good = text + part, good and fine
    return text, good


def _plain(raw: bytes, codec: str, encodings: Sequence[str]) -> tuple[str, bool]:
    try:
        return raw.decode(codec), True
    except UnicodeDecodeError:
        pass
    if codec != ASCII:
        return raw.decode(codec, "replace"), False
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:  # a writer that left its escape sequence out meant the one character set it declares
        meant = next((extension for extension in encodings[1:] if extension in _SINGLE_BYTE), _LATIN_1)
        return raw.decode(meant, "replace"), False


def _segment(
    escape: bytes, body: bytes, encodings: Sequence[str], right: str, delimiters: frozenset[int]
) -> tuple[str, bool, str]:
    """One stretch after an escape sequence, and the codec of the right half that holds after it."""
    double = _G0.get(escape)
    if double:
        return *_plain(escape + body, double, encodings), right
    if double is None and escape:
        if escape not in _G1:
            return _plain(body, right, encodings)[0], False, right
        right = _G1[escape]
    end = next((at for at, byte in enumerate(body) if byte in delimiters), len(body))
    head, good = _plain(body[:end], right, encodings)
    if end == len(body):
        return head, good, right
    tail, fine = _plain(body[end:], encodings[0], encodings)
    if not fine and right != encodings[0]:  # a writer that does not repeat its escape sequence after a delimiter
        again, works = _plain(body[end:], right, encodings)
        if works:
            return head + again, good, right
    return head + tail, good and fine, encodings[0]


def choose_charset(texts: Iterable[str], wanted: Sequence[str] = ()) -> str:
    """The Specific Character Set to answer in: `wanted` if every text can be written in it, else "" for ASCII, else
    `ISO_IR 192`. What pydicom, which writes the answers, cannot write is not chosen.
    """
    held = {text for text in texts if text}
    names = tuple(_normal(term) for term in wanted)
    if any(names) and all(name in python_encoding for name in names) and _carries(names, held):
        return "\\".join(names)
    return "" if all(text.isascii() for text in held) else "ISO_IR 192"


def _carries(names: tuple[str, ...], texts: set[str]) -> bool:
    codecs, _ = codecs_of(names)
    if len(codecs) != len(names) or codecs[0] in _G0.values():
        return False
    characters: set[str] = set().union(*texts)
    if not all(any(_encodes(codec, character) for codec in codecs) for character in characters):
        return False
    if len(names) == 1 and codecs[0] != CODECS["ISO_IR 13"]:
        return True
    encodings = convert_encodings(list(names))  # pydicom's way with code extensions has gaps: look at what it makes
    return all(decode(encode_string(text, encodings), codecs, TEXT_DELIMITERS) == (text, True) for text in texts)


def _encodes(codec: str, character: str) -> bool:
    try:
        encoded = character.encode(codec)
    except UnicodeEncodeError:
        return False
    return codec != CODECS["ISO_IR 13"] or len(encoded) == 1  # Shift JIS stands in for the single-byte JIS X 0201
