"""Names bound to addresses and certificates: who calls under a name has to come from there and to show one of those."""

import ipaddress
import json
from collections.abc import Iterable

from vna.model.access import Peer
from vna.model.certificates import Certificate
from vna.model.errors import BadRequest, NotAuthorized
from vna.security.certificates import expected

MOST = 64
"""Addresses, or certificates, of one name."""


def addresses_of(text: str) -> tuple[str, ...]:
    """Addresses and networks with commas between."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def certificates_of(text: str) -> tuple[str, ...]:
    """Certificates as they are kept: a list as JSON, as subjects have commas."""
    return tuple(json.loads(text)) if text else ()


def certificates_text(certificates: Iterable[str]) -> str:
    """The form in which they are kept; BadRequest when one is not how a certificate is named (`expected`)."""
    names = [expected(one) for one in certificates]
    return json.dumps(names, ensure_ascii=False) if names else ""


def require_bindings(addresses: tuple[str, ...], certificates: tuple[str, ...]) -> None:
    """BadRequest says what is wrong."""
    if len(addresses) > MOST or len(certificates) > MOST:
        raise BadRequest(f"at most {MOST} addresses and {MOST} certificates are known of one name")
    for address in addresses:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError as exc:
            raise BadRequest(f"{address} is no address or network: write 10.0.0.7 or 10.0.0.0/24") from exc


def require_fit(peer: Peer, address: str, certificate: Certificate | None) -> None:
    """NotAuthorized when its title is bound to other addresses or certificates."""
    if peer.addresses and not is_within(address, peer.addresses):
        raise NotAuthorized("the calling AE title is bound to other addresses")
    require_certificate(peer.certificates, certificate)


def require_certificate(expected_ones: tuple[str, ...], certificate: Certificate | None) -> None:
    """NotAuthorized when one of these is needed and was not shown."""
    if not expected_ones:
        return
    if certificate is None:
        raise NotAuthorized("who calls so is bound to a certificate, and none was shown")
    if not certificate.fits(expected_ones):
        raise NotAuthorized("who calls so is bound to another certificate")


def is_within(address: str, networks: Iterable[str]) -> bool:
    """Whether the address is one of those, or in one of those networks; IPv4 also where IPv6 wraps it."""
    try:
        at = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = at.ipv4_mapped if isinstance(at, ipaddress.IPv6Address) else None
    return any((mapped or at) in ipaddress.ip_network(one, strict=False) for one in networks)
