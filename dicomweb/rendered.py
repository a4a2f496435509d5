"""Retrieve transaction, rendered and thumbnail resources: what anybody can show (PS3.18 10.4.1.1.3, 10.4.1.1.4)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import instance_url, service_url, target_of
from dicomweb.film import film, film_types, is_film
from dicomweb.frames import frame_numbers
from dicomweb.media_types import Offer, acceptable, choose
from dicomweb.rendering import parameters_of, rules_of, thumbnail_viewport
from dicomweb.report import html_report, text_report
from dicomweb.responses import HEADERS, multipart, stream
from dicomweb.retrieve import held
from dicomweb.service import StudiesService
from vna.mime.writer import Part
from vna.model.access import Actor
from vna.model.errors import BadRequest, NotAcceptable, NotFound, NotHere
from vna.model.instances import Instance
from vna.model.sop_classes import MODALITIES
from vna.pixels.render import GIF, JPEG, MEDIA_TYPES
from vna.security.requests import actor_of

HTML, PLAIN, PDF = "text/html", "text/plain", "application/pdf"
_DOCUMENT, _DOCUMENT_TYPE = "00420011", "00420012"
SR = "1.2.840.10008.5.1.4.1.1.88."
_NO_STILL = "no still pictures are made of a film: the rendered resource of its instance is the film itself"
_NO_PICTURES = frozenset({"KO", "PR", "RTPLAN", "RTSTRUCT", "SR"})
_SANDBOX = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


def rendered(request: Request, service: StudiesService) -> Response:
    """A picture, a document or a film: of an instance or its frames alone, of a series or study one part each."""
    actor, target = actor_of(request), target_of(request)
    found = held(service, actor, target)
    if not target.instance:
        return _several(request, service, actor, found)
    instance = found[0]
    if "frames" in request.path_params:
        if is_film(instance):
            raise NotAcceptable(_NO_STILL)
        return _picture(request, service, actor, instance, frame_numbers(request.path_params["frames"]))
    if is_film(instance):
        _no_picture(request)
        offers = [Offer(name) for name in film_types(service, actor, instance)]
        return film(request, service, actor, instance, choose(acceptable(request), offers).media_type)
    if instance.number_of_frames or instance.sop_class_uid.startswith("1.2.840.10008.5.1.4.1.1.11."):
        return _picture(request, service, actor, instance, range(1, max(instance.number_of_frames, 1) + 1))
    _no_picture(request)
    return _document(request, service, actor, instance)


def _no_picture(request: Request) -> None:
    for name in ("annotation", "iccprofile"):
        if request.query_params.get(name, "no") != "no":
            raise BadRequest(f"{name}: this is given as it is kept, and not as a picture")


def thumbnail(request: Request, service: StudiesService) -> Response:
    """A small JPEG: of a study or series that of the first instance that has one."""
    actor, target = actor_of(request), target_of(request)
    choose(acceptable(request), (Offer(JPEG),))
    numbers = frame_numbers(request.path_params["frames"]) if "frames" in request.path_params else [1]
    found = held(service, actor, target, whole=False)
    pictured = [instance for instance in found if instance.number_of_frames and not is_film(instance)]
    away = [one for one in found if not one.was_here and MODALITIES.get(one.sop_class_uid) not in _NO_PICTURES]
    if not pictured and away:
        raise NotHere([away[len(away) // 2]])
    if not pictured and any(map(is_film, found)):
        raise NotAcceptable(_NO_STILL)
    if not pictured:
        raise NotFound("there is nothing to be shown")
    chosen = pictured[len(pictured) // 2] if not target.instance else pictured[0]
    viewport = thumbnail_viewport(parameters_of(request.query_params))
    picture = service.rendering.thumbnail(actor, chosen, numbers[0], viewport)
    return Response(picture, headers=HEADERS, media_type=JPEG)


def _picture(
    request: Request, service: StudiesService, actor: Actor, instance: Instance, numbers: Sequence[int]
) -> Response:
    offers = [Offer(name) for name in MEDIA_TYPES] + [Offer(name, multipart=True) for name in MEDIA_TYPES[:2]]
    offer = choose(acceptable(request), offers)
    rules = rules_of(parameters_of(request.query_params))

    def picture(these: Sequence[int]) -> bytes:
        return service.rendering.rendered(actor, instance, these, rules, offer.media_type)

    if offer.media_type == GIF:
        return stream(service.rendering.pieces(actor, instance, numbers, rules, GIF), media_type=GIF)
    if not offer.multipart:
        return Response(picture(numbers[:1]), headers=HEADERS, media_type=offer.media_type)
    return multipart(_pictures(numbers, picture, offer.media_type), media_type=offer.media_type)


def _pictures(numbers: Sequence[int], picture: Callable[[Sequence[int]], bytes], media_type: str) -> Iterator[Part]:
    for number in numbers:
        one = picture([number])
        yield Part((("Content-Type", media_type),), [one], len(one))


def _several(request: Request, service: StudiesService, actor: Actor, found: Sequence[Instance]) -> Response:
    offer = choose(acceptable(request), [Offer(name, multipart=True) for name in MEDIA_TYPES[:2]])
    rules = rules_of(parameters_of(request.query_params))
    shown = [instance for instance in found if instance.number_of_frames and not is_film(instance)]
    if not shown:
        raise NotAcceptable("nothing of it can be shown as a picture")
    base = service_url(request, service.public_url)

    def parts() -> Iterator[Part]:
        for instance in shown:
            try:
                one = service.rendering.rendered(actor, instance, [1], rules, offer.media_type)
            except NotAcceptable:
                continue
            address = f"{instance_url(base, instance)}/rendered"
            yield Part((("Content-Type", offer.media_type), ("Content-Location", address)), [one], len(one))

    return multipart(parts(), media_type=offer.media_type)


def _document(request: Request, service: StudiesService, actor: Actor, instance: Instance) -> Response:
    header = orjson.loads(service.retrieval.metadata(actor, instance))
    offers = (Offer(_document_type(header)),) if _DOCUMENT in header else (Offer(HTML), Offer(PLAIN))
    if _DOCUMENT not in header and not instance.sop_class_uid.startswith(SR):
        raise NotAcceptable("this kind of instance cannot be shown")
    return report_or_document(service, actor, instance, header, choose(acceptable(request), offers).media_type)


def report_or_document(
    service: StudiesService, actor: Actor, instance: Instance, header: dict[str, Any], chosen: str
) -> Response:
    """An encapsulated document as it is, a structured report as a page or as plain text."""
    if _DOCUMENT in header:
        media_type = _document_type(header)
        value = service.retrieval.document(actor, instance, header)
        headers = {} if media_type == PDF else _SANDBOX
        return stream(value.body(), media_type=media_type, size=value.size, headers=headers)
    if chosen not in (HTML, PLAIN):
        raise NotAcceptable("this kind of instance cannot be shown")
    report = text_report(header) if chosen == PLAIN else html_report(header)
    return Response(report, headers=HEADERS | _SANDBOX, media_type=chosen)


def _document_type(header: dict[str, Any]) -> str:
    return str((header.get(_DOCUMENT_TYPE, {}).get("Value") or [PDF])[0] or PDF)
