"""Answers for machines: alive, ready, and the counters. They name no patient and need no login."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import anyio
import orjson
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from vna.archive.backup_standing import Standing as BackupsStanding
from vna.archive.status import Care, Readiness
from vna.metrics import CONTENT_TYPE, Gauges, Labels
from vna.model.errors import VnaError
from vna.security.expiry import Standing
from vna.version import version
from vna.web.site import Site

PATIENCE = 5.0
"""Seconds after which an index or a blob store that says nothing counts as not answering."""
_CHECKS_AT_ONCE = 4
_FRESH = {"Cache-Control": "no-store"}


async def healthz(_request: Request, _site: Site) -> Response:
    """The process is alive: nothing else is looked at."""
    return PlainTextResponse("ok\n", headers=_FRESH)


async def readyz(_request: Request, site: Site) -> Response:
    """200 when index and blob store answer and there is space; else 503 with the reasons. Warnings change nothing
    yet."""
    found = await readiness(site)
    body = {
        "status": "ready" if found.ready else "not ready",
        "problems": list(found.problems),
        "warnings": list((await _certificates(site)).warnings),
        "free_bytes": found.free_bytes,
        "version": version(),
    }
    return Response(orjson.dumps(body), 200 if found.ready else 503, _FRESH, "application/json")


async def metrics(_request: Request, site: Site) -> Response:
    """Prometheus text, all workers of this node summed."""
    found = await readiness(site)
    gauges: dict[str, tuple[str, Mapping[Labels, float]]] = {
        "vna_ready": ("Whether the archive is ready (1) or not (0)", {(): float(found.ready)}),
        "vna_jobs": ("Jobs of the whole archive; dead ones were given up", await _jobs(site)),
    }
    care = await _care(site)
    if care is not None:
        gauges["vna_verify_damaged"] = ("Objects found damaged and not put right", {(): float(care.damaged)})
        if care.verified_at is not None:
            age = (datetime.now(UTC) - care.verified_at).total_seconds()
            gauges["vna_verify_last_seconds"] = ("Seconds since everything was verified", {(): age})
    if found.free_bytes is not None:
        gauges["vna_free_bytes"] = ("Free space of the blob store", {(): float(found.free_bytes)})
    gauges.update(await _spool(site))
    gauges.update(await _backups(site))
    if days := (await _certificates(site)).days:
        named: dict[Labels, float] = {(("owner", owner), ("use", use)): left for (owner, use), left in days.items()}
        gauges["vna_certificate_days"] = ("Days until a certificate expires, the first of its file", named)
    gauges.update(await _guarding(site))
    text = await run_sync(site.metrics.exposition, gauges)
    return Response(text, headers=_FRESH, media_type=CONTENT_TYPE)


async def _spool(site: Site) -> dict[str, tuple[str, Mapping[Labels, float]]]:
    """Nothing where there is no spool, or its disk does not answer."""
    found = None
    with suppress(VnaError, OSError), anyio.move_on_after(PATIENCE):
        found = await run_sync(site.spool.census, abandon_on_cancel=True, limiter=_limiter())
    if found is None:
        return {}
    return {
        "vna_spool_objects": ("Objects that wait in this node's spool", {(): float(found.objects)}),
        "vna_spool_bytes": ("Bytes of them", {(): float(found.bytes)}),
        "vna_spool_oldest_seconds": ("For how long the oldest of them waits", {(): found.oldest_seconds}),
    }


async def _jobs(site: Site) -> dict[Labels, float]:
    """Nothing while the index does not answer."""
    found: dict[tuple[str, str], int] = {}
    with suppress(VnaError), anyio.move_on_after(PATIENCE):
        found = await run_sync(site.status.jobs, abandon_on_cancel=True, limiter=_limiter())
    return {(("kind", kind), ("state", state)): float(count) for (kind, state), count in found.items()}


async def _backups(site: Site) -> dict[str, tuple[str, Mapping[Labels, float]]]:
    """Nothing while the index does not answer; no age where there was none."""
    found: BackupsStanding | None = None
    with suppress(VnaError), anyio.move_on_after(PATIENCE):
        found = await run_sync(site.backups.standing, abandon_on_cancel=True, limiter=_limiter())
    if found is None:
        return {}
    gauges: dict[str, tuple[str, Mapping[Labels, float]]] = {
        "vna_backup_overdue": (
            "Whether a backup or a restore test failed or is overdue (1) or not (0)",
            {(): float(bool(found.overdue))},
        )
    }
    if found.backup_age is not None:
        gauges["vna_backup_age_seconds"] = ("Time since the last good backup", {(): found.backup_age})
    if found.test_age is not None:
        gauges["vna_restore_test_age_seconds"] = ("Time since the last good restore test", {(): found.test_age})
    return gauges


async def _certificates(site: Site) -> Standing:
    """Nothing while the index does not answer, which knows those of sources."""
    found = Standing({}, ())
    if site.expiry is not None:
        with suppress(VnaError, OSError), anyio.move_on_after(PATIENCE):
            found = await run_sync(site.expiry.standing, abandon_on_cancel=True, limiter=_limiter())
    return found


async def _guarding(site: Site) -> Gauges:
    """Nothing while the index does not answer."""
    found: Gauges = {}
    with suppress(VnaError), anyio.move_on_after(PATIENCE):
        found = await run_sync(site.guarding, abandon_on_cancel=True, limiter=_limiter())
    return found


async def _care(site: Site) -> Care | None:
    """None while the index does not answer."""
    found: Care | None = None
    with suppress(VnaError), anyio.move_on_after(PATIENCE):
        found = await run_sync(site.status.care, abandon_on_cancel=True, limiter=_limiter())
    return found


async def readiness(site: Site) -> Readiness:
    """The checks, in a few threads of their own: one that hangs is left behind and takes no thread from others."""
    found: Readiness | None = None
    with anyio.move_on_after(PATIENCE):
        found = await run_sync(site.status.readiness, abandon_on_cancel=True, limiter=_limiter())
    found = found or Readiness(("the index or the blob store does not answer",), None)
    if site.draining():
        found = replace(found, problems=("this node is being stopped", *found.problems))
    return found


_LIMITERS: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("vna.web.health")


def _limiter() -> anyio.CapacityLimiter:
    """One for each event loop."""
    try:
        return _LIMITERS.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_CHECKS_AT_ONCE)
        _LIMITERS.set(limiter)
        return limiter
