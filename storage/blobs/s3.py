"""Blobs in an S3 bucket through the minio SDK: acknowledged by the store, and found to have arrived, before put
returns."""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error
from minio.helpers import check_bucket_name

from storage.blobs.base import CHUNK, Piece
from storage.blobs.body import Body
from storage.blobs.s3_upload import S3Uploads, of_bytes, of_file
from storage.blobs.tries import Passing, Tries
from vna.model.errors import BadRequest, Damaged, NotFound, OutOfResources, Unavailable, VnaError

_FULL = {"XMinioStorageFull", "InsufficientCapacity", "QuotaExceeded", "EntityTooLarge"}
_ABSENT = {"NoSuchKey", "NoSuchObject", "ResourceNotFound"}
_PASSING = {
    "BadDigest",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "TooManyRequests",
    "XAmzContentSHA256Mismatch",
}
"""What may go well the next time; what arrived changed on its way is among it."""
_PARTIAL, _TOO_MANY, _SERVER_ERROR, _NO_SPACE = 206, 429, 500, 507
_CONNECT_SECONDS = 3.0
_RESUMED = 8
"""How often one answer that breaks off is gone on with."""
_LONGEST_WAIT = 10.0


def _check_name(bucket: str, *, new: bool = False) -> None:
    """BadRequest for what S3 allows no bucket to be called; some stores have buckets of older rules."""
    try:
        check_bucket_name(bucket, strict=new)
    except ValueError as exc:
        raise BadRequest(
            f"{bucket or 'nothing'} is no name of a bucket: it has 3 to 63 lower-case letters, digits, dots and "
            "hyphens, a letter or digit first and last"
        ) from exc


