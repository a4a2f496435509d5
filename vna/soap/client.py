"""Calling other SOAP services: streamed and bounded both ways (MTOM 3; ITI TF-2 Appendix V)."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from lxml import etree

from storage.scratch import Scratch, unbounded
from vna.model.errors import BadRequest, NotAuthorized, TooLarge, Unavailable, VnaError
from vna.sending import as_bytes, gather
from vna.soap import addressing, envelope
from vna.soap.faults import SoapFault
from vna.soap.limits import Limits, Meter
from vna.soap.message import Content, Message, Packaging
from vna.soap.outgoing import outgoing
from vna.soap.package import Unpacking
from vna.soap.versions import Version

_ACCEPT = "application/soap+xml, text/xml, multipart/related"


def call(
    url: str,
    action: str,
    body: etree._Element,
    contents: Sequence[Content] = (),
    *,
    version: Version = Version.SOAP12,
    packaging: Packaging = Packaging.PLAIN,
    timeout: float = 60.0,
    headers: Sequence[etree._Element] = (),
    limits: Limits | None = None,
    spool_folder: Path | None = None,
    room: Callable[[], None] = unbounded,
    http: httpx.Client | None = None,
) -> Message:
    """Send a message and give its answer, which the caller closes.

    It goes in an MTOM package where there are contents or `packaging` is XOP; `headers` are further header blocks.
    `timeout` is in seconds, for each wait on the network. `room` raises when too little is free where the answer is
    spooled. `http` brings TLS and logins with it. SoapFault where the other side answers one; Unavailable where it does
    not answer, or not with a message that answers this one.
    """
    limits = limits or Limits()
    message_id = addressing.new_message_id()
    blocks = [*addressing.request_headers(version, action, message_id, url), *headers]
    written = envelope.write(version, body, blocks)
    sent = outgoing(written, version, contents, packaging, action=action)
    fields = {"Content-Type": sent.content_type, "Accept": _ACCEPT, "Accept-Encoding": "identity"}
    if version is Version.SOAP11:
        fields["SOAPAction"] = f'"{action}"'
    if sent.size is not None:
        fields["Content-Length"] = str(sent.size)
    scratch = Scratch(spool_folder or Path(tempfile.gettempdir()), room)
    try:
        with _client(http, url) as client, _told(url):
            pieces = as_bytes(gather(sent.pieces))
            with client.stream("POST", url, content=pieces, headers=fields, timeout=timeout) as response:
                return _received(response, scratch, limits, message_id)
    except BaseException:
        scratch.close()
        raise


@contextmanager
def _client(given: httpx.Client | None, url: str) -> Iterator[httpx.Client]:
    if given is not None:
        yield given
        return
    is_secure = urlsplit(url).scheme == "https"  # without TLS there are no certificates to load, which takes a while
    with httpx.Client(verify=is_secure, trust_env=False) as made:
        yield made


@contextmanager
def _told(url: str) -> Iterator[None]:
    """What goes wrong on the network, in words; without the path and query of the address."""
    place = urlsplit(url).netloc.rpartition("@")[2]
    try:
        yield
    except httpx.TimeoutException as exc:
        raise Unavailable(f"{place} does not answer in time") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise Unavailable(f"{place} cannot be reached: {exc}"[:300]) from exc


def _received(response: httpx.Response, scratch: Scratch, limits: Limits, message_id: str) -> Message:
    status = response.status_code
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Unavailable("the other side answers with a body that is coded, which was not asked for")
    try:
        unpacking = Unpacking(response.headers.get("content-type", ""), scratch, limits)
        meter = Meter(limits)
        for chunk in response.iter_bytes():  # as they come, so that slowness is seen
            meter.count(len(chunk))
            unpacking.feed(chunk)
        package = unpacking.finish()
        found = envelope.read(package, limits.envelope)
        said = addressing.read(found.blocks)
        fault = envelope.fault_of(found)
        message = envelope.message(found, package, said, scratch) if fault is None else None
    except VnaError as exc:
        raise _no_message(status, exc) from exc
    if fault is not None:
        raise fault
    assert message is not None
    if not 200 <= status < 300:
        raise Unavailable(f"the other side answers with HTTP status {status} and no fault")
    if said.relates_to and said.relates_to != message_id:
        raise Unavailable("the other side answers another message than the one that was sent")
    return message


def _no_message(status: int, error: VnaError) -> VnaError:
    if status in (401, 403):
        return NotAuthorized(f"the other side refuses the caller: HTTP status {status}", authenticated=status != 401)
    if isinstance(error, (SoapFault, BadRequest, TooLarge)):
        return Unavailable(f"the other side answers no SOAP message that can be read (HTTP status {status}): {error}")
    return error
