"""Store transaction: whole instances in, one or many in a request (PS3.18 10.5)."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import service_url, target_of
from dicomweb.composition import METADATA, Composition
from dicomweb.content_encoding import GZIP, PLAIN, gunzipped
from dicomweb.errors import refusal
from dicomweb.intake import Intake
from dicomweb.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, MULTIPART, Offer, acceptable, choose
from dicomweb.service import StudiesService
from dicomweb.store_response import response
from vna.mime.media_type import MediaType, parse_media_type
from vna.mime.reader import Event, MultipartReader, PartBegins, PartBytes, PartEnds, boundary_of
from vna.model.errors import BadRequest, TooLarge
from vna.model.instances import Arrival, Door
from vna.security.requests import actor_of, peer_address

_TAKEN = f'{MULTIPART}; type="{DICOM}" or one {DICOM}; {DICOM_JSON} or {DICOM_XML}, with bulk data in a multipart body'
OFFERS = (Offer(DICOM_JSON), Offer(DICOM_XML), Offer(JSON))


async def store(request: Request, service: StudiesService) -> Response:
    """Each part is stored as it arrives, and stays stored whatever becomes of those after it.

    A body that is malformed further on is 400 when nothing of it was stored; else what was stored is listed, and the
    rest is in the Other Failures Sequence.
    """
    actor, target = actor_of(request), target_of(request)
    offer = choose(acceptable(request), OFFERS)
    media = _content_type(request)
    if not _is_taken(media):
        return refusal(request, 415, _TAKEN)
    if _coding(request) not in PLAIN | GZIP:
        refused = refusal(request, 415, f"a body is taken as it is or in gzip, not in {_coding(request)[:64]}")
        refused.headers["Accept-Encoding"] = "gzip"  # RFC 9110 12.5.3
        return refused
    arrival = Arrival(Door.STOW, calling_ae=actor.name, address=peer_address(request), study_instance_uid=target.study)
    intake = (Composition if _is_composed(media) else Intake)(service.store, actor, arrival)
    try:
        async for event in _events(request, media, service):
            await intake.take(event)
        await intake.finish()
    except (BadRequest, TooLarge) as error:
        if not intake.results:
            raise
        intake.broken_off(error)
    finally:
        intake.abandon()
    if not intake.results:
        raise BadRequest("the body holds no part")
    return response(intake.results, service_url(request, service.public_url), target.study, offer.media_type)


def _content_type(request: Request) -> MediaType:
    try:
        return parse_media_type(request.headers.get("content-type", ""))
    except BadRequest:
        return MediaType("")


def _coding(request: Request) -> str:
    return ",".join(request.headers.getlist("content-encoding")).strip().lower()


def _is_taken(media: MediaType) -> bool:
    """`type` may be left out: then the parts say what they are."""
    whole = media.name == DICOM or (media.name == MULTIPART and media.parameters.get("type", DICOM).lower() == DICOM)
    return whole or _is_composed(media)


def _is_composed(media: MediaType) -> bool:
    """Metadata, with bulk data in parts of their own where it has any."""
    return (media.parameters.get("type", "").lower() if media.name == MULTIPART else media.name) in METADATA


async def _events(request: Request, media: MediaType, service: StudiesService) -> AsyncIterator[Event]:
    """The parts of the body; one alone is told as if it were in a multipart body."""
    chunks: AsyncIterator[bytes] = request.stream()
    if _coding(request) in GZIP:
        chunks = gunzipped(chunks, service.max_body)
    if media.name == MULTIPART:
        reader = MultipartReader(boundary_of(request.headers["content-type"]), service.bounds)
        async for chunk in chunks:
            for event in reader.feed(chunk):
                yield event
        reader.close()
        return
    size = 0
    async for chunk in chunks:
        if chunk and not size:
            yield PartBegins({"content-type": media.name})
        if chunk:
            size += len(chunk)
            yield PartBytes(memoryview(chunk))
    if size:
        yield PartEnds(size)
