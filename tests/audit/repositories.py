"""Who sends to audit record repositories in tests, and how."""

from __future__ import annotations

import ssl

from tests.hl7.certificates import Pair
from vna.audit.participants import Us
from vna.audit.syslog import TlsRepository
from vna.model.access import Actor, ActorKind
from vna.security.tls import client_context

US = Us("vna-1", "Ankara", "VNA", "https://vna.example.org", "vna.example.org", "4711")
DOCTOR = Actor(ActorKind.USER, "doctor", address="192.0.2.7")
BOM = "\ufeff"


def over_tls(port: int, pairs: dict[str, Pair], who: str = "vna") -> TlsRepository:
    def context() -> ssl.SSLContext:
        pair = pairs[who]
        return client_context(pairs["repository"].certificate, pair.certificate, pair.key)

    return TlsRepository("127.0.0.1", port, context)
