"""Stored films: given as they are kept, whole or by byte range, which is how players ask (PS3.18 8.7.4)."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.frame_ranges import kept_frame
from dicomweb.media_types import pixel_media_type
from dicomweb.service import StudiesService
from vna.model.access import Actor
from vna.model.instances import Instance

MP4 = "video/mp4"
_FTYP, _FTYP_AT = b"ftyp", 4
"""How the first box of an MP4 file begins behind its length (ISO 14496-12 4.3)."""


def is_film(instance: Instance) -> bool:
    """Whether its pixels are a film."""
    return pixel_media_type(instance.transfer_syntax_uid).startswith("video/")


def film_types(service: StudiesService, actor: Actor, instance: Instance) -> list[str]:
    """The media types a film can be given as, the default first: MP4 where its container is that, and that of Table
    8.7.3-5."""
    (begin,) = service.retrieval.frames(actor, instance, [1], 0, _FTYP_AT + len(_FTYP))
    is_mp4 = begin.read()[_FTYP_AT:] == _FTYP
    return list(dict.fromkeys([*([MP4] if is_mp4 else []), pixel_media_type(instance.transfer_syntax_uid)]))


def film(request: Request, service: StudiesService, actor: Actor, instance: Instance, media_type: str) -> Response:
    """A stored film, or the range of it that is asked for: all of it is one frame to us."""
    return kept_frame(request, service, actor, instance, 1, media_type)
