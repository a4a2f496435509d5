"""An HTTP client for an application in this process: no sockets, no threads of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp

from dicomweb.service import StudiesService
from vna.app.wiring import Application
from vna.mime.reader import MultipartReader, PartBegins, PartBytes, boundary_of


class Web:
    """Each request runs in an event loop of its own; addresses are relative to `base`, or absolute."""

    def __init__(self, app: ASGIApp, base: str, **headers: str) -> None:
        self._app = app
        self._base = base
        self._headers = headers

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self._base, headers=self._headers) as client:
                return await client.request(method, url, **options)

        return asyncio.run(ask())

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def raw(self, url: str, headers: dict[str, str]) -> bytes:
        """The body as it went over the wire."""

        async def ask() -> bytes:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with (
                httpx.AsyncClient(transport=transport, base_url=self._base, headers=self._headers) as client,
                client.stream("GET", url, headers=headers) as response,
            ):
                return b"".join([piece async for piece in response.aiter_raw()])

        return asyncio.run(ask())

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)


def parts_of(response: httpx.Response) -> list[tuple[dict[str, str], bytes]]:
    """Headers and bytes of each part of a multipart answer."""
    reader = MultipartReader(boundary_of(response.headers["content-type"]))
    parts: list[tuple[dict[str, str], bytes]] = []
    for event in reader.feed(response.content):
        match event:
            case PartBegins(headers):
                parts.append((dict(headers), b""))
            case PartBytes(piece):
                parts[-1] = (parts[-1][0], parts[-1][1] + piece)
            case _:
                pass
    reader.close()
    return parts


def service_of(archive: Application, **more: Any) -> StudiesService:
    """The service over an archive's use cases."""
    return StudiesService(
        store=archive.store,
        search=archive.search,
        across=archive.across,
        retrieval=archive.retrieval,
        rendering=archive.rendering,
        deletion=archive.deletion,
        changes=archive.changes,
        commitments=archive.keeping.commitments,
        **more,
    )
