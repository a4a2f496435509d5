"""From settings to the blob store: which kind it is, and what stands in front of it."""

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from storage.blobs.base import BlobStore
from storage.blobs.filesystem import FilesystemBlobs
from storage.blobs.s3 import S3Blobs
from vna.settings import Settings

_CONNECTIONS_OF_A_WORKER = 64


def blob_store(settings: Settings) -> BlobStore:
    """The blob store that `VNA_STORAGE__URL` names."""
    return _one(settings)


def ready_blobs(settings: Settings) -> BlobStore:
    """The same, its bucket made where it is absent."""
    blobs = _one(settings)
    if isinstance(blobs, S3Blobs):
        blobs.prepare()
    return blobs


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
