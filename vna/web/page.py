"""The page at `/`: what this archive is, where its doors are, how it does, and the newest studies."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vna.archive.status import Readiness
from vna.model.access import Actor
from vna.model.errors import NotAuthorized, VnaError
from vna.model.query import Element, Level, Match, Query
from vna.security.requests import actor_of
from vna.version import version
from vna.web.health import readiness
from vna.web.site import Addresses, Site
from vna.web.viewer import installed, study_path

NEWEST = 20
_SHOWN = frozenset({"00081030", "00201206", "00201208"})
"""Asked for beside what every answer has: StudyDescription and the two counts."""
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study, in words."""

    date: str
    patient: str
    modalities: str
    description: str
    series: str
    instances: str
    study_instance_uid: str
    viewer_path: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What the archive holds, as far as the actor may see it; `reason` says why there is nothing to see."""

    counts: Mapping[str, int]
    studies: tuple[StudyRow, ...]
    reason: str = ""
    given_up: int = 0
    overdue: tuple[str, ...] = ()
    damaged: int = 0


async def page(request: Request, site: Site) -> Response:
    """For people; works without scripts and asks for nothing else."""
    actor = actor_of(request)
    found = await readiness(site)
    contents = await run_in_threadpool(_contents, site, actor)
    text = await run_in_threadpool(_render, request, site, actor, found, contents)
    return HTMLResponse(text, headers=headers_of(text))


def _contents(site: Site, actor: Actor) -> Contents:
    try:
        found = site.search.find(actor, Query(Level.STUDY, returns=_SHOWN, limit=NEWEST))
        return _standing(site, actor, tuple(_row(match) for match in found.matches))
    except NotAuthorized as exc:
        return Contents({}, (), str(exc))
    except VnaError:
        return Contents({}, (), "the index does not answer")


def _standing(site: Site, actor: Actor, studies: tuple[StudyRow, ...]) -> Contents:
    """With how the archive stands, for those who may know of all of it."""
    try:
        status, overdue = site.status, _overdue(site, actor)
        given_up, damaged = status.given_up(actor), status.damaged(actor)
        return Contents(status.counts(actor), studies, given_up=given_up, overdue=overdue, damaged=damaged)
    except NotAuthorized:
        return Contents({}, studies)


def _overdue(site: Site, actor: Actor) -> tuple[str, ...]:
    """For operators alone."""
    try:
        return site.backups.told(actor)
    except NotAuthorized:
        return ()


def _render(request: Request, site: Site, actor: Actor, found: Readiness, contents: Contents) -> str:
    base = (site.addresses.public_url or str(request.base_url)).rstrip("/")
    called = urlsplit(base).hostname or ""
    return template("page.html").render(
        version=version(),
        mode=site.mode,
        actor=actor,
        found=found,
        contents=contents,
        viewer_installed=installed(site.viewer),
        dimse_address=dimse_address(site.addresses, called),
        dicomweb_url=base + site.addresses.dicomweb_path,
        hl7_address=_place(*site.addresses.hl7, called) if site.addresses.hl7 else "",
        sharing={path: base + path for path in site.addresses.sharing},
    )


def dimse_address(addresses: Addresses, called: str) -> str:
    """AE title, host and port."""
    return f"{addresses.ae_title}@{_place(addresses.dimse_host, addresses.dimse_port, called)}"


def _place(host: str, port: int, called: str) -> str:
    """Host and port; a door that listens everywhere is shown under the host that this one was `called` by."""
    if host in ("0.0.0.0", "::"):  # noqa: S104
        host = called or host
    return f"{f'[{host}]' if ':' in host else host}:{port}"


@cache
def template(name: str) -> Template:
    """A template of this door, escaping what is put into it."""
    environment = Environment(
        loader=PackageLoader("vna.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["size"] = readable_size
    environment.filters["grouped"] = lambda number: f"{number:,}".replace(",", "\u202f")
    return environment.get_template(name)


def headers_of(text: str, form_action: str = "'none'") -> dict[str, str]:
    """Nothing may be loaded or run: only the style that is on the page. `form_action` is where its forms may go."""
    style = _STYLE.search(text)
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() if style else ""
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'"
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"{policy}; form-action {form_action}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _row(match: Match) -> StudyRow:
    elements = match.elements
    return StudyRow(
        date=readable_date(_text(elements, "00080020")),
        patient=readable_name(_text(elements, "00100010")) or "(no name)",
        modalities=", ".join(_texts(elements, "00080061")),
        description=_text(elements, "00081030"),
        series=_text(elements, "00201206"),
        instances=_text(elements, "00201208"),
        study_instance_uid=match.study_instance_uid,
        viewer_path=study_path(match.study_instance_uid),
    )


def _texts(elements: Mapping[str, Element], tag: str) -> list[str]:
    values = elements.get(tag, {}).get("Value", [])
    return [_alphabetic(value) if isinstance(value, dict) else str(value) for value in values if value is not None]


def _alphabetic(name: Mapping[str, str]) -> str:
    return name.get("Alphabetic") or name.get("Ideographic") or name.get("Phonetic") or ""


def _text(elements: Mapping[str, Element], tag: str) -> str:
    return next(iter(_texts(elements, tag)), "")


def readable_name(name: str) -> str:
    """`Yılmaz^Ayşe^^Dr.` as `Dr. Ayşe Yılmaz` (PS3.5 6.2.1: family, given, middle, prefix, suffix)."""  # noqa: RUF002
    family, given, middle, prefix, suffix, *_ = [*name.split("^"), "", "", "", "", ""]
    return " ".join(part for part in (prefix, given, middle, family, suffix) if part)


def readable_date(date: str) -> str:
    """`20250115` as `2025-01-15`; anything else as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else date


def readable_size(size: int) -> str:
    """`5368709120` as `5.0 GiB`."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
