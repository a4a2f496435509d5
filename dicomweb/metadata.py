"""Retrieve transaction, metadata resources: data sets without their bulk data (PS3.18 10.4.1.1.2)."""

from collections.abc import Iterable, Iterator

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import instance_url, service_url, target_of
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, Offer, acceptable, choose
from dicomweb.native_xml import native_xml
from dicomweb.prepared import json_metadata
from dicomweb.requests import actor_of
from dicomweb.responses import multipart
from dicomweb.retrieve import nothing_held
from dicomweb.service import StudiesService
from vna.mime.writer import Part
from vna.model.instances import Instance

OFFERS = (Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML, multipart=True))
_URI = b'"BulkDataURI":"'

Described = tuple[Instance, bytes]


def metadata(request: Request, service: StudiesService) -> Response:
    """Metadata of all instances of the target, bulk data by absolute address."""
    actor, target = actor_of(request), target_of(request)
    offer = choose(acceptable(request), OFFERS)
    base = service_url(request, service.public_url)
    if not offer.multipart:
        return json_metadata(request, service, actor, target, base, offer.media_type)
    found = service.retrieval.metadata_of(actor, target.selection())
    first = next(found, None)
    if first is None:
        raise nothing_held(target)
    objects = _addressed(_again(first, found), base)
    parts = (Part((("Content-Type", DICOM_XML),), [native_xml(orjson.loads(one))]) for one in objects)
    return multipart(parts, media_type=DICOM_XML)


def _addressed(found: Iterable[Described], base: str) -> Iterator[bytes]:
    """Tag paths of bulk data become addresses. Quotes within text are escaped, so that no text looks like a URI."""
    for instance, one in found:
        place = orjson.dumps(f"{instance_url(base, instance)}/bulkdata/")[1:-1]
        yield one.replace(_URI, _URI + place)


def _again(first: Described, rest: Iterator[Described]) -> Iterator[Described]:
    yield first
    yield from rest
