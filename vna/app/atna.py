"""How the audit trail reaches an audit record repository; from settings to the job that sends it."""

import os
import socket
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from storage.index.engine import Database
from vna.app.spooling import node_name
from vna.audit.delivery import DELIVER, LADDER, Delivery
from vna.audit.participants import Us
from vna.audit.syslog import TLS_PORT, UDP_PORT, Repository, TlsRepository, UdpRepository
from vna.jobs.regular import Regular
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work
from vna.security.tls import client_context
from vna.settings import Settings
from vna.settings.syslog import SyslogSettings
from xds import imaging_source, registry, repository, responding_gateway
from xds.transaction import number_of

_ACTORS = (registry, repository, imaging_source, responding_gateway)

LADDERS: Mapping[str, Ladder] = {DELIVER: LADDER}
"""When sending is tried again."""


def works(settings: Settings, database: Database) -> Mapping[str, Work]:
    """What sends, where there is a repository."""
    syslog = settings.audit.syslog
    return {DELIVER: Delivery(database, repository_at(syslog), us(settings))} if syslog.url else {}


def regularly(settings: Settings) -> Mapping[str, Regular]:
    """As often as records are chained."""
    every = timedelta(seconds=settings.audit.chain_seconds)
    return {DELIVER: Regular(every, priority=0)} if settings.audit.syslog.url else {}


def repository_at(syslog: SyslogSettings) -> Repository:
    """Where the settings say; certificates are read for each connection, so that new ones need no restart."""
    parts = urlsplit(syslog.url)
    host = parts.hostname or ""
    if parts.scheme == "udp":
        return UdpRepository(host, parts.port or UDP_PORT)
    ca, certificate, key = (Path(file) if file else None for file in (syslog.ca, syslog.certificate, syslog.key))

    def context() -> ssl.SSLContext:
        return client_context(ca, certificate, key)

    return TlsRepository(host, parts.port or TLS_PORT, context)


def us(settings: Settings) -> Us:
    """Who we are in messages."""
    http = settings.http
    return Us(
        source_id=settings.audit.syslog.source_id or node_name(settings),
        site=settings.audit.syslog.site,
        ae_title=settings.dimse.ae_title,
        url=settings.node.url or f"http://{http.host}:{http.port}",
        host=socket.gethostname(),
        process=str(os.getpid()),
        paths={number_of(module): actor.PATH for actor in _ACTORS for module in actor.TRANSACTIONS},
    )
