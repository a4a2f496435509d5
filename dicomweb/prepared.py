"""Metadata as JSON out of what was prepared when the instances came (PS3.18 10.4.1.1.2, F.2)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import format_datetime, parsedate_to_datetime
from zlib import crc32

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.address import Target, resource_url
from dicomweb.ranges import has_tag
from dicomweb.responses import HEADERS, stream
from dicomweb.service import StudiesService
from storage.index.events import read_time
from storage.index.lookup import State
from storage.index.packing import addressed, pieces
from vna.mime.gzip_member import Piece, member, stored
from vna.model.access import Actor

_CODING = re.compile(r"\s*(gzip|x-gzip|\*)\s*(?:;\s*q=([0-9.]+)\s*)?", re.IGNORECASE)
_MOST_JOINED = 2000
"""Instances of an answer that is made at once and remembered; a larger one is streamed."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for as JSON, and how it stands."""

    actor: Actor
    target: Target
    base: str
    media_type: str
    state: State
    coded: bool

    @property
    def uids(self) -> tuple[str, str, str]:
        return self.target.study, self.target.series, self.target.instance


def json_metadata(
    request: Request, service: StudiesService, actor: Actor, target: Target, base: str, media_type: str
) -> Response:
    """The answer, compressed where the caller takes that; 304 when the caller has it already."""
    asked = _asked(request, service, actor, target, base, media_type)
    return _known(request, service, asked) or _made(service, asked)


def json_metadata_at_once(
    request: Request, service: StudiesService, actor: Actor, target: Target, base: str, media_type: str
) -> Response | None:
    """The same where it takes no more than a look-up: the caller has it, or it was made before."""
    return _known(request, service, _asked(request, service, actor, target, base, media_type))


def _asked(
    request: Request, service: StudiesService, actor: Actor, target: Target, base: str, media_type: str
) -> _Asked:
    state = _state(service, actor, target)
    return _Asked(actor, target, base, media_type, state, takes_gzip(request))


def _known(request: Request, service: StudiesService, asked: _Asked) -> Response | None:
    tag = _entity_tag(asked)
    if _has_it(request, tag, asked.state):
        return Response(status_code=304, headers=_headers(asked, tag))
    body = service.remembered.get(tag)
    return None if body is None else Response(body, headers=_headers(asked, tag), media_type=asked.media_type)


def _made(service: StudiesService, asked: _Asked) -> Response:
    tag = _entity_tag(asked)
    headers = _headers(asked, tag)
    if not asked.coded:
        plain = _plain(objects(service, asked.actor, asked.target, asked.base))
        return stream(plain, media_type=asked.media_type, headers=headers)
    found = service.retrieval.prepared_metadata(asked.actor, *asked.uids)
    made = member(_member(found, asked.target, asked.base))
    if asked.state.instances > _MOST_JOINED:
        return stream(made, media_type=asked.media_type, headers=headers)
    body = b"".join(made)
    service.remembered.keep(tag, body)
    return Response(body, headers=headers, media_type=asked.media_type)


def validators(
    request: Request, service: StudiesService, actor: Actor, target: Target, base: str, media_type: str
) -> tuple[dict[str, str], bool]:
    """Header fields of an answer in parts, and whether the caller has it already; NotFound when nothing is held.

    The entity tag is a weak one: the boundary is new each time (RFC 9110 8.8.1).
    """
    state = _state(service, actor, target)
    asked = _Asked(actor, target, base, media_type, state, coded=False)
    tag = _entity_tag(asked)
    return _headers(asked, f"W/{tag}"), _has_it(request, tag, state)


def _state(service: StudiesService, actor: Actor, target: Target) -> State:
    """How the target stands; NotHere where something of it was never here, and has no metadata therefore."""
    state = service.retrieval.state(actor, target.study, target.series, target.instance)
    if state.availability:
        service.retrieval.require_headers(actor, target.study, target.series, target.instance)
    return state


def takes_gzip(request: Request) -> bool:
    """Whether Accept-Encoding has gzip with a quality above 0 (RFC 9110 12.5.3)."""
    named: dict[str, float] = {}
    for item in ",".join(request.headers.getlist("accept-encoding")).split(","):
        found = _CODING.fullmatch(item)
        if found is not None:
            named[found[1].lower()] = _quality(found[2])
    return named.get("gzip", named.get("x-gzip", named.get("*", 0.0))) > 0


def _quality(text: str | None) -> float:
    try:
        return 1.0 if text is None else float(text)
    except ValueError:
        return 1.0


def _entity_tag(asked: _Asked) -> str:
    level = "i" if asked.target.instance else "s" if asked.target.series else "t"
    form = crc32(f"{asked.base} {asked.media_type}".encode())
    return f'"{level}{asked.state.key}-{asked.state.version}-{form:08x}{"-gzip" if asked.coded else ""}"'


def _headers(asked: _Asked, tag: str) -> dict[str, str]:
    headers = HEADERS | {
        "ETag": tag,
        "Last-Modified": format_datetime(read_time(asked.state.changed_at).replace(microsecond=0), usegmt=True),
        "Vary": f"{HEADERS['Vary']}, Accept-Encoding",
    }
    return headers | ({"Content-Encoding": "gzip"} if asked.coded else {})


def _has_it(request: Request, tag: str, state: State) -> bool:
    """If-None-Match, else If-Modified-Since (RFC 9110 13.1.2, 13.1.3), where the date tells of every change."""
    if "if-none-match" in request.headers:
        return has_tag(request, tag)
    since = request.headers.get("if-modified-since", "") if state.only_grew else ""
    try:
        return bool(since) and read_time(state.changed_at).replace(microsecond=0) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False


def _place(target: Target, base: str, series: str, instance: str) -> bytes:
    return orjson.dumps(f"{resource_url(base, target.study, series, instance)}/bulkdata/")[1:-1]


def objects(service: StudiesService, actor: Actor, target: Target, base: str) -> Iterator[bytes]:
    """The data set of each instance as JSON, its bulk data by absolute address."""
    found = service.retrieval.prepared_metadata(actor, target.study, target.series, target.instance)
    for instance, series, column in found:
        yield addressed(column, _place(target, base, series, instance))


def _plain(datasets: Iterable[bytes]) -> Iterator[bytes]:
    lead = b"["
    for one in datasets:
        yield lead + one
        lead = b","
    yield b"]" if lead == b"," else b"[]"


def _member(found: Iterable[tuple[str, str, bytes]], target: Target, base: str) -> Iterator[Piece]:
    lead, comma, end = stored(b"["), stored(b","), stored(b"]")
    for instance, series, column in found:
        yield lead
        yield from pieces(column, stored(_place(target, base, series, instance)))
        lead = comma
    yield end
