"""The multipart reader: any split of the bytes gives the same parts, and malformed bodies say what is wrong."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vna.mime.reader import Bounds, MultipartReader, PartBegins, PartBytes, PartEnds, boundary_of
from vna.mime.writer import Part, multipart_size, new_boundary, write_multipart
from vna.model.errors import BadRequest, TooLarge, Unavailable
from vna.sending import as_bytes

Parts = list[tuple[dict[str, str], bytes]]


def read(body: bytes, boundary: str, *, cuts: list[int] | None = None, bounds: Bounds | None = None) -> Parts:
    """All parts of a body that is fed in pieces cut at `cuts`."""
    reader = MultipartReader(boundary, bounds)
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts or []), len(body)]
    parts: list[tuple[dict[str, str], bytearray]] = []
    complete = 0
    for start, end in itertools.pairwise(edges):
        for event in reader.feed(body[start:end]):
            match event:
                case PartBegins(headers):
                    assert complete == len(parts)
                    parts.append((dict(headers), bytearray()))
                case PartBytes(piece):
                    parts[-1][1].extend(piece)
                case PartEnds(size):
                    complete += 1
                    assert size == len(parts[-1][1])
    reader.close()
    assert complete == len(parts) == reader.parts
    return [(headers, bytes(data)) for headers, data in parts]


# Bytes made of what boundaries are made of, so that near misses are common.
tricky = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n", b"\r\n--", b"b", b"bo", b"\r\n--b", b"x", b"\x00"])
).map(b"".join)


@settings(deadline=None)
@given(
    bodies=st.lists(st.one_of(tricky, st.binary(max_size=200)), max_size=5),
    cuts=st.lists(st.integers(0, 10_000), max_size=30),
    preamble=st.sampled_from([b"", b"\r\n", b"This is a preamble.\r\n--bo\r\n"]),
    epilogue=st.sampled_from([b"", b"\r\n--boundary\r\nmore", b"rest"]),
)
def test_any_split_of_the_bytes_gives_the_same_parts(
    bodies: list[bytes], cuts: list[int], preamble: bytes, epilogue: bytes
) -> None:
    headers = (("Content-Type", "application/dicom"), ("Content-Location", "/a;b=c"))
    bodies = [body for body in bodies if b"\r\n--boundary" not in b"\r\n" + body]
    written = b"".join(as_bytes(write_multipart((Part(headers, [body]) for body in bodies), "boundary")))
    expected = [({"content-type": "application/dicom", "content-location": "/a;b=c"}, body) for body in bodies]
    body = preamble + written + epilogue
    assert read(body, "boundary", cuts=cuts) == expected
    assert read(body, "boundary", cuts=list(range(len(body)))) == expected


@settings(deadline=None)
@given(body=tricky, cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_any_split_of_any_bytes_ends_in_the_same_way(body: bytes, cuts: list[int]) -> None:
    def outcome(cuts: list[int]) -> Parts | str:
        try:
            return read(body, "b", cuts=cuts, bounds=Bounds(preamble_bytes=16, header_bytes=16))
        except BadRequest as error:
            return str(error)

    assert outcome(cuts) == outcome([]) == outcome(list(range(len(body))))


def test_a_boundary_may_end_in_hyphens_and_contain_spaces() -> None:
    boundary = "-- a b --"
    body = b"".join(as_bytes(write_multipart([Part((), [b"1"]), Part((), [b"2"])], boundary)))
    assert read(body, boundary) == [({}, b"1"), ({}, b"2")]


def test_white_space_after_a_boundary_is_padding() -> None:
    assert read(b"--b \t\r\n\r\nx\r\n--b  \r\n\r\ny\r\n--b-- ", "b") == [({}, b"x"), ({}, b"y")]


def test_a_part_may_be_empty_with_and_without_a_line_end_of_its_own() -> None:
    assert read(b"--b\r\nA: 1\r\n\r\n\r\n--b\r\nA: 2\r\n\r\n--b\r\n\r\n--b--", "b") == [
        ({"a": "1"}, b""),
        ({"a": "2"}, b""),
        ({}, b""),
    ]


def test_folded_header_lines_are_joined() -> None:
    body = b'--b\r\nContent-Type: multipart/related;\r\n\ttype="a/b"\r\n\r\n\r\n--b--'
    assert read(body, "b")[0][0] == {"content-type": 'multipart/related; type="a/b"'}


def test_pieces_of_a_large_part_are_not_held_back() -> None:
    reader = MultipartReader("b")
    list(reader.feed(b"--b\r\n\r\nstart"))
    told = [event.piece for event in reader.feed(b"y" * 100_000 + b"\r\n--") if isinstance(event, PartBytes)]
    assert sum(map(len, told)) == 100_000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "does not contain the boundary"),
        (b"no boundary at all", "does not contain the boundary"),
        (b"--b", "ends within part 1"),
        (b"--b\r\nContent-Type: a/b", "ends within part 1"),
        (b"--b\r\n\r\nx", "ends within part 1"),
        (b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--", "ends within part 2"),
        (b"--b\r\n\r\nx\r\n--b-", "ends within part 1"),
        (b"--b\r\nno colon\r\n\r\nx\r\n--b--", "no field"),
        (b"--b\r\n: nameless\r\n\r\nx\r\n--b--", "no field"),
        (b"--bx\r\n\r\nx\r\n--b--", "goes on with something else"),
        (b"--b\n\nx\n--b--", "goes on with something else"),
    ],
)
def test_a_malformed_body_is_refused_in_words(body: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read(body, "b")


def test_what_stands_before_a_malformed_place_is_told_first() -> None:
    events = MultipartReader("b").feed(b"--b\r\n\r\nx\r\n--b\r\nbroken\r\n\r\n")
    told = list(itertools.islice(events, 3))
    assert told[-1] == PartEnds(1)
    with pytest.raises(BadRequest):
        next(events)


def feed_all(reader: MultipartReader, chunks: list[bytes]) -> None:
    for chunk in chunks:
        list(reader.feed(chunk))


def test_a_header_that_never_ends_is_refused_at_the_bound() -> None:
    chunks = [b"--b\r\n", *[b"A: " + b"x" * 97 + b"\r\n"] * 10]
    with pytest.raises(BadRequest, match="longer than 1000"):
        feed_all(MultipartReader("b", Bounds(header_bytes=1000)), chunks)
    feed_all(MultipartReader("b", Bounds(header_bytes=1100)), chunks)


def test_a_preamble_that_never_ends_is_refused_at_the_bound() -> None:
    chunks = [b"x" * 100] * 11
    with pytest.raises(BadRequest, match="does not begin with the boundary"):
        feed_all(MultipartReader("b", Bounds(preamble_bytes=1000)), chunks)
    feed_all(MultipartReader("b", Bounds(preamble_bytes=1100)), chunks)


def test_number_and_size_of_parts_are_bounded() -> None:
    body = b"".join(as_bytes(write_multipart([Part((), [b"1234"])] * 3, "b")))
    with pytest.raises(TooLarge, match="more than 2 parts"):
        read(body, "b", bounds=Bounds(parts=2))
    with pytest.raises(TooLarge, match="larger than 3 bytes"):
        read(body, "b", bounds=Bounds(part_bytes=3))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/related; boundary=abc", "abc"),
        ('multipart/related; type="application/dicom"; boundary="a b:c"', "a b:c"),
        ("multipart/related; type=application/dicom; boundary=abc; start=x", "abc"),
        ("Multipart/Related;Boundary=abc", "abc"),
        (f"multipart/related; boundary={'d9789dba-' * 8}1", "d9789dba-" * 8 + "1"),  # 73 characters, as from Orthanc
    ],
)
def test_the_boundary_is_read_quoted_and_unquoted(content_type: str, boundary: str) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/related",
        "multipart/related; boundary=",
        'multipart/related; boundary=""',
        "multipart/related; boundary=" + "x" * 201,
    ],
)
def test_a_missing_or_overlong_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(BadRequest, match="boundary"):
        boundary_of(content_type)


def test_size_of_a_body_is_known_when_the_sizes_of_its_parts_are() -> None:
    boundary = new_boundary()
    for count in range(3):
        parts = [Part((("Content-Type", "a/b"),), [b"abc", b"d" * i], 3 + i) for i in range(count)]
        assert multipart_size(parts, boundary) == len(b"".join(as_bytes(write_multipart(parts, boundary))))
    assert multipart_size([Part((), [b""])], boundary) is None


def test_boundaries_never_repeat_and_headers_cannot_be_split() -> None:
    assert len({new_boundary() for _ in range(1000)}) == 1000
    with pytest.raises(ValueError, match="not a header field"):
        list(write_multipart([Part((("Content-Type", "a/b\r\nX: y"),), [])], "b"))


@pytest.mark.parametrize("size", [2, 4])
def test_a_part_that_is_not_as_long_as_it_says_is_no_part(size: int) -> None:
    with pytest.raises(Unavailable):
        list(write_multipart([Part((), [b"ab", b"c"], size)], "b"))
