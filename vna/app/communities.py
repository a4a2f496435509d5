"""Clients of the other communities, from settings."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from ssl import SSLContext
from urllib.parse import urlsplit

import httpx

from vna.documents.communities import Community
from vna.security import tls
from vna.settings import CommunitySettings, XdsSettings
from xds.community_client import Addresses, CommunityClient, Conditions

_MOST_BYTES = 8 << 30


def message_bytes(settings: XdsSettings) -> int:
    """Most of one message with documents."""
    return max(_MOST_BYTES, 2 * int(settings.max_document_bytes))


def clients(settings: XdsSettings, spool_folder: Path, room: Callable[[], None]) -> Mapping[str, CommunityClient]:
    """One for each community, by its home community id."""
    conditions = Conditions(
        spool_folder, room, settings.gateway_timeout, int(settings.max_document_bytes), message_bytes(settings)
    )
    return {
        one.home_community_id: CommunityClient(
            Community(one.home_community_id, one.query, one.affinity_domain),
            Addresses(one.query, one.retrieve or one.query, one.images or one.query),
            settings.affinity_domain,
            partial(_http, one, settings.gateway_requests),
            conditions,
        )
        for one in settings.communities
    }


def check(settings: XdsSettings) -> None:
    """Unavailable names a certificate file that is no use."""
    for one in settings.communities:
        _verifying(one)


def _http(settings: CommunitySettings, at_once: int) -> httpx.Client:
    """With as many connections as there may be calls to it; nothing of the environment is believed."""
    token = settings.token.get_secret_value()
    return httpx.Client(
        verify=_verifying(settings),
        trust_env=False,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        limits=httpx.Limits(max_connections=2 * at_once, max_keepalive_connections=at_once),
    )


def _verifying(settings: CommunitySettings) -> SSLContext | bool:
    if not any(urlsplit(url).scheme == "https" for url in (settings.query, settings.retrieve, settings.images)):
        return False
    files = (settings.tls.ca, settings.tls.certificate, settings.tls.key)
    return tls.client_context(*(Path(name) if name else None for name in files))
