"""What may be said of a source: found out when it is said, in words, and not when it is called."""

import ipaddress
from dataclasses import replace
from urllib.parse import SplitResult, urlsplit

from vna.model.errors import BadRequest
from vna.model.identifiers import is_ae_title, is_uid
from vna.model.message_charsets import codec_of
from vna.model.sources import Messages, RemoteArchive, Source

MOST_CONNECTIONS = 64
MOST_PRIORITY = 100
_LEAST_BANDWIDTH = 16 << 10


def require_acceptable(source: Source) -> None:
    """BadRequest says what is wrong."""
    for text in (source.name, source.application):
        if not 0 < len(text) <= 64 or not text.isprintable() or text != text.strip():
            raise BadRequest("a source and what it calls itself are 1 to 64 printable characters")
    if not source.addresses and not source.archive.is_there and not source.messages.host:
        raise BadRequest("a source needs an address or a network that it sends from, or an archive that can be read")
    for address in source.addresses:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError as exc:
            raise BadRequest(f"{address} is no address or network: write 10.0.0.7 or 10.0.0.0/24") from exc
    _require_messages(source.messages)
    _require_dicom(source.archive)
    _require_services(source.archive)
    _require_login(source.archive)
    _require_identity(source.archive)
    _require_limits(source.archive)


def with_login_of(known: Source, source: Source) -> Source:
    """The source with the login that is known of it, while it is the same user's.

    BadRequest when it would go to an address that it was not given for: whoever gives a login says whom it is for.
    """
    old, new = known.archive, source.archive
    if old.user_name != new.user_name or not (old.password or old.token):
        return source
    if _origins(new) - _origins(old):
        raise BadRequest("the login has to be given again, as it would go to another address than it was given for")
    return replace(source, archive=replace(new, password=old.password, token=old.token))


def _origins(archive: RemoteArchive) -> set[tuple[str, str | None, int | None]]:
    urls = (archive.wado_uri, archive.wado_rs, archive.qido_rs, archive.rad69)
    found = [_parts(url) for url in urls if url]
    return {(parts.scheme, parts.hostname, parts.port) for parts in found if parts is not None}


def _require_messages(messages: Messages) -> None:
    said = messages.character_set
    if said and (codec_of([said]) is None or not said.isprintable()):
        raise BadRequest("a character set is one of HL7 table 0211, such as UNICODE UTF-8, or UTF8, or Windows1254")
    if bool(messages.host) != bool(messages.port):
        raise BadRequest("messages go to a host and a port, both")
    _require_place(messages.host, messages.port)


def _require_place(host: str, port: int) -> None:
    if not 0 <= port <= 65535:
        raise BadRequest("a port is a number from 1 to 65535")
    if host and (not host.isprintable() or any(sign in host for sign in " /@")):
        raise BadRequest(f"{host} is no host: write a name or an address")


def _require_dicom(archive: RemoteArchive) -> None:
    given = (archive.ae_title, archive.host, archive.port)
    if any(given) and not all(given):
        raise BadRequest("the DICOM address of an archive is AE title, host and port, all three")
    if archive.ae_title and not is_ae_title(archive.ae_title):
        raise BadRequest("an AE title is 1 to 16 printable ASCII characters without backslash")
    _require_place(archive.host, archive.port)
    for name in (archive.tls_ca, archive.tls_certificate, archive.tls_key):
        if name and (not name.startswith("/") or not name.isprintable()):
            raise BadRequest("a file of certificates or keys is named by its whole path, from / on")
    if archive.tls_key and not archive.tls_certificate:
        raise BadRequest("a key is of no use without its certificate")


def _require_services(archive: RemoteArchive) -> None:
    for word, url in (
        ("WADO-URI", archive.wado_uri),
        ("WADO-RS", archive.wado_rs),
        ("QIDO-RS", archive.qido_rs),
        ("RAD-69", archive.rad69),
    ):
        if url:
            _require_address(word, url)
    if archive.rad69 and not archive.repository_unique_id:
        raise BadRequest("RAD-69 asks by the repository's unique id: give it with the address")


def _require_address(word: str, url: str) -> None:
    parts = _parts(url)
    if parts is None or not url.isascii() or not url.isprintable() or " " in url:
        raise BadRequest(f"the address of {word} looks like https://pacs.example.org/dicom-web")
    if "@" in parts.netloc:
        raise BadRequest(f"the address of {word} names a login: give user and password apart from it")
    if parts.query or parts.fragment:
        raise BadRequest(f"the address of {word} ends before ? and #")


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _require_login(archive: RemoteArchive) -> None:
    if archive.token and (archive.user_name or archive.password):
        raise BadRequest("the login of an archive is user and password, or a token, not both")
    if archive.password and not archive.user_name:
        raise BadRequest("a password is of no use without its user")
    if ":" in archive.user_name:
        raise BadRequest("the user of an archive has no colon in it (RFC 7617 2)")
    if not (archive.user_name + archive.password).isprintable():
        raise BadRequest("user and password of an archive are printable characters")
    if not archive.token.isascii() or not archive.token.isprintable() or " " in archive.token:
        raise BadRequest("a token is printable ASCII characters without spaces")


def _require_identity(archive: RemoteArchive) -> None:
    for word, uid in (
        ("a repository unique id", archive.repository_unique_id),
        ("a Retrieve Location UID", archive.retrieve_location_uid),
    ):
        if uid and not is_uid(uid):
            raise BadRequest(f"{word} is an OID such as 1.2.826.0.1.3680043.10.1")
    if archive.retrieve_ae_title and not is_ae_title(archive.retrieve_ae_title):
        raise BadRequest("a Retrieve AE Title is 1 to 16 printable ASCII characters without backslash")


def _require_limits(archive: RemoteArchive) -> None:
    if not 0 <= archive.priority <= MOST_PRIORITY:
        raise BadRequest(f"a priority is a number from 0 to {MOST_PRIORITY}")
    if not 1 <= archive.connections <= MOST_CONNECTIONS:
        raise BadRequest(f"the number of connections is from 1 to {MOST_CONNECTIONS}")
    for bandwidth in (archive.bandwidth, archive.bulk_bandwidth):
        if bandwidth and not _LEAST_BANDWIDTH <= bandwidth < 1 << 60:
            raise BadRequest(f"a bandwidth is {_LEAST_BANDWIDTH} bytes a second or more, or 0 for no limit")
    if archive.bandwidth and archive.bulk_bandwidth > archive.bandwidth:
        raise BadRequest("bulk requests cannot have more bandwidth than there is: bulk bandwidth is part of it")
    if archive.bulk_connections and not 1 <= archive.bulk_connections < archive.connections:
        raise BadRequest("bulk requests leave at least one of the connections: bulk connections are fewer than those")
