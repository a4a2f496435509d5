"""Text of reports made harmless: HTML by a short list of what may be in it, and plain text of either kind."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import nh3

from vna.model.reports import Part

_BLOCKS = frozenset(
    (
        *("p", "div", "ul", "ol", "li", "table", "thead", "tbody", "tr", "pre", "blockquote", "hr"),
        *("h1", "h2", "h3", "h4", "h5", "h6"),
    )
)
_INLINE = frozenset(("span", "b", "strong", "i", "em", "u", "s", "small", "sub", "sup", "br", "td", "th"))
_WITH_CONTENT = frozenset(
    (
        *("script", "style", "title", "noscript", "iframe", "object", "embed", "applet", "template", "textarea"),
        *("select", "button", "svg", "math", "audio", "video", "canvas"),
    )
)
"""Elements that go with all that is in them; of others that are not allowed the text stays."""
_ATTRIBUTES = {"td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def cleaned(part: Part) -> Part:
    """The part without control characters, and HTML without anything that acts, looks like something else, or is
    fetched from somewhere."""
    text = _CONTROLS.sub("", part.text.replace("\r\n", "\n").replace("\r", "\n"))
    if part.is_html:
        text = nh3.clean(
            text,
            tags=set(_BLOCKS | _INLINE),
            clean_content_tags=set(_WITH_CONTENT),
            attributes={name: set(some) for name, some in _ATTRIBUTES.items()},
            url_schemes=set(),
        )
        text = _CONTROLS.sub("", text)  # those that came as character references
    return replace(part, text=text.strip())


def plain_text(part: Part) -> str:
    """What a person reads of a part that was cleaned, in lines."""
    if not part.is_html:
        return part.text
    reader = _Reader()
    reader.feed(part.text)
    reader.close()
    return reader.text()


def has_controls(text: str) -> bool:
    """Whether there is anything in it that is no letter to read, a line's end included."""
    return "\n" in text or "\t" in text or _CONTROLS.search(text) is not None


class _Reader(HTMLParser):
    """A line a block, `- ` before what is listed, ` | ` between cells."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[list[str]] = [[]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (the base's)
        if tag in _BLOCKS or tag == "br":
            self._lines.append(["- "] if tag == "li" else [])
        elif tag in ("td", "th") and self._lines[-1]:
            self._lines[-1].append(" | ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._lines.append([])

    def handle_data(self, data: str) -> None:
        self._lines[-1].append(data)

    def text(self) -> str:
        lines = (" ".join("".join(pieces).split()) for pieces in self._lines)
        return "\n".join(line for line in lines if line not in ("", "-"))
