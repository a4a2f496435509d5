"""Time stamp authorities (RFC 3161): who says when the chain was as it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a time stamp that holds says."""

    at: datetime
    authority: str


class Authority(Protocol):
    """Stamps digests, and says whether a stamp is one of its own."""

    def stamp(self, digest: bytes) -> bytes:
        """A time stamp response over a SHA-256, in DER; Unavailable when there is none to be had."""

    def check(self, token: bytes, digest: bytes) -> Stamp:
        """What it says; Damaged when it is none over this digest by an authority that is trusted."""
