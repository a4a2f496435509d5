"""From settings to the blob store: which kinds there are, and what stands in front of them."""

import logging
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

from storage.blobs.base import BlobStore
from storage.blobs.cache import ReadCache
from storage.blobs.checked import CheckedBlobs, checked
from storage.blobs.filesystem import FilesystemBlobs
from storage.blobs.known import Known
from storage.blobs.s3 import S3Blobs
from storage.blobs.several import SeveralBlobs, several
from storage.blobs.spool_folder import SpoolFolder
from storage.blobs.spooled import SpooledBlobs
from storage.index.engine import Database
from storage.index.places import PRIMARY, Places
from vna import events
from vna.archive.replicas import ask_repair
from vna.model.errors import Unavailable
from vna.settings import Settings

log = logging.getLogger(__name__)

_CONNECTIONS_OF_A_WORKER = 64


def blob_store(settings: Settings, database: Database) -> BlobStore:
    """What `VNA_STORAGE__URL` names, together with the stores beside it where there are any."""
    stores = _stores(settings)
    if len(stores) == 1 and isinstance(stores[PRIMARY], FilesystemBlobs):
        return stores[PRIMARY]
    cache = _cache(settings) if any(not isinstance(one, FilesystemBlobs) for one in stores.values()) else None
    repaired_by = database if len(stores) > 1 else None
    readers = {
        name: checked(one, None if isinstance(one, FilesystemBlobs) else cache, partial(_bad, name, repaired_by))
        for name, one in stores.items()
    }
    return several(stores, readers, Places(database)) if len(stores) > 1 else readers[PRIMARY]


def spool_of(blobs: BlobStore) -> SpooledBlobs | None:
    """The spool among what `blob_store` made."""
    if isinstance(blobs, SeveralBlobs):
        blobs = blobs.stores[blobs.primary]
    elif isinstance(blobs, CheckedBlobs):
        blobs = blobs.inner
    return blobs if isinstance(blobs, SpooledBlobs) else None


def without_spool(blobs: BlobStore) -> BlobStore:
    """The same without what lies in a spool only: it would go with the disk of one node."""
    spooled = spool_of(blobs)
    if spooled is None:
        return blobs
    return blobs.instead({blobs.primary: spooled.inner}) if isinstance(blobs, SeveralBlobs) else spooled.inner


def ready_blobs(settings: Settings) -> BlobStore:
    """The primary store, buckets made where they are absent; behind a spool that is done by what empties it, and a
    store beside the primary one may be down."""
    stores = _stores(settings)
    for name, one in stores.items():
        inner = one.inner if isinstance(one, SpooledBlobs) else one
        if not isinstance(inner, S3Blobs) or (name == PRIMARY and settings.storage.acknowledge == "spool"):
            continue
        try:
            inner.prepare()
        except Unavailable as exc:
            if name == PRIMARY:
                raise
            log.warning("a store is waited for", extra={"store": name, "reason": str(exc)})
    return stores[PRIMARY]


def store_itself(blobs: BlobStore) -> BlobStore:
    """What is behind a spool, where there is one."""
    return blobs.inner if isinstance(blobs, SpooledBlobs) else blobs


def behind_spool(blobs: BlobStore) -> BlobStore:
    """The store itself, its bucket made where it is absent: for more than a spool takes."""
    if not isinstance(blobs, SpooledBlobs):
        return blobs
    if isinstance(blobs.inner, S3Blobs):
        blobs.inner.prepare()
    return blobs.inner


def _in_front(settings: Settings, blobs: BlobStore) -> BlobStore:
    """With the spool in front. A folder that was used as one stays one, and runs empty, when the setting has changed;
    a node that can ask the others reads their spools though it has nothing in its own."""
    spools = settings.storage.acknowledge == "spool"
    if not settings.storage_url.startswith("s3:"):
        return blobs
    if not spools and not settings.node.secret.get_secret_value() and not settings.spool_folder.is_dir():
        return blobs
    return SpooledBlobs(
        blobs, SpoolFolder(settings.spool_folder), most=int(settings.storage.spool_size) if spools else 0
    )


def _stores(settings: Settings) -> dict[str, BlobStore]:
    """All by name, the primary one first."""
    access_key, secret_key = settings.storage.access_key, settings.storage.secret_key
    primary = _one(settings, settings.storage_url, access_key, secret_key)
    found: dict[str, BlobStore] = {PRIMARY: _in_front(settings, primary)}
    for one in settings.storage.stores:
        found[one.name] = _one(settings, one.url, one.access_key, one.secret_key)
    return found


def _one(settings: Settings, address: str, access_key: str, secret_key: SecretStr) -> FilesystemBlobs | S3Blobs:
    url = urlsplit(address)
    if url.scheme == "file":
        return FilesystemBlobs(Path(unquote(url.path)))
    return bucket(settings, address, access_key, secret_key, settings.data_dir / "spool")


def bucket(settings: Settings, address: str, access_key: str, secret_key: SecretStr, spool_folder: Path) -> S3Blobs:
    """An object store at `s3://bucket?endpoint=`, with the bounds that the settings have for all of them."""
    url = urlsplit(address)
    return S3Blobs(
        endpoint=parse_qs(url.query).get("endpoint", ["https://s3.amazonaws.com"])[0],
        bucket=url.netloc,
        access_key=access_key,
        secret_key=secret_key.get_secret_value(),
        spool_folder=spool_folder,
        connections=_CONNECTIONS_OF_A_WORKER,
        seconds=settings.storage.timeout,
    )


def _cache(settings: Settings) -> ReadCache | None:
    most = int(settings.storage.cache_size)
    return ReadCache(settings.data_dir / "cache", most) if most else None


def _bad(store: str, repaired_by: Database | None, blob: str, known: Known) -> None:
    events.emit("blob.damaged", store=store)
    if repaired_by is not None:
        ask_repair(repaired_by, blob, known)
