"""Packages taken apart: however they are cut into pieces, and whatever is wrong with them."""

from __future__ import annotations

import hashlib
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.scratch import Scratch
from tests.soap.wire import MTOM, ROOT, document, envelope, multipart
from vna.model.errors import VnaError
from vna.soap import addressing
from vna.soap.envelope import message, read
from vna.soap.limits import Limits
from vna.soap.message import Message
from vna.soap.package import Unpacking

FOLDER = Path(tempfile.gettempdir())
LIMITS = Limits()


def unpacked(body: bytes, cuts: list[int], content_type: str = MTOM) -> Message:
    scratch = Scratch(FOLDER)
    unpacking = Unpacking(content_type, scratch, LIMITS)
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(places):
        unpacking.feed(body[start:end])
    package = unpacking.finish()
    found = read(package, LIMITS.envelope)
    return message(found, package, addressing.read(found.blocks), scratch)


NEAR = st.binary(max_size=60) | st.lists(st.sampled_from([b"\r", b"\n", b"--b", b"-", b"\r\n--", b"x"])).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(NEAR, NEAR, st.lists(st.integers(0, 10_000), max_size=6))
def test_parts_are_the_same_however_the_body_is_cut(one: bytes, other: bytes, cuts: list[int]) -> None:
    root = (ROOT, envelope(document("cid:1") + document("cid:2")).encode())
    body = multipart(root, ("Content-ID: <1>", one), ("Content-ID: <2>", other), boundary="b#1")
    with unpacked(body, cuts, MTOM.replace('"b"', '"b#1"')) as got:
        for element, data in zip(list(got.body)[1:], (one, other), strict=True):
            attachment = got.content(element)
            assert attachment.open().read() == data
            assert attachment.sha1 == hashlib.sha1(data, usedforsecurity=False).hexdigest()


KINDS = st.sampled_from(["", "text/xml", MTOM, "x/y;="])
WHOLE = multipart((ROOT, envelope(document("cid:1")).encode()), ("Content-ID: <1>", b"data"))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(WHOLE)),
    st.integers(0, 40),
    st.binary(max_size=20),
    st.sampled_from(["", "text/xml", MTOM, "x/y;="]),
)
def test_damaged_messages_are_read_or_refused_by_meaning(at: int, cut: int, put: bytes, kind: str) -> None:
    assert outcome(WHOLE[:at] + put + WHOLE[at + cut :], kind).isprintable()


def outcome(body: bytes, kind: str) -> str:
    try:
        with unpacked(body, [], kind) as got:
            got.content(got.body[-1])
            return got.action
    except VnaError as error:
        return str(error)
