"""STOW-RS of PNG and GIF: the attributes of the pixels that are made of them (PS3.18 10.5.2, PS3.3 C.7.6.3)."""

from storage.compose import PIXEL_DATA
from storage.elements import whole_number
from vna.model.errors import CannotUnderstand
from vna.model.query import Element
from vna.pixels.image import Image

_ROWS, _COLUMNS, _FRAMES = "00280010", "00280011", "00280008"


def with_pixels(elements: dict[str, Element], uri: str, image: Image) -> dict[str, Element]:
    """The data set with what the picture says of its pixels; CannotUnderstand where it says another size."""
    for tag, size in ((_ROWS, image.rows), (_COLUMNS, image.columns)):
        if tag in elements and whole_number(elements, tag, size) != size:
            raise CannotUnderstand("the picture has another size than the metadata says")
    numbers = {
        "00280002": image.samples_per_pixel,
        _ROWS: image.rows,
        _COLUMNS: image.columns,
        "00280100": image.bits_allocated,
        "00280101": image.bits_stored,
        "00280102": image.bits_stored - 1,
        "00280103": image.pixel_representation,
    } | ({"00280006": 0} if image.samples_per_pixel > 1 else {})
    found: dict[str, Element] = {tag: {"vr": "US", "Value": [value]} for tag, value in numbers.items()}
    found["00280004"] = {"vr": "CS", "Value": [image.photometric_interpretation]}
    if image.number_of_frames > 1 or _FRAMES in elements:
        found[_FRAMES] = {"vr": "IS", "Value": [image.number_of_frames]}
    found[PIXEL_DATA] = {"vr": "OW" if image.bits_allocated > 8 else "OB", "BulkDataURI": uri}
    return {**elements, **found}
