"""The ICC profile that goes with a picture (PS3.18 8.3.5.1.5, PS3.3 C.11.15)."""

from enum import StrEnum
from functools import cache
from typing import Final

from PIL import Image as Pillow
from PIL import ImageCms

from vna.model.errors import BadRequest, Damaged
from vna.pixels.header import Header

_PROFILE: Final = "00282000"
_OPTICAL_PATHS: Final = "00480105"
_SIGNATURE: Final = b"acsp"
_AT: Final = 36
_LONGEST: Final = 4 << 20


class ColourSpace(StrEnum):
    """What is asked for: no profile, any that is right, or sRGB."""

    NONE = "no"
    ANY = "yes"
    SRGB = "srgb"


def profiled(picture: Pillow.Image, header: Header, asked: ColourSpace) -> tuple[Pillow.Image, bytes]:
    """The picture in colour with the profile that describes it: the object's own, or sRGB where it has none.

    BadRequest where sRGB is asked for and the object has colours of its own: they are not converted.
    """
    if asked is ColourSpace.NONE:
        return picture, b""
    own = _own(header)
    if own and asked is ColourSpace.SRGB:
        raise BadRequest("iccprofile: the object has a profile of its own, and its colours are not converted")
    return picture.convert("RGB"), own or _srgb()


def _own(header: Header) -> bytes:
    for item in (header, header.item(_OPTICAL_PATHS)):
        if _PROFILE in item:
            profile = bytes(item.words(_PROFILE).tobytes())
            if profile[_AT : _AT + 4] != _SIGNATURE or len(profile) > _LONGEST:
                raise Damaged("the ICC profile of the object is none")
            return profile
    return b""


@cache
def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
