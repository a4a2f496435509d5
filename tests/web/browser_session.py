"""A browser without a screen: keeps cookies over addresses of one origin, and says what browsers say."""

from __future__ import annotations

import re
from typing import Any

import httpx

from tests.dicomweb.client import Web

TOKEN = re.compile(r'name="token" value="([0-9a-f]+)"')


class Browser:
    """Asks as a page of the archive does; it follows nothing by itself."""

    def __init__(self, web: Web, origin: str = "http://127.0.0.1:8080") -> None:
        self.web = web
        self.origin = origin
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> httpx.Response:
        said = dict(headers or {})
        if self.cookies:
            said["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.web.request(method, path, headers=said, **options)
        for field in answer.headers.get_list("set-cookie"):
            name, _, value = field.partition(";")[0].partition("=")
            if value and "Max-Age=0" not in field:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("GET", path, {"Sec-Fetch-Mode": "navigate", **headers})

    def send(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        return self.ask("POST", path, {"Origin": self.origin, **headers}, data=form)

    def fill_in(self, path: str, **fields: str) -> httpx.Response:
        """Load a form, and send it."""
        found = TOKEN.search(self.get(path).text)
        assert found is not None
        return self.send(path, {"token": found[1], **fields})
