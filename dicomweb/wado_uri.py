"""URI service: one instance by query parameters, as older viewers ask (PS3.18 9)."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import Target
from dicomweb.film import film, film_types, is_film
from dicomweb.instance_forms import choose_form
from dicomweb.media_types import DICOM, Offer, acceptable, check_charset, choose
from dicomweb.rendered import HTML, PDF, PLAIN, SR, report_or_document
from dicomweb.rendering import rules_of
from dicomweb.responses import stream
from dicomweb.retrieve import held
from dicomweb.service import StudiesService
from vna.mime.media_type import MediaType, parse_media_types
from vna.model.access import Actor
from vna.model.errors import BadRequest, NotAcceptable
from vna.model.identifiers import is_uid
from vna.model.instances import Instance
from vna.pixels.render import GIF, MEDIA_TYPES
from vna.security.requests import actor_of

_UIDS = (("studyUID", "study"), ("seriesUID", "series"), ("objectUID", "instance"))
_PARAMETERS = (  # PS3.18 9.1.2, 9.4.1.2, 9.5.1.2
    "requestType",
    *(name for name, _ in _UIDS),
    "contentType",
    "anonymize",
    "imageAnnotation",
    "transferSyntax",
    "frameNumber",
    "imageQuality",
    "rows",
    "columns",
    "region",
    "windowCenter",
    "windowWidth",
    "presentationSeriesUID",
    "presentationUID",
)
_MOST = 8192
"""Pixels of a side that was not said."""
_DOCUMENT_CLASSES = "1.2.840.10008.5.1.4.1.1.104."


def wado(request: Request, service: StudiesService) -> Response:
    """The object as `contentType` says, else as Accept does, else as its kind is shown best (PS3.18 9.1.2.2.1)."""
    actor, asked = actor_of(request), _asked(request)
    target = _target(asked)
    check_charset(request)
    if asked.get("anonymize", "no") != "no":
        raise NotAcceptable("anonymize is not offered")
    instance = held(service, actor, target)[0]
    named = asked.get("contentType", "").replace("dicom json", "dicom+json")
    ranges = parse_media_types(named) if named else acceptable(request)
    offer = choose(ranges, _offers(service, actor, instance))
    if offer.media_type == DICOM:
        if "frameNumber" in asked:
            raise BadRequest("frameNumber goes with a picture: application/dicom is the whole object")
        return _object(service, actor, instance, asked.get("transferSyntax", ""))
    if offer.media_type in MEDIA_TYPES:
        return _picture(service, actor, instance, asked, offer.media_type)
    if is_film(instance):
        return film(request, service, actor, instance, offer.media_type)
    header = orjson.loads(service.retrieval.metadata(actor, instance))
    return report_or_document(service, actor, instance, header, offer.media_type)


def _asked(request: Request) -> dict[str, str]:
    """The parameters of the request; BadRequest names one of ours that is empty or given more than once."""
    for name in _PARAMETERS:
        values = request.query_params.getlist(name)
        if len(values) > 1:
            raise BadRequest(f"{name} is given more than once")
        if values and not values[0].strip():
            raise BadRequest(f"{name} has no value")
    return dict(request.query_params)


def _target(asked: dict[str, str]) -> Target:
    if asked.get("requestType") != "WADO":
        raise BadRequest("requestType has to be WADO")
    uids = {}
    for name, level in _UIDS:
        uids[level] = asked.get(name, "")
        if not is_uid(uids[level]):
            raise BadRequest(f"{name} is missing or no UID")
    return Target(**uids)


def _offers(service: StudiesService, actor: Actor, instance: Instance) -> list[Offer]:
    """The default first (PS3.18 Tables 9.4-1 to 9.4-4)."""
    whole = Offer(DICOM)
    if is_film(instance):
        return [*map(Offer, film_types(service, actor, instance)), whole]
    if instance.number_of_frames > 1:
        return [whole, *map(Offer, MEDIA_TYPES)]
    if instance.number_of_frames:
        return [*map(Offer, MEDIA_TYPES), whole]
    if instance.sop_class_uid.startswith(SR):
        return [Offer(HTML), Offer(PLAIN), whole]
    return [Offer(PDF), whole] if instance.sop_class_uid.startswith(_DOCUMENT_CLASSES) else [whole]


def _object(service: StudiesService, actor: Actor, instance: Instance, syntax: str) -> Response:
    ranges = [MediaType(DICOM, {"transfer-syntax": syntax} if syntax else {})]
    form = choose_form(ranges, frozenset({instance.transfer_syntax_uid}), alone=True)
    outgoing = service.retrieval.part10(actor, instance, form.target_of(instance.transfer_syntax_uid))
    return stream(outgoing.body(), media_type=DICOM, size=outgoing.size)


def _picture(
    service: StudiesService, actor: Actor, instance: Instance, asked: dict[str, str], media_type: str
) -> Response:
    number = asked.get("frameNumber", "1")
    if not number.isdecimal() or not 1 <= int(number) <= max(instance.number_of_frames, 1):
        raise BadRequest(f"frameNumber is not from 1 to {instance.number_of_frames}")
    numbers = [int(number)]
    if media_type == GIF and "frameNumber" not in asked:
        numbers = list(range(1, instance.number_of_frames + 1))
    state = asked.get("presentationUID", "")
    if state and (asked.get("windowCenter") or asked.get("windowWidth")):
        raise BadRequest("presentationUID says the window: windowCenter and windowWidth do not go with it")
    presentation = service.rendering.presentation(actor, state) if state else None
    rules = rules_of(_as_rendered(service, actor, instance, asked), presentation)
    return stream(service.rendering.pieces(actor, instance, numbers, rules, media_type), media_type=media_type)


def _as_rendered(service: StudiesService, actor: Actor, instance: Instance, asked: dict[str, str]) -> dict[str, str]:
    """The parameters of 9.4.1.2 in the words of 8.3.5."""
    found = {}
    center, width = asked.get("windowCenter", ""), asked.get("windowWidth", "")
    if bool(center) != bool(width):
        raise BadRequest("windowCenter and windowWidth go together")
    if center:
        found["window"] = f"{center},{width}"
    for name, as_rendered in (("imageQuality", "quality"), ("imageAnnotation", "annotation")):
        if asked.get(name):
            found[as_rendered] = asked[name]
    rows, columns, region = asked.get("rows", ""), asked.get("columns", ""), asked.get("region", "")
    if not (rows or columns or region):
        return found
    header = orjson.loads(service.retrieval.metadata(actor, instance))
    high, wide = (int((header.get(tag, {}).get("Value") or [1])[0]) for tag in ("00280010", "00280011"))
    if not region:
        return found | {"viewport": f"{columns or _MOST},{rows or _MOST}"}
    return found | {"viewport": f"{columns or wide},{rows or high},{','.join(_region(region, wide, high))}"}


def _region(text: str, wide: int, high: int) -> list[str]:
    """Left, top, right, bottom in parts of the image, as left, top, width and height in pixels."""
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadRequest("region is not four numbers from 0 to 1") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise BadRequest("region is not four numbers from 0 to 1")
    return [str(left * wide), str(top * high), str((right - left) * wide), str((bottom - top) * high)]
