"""From settings to the blob store: which kind it is, and what stands in front of it."""

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from storage.blobs.base import BlobStore
from storage.blobs.filesystem import FilesystemBlobs
from storage.blobs.s3 import S3Blobs
from storage.blobs.spool_folder import SpoolFolder
from storage.blobs.spooled import SpooledBlobs
from vna.settings import Settings

_CONNECTIONS_OF_A_WORKER = 64


def blob_store(settings: Settings) -> BlobStore:
    """The blob store that `VNA_STORAGE__URL` names."""
    return _behind_spool(settings, _one(settings))


def ready_blobs(settings: Settings) -> BlobStore:
    """The same, its bucket made where it is absent; behind a spool it is made by what empties that."""
    blobs = _one(settings)
    if isinstance(blobs, S3Blobs) and settings.storage.acknowledge != "spool":
        blobs.prepare()
    return _behind_spool(settings, blobs)


def _behind_spool(settings: Settings, blobs: BlobStore) -> BlobStore:
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


def _one(settings: Settings) -> FilesystemBlobs | S3Blobs:
    url = urlsplit(settings.storage_url)
    if url.scheme == "file":
        return FilesystemBlobs(Path(unquote(url.path)))
    endpoint = parse_qs(url.query).get("endpoint", ["https://s3.amazonaws.com"])[0]
    return S3Blobs(
        endpoint=endpoint,
        bucket=url.netloc,
        access_key=settings.storage.access_key,
        secret_key=settings.storage.secret_key.get_secret_value(),
        spool_folder=settings.data_dir / "spool",
        connections=_CONNECTIONS_OF_A_WORKER,
    )
