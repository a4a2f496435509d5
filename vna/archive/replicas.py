"""Bad copies made good from whole ones in other stores."""

import json
import logging

from storage.blobs.base import BlobStore
from storage.blobs.known import Known
from storage.blobs.several import SeveralBlobs
from storage.index import jobs
from storage.index.engine import Database
from vna.archive.copying import copy, is_whole
from vna.model.access import SYSTEM, Action, Actor
from vna.model.errors import Damaged, Unavailable
from vna.security.policy import Policy

log = logging.getLogger(__name__)

REPAIR = "repair-blob"
"""The job that makes the copies of one blob good."""


class Replicas:
    """Copies of blobs in several stores; with one store there is nothing to repair from."""

    def __init__(self, blobs: BlobStore, policy: Policy) -> None:
        self._several = blobs if isinstance(blobs, SeveralBlobs) else None
        self._policy = policy

    def damaged(self, actor: Actor, blob: str, size: int, sha256: bytes) -> tuple[str, ...]:
        """Stores that are told to hold a blob and do not hold it whole; Unavailable when one of them does not answer.

        Every copy is read.
        """
        self._policy.check(actor, Action.ADMIN)
        if self._several is None:
            return ()
        known = Known(size, sha256)
        stores = self._several.stores
        return tuple(name for name in self._several.places(blob) if not is_whole(stores[name], blob, known))

    def repair(self, actor: Actor, blob: str, size: int, sha256: bytes) -> bool:
        """Whether every copy is whole now, and one was not before: it was replaced by a whole one from elsewhere."""
        self._policy.check(actor, Action.ADMIN)
        bad = self.damaged(actor, blob, size, sha256)
        if self._several is None or not bad:
            return False
        known = Known(size, sha256)
        sources = [one for name, one in self._several.stores.items() if name not in bad]
        for name in bad:
            try:
                copy(blob, known, sources, self._several.stores[name])
            except Damaged:
                log.error("no store has a blob whole", extra={"blob": blob})
                return False
            log.warning("a bad copy was replaced by a whole one", extra={"blob": blob, "store": name})
        return True

    def __call__(self, payload: str) -> None:
        """Work of jobs REPAIR."""
        asked = json.loads(payload)
        self.repair(SYSTEM, asked["blob"], asked["size"], bytes.fromhex(asked["sha256"]))


def ask_repair(database: Database, blob: str, known: Known) -> None:
    """Have a blob repaired soon, whoever found it bad."""
    payload = json.dumps({"blob": blob, "size": known.size, "sha256": known.sha256.hex()})
    try:
        with database.transaction() as connection:
            jobs.schedule(connection, REPAIR, order_key=known.sha256.hex(), payload=payload)
    except Unavailable:
        log.warning("nobody could be asked to repair a blob", extra={"blob": blob})
