"""Retrieve transaction: instances of a study, a series, or one alone (PS3.18 10.4)."""

from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import Target, instance_url, service_url, target_of
from dicomweb.media_types import DICOM, Offer, acceptable, choose
from dicomweb.requests import actor_of
from dicomweb.responses import multipart, stream
from dicomweb.service import StudiesService
from vna import events as signals
from vna.mime.writer import Part
from vna.model.access import Actor
from vna.model.errors import NotFound
from vna.model.instances import Instance


def instances(request: Request, service: StudiesService) -> Response:
    """All instances of the target, whole, one after another."""
    actor, target = actor_of(request), target_of(request)
    ranges = acceptable(request)
    found = held(service, actor, target)
    signals.emit("retrieve.answered", door="WADO-RS", instances=len(found), bytes=sum(one.size for one in found))
    offer = choose(ranges, _offers(found, alone=bool(target.instance)))
    if not offer.multipart:
        outgoing = service.retrieval.part10(actor, found[0])
        return stream(outgoing.chunks, media_type=DICOM, size=outgoing.size)
    base = service_url(request, service.public_url)
    parts = _parts(service, actor, found, base)
    if target.instance:
        return multipart(list(parts), media_type=DICOM)
    return multipart(parts, media_type=DICOM)


def held(service: StudiesService, actor: Actor, target: Target) -> tuple[Instance, ...]:
    """What the target names, or NotFound."""
    found = service.retrieval.instances(actor, target.selection())
    if not found:
        raise nothing_held(target)
    return found


def nothing_held(target: Target) -> NotFound:
    """Nothing is held under the target."""
    what = "instance" if target.instance else "series" if target.series else "study"
    return NotFound(f"no such {what}")


def _offers(found: Sequence[Instance], *, alone: bool) -> list[Offer]:
    """As stored; a syntax that is asked for by name has to be the one of every instance."""
    stored = {instance.transfer_syntax_uid for instance in found}
    syntaxes = frozenset(stored) if len(stored) == 1 else frozenset({"*"})
    offers = [Offer(DICOM, multipart=True, syntaxes=syntaxes)]
    return [*offers, Offer(DICOM, syntaxes=syntaxes)] if alone else offers


def _parts(service: StudiesService, actor: Actor, found: Sequence[Instance], base: str) -> Iterator[Part]:
    for instance in found:
        outgoing = service.retrieval.part10(actor, instance)
        headers = (
            ("Content-Type", f"{DICOM}; transfer-syntax={instance.transfer_syntax_uid}"),
            ("Content-Location", instance_url(base, instance)),
        )
        yield Part(headers, outgoing.chunks, outgoing.size)
