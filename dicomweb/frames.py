"""Retrieve transaction, frame resources: pixels of single frames, as kept or as asked for (PS3.18 10.4.1.1.6)."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import instance_url, service_url, target_of
from dicomweb.frame_ranges import kept_frame, wants_range
from dicomweb.media_types import accept_field
from dicomweb.pixel_forms import PixelForm, pixel_form
from dicomweb.responses import joined, multipart, multipart_at_once, stream
from dicomweb.service import StudiesService
from storage.frames import FrameTable
from vna.mime.writer import Part
from vna.model.access import Actor
from vna.model.errors import BadRequest
from vna.model.file_range import BodyPiece
from vna.model.instances import Instance, Outgoing
from vna.security.requests import actor_of

_LIST = re.compile(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*")
_FEW = 16
Locate = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks for which frames, in which form; `locate` gives the address of each."""

    actor: Actor
    instance: Instance
    table: FrameTable
    numbers: Sequence[int]
    form: PixelForm
    locate: Locate


def frames(request: Request, service: StudiesService) -> Response:
    """The frames named, in the order named."""
    asked = _asked(request, service)
    if wants_range(request) and not asked.form.offer.multipart and not asked.form.target:
        return kept_frame(request, service, asked.actor, asked.instance, asked.numbers[0], asked.form.content_type)
    if asked.form.target:
        return pixels(service, asked.actor, asked.instance, asked.numbers, asked.form, asked.locate)
    kept = service.retrieval.frames(asked.actor, asked.instance, asked.numbers, table=asked.table)
    return _answer(asked.form, _parts(asked.form, asked.locate, asked.numbers, _bodies(kept)))


def frames_at_once(request: Request, service: StudiesService) -> Response | None:
    """The same where it takes no more than look-ups: a few frames as they are kept, which lie in files."""
    if wants_range(request):
        return None
    asked = _asked(request, service)
    if asked.form.target or len(asked.numbers) > _FEW:
        return None
    if sum(len(asked.table.ranges(number)) for number in asked.numbers) > _FEW:
        return None  # fragments of a film or a large picture, each of them a call
    kept = service.retrieval.frames(asked.actor, asked.instance, asked.numbers, table=asked.table)
    if any(one.ranges is None for one in kept):
        return None
    parts = list(_parts(asked.form, asked.locate, asked.numbers, _bodies(kept)))
    if not asked.form.offer.multipart:
        return joined(list(parts[0].chunks), media_type=asked.form.content_type)
    return multipart_at_once(parts, media_type=asked.form.offer.media_type)


def _asked(request: Request, service: StudiesService) -> _Asked:
    actor, target = actor_of(request), target_of(request)
    numbers = frame_numbers(request.path_params["frames"])
    accept = accept_field(request)
    instance, table = service.retrieval.with_frames(actor, target.study, target.series, target.instance)
    single, alone = len(numbers) == 1, wants_range(request)
    form = pixel_form(accept, instance.transfer_syntax_uid, single=single, alone=alone)
    address = f"{instance_url(service_url(request, service.public_url), instance)}/frames/"
    return _Asked(actor, instance, table, numbers, form, lambda number: f"{address}{number}")


def pixels(
    service: StudiesService, actor: Actor, instance: Instance, numbers: Sequence[int], form: PixelForm, locate: Locate
) -> Response:
    """Frames as was agreed, one part each where they are several."""
    return _answer(form, frame_parts(service, actor, instance, numbers, form, locate))


def _answer(form: PixelForm, parts: Iterator[Part]) -> Response:
    if not form.offer.multipart:
        one = next(parts)
        return stream(one.chunks, media_type=form.content_type, size=one.size)
    return multipart(parts if form.target else list(parts), media_type=form.offer.media_type)


def frame_parts(
    service: StudiesService, actor: Actor, instance: Instance, numbers: Sequence[int], form: PixelForm, locate: Locate
) -> Iterator[Part]:
    """Each frame as a part, made when it is asked for."""
    if form.target:
        made = service.retrieval.frames_in(actor, instance, numbers, form.target)
        return _parts(form, locate, numbers, (([frame], len(frame)) for frame in made))
    return _parts(form, locate, numbers, _bodies(service.retrieval.frames(actor, instance, numbers)))


def _bodies(kept: Iterable[Outgoing]) -> Iterator[tuple[Iterable[BodyPiece], int]]:
    return ((one.body(), one.size) for one in kept)


def _parts(
    form: PixelForm, locate: Locate, numbers: Sequence[int], found: Iterator[tuple[Iterable[BodyPiece], int]]
) -> Iterator[Part]:
    for number, (chunks, size) in zip(numbers, found, strict=True):
        yield Part((("Content-Type", form.content_type), ("Content-Location", locate(number))), chunks, size)


def frame_numbers(text: str) -> list[int]:
    """The frame list of a path: numbers from 1 with commas between."""
    if not _LIST.fullmatch(text):
        raise BadRequest("the frame list in the address is not numbers from 1 with commas between")
    return [int(number) for number in text.split(",")]
