"""A DICOM door over a whole archive in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dimse.models import MODELS
from dimse.retrieve import MoveRules, retrieve_services
from dimse.scu import sender
from dimse.store import ArchiveStore
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.inprocess import listening
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.negotiation import ContextTable, SupportedContext
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.server import Server
from tests.archives import Backend, put, ready
from tests.objects import part10
from vna.app import Application, build
from vna.model.access import SYSTEM, Action, Actor, ActorKind, Peer
from vna.model.priority import Priority
from vna.model.sop_classes import STORAGE_CLASSES, VERIFICATION
from vna.model.transfer_syntaxes import QUERY_TRANSFER_SYNTAXES, STORAGE_TRANSFER_SYNTAXES

QUICK = Limits(closing_timeout=0.5, dimse_timeout=10, send_timeout=10, connection_timeout=3)
RIGHTS = frozenset({Action.STORE, Action.QUERY, Action.RETRIEVE})


def contexts() -> ContextTable:
    storage = frozenset(STORAGE_TRANSFER_SYNTAXES)
    supported = [SupportedContext(uid, storage, requestor_may_be_scp=True) for uid in STORAGE_CLASSES]
    supported += [SupportedContext(uid, frozenset(QUERY_TRANSFER_SYNTAXES)) for uid in (VERIFICATION, *MODELS)]
    return ContextTable(supported)


CONTEXTS = contexts()


@dataclass
class Door:
    """An archive and the port its DICOM door listens on; `rights` and `priority` are those of everybody who calls."""

    application: Application
    port: int = 0
    rights: frozenset[Action] = RIGHTS
    priority: Priority = Priority.INTERACTIVE

    def hold(self, *objects: Any) -> None:
        """Put data sets, or Part 10 files as bytes, into the archive."""
        for one in objects:
            put(self.application, one if isinstance(one, bytes) else part10(one))

    def knows(self, ae_title: str, port: int, host: str = "127.0.0.1") -> None:
        """Make an AE title a C-MOVE destination."""
        self.application.peers.add(SYSTEM, Peer(ae_title, host, port))

    def admit(self, assoc: LeanAssociation) -> None:
        assoc.actor = Actor(ActorKind.AE, assoc.requestor.ae_title, self.rights, priority=self.priority)


@contextmanager
def open_door(
    folder: Path, rules: MoveRules | None = None, limits: Limits = QUICK, **sections: dict[str, object]
) -> Iterator[Door]:
    """An archive on SQLite and a folder, with its DICOM door listening."""
    settings = Backend("sqlite+folder", folder).settings(**sections)
    ready(settings)
    application = build(settings)
    door = Door(application)
    profile = Profile(
        "VNA",
        CONTEXTS,
        store=ArchiveStore(application.store, application.turns("C-STORE")),
        services=retrieve_services(
            application.retrieval,
            application.peers.get,
            sender("VNA", limits),
            rules,
            application.turns("retrievals", waiting=2),
        ),
        admit=door.admit,
        limits=limits,
    )
    try:
        with listening(Server(profile), grace_seconds=0.2) as door.port:
            yield door
    finally:
        application.close()
