"""Retrieve transaction, metadata resources: data sets without their bulk data (PS3.18 10.4.1.1.2)."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import service_url, target_of
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, Offer, acceptable, choose
from dicomweb.native_xml import native_xml
from dicomweb.prepared import json_metadata, json_metadata_at_once, objects, validators
from dicomweb.responses import multipart
from dicomweb.service import StudiesService
from vna.mime.writer import Part
from vna.security.requests import actor_of

OFFERS = (Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML, multipart=True))


def metadata_at_once(request: Request, service: StudiesService) -> Response | None:
    """The same as `metadata` where it takes no more than a look-up."""
    offer = choose(acceptable(request), OFFERS)
    if offer.multipart:
        return None
    base = service_url(request, service.public_url)
    return json_metadata_at_once(request, service, actor_of(request), target_of(request), base, offer.media_type)


def metadata(request: Request, service: StudiesService) -> Response:
    """Metadata of all instances of the target, bulk data by absolute address."""
    actor, target = actor_of(request), target_of(request)
    offer = choose(acceptable(request), OFFERS)
    base = service_url(request, service.public_url)
    if not offer.multipart:
        return json_metadata(request, service, actor, target, base, offer.media_type)
    headers, has_it = validators(request, service, actor, target, base, str(offer))
    if has_it:
        return Response(status_code=304, headers=headers)
    datasets = objects(service, actor, target, base)
    parts = (Part((("Content-Type", DICOM_XML),), [native_xml(orjson.loads(one))]) for one in datasets)
    return multipart(parts, media_type=DICOM_XML, headers=headers)
