"""Bodies of several parts, as DICOMweb sends and gives them (RFC 2387, PS3.18 8.6.1.2)."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from conformance.suite.check import Failed

BOUNDARY = "vnaconformance"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer: its media type, with parameters, and its content."""

    media_type: str
    location: str
    content: bytes


def related(parts: Sequence[bytes], media_type: str = "application/dicom") -> tuple[bytes, str]:
    """A body of parts of one media type, and its Content-Type."""
    body = b"".join(f"--{BOUNDARY}\r\nContent-Type: {media_type}\r\n\r\n".encode() + part + b"\r\n" for part in parts)
    return body + f"--{BOUNDARY}--\r\n".encode(), f'multipart/related; type="{media_type}"; boundary={BOUNDARY}'


def parts_of(answer: httpx.Response) -> list[Part]:
    """The parts of an answer; Failed when it is not multipart/related."""
    kind = answer.headers.get("Content-Type", "")
    if not kind.lower().startswith("multipart/related"):
        raise Failed(f"the Content-Type is {kind!r}, not multipart/related")
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content, policy=email.policy.HTTP)
    found = []
    for one in message.iter_parts():
        content = one.get_payload(decode=True)
        found.append(
            Part(str(one.get("Content-Type", "")), str(one.get("Content-Location", "")), bytes(content or b""))
        )
    if not found:
        raise Failed("the answer has no parts")
    return found
