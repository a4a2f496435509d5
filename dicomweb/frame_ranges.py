"""One frame as it is kept, or a byte range of it: how players ask for films (RFC 9110 14, PS3.18 8.6.1.1)."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.ranges import ranged
from dicomweb.service import StudiesService
from vna.model.access import Actor
from vna.model.file_range import BodyPiece
from vna.model.instances import Instance


def wants_range(request: Request) -> bool:
    """Of bytes alone a range can be given: those who ask for one get them so, where they take them so at all."""
    return "range" in request.headers


def kept_frame(
    request: Request, service: StudiesService, actor: Actor, instance: Instance, number: int, media_type: str
) -> Response:
    """The bytes of a frame alone, all of them or those that are asked for."""
    (whole,) = service.retrieval.frames(actor, instance, [number])

    def give(start: int, length: int) -> Iterator[BodyPiece]:
        (part,) = service.retrieval.frames(actor, instance, [number], start, length)
        return part.body()

    return ranged(request, whole.size, f'"{instance.sha256[:32]}-{number}"', media_type, give)
