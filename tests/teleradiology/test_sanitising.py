"""HTML of reports keeps its words and loses everything that acts, links or is fetched."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vna.model.reports import Part, PartName
from vna.teleradiology.sanitising import cleaned, plain_text


def _clean(html: str) -> str:
    return cleaned(Part(PartName.FINDINGS, html, is_html=True)).text


_LEFT = {f"<{end}{name}>" for name in ("b", "s", "i", "p") for end in ("", "/")}
_ENDS = "</td></tr></tbody></table>"


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ("<p>Akciğer <b>normal</b>.</p>", "<p>Akciğer <b>normal</b>.</p>"),
        ("<script>alert(1)</script>Akciğer", "Akciğer"),
        ("<style>p{color:red}</style><p style='x' class='y' id='z' onclick='alert(1)'>Akciğer</p>", "<p>Akciğer</p>"),
        ('<a href="https://else.where/">Akciğer</a>', "Akciğer"),
        ('<a href="javascript:alert(1)">Akciğer</a>', "Akciğer"),
        ('<img src=x onerror="alert(1)">Akciğer', "Akciğer"),
        ('<form action="/x"><input name=a><button>Gönder</button></form>Akciğer', "Akciğer"),
        ('<iframe src="https://else.where/"></iframe><object data=x></object><embed src=x>Akciğer', "Akciğer"),
        ('<svg><script>alert(1)</script></svg><math><mtext></mtext></math>Akciğer', "Akciğer"),
        ('<html><head><title>Rapor</title><base href="//x/"></head><body>Akciğer</body></html>', "Akciğer"),
        ('<link rel=stylesheet href="//x/y.css">Akciğer<!-- a remark -->', "Akciğer"),
        ('<table><tbody><tr><td colspan="2" width="9">1', '<table><tbody><tr><td colspan="2">1' + _ENDS),
        ("<p>a &lt;script&gt; b", "<p>a &lt;script&gt; b</p>"),
        ("\x00\x1bAkciğer\x0b", "Akciğer"),
    ],
)  # fmt: skip
def test_only_what_is_on_the_list_is_left(html: str, left: str) -> None:
    assert _clean(html) == left


@given(st.text(alphabet="<>/ab='\"!-scriptimgon& \x00;#x3", max_size=200))
def test_nothing_that_is_not_on_the_list_survives_and_a_second_time_changes_nothing(html: str) -> None:
    once = _clean(html)

    assert _clean(once) == once
    assert set(re.findall(r"<[^>]*>", once)) <= _LEFT


def test_very_deep_html_is_no_trouble() -> None:
    part = cleaned(Part(PartName.FINDINGS, "<div>" * 20_000 + "Akciğer", is_html=True))

    assert plain_text(part) == "Akciğer"


def test_plain_text_of_html_reads_line_by_line() -> None:
    html = "<h2>Bulgular</h2><p>Sol&nbsp;akciğer<br>5 &lt; 6 mm</p><ul><li>bir</li><li></li><li>iki</li></ul>"
    table = "<table><tr><th>Seri</th><th>Doz</th></tr><tr><td>1</td><td>12,5</td></tr></table>"
    part = cleaned(Part(PartName.FINDINGS, html + table, is_html=True))

    assert plain_text(part).splitlines() == [
        "Bulgular",
        "Sol akciğer",
        "5 < 6 mm",
        "- bir",
        "- iki",
        "Seri | Doz",
        "1 | 12,5",
    ]


def test_plain_text_is_left_as_it_is_but_for_controls_and_line_ends() -> None:
    part = cleaned(Part(PartName.FINDINGS, "a <b>\r\nc\r\x07d "))

    assert part.text == "a <b>\nc\nd"
    assert plain_text(part) == part.text
