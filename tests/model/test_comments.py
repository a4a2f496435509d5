"""Error Comments: whole words within 64 characters, and nothing an LO may not hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vna.model.comments import LONGEST, comment, comment_of
from vna.model.errors import CannotUnderstand

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("short", "short"),
        (" outer spaces ", "outer spaces"),
        ("a" * 64, "a" * 64),
        ("a" * 65, "a" * 61 + "..."),
        ("a word " + "x" * 100, "a word " + "x" * 54 + "..."),
        ("word " * 12 + "last", "word " * 12 + "last"),
        ("word " * 13, "word " * 12 + "word"),
        ("word " * 13 + "x", ("word " * 12).strip() + "..."),
        ("the first half, " * 5, "the first half, the first half, the first half, the first..."),
        ("of a name: Ayşe\\Fatma\n", "of a name: Ay?e/Fatma?"),
    ],
)
def test_a_comment_ends_with_a_whole_word(said: str, told: str) -> None:
    assert comment(said) == told
    assert len(told) <= LONGEST


def test_of_an_error_that_is_not_ours_nothing_is_told() -> None:
    assert comment_of(CannotUnderstand("the index does not answer")) == "the index does not answer"
    assert comment_of(ValueError("Ayse^Deneme")) == comment_of(None) == "processing failure"


@pytest.mark.parametrize("module", ["part10", "scan", "frames", "inflate"])
def test_what_is_said_of_broken_objects_fits_a_comment_at_any_offset(module: str) -> None:
    """Placeholders as long as they get: tags, counts, and offsets up to 9 GB."""
    text = (ROOT / "storage" / f"{module}.py").read_text()
    sentences = re.findall(r'(?:CannotUnderstand|OutOfResources)\(\s*f?"([^"]+)"', text)
    assert sentences
    for sentence in sentences:
        longest = re.sub(r"\{[^}]*(?:offset|end|at|pos|start)[^}]*\}", "9" * 10, sentence)
        longest = re.sub(r"\{[^}]*:04X\}", "FFFF", longest)
        longest = re.sub(r"\{_shown\(tag\)\}", "(7FE0,0010)", longest)
        longest = re.sub(r"\{[^}]*max_header_bytes[^}]*\}", "9" * 8, longest)
        longest = re.sub(r"\{[^}]*\}", "9" * 8, longest)
        assert len(longest) <= LONGEST, longest
