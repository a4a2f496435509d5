"""Access links at `/l/{token}`: opening one spends a use and leads to the viewer."""

# ruff: noqa: RUF001 (Turkish letters)

import html

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from vna.model.errors import Gone, NotFound, VnaError
from vna.security.http import VISIT_COOKIE
from vna.web.site import Site
from vna.web.viewer import study_path

PREFIX = "/l"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STATUS: dict[type[VnaError], int] = {Gone: 410, NotFound: 404}
_TURKISH: dict[type[VnaError], str] = {
    Gone: "1009: Bağlantının süresi dolmuş veya kullanım hakkı bitmiş.",
    NotFound: "Böyle bir bağlantı yok.",
}
"""For whoever followed a link that a look-up gave: 1009 is its code there."""


async def open_link(request: Request, site: Site) -> Response:
    """Spend a use, and go on to the study with a cookie for the doors that read; 410 when nothing is left to spend.

    HEAD says where it would lead: to look is not to open, so it spends nothing and gives no cookie.
    """
    secret, address = request.path_params["token"], request.client.host if request.client else ""
    try:
        if request.method == "HEAD":
            return RedirectResponse(study_path(await run_sync(site.links.look, secret)), 303, _HEADERS)
        visit = await run_sync(site.links.open, secret, address)
    except VnaError as error:
        return _page(str(error), _STATUS.get(type(error), 503), _TURKISH.get(type(error), ""))
    response = RedirectResponse(study_path(visit.study_instance_uid), 303, _HEADERS)
    secure = request.url.scheme == "https" or site.addresses.public_url.startswith("https:")
    for path in site.addresses.read_paths:
        response.set_cookie(VISIT_COOKIE, visit.secret, path=path, secure=secure, httponly=True, samesite="strict")
    return response


def _page(sentence: str, status: int, turkish: str) -> Response:
    text = f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>vna</title>\n<p>{html.escape(sentence)}.\n"
    text += f"<p lang=tr>{turkish}\n" if turkish else ""
    return HTMLResponse(text, status, _HEADERS)
