"""Character sets by MSH-18 (HL7 table 0211), and the names that systems really send."""

import re
from collections.abc import Sequence
from typing import Final

CODECS: Final = {  # HL7 table 0211, written without blanks and signs
    "ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "UNICODEUTF-8": "utf-8",
    "ISOIR14": "iso2022_jp_2",
    "ISOIR87": "iso2022_jp_2",
    "ISOIR159": "iso2022_jp_2",
    "GB18030-2000": "gb18030",
    "KSX1001": "euc_kr",
    "BIG-5": "big5",
}
_OTHER_NAMES: Final = {
    "US-ASCII": "ascii",
    "UTF8": "utf-8",
    "UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "GB18030": "gb18030",
    "BIG5": "big5",
    "CP874": "cp874",
}
_ISO_8859: Final = re.compile(r"ISO[-_/]?8859[-/_](?P<part>[0-9]{1,2})")
_WINDOWS: Final = re.compile(r"(?:WINDOWS|CP)[-_]?(?P<page>125[0-8])")

UNDECLARED: Final = "utf-8"
"""What a message without MSH-18 is read as where nothing else is agreed on; ASCII, which the standard means then, is
part of it (HL7 v2.5 2.15.9.18)."""


def codec_of(terms: Sequence[str], undeclared: str = UNDECLARED) -> str | None:
    """The Python codec for the values of MSH-18; None when one is not known, or two that exclude each other are named.

    The default set may be ASCII and another one be named beside it: then that one holds for the whole message.
    """
    codecs = [_codec(term) for term in terms if term.strip()]
    if None in codecs:
        return None
    wanted = {codec for codec in codecs if codec and codec != "ascii"}
    if len(wanted) > 1:
        return None
    return wanted.pop() if wanted else "ascii" if codecs else undeclared


def _codec(term: str) -> str | None:
    name = re.sub(r"\s", "", term).upper()
    if found := _ISO_8859.fullmatch(name):
        name = f"8859/{int(found['part'])}"
    if found := _WINDOWS.fullmatch(name):
        return f"cp{found['page']}"
    return CODECS.get(name) or _OTHER_NAMES.get(name)
