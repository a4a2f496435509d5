"""Retrieve transaction, frame resources: pixels of single frames in the stored syntax (PS3.18 10.4.1.1.6)."""

import re

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import instance_url, service_url, target_of
from dicomweb.media_types import acceptable, choose, pixel_content_type, pixel_offers
from dicomweb.requests import actor_of
from dicomweb.responses import multipart, stream
from dicomweb.retrieve import held
from dicomweb.service import StudiesService
from vna.mime.writer import Part
from vna.model.errors import BadRequest

_LIST = re.compile(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*")


def frames(request: Request, service: StudiesService) -> Response:
    """The frames named, in the order named."""
    actor, target = actor_of(request), target_of(request)
    numbers = frame_numbers(request.path_params["frames"])
    ranges = acceptable(request)
    instance = held(service, actor, target)[0]
    offer = choose(ranges, pixel_offers(instance.transfer_syntax_uid, single=len(numbers) == 1))
    found = service.retrieval.frames(actor, instance, numbers)
    content_type = pixel_content_type(offer, instance.transfer_syntax_uid)
    if not offer.multipart:
        return stream(found[0].chunks, media_type=content_type, size=found[0].size)
    address = instance_url(service_url(request, service.public_url), instance)
    parts = [
        Part(
            (("Content-Type", content_type), ("Content-Location", f"{address}/frames/{number}")),
            frame.chunks,
            frame.size,
        )
        for number, frame in zip(numbers, found, strict=True)
    ]
    return multipart(parts, media_type=offer.media_type)


def frame_numbers(text: str) -> list[int]:
    """The frame list of a path: numbers from 1 with commas between."""
    if not _LIST.fullmatch(text):
        raise BadRequest("the frame list in the address is not numbers from 1 with commas between")
    return [int(number) for number in text.split(",")]
