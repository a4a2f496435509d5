"""Names for fuzzy matching: their words in Latin letters, and how a word sounds."""

import re
from functools import lru_cache

from vna.model.names import words

_ALPHABETS = (
    ("абвгдезиклмнопрстуфыіјэєґ", "abvgdeziklmnoprstufyijeeg"),
    ("αβγδεζηικλμνξοπρσςτυφω", "avgdeziiklmnxoprsstyfo"),
    ("əћђ", "ecd"),
)
_DIGRAPHS = dict(
    zip(
        "жхцчшщюяљњџθχψ",
        ("zh", "kh", "ts", "ch", "sh", "shch", "yu", "ya", "lj", "nj", "dz", "th", "ch", "ps"),
        strict=True,
    ),
    ъ="",
    ь="",
)
_LATIN = str.maketrans({a: b for one, other in _ALPHABETS for a, b in zip(one, other, strict=True)} | _DIGRAPHS)

_TOGETHER = (
    (re.compile("tsch|tch|dj|ts|tz|sch|sh|ch|zh"), "s"),
    (re.compile("ph"), "f"),
    (re.compile("kh|gh|ck|qu"), "k"),
    (re.compile("x"), "ks"),
)
_KINDS = {"P": "bp", "F": "fvw", "S": "scjz", "K": "kgq", "T": "dt", "L": "l", "N": "mn", "R": "r"}
_CLASSES = str.maketrans({letter: kind for kind, letters in _KINDS.items() for letter in letters})
_TWICE = re.compile(r"(.)\1+")


def searched_words(name: str) -> tuple[str, ...]:
    """The words of a name in all its groups, folded, Cyrillic and Greek ones in Latin letters; wild cards stay."""
    return tuple(filter(None, (word.translate(_LATIN) for word in words(name))))


@lru_cache(maxsize=8192)
def sound_of(word: str) -> str:
    """A code that words of similar sound share: consonants by their kind, vowels but a first one dropped.

    "" for words too short to be told by their sound, and for those that are not in Latin letters.
    """
    if not word.isascii() or not word.isalpha():
        return ""
    for expression, letters in _TOGETHER:
        word = expression.sub(letters, word)
    first = "A" if word[0] in "aeiou" else word[0].upper() if word[0] in "hy" else ""
    code = first + "".join(c for c in word.translate(_CLASSES) if c.isupper())
    code = _TWICE.sub(r"\1", code)
    return code if len(code) > 1 else ""


def searched(name: str) -> str:
    """What the index keeps of a name for fuzzy matching: words, then codes of sounds, a space around each."""
    there = dict.fromkeys(searched_words(name))
    codes = dict.fromkeys(filter(None, map(sound_of, there)))
    return f" {' '.join([*there, *codes])} " if there else ""
