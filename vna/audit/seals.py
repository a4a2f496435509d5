"""Seals: the end of the chain with a time stamp (RFC 3161), copied to the object store so that a cut tail shows."""

import base64
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from storage.blobs.base import BlobStore
from storage.index import audit_chain
from storage.index.audit_chain import Batch, Seal
from storage.index.engine import Database
from storage.index.events import read_time, time_text
from vna.audit.authority import Authority
from vna.audit.key import AuditKey
from vna.audit.links import FIRST
from vna.model.errors import Unavailable, VnaError

FOLDER = "audit/seals"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal as the object store has it: of which batch, over which digest, and the last record in it."""

    number: int
    at: str
    digest: bytes
    last_id: int
    token: bytes | None
    key_id: str
    mac: bytes

    def message(self) -> bytes:
        """Over what the MAC is."""
        return orjson.dumps(["seal", self.number, self.at, self.digest.hex(), self.last_id, self.key_id])


class Sealing:
    """Seals the chain, at most once in a while."""

    def __init__(
        self, database: Database, blobs: BlobStore, key: AuditKey, authority: Authority | None, every: timedelta
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._key = key
        self._authority = authority
        self._every = every

    def seal(self) -> bool:
        """The newest batch, unless that was sealed, or another one a moment ago.

        Without an answer of the authority the seal has no time stamp: the next one has, with all that is before it.
        """
        with self._database.read() as connection:
            batch, last = audit_chain.newest(connection), audit_chain.newest_seal(connection)
        now = datetime.now(UTC)
        if batch is None or (last is not None and last.number >= batch.number):
            return False
        if last is not None and now - read_time(last.at) < self._every:
            return False
        sealed = self._sealed(batch, time_text(now), self._token(batch.digest))
        name = f"{FOLDER}/{batch.number:012d}-{batch.digest.hex()[:32]}-{secrets.token_hex(4)}.json"
        self._blobs.put(name, [write(sealed)])
        with self._database.transaction() as connection:
            audit_chain.add_seal(connection, Seal(batch.number, sealed.at, batch.digest, name, sealed.token))
        return True

    def _sealed(self, batch: Batch, at: str, token: bytes | None) -> Sealed:
        sealed = Sealed(batch.number, at, batch.digest, batch.last_id, token, self._key.key_id, b"")
        return Sealed(
            sealed.number, at, sealed.digest, sealed.last_id, token, sealed.key_id, self._key.mac(sealed.message())
        )

    def _token(self, digest: bytes) -> bytes | None:
        if self._authority is None:
            return None
        try:
            return self._authority.stamp(digest)
        except Unavailable as exc:
            log.warning("seal without a time stamp", extra={"reason": str(exc)})
            return None

    def beginning(self) -> tuple[int, bytes]:
        """Number and predecessor of the first batch of a chain: after the newest seal that the object store has, where
        the index was lost."""
        newest = None
        for newest in named(self._blobs):  # noqa: B007 - the last one is wanted
            pass
        if newest is None:
            return 1, FIRST
        sealed = read(self._blobs, newest.name)
        return newest.number + 1, sealed.digest if sealed else FIRST


@dataclass(frozen=True, slots=True)
class Named:
    """What the name of a seal says."""

    name: str
    number: int
    digest: str

    def fits(self, digest: bytes) -> bool:
        """Whether it is over this digest, as far as the name says."""
        return digest.hex().startswith(self.digest)


def named(blobs: BlobStore) -> Iterator[Named]:
    """Every seal that the object store has, in the order of the chain."""
    for name in blobs.names(FOLDER):
        number, _, rest = name.rpartition("/")[2].partition("-")
        if number.isdecimal():
            yield Named(name, int(number), rest.partition("-")[0])


def write(sealed: Sealed) -> bytes:
    """As an object."""
    return orjson.dumps(
        {
            "number": sealed.number,
            "at": sealed.at,
            "digest": sealed.digest.hex(),
            "last_id": sealed.last_id,
            "key_id": sealed.key_id,
            "mac": sealed.mac.hex(),
            "token": base64.b64encode(sealed.token).decode() if sealed.token else "",
        }
    )


def read(blobs: BlobStore, name: str) -> Sealed | None:
    """A seal; None where its object is damaged or gone."""
    try:
        said = orjson.loads(blobs.read(name))
        return Sealed(
            int(said["number"]),
            str(said["at"]),
            bytes.fromhex(said["digest"]),
            int(said["last_id"]),
            base64.b64decode(said["token"]) or None,
            str(said["key_id"]),
            bytes.fromhex(said["mac"]),
        )
    except Unavailable:
        raise
    except (VnaError, ValueError, KeyError, TypeError):
        return None
