"""STOW-RS as user agent: one instance a request, so that each has its own answer (PS3.18 10.5)."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx
import orjson

from dicomweb.client.service import Service
from dicomweb.client.wado_rs import DICOM, MULTIPART
from storage.part10 import write_file_meta
from vna.mime.writer import Part, new_boundary, write_multipart
from vna.model.destination import Item, Sent, Verdict, failed
from vna.model.errors import NotAuthorized, Unavailable, VnaError

_JSON: Final = "application/dicom+json"
_FAILED, _REFERENCED, _REASON, _WARNING = "00081198", "00081199", "00081197", "00081196"
_UID: Final = "00081155"
_ELSEWHERE: Final = frozenset({408, 429, 502, 503, 504})
"""What says nothing of the instance (RFC 9110 15.5, 15.6; RFC 6585 4)."""


class StowRs:
    """Stores into one archive, in the transfer syntax that we hold."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def send(self, items: Sequence[Item]) -> Iterator[Sent]:
        """Send all, one after the other; once one could not be asked about, those after it are not begun."""
        gone: VnaError | None = None
        for item in items:
            if gone is not None:
                yield failed(item, gone, begun=False)
                continue
            try:
                yield self._stored(item)
            except (Unavailable, NotAuthorized) as error:
                gone = error
                yield failed(item, error)
            except VnaError as error:
                yield failed(item, error)

    def _stored(self, item: Item) -> Sent:
        encoded = item.encode((item.transfer_syntax_uid,))
        meta = write_file_meta(item.sop_class_uid, item.sop_instance_uid, encoded.transfer_syntax_uid)
        boundary = new_boundary()

        def pieces() -> Iterator[bytes]:
            part = Part((("Content-Type", DICOM),), _pieces(meta, encoded.chunks))
            for piece in write_multipart([part], boundary):
                assert isinstance(piece, bytes)
                yield piece

        fields = {"Content-Type": f'{MULTIPART}; type="{DICOM}"; boundary={boundary}', "Accept": _JSON}
        with self._service.post("/studies", pieces(), {**fields, "Accept-Encoding": "identity"}) as response:
            return self._judged(item, response)

    def _judged(self, item: Item, response: httpx.Response) -> Sent:
        """200 and 202 and 409 tell of each instance (PS3.18 10.5.3); everything else of none."""
        name, status = self._service.name, response.status_code
        if status in (401, 403):
            raise NotAuthorized(f"{name} answers with HTTP status {status}", authenticated=status != 401)
        if status not in (200, 202, 409):
            words = f"{name} answers with HTTP status {status}"
            if status in _ELSEWHERE:
                raise Unavailable(words)
            return Sent(item, Verdict.FAILED, None, words)
        self._service.media_type(response, _JSON, "application/json")
        try:
            said = orjson.loads(self._service.whole(response))
            stored, refused = _about(said, _REFERENCED, item), _about(said, _FAILED, item)
        except (orjson.JSONDecodeError, TypeError, AttributeError) as exc:
            raise Unavailable(f"{name} answers with something that is no store response") from exc
        if refused is not None:
            code = _number(refused, _REASON)
            return Sent(item, Verdict.FAILED, code, f"answered with failure reason {code or 0:04X}")
        if stored is None:
            raise Unavailable(f"{name} does not say what became of the instance")
        code = _number(stored, _WARNING)
        if code is not None:
            return Sent(item, Verdict.WARNING, code, f"answered with warning reason {code:04X}")
        return Sent(item, Verdict.COMPLETED, 0)


def _pieces(meta: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield meta
    yield from chunks


def _about(said: Any, sequence: str, item: Item) -> dict[str, Any] | None:
    for one in said.get(sequence, {}).get("Value") or ():
        if (one.get(_UID, {}).get("Value") or [""])[0] == item.sop_instance_uid:
            assert isinstance(one, dict)
            return one
    return None


def _number(found: dict[str, Any], tag: str) -> int | None:
    values = found.get(tag, {}).get("Value") or [None]
    return int(values[0]) if values[0] is not None else None
