"""Blobs in an S3 bucket through the minio SDK: acknowledged by the store before put returns."""

import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError

from storage.blobs.base import CHUNK, Piece
from vna.model.errors import NotFound, OutOfResources, Unavailable

_PART_BYTES = 16 << 20
_FULL = {"XMinioStorageFull", "InsufficientCapacity", "QuotaExceeded"}
_ABSENT = {"NoSuchKey", "NoSuchObject", "ResourceNotFound"}


class S3Blobs:
    """Names are keys; a spool folder on local disk holds what is on its way in."""

    def __init__(
        self, *, endpoint: str, bucket: str, access_key: str, secret_key: str, spool_folder: Path, connections: int = 64
    ) -> None:
        scheme, _, host = endpoint.rpartition("://")
        pool = urllib3.PoolManager(
            maxsize=connections,
            timeout=urllib3.Timeout(connect=5, read=60),
            retries=urllib3.Retry(total=4, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        )
        self.client = Minio(
            host, access_key, secret_key, secure=scheme == "https", region="us-east-1", http_client=pool
        )
        self.bucket = bucket
        self.spool_folder = spool_folder
        spool_folder.mkdir(parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Make the bucket when it is absent."""
        with _translated(self.bucket):
            if not self.client.bucket_exists(self.bucket):
                self.client.make_bucket(self.bucket)

    def put(self, name: str, pieces: Sequence[Piece]) -> None:
        body = pieces[0] if len(pieces) == 1 and isinstance(pieces[0], bytes) else b"".join(pieces)
        with _translated(name):
            self.client.put_object(
                self.bucket, name, io.BytesIO(body), len(body), part_size=max(_PART_BYTES, len(body))
            )

    def put_file(self, name: str, path: Path) -> None:
        with _translated(name):
            self.client.fput_object(self.bucket, name, str(path), part_size=_PART_BYTES)
        path.unlink(missing_ok=True)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        if length == 0:
            return b""
        with _translated(name):
            response = self._get(name, offset, length)
            try:
                return cast(bytes, response.read())
            finally:
                response.close()
                response.release_conn()

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        if length == 0:
            return iter(())
        with _translated(name):
            response = self._get(name, offset, length)

        def pieces() -> Iterator[bytes]:
            try:
                yield b""
                with _translated(name):
                    yield from response.stream(CHUNK)
            finally:
                response.close()
                response.release_conn()

        begun = pieces()
        next(begun)  # a generator that has begun gives the connection back however it ends
        return begun

    def _get(self, name: str, offset: int, length: int | None) -> Any:
        return self.client.get_object(self.bucket, name, offset=offset, length=length or 0)

    def size(self, name: str) -> int:
        with _translated(name):
            return int(self.client.stat_object(self.bucket, name).size or 0)

    def delete(self, name: str) -> None:
        with _translated(name):
            self.client.remove_object(self.bucket, name)

    def names(self, prefix: str) -> Iterator[str]:
        with _translated(prefix):
            for item in self.client.list_objects(self.bucket, prefix.rstrip("/") + "/", recursive=True):
                if item.object_name and not item.is_dir:
                    yield item.object_name

    def free_bytes(self) -> int | None:
        """Space of the spool: what fills first on this node. The object store does not say its own."""
        return shutil.disk_usage(self.spool_folder).free

    def check(self) -> None:
        with _translated(self.bucket):
            if not self.client.bucket_exists(self.bucket):
                raise Unavailable("the bucket is not there")


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except S3Error as exc:
        if exc.code in _ABSENT:
            raise NotFound(f"no blob {name}") from exc
        if exc.code in _FULL:
            raise OutOfResources("the blob store has no space left") from exc
        raise Unavailable("the blob store refuses") from exc
    except (urllib3.exceptions.HTTPError, ServerError, InvalidResponseError) as exc:
        raise Unavailable("the blob store does not answer") from exc
