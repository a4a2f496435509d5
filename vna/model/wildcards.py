"""Wild card matching (PS3.4 C.2.2.2.4): `*` is any sequence of characters, `?` any single one."""

import re
from functools import lru_cache

_STARS = re.compile(r"\*+")
_PERCENTS = re.compile("%+")


def is_universal(text: str) -> bool:
    """Nothing, or nothing but stars: matches everything, what has no value included."""
    return not text.strip("* \0")


def has_wildcard(text: str) -> bool:
    """Whether `text` is more than one exact value."""
    return "*" in text or "?" in text


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """For `fullmatch`."""
    return re.compile(expression(pattern), re.DOTALL)


def expression(pattern: str) -> str:
    """A regular expression that takes linear time: what stands between stars is looked for once, leftmost first."""
    return _joined(_STARS.split(pattern), "?")


@lru_cache(maxsize=1024)
def like(pattern: str) -> re.Pattern[str]:
    """For `fullmatch`, of a pattern as SQL writes them: `%` is any sequence of characters, `_` any single one."""
    return re.compile(_joined(_PERCENTS.split(pattern), "_"), re.DOTALL)


def _joined(pieces: list[str], single: str) -> str:
    first, *rest = (_piece(piece, single) for piece in pieces)
    if not rest:
        return first
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    return f"{first}{middle}.*{rest[-1]}"


def _piece(text: str, single: str) -> str:
    return "".join("." if character == single else re.escape(character) for character in text)
