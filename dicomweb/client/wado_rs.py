"""WADO-RS as user agent: studies, series and instances as they are stored (PS3.18 10.4)."""

from collections.abc import Iterator
from typing import Final

import httpx

from dicomweb.client.service import Service
from vna.archive.arriving import Answer
from vna.mime.media_type import parse_media_type
from vna.mime.reader import Bounds, Event, MultipartReader, PartBegins, PartBytes, boundary_of
from vna.model.errors import BadRequest, NotFound, Rejected, Unavailable
from vna.model.sources import Fetched, StudyPart

DICOM: Final = "application/dicom"
MULTIPART: Final = "multipart/related"
_MANY: Final = f'{MULTIPART}; type="{DICOM}"; transfer-syntax=*'
NOBODYS_UID: Final = "2.25.0"


class WadoRs:
    """Fetches from one archive, in the transfer syntax that it holds (PS3.18 8.7.3.5.2)."""

    by_name = False

    def __init__(self, service: Service) -> None:
        self._service = service

    def verify(self) -> None:
        """Ask for what nobody has: an answer that says so is one."""
        try:
            with self._service.get(f"/studies/{NOBODYS_UID}", _MANY) as response:
                if response.status_code != httpx.codes.NO_CONTENT:
                    raise Rejected(f"{self._service.name} gives something for a study that is not there")
        except NotFound:
            return

    def fetch(self, part: StudyPart) -> Iterator[Fetched]:
        """Instances as they come; those that are named, one after the other."""
        return WadoRs(self._service.at(part.priority))._fetched(part)

    def _fetched(self, part: StudyPart) -> Iterator[Fetched]:
        answer = Answer(self._service.name, part, self._service.bounds)
        path = f"/studies/{part.study_instance_uid}"
        if part.series_instance_uid:
            path += f"/series/{part.series_instance_uid}"
        for uid in part.sop_instance_uids:
            try:
                yield from self._given(f"{path}/instances/{uid}", answer)
            except NotFound:
                continue  # the others may be there; the answer's end says which are not
        if not part.sop_instance_uids:
            yield from self._given(path, answer)
        answer.finish()

    def _given(self, path: str, answer: Answer) -> Iterator[Fetched]:
        with self._service.get(path, _MANY) as response:
            if response.status_code == httpx.codes.NO_CONTENT:
                return
            media = self._service.media_type(response, MULTIPART, DICOM)
            most = self._service.bounds.instance_bytes
            if media.name == DICOM:
                yield answer.take(self._service.body(response, most))
                return
            for body in self._parts(response):
                yield answer.take(body)

    def _parts(self, response: httpx.Response) -> Iterator[Iterator[bytes]]:
        """The parts of a multipart answer, each read to its end before the next one."""
        events = self._events(response)
        for event in events:
            if isinstance(event, PartBegins):
                said = event.headers.get("content-type", DICOM)
                if _name(said) != DICOM:
                    raise Unavailable(f"{self._service.name} answers with parts of {said[:60]} instead of {DICOM}")
                body = _body(events)
                yield body
                for _ in body:
                    pass

    def _events(self, response: httpx.Response) -> Iterator[Event]:
        bounds = self._service.bounds
        try:
            boundary = boundary_of(response.headers["content-type"])
            reader = MultipartReader(boundary, Bounds(parts=bounds.instances, part_bytes=bounds.instance_bytes))
            for chunk in self._service.body(response, bounds.instance_bytes * bounds.instances):
                yield from reader.feed(chunk)
            reader.close()
        except BadRequest as exc:
            raise Unavailable(f"{self._service.name} answers with a body that cannot be read: {exc}") from exc


def _body(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if not isinstance(event, PartBytes):
            return
        yield bytes(event.piece)


def _name(text: str) -> str:
    try:
        return parse_media_type(text).name
    except BadRequest:
        return ""
