"""What a Grayscale Softcopy Presentation State says of one image (PS3.3 A.33.1, C.10.4, C.10.6, C.11.6, C.11.8)."""

from dataclasses import dataclass
from typing import Final

from vna.model.errors import Damaged
from vna.pixels.header import Header
from vna.pixels.viewport import MOST_PIXELS, Shown
from vna.pixels.windowing import Modality, Table, Voi, modality_of, table_of, vois_of

_MODALITY_TAGS: Final = ("00283000", "00281052", "00281053")


@dataclass(frozen=True, slots=True, eq=False)
class Presentation:
    """Parts that are None are the image's own matter; `inverse` and `table` are the Presentation LUT."""

    modality: Modality | None
    voi: Voi | None
    shown: Shown
    inverse: bool = False
    table: Table | None = None


def presentation_of(header: Header, sop_instance_uid: str, *, frame: int = 1, signed: bool = False) -> Presentation:
    """For one frame of the image with that UID; `header` is the presentation state's."""
    voi = _for(header.items("00283110"), sop_instance_uid, frame)
    area = _for(header.items("0070005A"), sop_instance_uid, frame)
    has_modality = any(tag in header for tag in _MODALITY_TAGS)
    vois = vois_of(voi, signed=False) if voi else []
    return Presentation(
        modality=modality_of(header, signed=signed) if has_modality else None,
        voi=vois[0] if vois else None,
        shown=Shown(
            area=_area(area) if area else None,
            rotation=header.whole("00700042", 0),
            flipped=header.text("00700041") == "Y",
        ),
        inverse=header.text("20500020") == "INVERSE",
        table=table_of(header.item("20500010"), signed=False),
    )


def _for(items: list[Header], sop_instance_uid: str, frame: int) -> Header | None:
    """The item that is about this frame; one that names no images is about all."""
    for item in items:
        references = item.items("00081140")
        if not references:
            return item
        for reference in references:
            frames = reference.numbers("00081160")
            if reference.text("00081155") == sop_instance_uid and (not frames or frame in frames):
                return item
    return None


def _area(item: Header) -> tuple[int, int, int, int] | None:
    """Corners count from 1 and are both shown (PS3.3 C.10.4)."""
    first, last = item.numbers("00700052"), item.numbers("00700053")
    if len(first) != 2 or len(last) != 2:
        return None
    left, right = sorted((int(first[0]), int(last[0])))
    top, bottom = sorted((int(first[1]), int(last[1])))
    if (right - left + 1) * (bottom - top + 1) > MOST_PIXELS:
        raise Damaged("the displayed area of the presentation state is too large")
    return left - 1, top - 1, right, bottom
