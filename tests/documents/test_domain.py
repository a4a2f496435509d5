"""Codes of an affinity domain, from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vna.documents import domain
from vna.model.documents import Code
from vna.model.errors import BadRequest


def test_the_turkish_example_can_be_read_and_binds_what_it_lists() -> None:
    turkey = domain.read(domain.TURKEY)
    assert turkey.allows("classCode", Code("IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "anything"))
    assert not turkey.allows("classCode", Code("IMAGES", "1.2.3"))
    assert not turkey.allows("formatCode", Code("x", "1.2.3"))
    assert turkey.allows("eventCodeList", Code("CT", "1.2.840.10008.2.16.4")), "there is no list of these"
    assert turkey.allows_mime_type("application/dicom")
    assert not turkey.allows_mime_type("application/x-sh")


def test_a_domain_without_a_file_takes_everything() -> None:
    assert domain.ANY.allows("classCode", Code("x", "y"))
    assert domain.ANY.allows_mime_type("x/y")


def test_json_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "codes.json"
    path.write_text(json.dumps({"classCode": [{"code": "A", "scheme": "1.2"}], "mime_types": ["text/plain"]}))
    read = domain.read(path)
    assert read.allows("classCode", Code("A", "1.2"))
    assert not read.allows("classCode", Code("B", "1.2"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "[[clasCode]]\ncode = 'A'\nscheme = '1'\n", "clasCode is no coded attribute"),
        ("a.toml", "[[classCode]]\ncode = 'A'\n", "every classCode needs a code and a scheme"),
        ("a.toml", "classCode = [", "cannot be read"),
        ("a.json", "[1, 2]", "is no table of codes"),
        ("a.json", "{", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadRequest, match=said):
        domain.read(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        domain.read(tmp_path / "none.toml")
