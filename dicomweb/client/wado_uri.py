"""WADO-URI as user agent: instances one by one (PS3.18 9.4)."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from dicomweb.client.service import Service
from dicomweb.client.wado_rs import DICOM, NOBODYS_UID
from vna.archive.arriving import Answer
from vna.model.errors import NotAcceptable, NotFound, Rejected
from vna.model.sources import Fetched, StudyPart


class WadoUri:
    """Fetches from one archive, which chooses the transfer syntax (PS3.18 9.4.1.2.3: most give Explicit VR)."""

    by_name: Final = True

    def __init__(self, service: Service) -> None:
        self._service = service

    def verify(self) -> None:
        """Ask for what nobody has: an answer that says so is one."""
        with suppress(NotFound):
            part = StudyPart(NOBODYS_UID, NOBODYS_UID, (NOBODYS_UID,))
            for _ in self._given(part, NOBODYS_UID, Answer(self._service.name, part, self._service.bounds)):
                raise Rejected(f"{self._service.name} gives something for an instance that is not there")

    def fetch(self, part: StudyPart) -> Iterator[Fetched]:
        """Instances, one after the other. NotAcceptable when none are named."""
        if not part.series_instance_uid or not part.sop_instance_uids:
            raise NotAcceptable(f"{self._service.name} gives only instances that are named, by WADO-URI")
        answer = Answer(self._service.name, part, self._service.bounds)
        for uid in part.sop_instance_uids:
            try:
                yield from self._given(part, uid, answer)
            except NotFound:
                continue  # the others may be there; the answer's end says which are not
        answer.finish()

    def _given(self, part: StudyPart, uid: str, answer: Answer) -> Iterator[Fetched]:
        query = (
            ("requestType", "WADO"),
            ("studyUID", part.study_instance_uid),
            ("seriesUID", part.series_instance_uid),
            ("objectUID", uid),
            ("contentType", DICOM),
        )
        service = self._service.at(part.priority)
        with service.get("", DICOM, query) as response:
            service.media_type(response, DICOM)
            yield answer.take(service.body(response, service.bounds.instance_bytes))
