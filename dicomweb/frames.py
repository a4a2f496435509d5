"""Retrieve transaction, frame resources: pixels of single frames, as kept or as asked for (PS3.18 10.4.1.1.6)."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import instance_url, service_url, target_of
from dicomweb.frame_ranges import kept_frame, wants_range
from dicomweb.media_types import acceptable
from dicomweb.pixel_forms import PixelForm, choose_pixels
from dicomweb.responses import multipart, stream
from dicomweb.retrieve import held
from dicomweb.service import StudiesService
from vna.mime.writer import Part
from vna.model.access import Actor
from vna.model.errors import BadRequest
from vna.model.instances import Instance
from vna.security.requests import actor_of

_LIST = re.compile(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*")


def frames(request: Request, service: StudiesService) -> Response:
    """The frames named, in the order named."""
    actor, target = actor_of(request), target_of(request)
    numbers = frame_numbers(request.path_params["frames"])
    ranges = acceptable(request)
    instance = held(service, actor, target)[0]
    alone = wants_range(request)
    form = choose_pixels(ranges, instance.transfer_syntax_uid, single=len(numbers) == 1, alone=alone)
    if alone and not form.offer.multipart and not form.target:
        return kept_frame(request, service, actor, instance, numbers[0], form.content_type)
    address = f"{instance_url(service_url(request, service.public_url), instance)}/frames/"
    return pixels(service, actor, instance, numbers, form, lambda number: f"{address}{number}")


Locate = Callable[[int], str]


def pixels(
    service: StudiesService, actor: Actor, instance: Instance, numbers: Sequence[int], form: PixelForm, locate: Locate
) -> Response:
    """Frames as was agreed, one part each where they are several."""
    parts = frame_parts(service, actor, instance, numbers, form, locate)
    if not form.offer.multipart:
        one = next(parts)
        return stream(one.chunks, media_type=form.content_type, size=one.size)
    return multipart(parts if form.target else list(parts), media_type=form.offer.media_type)


def frame_parts(
    service: StudiesService, actor: Actor, instance: Instance, numbers: Sequence[int], form: PixelForm, locate: Locate
) -> Iterator[Part]:
    """Each frame as a part, made when it is asked for."""
    found: Iterator[tuple[Iterable[bytes], int]]
    if form.target:
        made = service.retrieval.frames_in(actor, instance, numbers, form.target)
        found = (([frame], len(frame)) for frame in made)
    else:
        kept = service.retrieval.frames(actor, instance, numbers)
        found = ((one.chunks, one.size) for one in kept)
    for number, (chunks, size) in zip(numbers, found, strict=True):
        yield Part((("Content-Type", form.content_type), ("Content-Location", locate(number))), chunks, size)


def frame_numbers(text: str) -> list[int]:
    """The frame list of a path: numbers from 1 with commas between."""
    if not _LIST.fullmatch(text):
        raise BadRequest("the frame list in the address is not numbers from 1 with commas between")
    return [int(number) for number in text.split(",")]
