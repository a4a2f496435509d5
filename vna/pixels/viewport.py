"""Which part of a picture is shown, how large, and which way round (PS3.18 8.3.5.1.3, PS3.3 C.10.4, C.10.6)."""

from dataclasses import dataclass
from typing import Final

from PIL import Image as Pillow

from vna.model.errors import BadRequest

MOST_PIXELS: Final = 1 << 26


@dataclass(frozen=True, slots=True)
class Viewport:
    """In pixels: the size to fit into, and the region of the picture; a negative size of the region turns it round."""

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    region_width: float | None = None
    region_height: float | None = None

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.width * self.height > MOST_PIXELS:
            raise BadRequest(f"a viewport cannot be {self.width} by {self.height} pixels")
        if self.region_width == 0 or self.region_height == 0:
            raise BadRequest("the region of a viewport cannot be empty")

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the region in a picture of this size; BadRequest when it is all outside."""
        left, top = max(0.0, self.x), max(0.0, self.y)
        right = width if self.region_width is None else min(width, self.x + abs(self.region_width))
        bottom = height if self.region_height is None else min(height, self.y + abs(self.region_height))
        if right - left <= 0 or bottom - top <= 0:
            raise BadRequest("the region of the viewport is outside the image")
        return left, top, float(right), float(bottom)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a presentation state says of place: area of the image, then rotation clockwise, then a flip."""

    area: tuple[int, int, int, int] | None = None
    """Left, top, right, bottom; the last two are the first pixels outside."""
    rotation: int = 0
    flipped: bool = False


_TURNS: Final = {
    90: Pillow.Transpose.ROTATE_270,
    180: Pillow.Transpose.ROTATE_180,
    270: Pillow.Transpose.ROTATE_90,
}


def placed(picture: Pillow.Image, shown: Shown) -> Pillow.Image:
    """As a presentation state says."""
    if shown.area:
        picture = picture.crop(shown.area)
    if turn := _TURNS.get(shown.rotation % 360):
        picture = picture.transpose(turn)
    return picture.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT) if shown.flipped else picture


def fitted(picture: Pillow.Image, viewport: Viewport | None, *, aspect: float, reduced: int = 1) -> Pillow.Image:
    """The region, as large as fits, with square pixels.

    `aspect` is height of a pixel by its width; `reduced` says of how many rows and columns only one is there.
    """
    width, height = picture.size[0] * reduced, picture.size[1] * reduced
    if viewport is None:
        wide, high = _square(width, height, aspect)
        return picture if (wide, high) == picture.size else picture.resize((wide, high), Pillow.Resampling.BILINEAR)
    left, top, right, bottom = viewport.box(width, height)
    scale = min(viewport.width / (right - left), viewport.height / ((bottom - top) * aspect))
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * aspect * scale))
    box = (left / reduced, top / reduced, min(right / reduced, picture.size[0]), min(bottom / reduced, picture.size[1]))
    picture = picture.resize(size, Pillow.Resampling.BILINEAR, box=box, reducing_gap=3.0)
    if (viewport.region_width or 1) < 0:
        picture = picture.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
    if (viewport.region_height or 1) < 0:
        picture = picture.transpose(Pillow.Transpose.FLIP_TOP_BOTTOM)
    return picture


def _square(width: int, height: int, aspect: float) -> tuple[int, int]:
    wide, high = (width, round(height * aspect)) if aspect > 1 else (round(width / aspect), height)
    return (wide, high) if wide * high <= MOST_PIXELS else (width, height)
