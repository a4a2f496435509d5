"""What is known of a certificate that somebody showed, and which ones are expected of whom."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that TLS has checked: SHA-256 of all of it in hexadecimal digits, and its subject (RFC 4514)."""

    fingerprint: str
    subject: str

    def fits(self, expected: Iterable[str]) -> bool:
        """Whether it is one of those: each of them is a fingerprint or a subject."""
        return any(one in (self.fingerprint, self.subject) for one in expected)


def is_fingerprint(text: str) -> bool:
    """Whether it is one in the form in which they are kept."""
    return _FINGERPRINT.fullmatch(text) is not None
