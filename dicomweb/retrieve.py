"""Retrieve transaction: instances of a study, a series, or one alone (PS3.18 10.4)."""

from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import Target, instance_url, service_url, target_of
from dicomweb.instance_forms import ZIP, Form, choose_form
from dicomweb.media_types import DICOM, acceptable
from dicomweb.responses import multipart, stream
from dicomweb.service import StudiesService
from dicomweb.zipped import zipped
from vna import events as signals
from vna.mime.writer import Part
from vna.model.access import Actor
from vna.model.errors import NotFound, NotHere
from vna.model.instances import Instance
from vna.security.requests import actor_of


def instances(request: Request, service: StudiesService) -> Response:
    """All instances of the target, whole, one after another."""
    actor, target = actor_of(request), target_of(request)
    ranges = acceptable(request)
    found = held(service, actor, target, whole=bool(target.instance))
    away = [one for one in found if not one.is_here]
    if away and not getattr(request.state, "has_begun", False):
        request.state.has_begun = True  # from the first one on it is sent as it comes
        raise NotHere(away, enough=1)
    signals.emit("retrieve.answered", door="WADO-RS", instances=len(found), bytes=sum(one.size for one in found))
    stored = frozenset(one.transfer_syntax_uid for one in found if one.transfer_syntax_uid)
    form = choose_form(ranges, stored, alone=bool(target.instance))
    if form.offer.media_type == ZIP:
        return stream(zipped(service, actor, found, form), media_type=ZIP, headers=_as_file(target))
    if not form.offer.multipart:
        outgoing = service.retrieval.part10(actor, found[0], form.target_of(found[0].transfer_syntax_uid))
        media_type = f"{DICOM}; transfer-syntax={outgoing.transfer_syntax_uid}"
        return stream(outgoing.body(), media_type=media_type, size=outgoing.size)
    base = service_url(request, service.public_url)
    parts = _parts(service, actor, found, form, base)
    if target.instance:
        return multipart(list(parts), media_type=DICOM)
    return multipart(parts, media_type=DICOM)


def _as_file(target: Target) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{target.instance or target.series or target.study}.zip"'}


def held(service: StudiesService, actor: Actor, target: Target, *, whole: bool = True) -> tuple[Instance, ...]:
    """What the target names, or NotFound; with `whole`, NotHere when some of it is kept elsewhere."""
    found = service.retrieval.instances(actor, target.selection())
    if not found:
        raise nothing_held(target)
    away = [one for one in found if not one.is_here] if whole else []
    if away:
        raise NotHere(away)
    return found


def nothing_held(target: Target) -> NotFound:
    """Nothing is held under the target."""
    what = "instance" if target.instance else "series" if target.series else "study"
    return NotFound(f"no such {what}")


def _parts(service: StudiesService, actor: Actor, found: Sequence[Instance], form: Form, base: str) -> Iterator[Part]:
    for one in found:
        instance = service.retrieval.present(actor, one)
        outgoing = service.retrieval.part10(actor, instance, form.target_of(instance.transfer_syntax_uid))
        headers = (
            ("Content-Type", f"{DICOM}; transfer-syntax={outgoing.transfer_syntax_uid}"),
            ("Content-Location", instance_url(base, instance)),
        )
        yield Part(headers, outgoing.body(), outgoing.size)
