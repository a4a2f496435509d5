"""Uploads to an S3 bucket: whole, or in parts where they are large; what arrived is compared with what was sent."""

import hashlib
import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.blobs.tries import Passing, Tries
from vna.model.errors import NotFound, Unavailable, VnaError

if TYPE_CHECKING:
    from minio import Minio

log = logging.getLogger(__name__)

PART_BYTES = 16 << 20
_MOST_PARTS = 10_000
_LISTED = 1000
_TYPE = "application/octet-stream"
_ENCRYPTED = "x-amz-server-side-encryption"


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent: `part` gives so many bytes from an offset on, as often as it is asked."""

    size: int
    part: Callable[[int, int], bytes]


def of_bytes(body: bytes) -> Content:
    """Bytes in memory."""
    return Content(len(body), lambda at, count: body if count == len(body) else body[at : at + count])


def of_file(path: Path) -> Content:
    """A file that nobody changes."""

    def part(at: int, count: int) -> bytes:
        with path.open("rb") as file:
            file.seek(at)
            return file.read(count)

    return Content(path.stat().st_size, part)


class S3Uploads:
    """Each request carries the MD5 of its bytes, which the store compares, and what it answers is compared again.

    It is the one digest that every S3 store knows: SeaweedFS does not look at the SHA-256 of a signature, JuiceFS not
    at x-amz-checksum-sha256.
    """

    def __init__(
        self, client: "Minio", bucket: str, tries: Tries, translated: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self._client: Any = client  # requests of parts are not public in the SDK
        self._bucket = bucket
        self._tries = tries
        self._translated = translated

    def put(self, name: str, content: Content) -> None:
        """Keep it under a name, which is new each time: sending again what may have arrived changes nothing."""
        if content.size <= PART_BYTES:
            body = content.part(0, content.size)
            self._tries.run(lambda: self._send(name, body))
        else:
            self._in_parts(name, content)

    def _send(self, name: str, body: bytes, query: dict[str, str] | None = None) -> "_Sent":
        digest = hashlib.md5(body, usedforsecurity=False)
        headers = {"Content-Type": _TYPE, "Content-MD5": b64encode(digest.digest()).decode()}
        with self._translated(name):
            result = self._client._put_object(self._bucket, name, body, headers, query_params=query)
        if _ENCRYPTED in {key.lower() for key in result.http_headers}:
            return _Sent(result.etag, b"")
        self._compare(name, result.etag, digest.hexdigest(), len(body), is_part=query is not None)
        return _Sent(result.etag, digest.digest())

    def _compare(self, name: str, etag: str, expected: str, size: int, *, is_part: bool = False) -> None:
        """An entity tag is the MD5 of what arrived, in every store that does not encrypt by keys of its own."""
        if len(etag) == len(expected):
            if etag.lower() != expected:
                raise Passing("the blob store tells another digest than that of what was sent")
        elif not is_part:
            with self._translated(name):
                held = int(self._client.stat_object(self._bucket, name).size or 0)
            if held != size:
                raise Passing("the blob store holds another number of bytes than were sent")

    def _in_parts(self, name: str, content: Content) -> None:
        upload = self._tries.run(lambda: self._begin(name))
        try:
            sent = [self._part(name, upload, number, content) for number in range(1, _parts(content.size) + 1)]
            self._tries.run(lambda: self._complete(name, upload, sent, content.size))
        except BaseException:
            self._abort(name, upload)
            raise

    def _begin(self, name: str) -> str:
        with self._translated(name):
            return str(self._client._create_multipart_upload(self._bucket, name, {"Content-Type": _TYPE}))

    def _part(self, name: str, upload: str, number: int, content: Content) -> "_Sent":
        step = _part_size(content.size)
        at = (number - 1) * step
        body = content.part(at, min(step, content.size - at))
        query = {"partNumber": str(number), "uploadId": upload}
        return self._tries.run(lambda: self._send(name, body, query))

    def _complete(self, name: str, upload: str, sent: "list[_Sent]", size: int) -> None:
        from minio.datatypes import Part

        parts = [Part(number, one.etag) for number, one in enumerate(sent, 1)]
        etag = ""
        try:
            with self._translated(name):
                done = self._client._complete_multipart_upload(self._bucket, name, upload, parts)
            etag = (done.etag or "").strip('"')
        except Unavailable as exc:
            if isinstance(exc, Passing) or "NoSuchUpload" not in str(exc):
                raise
            # an answer that was lost: it is complete if the store has it
        if not all(one.md5 for one in sent):
            etag = ""
        digest = hashlib.md5(b"".join(one.md5 for one in sent), usedforsecurity=False).hexdigest()
        with suppress(NotFound):
            self._compare(name, etag, f"{digest}-{len(sent)}", size)
            return
        raise Unavailable("the blob store lost the parts of an upload")

    def _abort(self, name: str, upload: str) -> None:
        try:
            with self._translated(name):
                self._client._abort_multipart_upload(self._bucket, name, upload)
        except VnaError as exc:
            log.warning("parts of an upload are left behind", extra={"blob": name, "reason": str(exc)})

    def abort(self, before: datetime) -> int:
        """Abort what began before a moment; how many."""
        old = [(name, upload) for name, upload, began in self._begun() if began is not None and began < before]
        for name, upload in old:
            self._abort(name, upload)
        return len(old)

    def _begun(self) -> Iterator[tuple[str, str, datetime | None]]:
        def listed() -> Any:
            with self._translated(self._bucket):
                return self._client._list_multipart_uploads(self._bucket, max_uploads=_LISTED)

        for one in self._tries.run(listed).uploads:
            yield one.object_name, one.upload_id, one.initiated_time


@dataclass(frozen=True, slots=True)
class _Sent:
    """`md5` is empty where the store encrypts by keys of its own: then its entity tags are something else."""

    etag: str
    md5: bytes


def _part_size(size: int) -> int:
    return max(PART_BYTES, -(-size // _MOST_PARTS))


def _parts(size: int) -> int:
    return -(-size // _part_size(size))