class S3Blobs:
    """Names are keys; a spool folder on local disk holds what is on its way in."""

    def __init__(
        self,
        *,
        endpoint: str,
        bucket: str,
        access_key: str,
        secret_key: str,
        spool_folder: Path,
        connections: int = 64,
        seconds: float = 20.0,
    ) -> None:
        """`seconds` is how long one operation is tried, and the time in which an answer has to begin and to go on
        is half of it."""
        _check_name(bucket)
        scheme, _, host = endpoint.rpartition("://")
        pool = urllib3.PoolManager(
            maxsize=connections,
            timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, seconds / 2), read=seconds / 2),
            retries=False,
        )
        self.client = Minio(
            host, access_key, secret_key, secure=scheme == "https", region="us-east-1", http_client=pool
        )
        self.bucket = bucket
        self.spool_folder = spool_folder
        self._seconds = seconds
        self._tries = Tries(seconds)
        self._uploads = S3Uploads(self.client, bucket, self._tries, translated)
        spool_folder.mkdir(parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Make the bucket when it is absent."""

        def made() -> None:
            with translated(self.bucket):
                if not self.client.bucket_exists(self.bucket):
                    _check_name(self.bucket, new=True)
                    self.client.make_bucket(self.bucket)

        self._tries.run(made)

    def put(self, name: str, pieces: Sequence[Piece]) -> None:
        body = pieces[0] if len(pieces) == 1 and isinstance(pieces[0], bytes) else b"".join(pieces)
        self._uploads.put(name, of_bytes(body))

    def put_file(self, name: str, path: Path) -> None:
        self._uploads.put(name, of_file(path))
        path.unlink(missing_ok=True)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        if length == 0:
            return b""

        def whole() -> bytes:
            answer = self._get(name, offset, length)
            try:
                with translated(name):
                    found = answer.body.read(answer.size)
            finally:
                answer.body.close()
            if len(found) != answer.size:
                raise Passing("the blob store's answer is short")
            return found

        return self._tries.run(whole)

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        if length == 0:
            return iter(())
        begun = self._pieces(name, offset, self._tries.run(lambda: self._get(name, offset, length)))
        next(begun)  # a generator that has begun gives the connection back however it ends
        return begun

    def _pieces(self, name: str, at: int, answer: "_Answer") -> Iterator[bytes]:
        """What breaks off is gone on with where it broke off."""
        end, resumed = at + answer.size, 0
        try:
            yield b""
            while at < end:
                try:
                    with translated(name):
                        piece = answer.body.read(min(CHUNK, end - at))
                    if not piece:
                        raise Passing("the blob store's answer is short")
                except Passing:
                    answer.body.close()
                    resumed += 1
                    if resumed > _RESUMED:
                        raise
                    answer = self._tries.run(lambda: self._get(name, at, end - at))  # noqa: B023  # called at once
                    continue
                at += len(piece)
                yield piece
        finally:
            answer.body.close()

    def _get(self, name: str, offset: int, length: int | None) -> "_Answer":
        with translated(name):
            response = self.client.get_object(self.bucket, name, offset=offset, length=length or 0)
        body = Body(response, self._seconds)
        try:
            return _Answer(body, _size(name, response.status, dict(response.headers), offset, length))
        except VnaError:
            body.close()
            raise

    def size(self, name: str) -> int:
        def told() -> int:
            with translated(name):
                return int(self.client.stat_object(self.bucket, name).size or 0)

        return self._tries.run(told)

    def delete(self, name: str) -> None:
        def deleted() -> None:
            with translated(name):
                self.client.remove_object(self.bucket, name)

        self._tries.run(deleted)

    def names(self, prefix: str) -> Iterator[str]:
        folder, last = prefix.rstrip("/") + "/", None

        def listing() -> Iterator[str]:
            for item in self.client.list_objects(self.bucket, folder, recursive=True, start_after=last):
                if item.object_name and not item.is_dir:
                    yield item.object_name

        rest: Iterator[str] | None = None

        def following() -> str | None:
            nonlocal rest
            rest = rest or listing()
            try:
                with translated(prefix):
                    return next(rest, None)
            except Passing:
                rest = None  # begun again behind the last
                raise

        while (name := self._tries.run(following)) is not None:
            last = name
            yield name

    def free_bytes(self) -> int | None:
        """Space of the spool: what fills first on this node. The object store does not say its own."""
        return shutil.disk_usage(self.spool_folder).free

    def check(self) -> None:
        with translated(self.bucket):
            if not self.client.bucket_exists(self.bucket):
                raise Unavailable("the bucket is not there")

    def abort_uploads(self, older_than: timedelta) -> int:
        """Take away the parts of uploads that began so long ago and did not end: those of killed processes."""
        return self._uploads.abort(datetime.now(UTC) - older_than)


@dataclass(frozen=True, slots=True)
class _Answer:
    body: Body
    size: int


_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")  # RFC 9110 14.4


def _size(name: str, status: int, headers: dict[str, str], offset: int, length: int | None) -> int:
    """How many bytes an answer has, where they are those that were asked for; Damaged where the blob is shorter."""
    told = {key.lower(): value for key, value in headers.items()}
    if not offset and length is None:
        return int(told["content-length"])
    found = _CONTENT_RANGE.fullmatch(told.get("content-range", ""))
    if status != _PARTIAL or found is None:
        raise Unavailable("the blob store does not understand ranges")
    first, last, whole = map(int, found.groups())
    wanted = whole - offset if length is None else length
    if offset + wanted > whole:
        raise Damaged(f"the blob {name} is shorter than the index says")
    if first != offset or last + 1 - first != wanted:
        raise Passing("the blob store gives another range than it was asked for")
    return wanted


@contextmanager
def translated(name: str) -> Iterator[None]:
    """What the SDK raises, by its meaning."""
    try:
        yield
    except S3Error as exc:
        raise _meaning(exc, name) from exc
    except InvalidResponseError as exc:  # a proxy in front of it answers with a page of its own
        raise Passing("the blob store gives an answer that is none") from exc
    except (urllib3.exceptions.HTTPError, MinioException, OSError) as exc:
        raise Passing("the blob store does not answer") from exc


def _meaning(exc: S3Error, name: str) -> Exception:
    status = exc.response.status
    if exc.code in _ABSENT:
        return NotFound(f"no blob {name}")
    if exc.code in _FULL or status == _NO_SPACE:
        return OutOfResources("the blob store has no space left")
    if exc.code == "InvalidRange":
        return Damaged(f"the blob {name} is shorter than the index says")
    if exc.code in _PASSING or status >= _SERVER_ERROR or status == _TOO_MANY:
        return Passing("the blob store is busy", _seconds(exc.response.headers.get("Retry-After")))
    if exc.code == "NoSuchBucket":
        return Unavailable("the bucket is not there")
    return Unavailable(f"the blob store refuses: {exc.code}")


def _seconds(told: str | None) -> float:
    """Retry-After (RFC 9110 10.2.3) as far as it is a number, and bounded."""
    return min(float(told), _LONGEST_WAIT) if told and told.isdigit() else 0.0
