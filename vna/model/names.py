"""Person names as they are compared: regardless of case and accents, the Turkish way, group by group (PS3.5 6.2.1).

The normal form of a name keeps its structure, "family^given^middle^prefix^suffix" in each of the groups
"alphabetic=ideographic=phonetic", without trailing empty components and groups. Letters are folded:

* I, ı, İ and i are one letter; capital and small are one; accents are dropped (ş s, ğ g, â a), Arabic and Hebrew
  vowel signs as well. Marks that make another letter stay: Japanese voicing, Thai and Indic vowels;
* Latin letters that do not decompose have a plain form (ø o, ł l, đ d, ß ss, æ ae, œ oe, þ th, ð d);
* full-width and half-width forms are one.
"""

# ruff: noqa: RUF001, RUF002 (letters that look alike are what this is about)

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
"""The members of a PN value of the DICOM JSON model, in the order of the groups (PS3.18 F.2.2)."""

_PLAIN = {"ı": "i", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th"}
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})
_ASCII_UNSEEN = {code: None for code in (*range(32), 127) if not chr(code).isspace()}
_STRUCTURE = frozenset("^=*?\\")
_SPACES = re.compile(r"\s+")
_WORD_BREAK = re.compile(r"[\s^=,.;/_'’-]+")


@lru_cache(maxsize=8192)
def _fold_letter(letter: str) -> str:
    """Compatibility forms first, so that what comes of them is folded too; never into a structure character."""
    folds = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", letter).casefold())
    if not _STRUCTURE.isdisjoint(folds):
        return letter
    kept = (c for c in _ACCENTS.sub("", folds) if c.isspace() or unicodedata.category(c) not in _UNSEEN)
    return "".join(_PLAIN.get(c, c) for c in kept)


def folded(text: str) -> str:
    """`text` with letters folded; structure characters (^ = * ?) and spaces stay as they are."""
    if text.isascii():
        return text.lower().translate(_ASCII_UNSEEN)
    return unicodedata.normalize("NFC", "".join(map(_fold_letter, text)))


def normalised_group(group: str) -> str:
    """One component group: folded, components without outer spaces, trailing empty components dropped."""
    components = [_SPACES.sub(" ", component).strip() for component in folded(group).split("^")]
    return "^".join(components).rstrip("^")


def normalised(name: str) -> str:
    """A name as "A=I=P" in its normal form; several names, separated by backslash, each."""
    return "\\".join(_normalised_one(one) for one in name.split("\\"))


def _normalised_one(name: str) -> str:
    return "=".join(normalised_group(group) for group in name.split("=")).rstrip("=")


def words(name: str) -> tuple[str, ...]:
    """The words of a name in normal form, of all its groups, for matching in any order."""
    return tuple(word for word in _WORD_BREAK.split(folded(name)) if word)


def text_of(value: Any) -> str:
    """A PN value of the DICOM JSON model as "A=I=P" text; a plain text passes."""
    if isinstance(value, Mapping):
        return "=".join(str(value.get(group) or "") for group in GROUPS).rstrip("=")
    return "" if value is None else str(value)
