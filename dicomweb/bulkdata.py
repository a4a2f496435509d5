"""Retrieve transaction, bulk data: the value of one attribute that metadata leaves out (PS3.18 10.4.1.1.5)."""

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import instance_url, service_url, target_of
from dicomweb.media_types import OCTET_STREAM, Offer, acceptable, choose, is_native, pixel_content_type, pixel_offers
from dicomweb.ranges import range_of, unsatisfiable
from dicomweb.requests import actor_of
from dicomweb.responses import multipart, stream
from dicomweb.retrieve import held
from dicomweb.service import StudiesService
from vna.mime.writer import Part
from vna.model.access import Actor
from vna.model.errors import NotFound
from vna.model.instances import Instance, Outgoing

PIXEL_DATA = "7FE00010"
OFFERS = (Offer(OCTET_STREAM, multipart=True), Offer(OCTET_STREAM))


def bulkdata(request: Request, service: StudiesService) -> Response:
    """The value at a tag path; compressed pixel data as its frames, one part each."""
    actor, target = actor_of(request), target_of(request)
    path = request.path_params["path"]
    ranges = acceptable(request)
    instance = held(service, actor, target)[0]
    compressed = path == PIXEL_DATA and not is_native(instance.transfer_syntax_uid)
    address = f"{instance_url(service_url(request, service.public_url), instance)}/bulkdata/{path}"
    if compressed:
        single = instance.number_of_frames == 1
        offer = choose(ranges, pixel_offers(instance.transfer_syntax_uid, single=single))
        content_type = pixel_content_type(offer, instance.transfer_syntax_uid)
        values = _all_frames(service, actor, instance)
    else:
        offer, content_type = choose(ranges, OFFERS), OCTET_STREAM
        if not offer.multipart:
            return _value(request, service, actor, instance, path)
        values = [service.retrieval.bulk(actor, instance, path)]
    if not offer.multipart:
        return stream(values[0].chunks, media_type=content_type, size=values[0].size)
    headers = (("Content-Type", content_type), ("Content-Location", address))
    return multipart([Part(headers, value.chunks, value.size) for value in values], media_type=offer.media_type)


def _value(request: Request, service: StudiesService, actor: Actor, instance: Instance, path: str) -> Response:
    """The bytes alone, or the range of them that is asked for."""
    size = service.retrieval.bulk_size(actor, instance, path)
    tag = f'"{instance.sha256[:32]}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    part = range_of(request, size, tag)
    if part is None:
        value = service.retrieval.bulk(actor, instance, path)
        return stream(value.chunks, media_type=OCTET_STREAM, size=size, headers=headers)
    if not part.length:
        return unsatisfiable(size)
    value = service.retrieval.bulk(actor, instance, path, part.start, part.length)
    answer = stream(value.chunks, media_type=OCTET_STREAM, size=part.length, headers=headers | part.headers)
    answer.status_code = 206
    return answer


def _all_frames(service: StudiesService, actor: Actor, instance: Instance) -> list[Outgoing]:
    if not instance.number_of_frames:
        raise NotFound("the instance has no pixel data")
    return service.retrieval.frames(actor, instance, range(1, instance.number_of_frames + 1))
