"""The payer's SOAP service as one to notify: services are registered there, and read back.

All names are data (`medula_names.toml`), as is the WSDL, which a site may replace by the payer's own.
"""

import ssl
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import zeep
from zeep.exceptions import Error as ZeepError
from zeep.exceptions import Fault
from zeep.helpers import serialize_object
from zeep.transports import Transport

from vna.model.errors import Unavailable
from vna.model.notifications import Answer, Notice
from vna.model.profile.periods import day_of

_FOLDER = Path(__file__).parent
_WSDL = _FOLDER / "medula_wsdl" / "hizmet-kayit.wsdl"
_MOST_BYTES = 1 << 20

Plain = Mapping[str, Any]


class Medula:
    """Where notices go by SOAP 1.1 and HTTP Basic. `timeout` is in seconds, for each wait on the network."""

    def __init__(self, url: str, user: str = "", password: str = "", *, timeout: float = 30.0, wsdl: str = "") -> None:
        self._url = url
        self._login = httpx.BasicAuth(user, password) if user else None
        self._timeout = timeout
        self._wsdl = wsdl or str(_WSDL)
        self._names: dict[str, Any] = tomllib.loads((_FOLDER / "medula_names.toml").read_text("utf-8"))

    def tell(self, notice: Notice) -> Answer:
        """Register the service; Unavailable when nobody answers, or with a fault."""
        names, fields = self._names["register"], self._names["fields"]
        service = {
            fields["reference"]: notice.reference,
            fields["sut_code"]: notice.order.sut.code,
            fields["modality"]: notice.order.modality,
            fields["date"]: self._date(notice),
            fields["count"]: 1,
            fields["accession"]: notice.accession_number,
        }
        request = {
            fields["facility"]: _number(notice.facility_code),
            fields["admission"]: notice.order.tracking_number,
            fields["application"]: notice.order.admission_reference,
            names["services"]: [{name: value for name, value in service.items() if value != ""}],
        }
        return self._said(self._call(names, request), notice)

    def known(self, notice: Notice) -> Answer | None:
        """Whether the service is registered under our reference, so that an earlier attempt arrived."""
        names, fields = self._names["read"], self._names["fields"]
        request = {
            fields["facility"]: _number(notice.facility_code),
            fields["admission"]: notice.order.tracking_number,
            names["references"]: [notice.reference],
        }
        said = self._call(names, request)
        held = {str(one.get(fields["reference"]) or "") for one in said.get(names["services"]) or ()}
        return Answer(accepted=True, code=self._names["success"][0]) if notice.reference in held else None

    def _said(self, said: Plain, notice: Notice) -> Answer:
        """A failure of our own service is a refusal, whatever the answer as a whole says."""
        fields = self._names["fields"]
        code, message = str(said.get(fields["code"]) or ""), str(said.get(fields["message"]) or "")
        for failure in said.get(self._names["register"]["failures"]) or ():
            if failure.get(fields["reference"]) in (None, "", notice.reference):
                return Answer(
                    accepted=False,
                    code=str(failure.get(fields["failure_code"]) or code),
                    message=str(failure.get(fields["failure_message"]) or message),
                )
        if not code:
            raise Unavailable("the payer's answer says no result")
        return Answer(accepted=code in self._names["success"], code=code, message=message)

    def _date(self, notice: Notice) -> str:
        said = (notice.performed_at, notice.order.scheduled_at, notice.order.requested_at)
        day = next((day for day in map(day_of, said) if day is not None), None)
        return "" if day is None else f"{day:{self._names['date_format']}}"

    def _call(self, names: Plain, request: Plain) -> Plain:
        try:
            said = getattr(self._service, names["operation"])(**{names["argument"]: request})
        except Fault as exc:
            raise Unavailable(f"the payer answers with a fault: {str(exc)[:200]}") from exc
        except (ZeepError, httpx.HTTPError, ValueError, TypeError, KeyError) as exc:
            raise Unavailable(f"{_host(self._url)} gave no answer that can be used: {type(exc).__name__}") from exc
        plain = serialize_object(said, dict)  # type: ignore[no-untyped-call]  # zeep has no types
        if not isinstance(plain, dict):
            raise Unavailable("the payer's answer is empty")
        return plain

    @cached_property
    def _service(self) -> Any:
        transport = _Bounded(self._login, self._timeout)
        client = zeep.Client(self._wsdl, transport=transport)  # type: ignore[no-untyped-call]
        return client.create_service(self._names["binding"], self._url)  # type: ignore[no-untyped-call]


class _Bounded(Transport):
    """Messages go through our own client: to the one address, without what the environment says, bounded both ways."""

    def __init__(self, login: httpx.BasicAuth | None, timeout: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.session.close()  # it is never used
        self._login = login
        self._timeout = timeout

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send a message, and give the answer whole."""
        trust = self._trust if urlsplit(address).scheme == "https" else False
        with (
            httpx.Client(auth=self._login, timeout=self._timeout, verify=trust, trust_env=False) as client,
            client.stream("POST", address, content=message, headers=dict(headers)) as response,
        ):
            content = b""
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _MOST_BYTES:
                    raise Unavailable("the payer's answer is too long")
        if response.status_code not in (200, 500):  # 500 carries faults (SOAP 1.1 6.2)
            raise Unavailable(f"{_host(address)} answers with HTTP {response.status_code}")
        return httpx.Response(response.status_code, headers=_kept(response), content=content)


def _kept(response: httpx.Response) -> dict[str, str]:
    return {"Content-Type": response.headers.get("Content-Type", "text/xml")}


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unavailable("the payer's code of the facility is no number") from None


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
