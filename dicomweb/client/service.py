"""One service elsewhere over HTTP: asked within bounds, in words when it does not answer, and never led elsewhere."""

import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from vna.mime.media_type import MediaType, parse_media_type
from vna.model.errors import (
    BadRequest,
    NotAcceptable,
    NotAuthorized,
    NotFound,
    Rejected,
    Unavailable,
    VnaError,
)
from vna.model.priority import Priority
from vna.model.sources import PATIENT, Bounds, RemoteArchive, Terms
from vna.pacing import Pace, received
from vna.places import Places, in_use, sharing

_ATTEMPTS: Final = 3
_MOST_REDIRECTS: Final = 3
_ERRORS: Final[Mapping[int, type[VnaError]]] = {  # RFC 9110 15.5, 15.6; RFC 6585 4
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    406: NotAcceptable,
    408: Unavailable,
    410: NotFound,
    429: Unavailable,
}


class _Again(Unavailable):
    """It may work at once: nothing has been read of an answer."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A source over HTTP: what all its services share. `http` brings TLS and login, `places` are its connections."""

    name: str
    http: httpx.Client
    pace: Pace = field(default_factory=lambda: Pace(0))
    bounds: Bounds = field(default_factory=Bounds)
    places: Places = field(default_factory=lambda: Places(sharing(RemoteArchive().connections)))


