"""A client of the national service as hospitals have it: it knows nothing of this archive but its address."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

SCOPE = "openid profile custom.profile AuthorizationWebApi Common.WebApi GYM.Authentication.WebApiCore"
NON_MATCHING = ("GetNonMatchingOrderList", "GetNonMatchingStudyList", "GetMedulaRegistrationFailedOrderList")


@dataclass
class ExistingClient:
    """`host` is all that a hospital changes."""

    host: str
    client: tuple[str, str]
    user: tuple[str, str]
    transport: httpx.AsyncBaseTransport | None = None
    base: str = "/Common.WebApi/api"
    token: str = field(default="", repr=False)

    def login(self) -> None:
        """Password grant, client id and secret in Basic."""
        form = {"grant_type": "password", "username": self.user[0], "password": self.user[1], "scope": SCOPE}
        answer = self._send("POST", self.host + "/connect/token", data=form, auth=self.client)
        answer.raise_for_status()
        self.token = answer.json()["access_token"]

    def get(self, call: str, **said: Any) -> Any:
        """One JSON object in a query parameter; raises with the service's own words."""
        name = "nonMatchingParameter" if call in NON_MATCHING else "parameter"
        return self._answer("GET", f"/Integration/{call}", params={name: json.dumps(said)})

    def post(self, call: str, **said: Any) -> Any:
        """A JSON body."""
        return self._answer("POST", f"/Integration/{call}", json=said)

    def stm(self, call: str, **params: str) -> Any:
        """A call of the tracking module."""
        return self._answer("GET", f"/STM/{call}", params=params)

    def _answer(self, method: str, path: str, **options: Any) -> Any:
        bearer = {"Authorization": f"Bearer {self.token}"}
        answer = self._send(method, self.host + self.base + path, headers=bearer, **options)
        if answer.status_code != 200:
            raise ValueError(answer.json()["Message"])
        return answer.json()

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport) as client:
                return await client.request(method, url, **options)

        return asyncio.run(ask())
