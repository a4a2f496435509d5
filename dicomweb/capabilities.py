"""Retrieve Capabilities: what this service takes and gives, read from its own table of addresses (PS3.18 8.9, H)."""

from collections.abc import Iterable
from itertools import groupby
from typing import Protocol

import orjson
from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import service_url
from dicomweb.media_types import JSON, Offer, acceptable, choose
from dicomweb.responses import HEADERS
from dicomweb.service import StudiesService
from vna.model.access import Action

WADL = "application/vnd.sun.wadl+xml"
_NAMESPACE = "http://wadl.dev.java.net/2009/02"
_OFFERS = (Offer(WADL), Offer("application/xml"), Offer(JSON))


class Address(Protocol):
    """One row of the table of addresses."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def action(self) -> Action: ...

    @property
    def name(self) -> str:
        """What the transaction is called."""


def described(request: Request, service: StudiesService, addresses: Iterable[Address]) -> Response:
    """The table as WADL, or as JSON."""
    offer = choose(acceptable(request), _OFFERS)
    base = service_url(request, service.public_url)
    rows = sorted(addresses, key=lambda one: (one.path, one.method))
    if offer.media_type == JSON:
        found = [{"method": one.method, "path": one.path, "name": one.name, "right": one.action.value} for one in rows]
        return Response(orjson.dumps({"base": base, "resources": found}), headers=HEADERS, media_type=JSON)
    return Response(_wadl(base, rows), headers=HEADERS, media_type=offer.media_type)


def _wadl(base: str, rows: Iterable[Address]) -> bytes:
    root = etree.Element(_tag("application"), nsmap={None: _NAMESPACE})  # type: ignore[dict-item]
    resources = etree.SubElement(root, _tag("resources"), base=base)
    for path, group in groupby(rows, key=lambda one: one.path):
        resource = etree.SubElement(resources, _tag("resource"), path=path.lstrip("/"))
        for name in _parameters(path):
            etree.SubElement(resource, _tag("param"), name=name, style="template", required="true")
        for one in group:
            etree.SubElement(resource, _tag("method"), name=one.method, id=f"{one.name}:{path}")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _parameters(path: str) -> list[str]:
    return [part[1:-1].partition(":")[0] for part in path.split("/") if part.startswith("{")]


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"