class Service:
    """One address of it; everything that is called begins there, and is of one class."""

    def __init__(
        self, remote: Remote, root: str, terms: Terms = PATIENT, priority: Priority = Priority.ROUTINE
    ) -> None:
        self.name = remote.name
        self.bounds = remote.bounds
        self._terms = terms
        self._remote = remote
        self._root = root.rstrip("/")
        self._priority = priority
        self._timeout = httpx.Timeout(remote.bounds.wait_seconds, connect=remote.bounds.connect_seconds)

    def at(self, priority: Priority) -> "Service":
        """The same for requests of another class."""
        return self if priority is self._priority else Service(self._remote, self._root, self._terms, priority)

    def on(self, terms: Terms) -> "Service":
        """The same, asked on these terms."""
        bounds = self.bounds
        bounds = replace(
            bounds,
            connect_seconds=terms.seconds(bounds.connect_seconds),
            wait_seconds=terms.seconds(bounds.wait_seconds),
            answer_bytes=min(bounds.answer_bytes, terms.answer_bytes),
        )
        return Service(replace(self._remote, bounds=bounds), self._root, terms, self._priority)

    @contextmanager
    def get(self, path: str, accept: str, query: Iterable[tuple[str, str]] = ()) -> Iterator[httpx.Response]:
        """The answer with a body, tried again while nothing has been read of one.

        NotFound, NotAuthorized, NotAcceptable, Rejected and Unavailable say what its status does.
        """
        said = urlencode(list(query), safe="/,*")  # Orthanc's WADO-URI does not know a slash that is escaped
        url = httpx.URL(f"{self._root}{path}?{said}" if said else self._root + path)
        again = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            reraise=True,
        )
        with self._connection():
            response = again(self._followed, url, {"Accept": accept, "Accept-Encoding": "identity"})
            try:
                yield response
            finally:
                response.close()

    @contextmanager
    def post(self, path: str, content: Iterable[bytes], fields: Mapping[str, str]) -> Iterator[httpx.Response]:
        """The answer, whatever its status: sent once, for the body can be read once."""
        request = self._request("POST", httpx.URL(self._root + path), fields, content)
        with self._connection():
            response = self._sent(request)
            try:
                if response.is_redirect:
                    raise self._astray(response)
                yield response
            finally:
                response.close()

    def body(self, response: httpx.Response, most: int) -> Iterator[bytes]:
        """The bytes of an answer, at the source's pace."""
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            raise Unavailable(f"{self.name} answers with a body that is coded, which was not asked for")
        with self._told():
            pieces, pace = self._in_time(response.iter_raw()), self._remote.pace
            yield from received(pieces, self.name, pace, self.bounds, most=most, priority=self._priority)

    def _in_time(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if self._terms.over:
                raise Unavailable(f"{self.name} does not answer in time")
            yield piece

    def whole(self, response: httpx.Response) -> bytes:
        """All of an answer that is kept in memory."""
        return b"".join(self.body(response, self.bounds.answer_bytes))

    def media_type(self, response: httpx.Response, *names: str) -> MediaType:
        """Of an answer; Unavailable when it is none of these."""
        said = response.headers.get("content-type", "")
        try:
            media = parse_media_type(said)
        except BadRequest:
            media = MediaType("")
        if media.name not in names:
            what = media.name[:60] or "no media type"
            raise Unavailable(f"{self.name} answers with {what} where {' or '.join(names)} was asked for")
        return media

    @contextmanager
    def _connection(self) -> Iterator[None]:
        places = self._remote.places
        with places.place(self._priority, self.bounds.wait_seconds) as has_place:
            if not has_place:
                raise Unavailable(in_use(self.name, places.most(self._priority), self._priority))
            yield

    def _followed(self, url: httpx.URL, fields: Mapping[str, str]) -> httpx.Response:
        for _ in range(_MOST_REDIRECTS):
            response = self._sent(self._request("GET", url, fields))
            if not response.has_redirect_location:
                return self._judged(response)
            response.close()
            there = urljoin(str(url), response.headers["location"])
            if _origin(there) != _origin(self._root):
                raise self._astray(response)
            url = httpx.URL(there)
        raise Rejected(f"{self.name} redirects again and again")

    def _request(
        self, method: str, url: httpx.URL, fields: Mapping[str, str], content: Iterable[bytes] | None = None
    ) -> httpx.Request:
        return self._remote.http.build_request(method, url, headers=fields, content=content, timeout=self._timeout)

    def _sent(self, request: httpx.Request) -> httpx.Response:
        with self._told():
            return self._remote.http.send(request, stream=True, follow_redirects=False)

    def _judged(self, response: httpx.Response) -> httpx.Response:
        status = response.status_code
        if 200 <= status < 300:
            return response
        response.close()
        words = f"{self.name} answers with HTTP status {status}"
        if status in (429, 502, 503, 504):
            raise _Again(words)
        kind = _ERRORS.get(status, Rejected if 400 <= status < 500 else Unavailable)
        if status == 401:
            raise NotAuthorized(f"{words}: it does not take our login", authenticated=False)
        raise kind(words)

    def _astray(self, response: httpx.Response) -> Rejected:
        there = urlsplit(response.headers.get("location", "")).netloc.rpartition("@")[2][:100]
        return Rejected(f"{self.name} redirects to {there or 'another address'}, which is not known as its own")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong on the network, in words."""
        try:
            yield
        except httpx.PoolTimeout as exc:
            raise Unavailable(f"all connections to {self.name} are in use") from exc
        except httpx.ConnectTimeout as exc:
            raise _Again(f"no connection to {self.name}") from exc
        except httpx.TimeoutException as exc:
            raise Unavailable(f"{self.name} does not answer in time") from exc
        except httpx.ConnectError as exc:
            if (secure := _tls_error(exc)) is not None:
                raise Rejected(f"{self.name} cannot be trusted: {secure}"[:300]) from exc
            raise _Again(f"no connection to {self.name}") from exc
        except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError) as exc:
            raise _Again(f"{self.name} ends the connection before its answer is whole") from exc
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, RuntimeError) as exc:  # or its client is closed
            raise Unavailable(f"{self.name} cannot be asked: {exc}"[:300]) from exc


def client(
    verify: ssl.SSLContext | bool,
    connections: int,
    *,
    user: tuple[str, str] | None = None,
    token: str = "",
) -> httpx.Client:
    """For one source; nothing of the environment is believed, and no redirect is followed."""
    return httpx.Client(
        verify=verify,
        trust_env=False,
        follow_redirects=False,
        auth=httpx.BasicAuth(*user) if user else None,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
    )


def _origin(url: str) -> tuple[str, str, int | None]:
    """RFC 6454 4; nobody's for what cannot be read."""
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", "", None


def _tls_error(exc: BaseException | None) -> str | None:
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return exc.verify_message or "its certificate is not valid"
        if isinstance(exc, ssl.SSLError):
            return str(exc.reason or exc)
        exc = exc.__cause__ or exc.__context__
    return None
