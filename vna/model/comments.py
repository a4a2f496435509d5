"""What is said of a failure where little room is: Error Comment (0000,0902), an LO (PS3.7 annex C, PS3.5 6.2)."""

from typing import Final

from vna.model.errors import VnaError

LONGEST: Final = 64
_MORE: Final = "..."


def comment(text: str) -> str:
    """A text as it can go into an Error Comment.

    One that is too long ends in dots, after a whole word unless that would leave little of it.
    """
    plain = "".join(character if " " <= character <= "~" else "?" for character in text.replace("\\", "/")).strip()
    if len(plain) <= LONGEST:
        return plain
    room = LONGEST - len(_MORE)
    whole_words = plain[: room + 1].rpartition(" ")[0]
    return (whole_words if len(whole_words) > room // 2 else plain[:room]).rstrip(" ,;:") + _MORE


def reason_of(error: BaseException | None) -> str:
    """What VnaError says, which is without patient data; of other errors nothing but that there was one."""
    return str(error) if isinstance(error, VnaError) else "processing failure"


def comment_of(error: BaseException | None) -> str:
    """The same as an Error Comment."""
    return comment(reason_of(error))
