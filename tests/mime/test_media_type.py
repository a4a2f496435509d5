"""Media types and lists of them, as real clients write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vna.mime.media_type import MediaType, parse_media_type, parse_media_types
from vna.model.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("application/dicom", "application/dicom", {}),
        (" Application/DICOM+json ; Charset=UTF-8 ", "application/dicom+json", {"charset": "UTF-8"}),
        ('multipart/related; type="application/dicom"', "multipart/related", {"type": "application/dicom"}),
        ("multipart/related;type=application/octet-stream;transfer-syntax=*", "multipart/related",
         {"type": "application/octet-stream", "transfer-syntax": "*"}),
        (r'a/b; x="quo\"ted; , comma"; y=', "a/b", {"x": 'quo"ted; , comma', "y": ""}),
        ("a/b;;x=1;", "a/b", {"x": "1"}),
        ("*/*;q=0.8", "*/*", {"q": "0.8"}),
    ],
)  # fmt: skip
def test_name_and_parameters_are_read(text: str, name: str, parameters: dict[str, str]) -> None:
    assert parse_media_type(text) == MediaType(name, parameters)


def test_a_list_is_split_at_commas_outside_quotes() -> None:
    found = parse_media_types('text/html, multipart/related; type="a/b,c"; q=0.5,, */*')
    assert [media.name for media in found] == ["text/html", "multipart/related", "*/*"]
    assert found[1].parameters == {"type": "a/b,c", "q": "0.5"}
    assert parse_media_types("") == parse_media_types(" , ") == []


def test_the_asterisk_that_java_sends_means_anything() -> None:
    found = parse_media_types("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2")
    assert [media.name for media in found] == ["text/html", "image/gif", "image/jpeg", "*/*", "*/*"]
    assert found[3].parameters == {"q": ".2"}


@pytest.mark.parametrize("text", ["dicom", "**", "*a", "a/b c/d", "a/", "/b", 'a/b; x="open', "a/b; =c", "a/b, c"])
def test_what_is_no_media_type_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="not a media type"):
        parse_media_types(text)


def test_an_empty_content_type_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse_media_type("")


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(st.characters(codec="ascii", exclude_categories=["Cc"]))
    )
)
def test_what_is_written_reads_back(parameters: dict[str, str]) -> None:
    media = MediaType("a/b", parameters)
    assert parse_media_type(str(media)) == media


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadRequest):
        parse_media_types(text)
