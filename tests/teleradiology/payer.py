"""A payer's service on loopback: it reads SOAP by itself, and accepts, refuses, or loses what it is told to."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.xds.listening import listening

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
NAMESPACE = "http://servisler.ws.gss.sgk.gov.tr"
USER, PASSWORD = "hastane", "gizli"


@dataclass
class PayerService:
    """`registered` are the services that it holds, by hizmetSunucuRefNo; `refuses` is a code and words, and `status` an
    HTTP status that it answers instead."""

    registered: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refuses: tuple[str, str] | None = None
    fails_one: tuple[str, str] | None = None
    status: int = 0
    answer: bytes = b""

    def application(self) -> Starlette:
        return Starlette(routes=[Route("/medula", self._post, methods=["POST"])])

    async def _post(self, request: Request) -> Response:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {login}":
            return Response(status_code=401)
        root = etree.fromstring(await request.body())
        body = root.find(f"{{{SOAP}}}Body")
        assert body is not None
        operation = etree.QName(body[0]).localname
        assert etree.QName(body[0]).namespace == NAMESPACE
        self.requests.append(operation)
        if self.status:
            return Response(self.answer, status_code=self.status, media_type="text/xml")
        made = self._register(body[0][0]) if operation == "hizmetKayit" else self._read(body[0][0])
        return Response(_envelope(operation, made), media_type="text/xml")

    def _register(self, given: etree._Element) -> str:
        if self.refuses is not None:
            return _result(*self.refuses)
        services = given.findall("tetkikveRadyolojiBilgileri")
        said = [{etree.QName(one).localname: one.text or "" for one in service} for service in services]
        above = {
            etree.QName(one).localname: one.text or ""
            for one in given
            if etree.QName(one).localname != "tetkikveRadyolojiBilgileri"
        }
        reference = said[0]["hizmetSunucuRefNo"]
        if self.fails_one is not None:
            code, words = self.fails_one
            failed = f"<hataKodu>{code}</hataKodu><hataMesaji>{words}</hataMesaji>"
            failed += f"<hizmetSunucuRefNo>{reference}</hizmetSunucuRefNo>"
            return _result("0000", "Başarılı") + f"<hataliKayitlar>{failed}</hataliKayitlar>"
        assert reference not in self.registered, "the same service twice"
        self.registered[reference] = {**above, **said[0]}
        done = f"<hizmetSunucuRefNo>{reference}</hizmetSunucuRefNo><islemSiraNo>1</islemSiraNo>"
        return _result("0000", "Başarılı") + f"<islemBilgileri>{done}</islemBilgileri>"

    def _read(self, given: etree._Element) -> str:
        asked = [one.text or "" for one in given.findall("hizmetSunucuRefNolari")]
        found = "".join(
            f"<tetkikveRadyolojiBilgileri><hizmetSunucuRefNo>{one}</hizmetSunucuRefNo></tetkikveRadyolojiBilgileri>"
            for one in asked
            if one in self.registered
        )
        return _result("0000", "Başarılı") + found


def _result(code: str, words: str) -> str:
    return f"<sonucKodu>{code}</sonucKodu><sonucMesaji>{words}</sonucMesaji>"


def _envelope(operation: str, content: str) -> bytes:
    text = (
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><p:{operation}Response xmlns:p="{NAMESPACE}">'
        f"<{operation}Return>{content}</{operation}Return></p:{operation}Response></s:Body></s:Envelope>"
    )
    return text.encode()


@contextmanager
def served(service: PayerService) -> Iterator[str]:
    """Its address."""
    with listening(service.application()) as origin:
        yield f"{origin}/medula"
