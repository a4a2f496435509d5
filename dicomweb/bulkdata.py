"""Retrieve transaction, bulk data: what metadata leaves out, and pixel data (PS3.18 10.4.1.1.5, 10.4.1.1.6)."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import instance_url, service_url, target_of
from dicomweb.frame_ranges import kept_frame, wants_range
from dicomweb.frames import Locate, frame_parts, pixels
from dicomweb.media_types import OCTET_STREAM, Offer, acceptable, choose, is_native
from dicomweb.pixel_forms import PixelForm, choose_pixels
from dicomweb.ranges import ranged
from dicomweb.responses import multipart
from dicomweb.retrieve import held
from dicomweb.service import StudiesService
from vna.mime.media_type import MediaType
from vna.mime.writer import Part
from vna.model.access import Actor
from vna.model.errors import NotAcceptable, NotFound
from vna.model.file_range import BodyPiece
from vna.model.instances import Instance
from vna.security.requests import actor_of

PIXEL_DATA = "7FE00010"
OFFERS = (Offer(OCTET_STREAM, multipart=True), Offer(OCTET_STREAM))


def bulkdata(request: Request, service: StudiesService) -> Response:
    """The value at a tag path; compressed pixel data as its frames, one part each."""
    actor, target = actor_of(request), target_of(request)
    path = request.path_params["path"]
    ranges = acceptable(request)
    instance = held(service, actor, target)[0]
    address = f"{instance_url(service_url(request, service.public_url), instance)}/bulkdata/{path}"
    if path == PIXEL_DATA and not is_native(instance.transfer_syntax_uid):
        if not instance.number_of_frames:
            raise NotFound("the instance has no pixel data")
        return _compressed(request, service, actor, instance, ranges, address)
    offer = _offer(request, ranges)
    if not offer.multipart:
        return _value(request, service, actor, instance, path)
    value = service.retrieval.bulk(actor, instance, path)
    headers = (("Content-Type", OCTET_STREAM), ("Content-Location", address))
    return multipart([Part(headers, value.body(), value.size)], media_type=OCTET_STREAM)


def _compressed(
    request: Request,
    service: StudiesService,
    actor: Actor,
    instance: Instance,
    ranges: Sequence[MediaType],
    address: str,
) -> Response:
    """The frames, one part each; a film and a single frame alone too, and by range."""
    single, stored = instance.number_of_frames == 1, instance.transfer_syntax_uid
    form = choose_pixels(ranges, stored, single=single, alone=wants_range(request))
    if single and not form.offer.multipart and not form.target:
        return kept_frame(request, service, actor, instance, 1, form.content_type)
    return pixels(service, actor, instance, range(1, instance.number_of_frames + 1), form, _always(address))


def _offer(request: Request, ranges: Sequence[MediaType]) -> Offer:
    if wants_range(request):
        with suppress(NotAcceptable):
            return choose(ranges, OFFERS[1:])
    return choose(ranges, OFFERS)


def every_bulkdata(request: Request, service: StudiesService) -> Response:
    """Every value that the metadata of the target leaves out, a part each; compressed pixel data frame by frame."""
    actor, target = actor_of(request), target_of(request)
    ranges = acceptable(request)
    base = service_url(request, service.public_url)
    found = [(one, service.retrieval.bulk_paths(actor, one)) for one in held(service, actor, target)]
    if not any(paths for _, paths in found):
        raise NotFound("there is no bulk data")
    forms = {one.transfer_syntax_uid: _form(ranges, one) for one, paths in found if _is_compressed(one, paths)}
    others = any(path != PIXEL_DATA or not _is_compressed(one, paths) for one, paths in found for path in paths)
    kinds = [choose(ranges, OFFERS[:1]).media_type] if others else [form.offer.media_type for form in forms.values()]

    def parts() -> Iterator[Part]:
        for instance, paths in found:
            for path in paths:
                address = f"{instance_url(base, instance)}/bulkdata/{path}"
                if path == PIXEL_DATA and _is_compressed(instance, paths):
                    numbers = range(1, instance.number_of_frames + 1)
                    form = forms[instance.transfer_syntax_uid]
                    yield from frame_parts(service, actor, instance, numbers, form, _always(address))
                else:
                    value = service.retrieval.bulk(actor, instance, path)
                    headers = (("Content-Type", OCTET_STREAM), ("Content-Location", address))
                    yield Part(headers, value.body(), value.size)

    return multipart(parts(), media_type=kinds[0])


def _is_compressed(instance: Instance, paths: Sequence[str]) -> bool:
    return PIXEL_DATA in paths and not is_native(instance.transfer_syntax_uid)


def _form(ranges: Sequence[MediaType], instance: Instance) -> PixelForm:
    return choose_pixels(ranges, instance.transfer_syntax_uid, single=False)


def pixeldata(request: Request, service: StudiesService) -> Response:
    """The pixel data of every instance of the target, each frame or value a part (PS3.18 10.4.1.1.6)."""
    actor, target = actor_of(request), target_of(request)
    ranges = acceptable(request)
    found = [instance for instance in held(service, actor, target) if instance.number_of_frames]
    if not found:
        raise NotFound("there is no pixel data")
    base = service_url(request, service.public_url)
    if target.instance and not is_native(found[0].transfer_syntax_uid):
        address = f"{instance_url(base, found[0])}/bulkdata/{PIXEL_DATA}"
        return _compressed(request, service, actor, found[0], ranges, address)
    forms = [choose_pixels(ranges, instance.transfer_syntax_uid, single=False) for instance in found]

    def parts() -> Iterator[Part]:
        for instance, form in zip(found, forms, strict=True):
            address = f"{instance_url(base, instance)}/bulkdata/{PIXEL_DATA}"
            numbers = range(1, instance.number_of_frames + 1)
            yield from frame_parts(service, actor, instance, numbers, form, _always(address))

    return multipart(parts(), media_type=forms[0].offer.media_type)


def _always(address: str) -> Locate:
    return lambda _: address


def _value(request: Request, service: StudiesService, actor: Actor, instance: Instance, path: str) -> Response:
    """The bytes alone, or the range of them that is asked for."""
    size = service.retrieval.bulk_size(actor, instance, path)

    def give(start: int, length: int) -> Iterator[BodyPiece]:
        return service.retrieval.bulk(actor, instance, path, start, length).body()

    return ranged(request, size, f'"{instance.sha256[:32]}"', OCTET_STREAM, give)
