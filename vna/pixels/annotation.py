"""Words burned into a picture: whose it is, and how it was made (PS3.18 8.3.5.1.1)."""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Final

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from vna.pixels.header import Header


class Annotation(StrEnum):
    """What the words are about."""

    PATIENT = "patient"
    TECHNIQUE = "technique"


_SAID: Final = {  # tag, and how its value is written
    Annotation.PATIENT: (
        ("00100010", "{}"),
        ("00100020", "{}"),
        ("00100030", "* {}"),
        ("00100040", "{}"),
    ),
    Annotation.TECHNIQUE: (
        ("00080060", "{}"),
        ("00080020", "{}"),
        ("00080080", "{}"),
        ("0008103E", "{}"),
        ("00181030", "{}"),
        ("00180015", "{}"),
        ("00180050", "{} mm"),
        ("00180060", "{} kV"),
        ("00181151", "{} mA"),
        ("00180080", "TR {} ms"),
        ("00180081", "TE {} ms"),
        ("00200013", "image {}"),
    ),
}
_FONT: Final = "Roboto[wdth,wght].ttf"
_LONGEST: Final = 64
_LINES_IN_HEIGHT: Final = 32
_SMALLEST: Final = 9


def annotated(picture: Pillow.Image, header: Header, asked: Iterable[Annotation]) -> Pillow.Image:
    """The picture with the patient at the top left and the technique at the bottom left, light letters in dark edges.

    A value that is not there is left out; a line that does not fit is cut.
    """
    size = max(_SMALLEST, round(picture.height / _LINES_IN_HEIGHT))
    font = _font(size)
    drawn = picture.copy()
    pen = ImageDraw.Draw(drawn)
    light, dark = (255, 0) if picture.mode == "L" else ((255, 255, 255), (0, 0, 0))
    margin = size // 2
    for annotation in set(asked):
        lines = _lines(header, annotation)
        text = "\n".join(_cut(line, font, picture.width - 2 * margin) for line in lines)
        at_top = annotation is Annotation.PATIENT
        place = (margin, margin if at_top else picture.height - margin)
        pen.multiline_text(
            place, text, light, font, "la" if at_top else "ld", stroke_width=max(1, size // 12), stroke_fill=dark
        )
    return drawn


def _lines(header: Header, annotation: Annotation) -> list[str]:
    found = ((header.text(tag), form) for tag, form in _SAID[annotation])
    return [form.format(_printable(text)[:_LONGEST]) for text, form in found if text]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text).replace("^", " ").strip()


def _cut(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    while line and font.getlength(line) > width:
        line = line[:-1]
    return line


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Latin, Greek and Cyrillic letters; what else there is shows as boxes."""
    with as_file(files("fontpkg_roboto") / "files" / _FONT) as path:
        return ImageFont.truetype(path, size)
