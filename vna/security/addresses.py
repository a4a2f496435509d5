"""From which addresses an account may be used: networks as text."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from vna.model.errors import BadRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MOST = 100


def parse_addresses(text: str) -> tuple[str, ...]:
    """`10.0.0.7,192.168.1.0/24` as networks in their usual form; BadRequest names what is none."""
    words = [word for part in text.split(",") if (word := part.strip())]
    if len(words) > _MOST:
        raise BadRequest(f"an account is used from at most {_MOST} networks")
    for word in words:
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise BadRequest(f"{word[:60]} is no address and no network: write 10.0.0.7 or 192.168.1.0/24") from None
    return tuple(_written(ipaddress.ip_network(word, strict=False)) for word in words)


def addresses_text(networks: Iterable[str]) -> str:
    """As text, in the order given."""
    return ",".join(networks)


def may_come_from(networks: str, address: str) -> bool:
    """Whether an address is in one of the networks; where none is named every address may, else an unknown one not."""
    if not networks:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in _networks(networks))


@lru_cache(maxsize=1024)
def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word, strict=False) for word in text.split(","))


def _written(network: Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)
