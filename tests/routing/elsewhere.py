"""Archives elsewhere that answer searches as a test says, and an archive of ours that asks them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from pydicom import Dataset
from pynetdicom import AE, evt

from dimse.client.find import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from tests.archives import Backend, put, ready
from tests.objects import ct, part10
from tests.routing.servers import Server, answer, says, serving
from vna.app import Application, build
from vna.model.access import SYSTEM
from vna.model.dictionary import tag_of, vr_of
from vna.model.query import Key, Match, Query, SearchPage
from vna.model.sources import RemoteArchive, Source

JSON = "application/dicom+json"
Handler = Callable[[Any], Iterator[Any]]


def as_json(**values: Any) -> dict[str, Any]:
    """Elements by keyword, as QIDO-RS gives them."""
    found = {}
    for keyword, value in values.items():
        tag = tag_of(keyword) or keyword
        listed = value if isinstance(value, list) else [value]
        if vr_of(tag) == "PN":
            listed = [{"Alphabetic": one} for one in listed]
        found[tag] = {"vr": vr_of(tag), "Value": listed}
    return found


def study(uid: str, **values: Any) -> dict[str, Any]:
    """A study of somebody, found elsewhere."""
    said = {"PatientID": "P1", "PatientName": "Deneme^Ayşe", "StudyDate": "20260102", "StudyTime": "101112"}
    counts = {"NumberOfStudyRelatedSeries": 1, "NumberOfStudyRelatedInstances": 1, "ModalitiesInStudy": ["CT"]}
    return as_json(StudyInstanceUID=uid, **{**said, **counts, **values})


def qido(*matches: dict[str, Any], body: bytes | None = None) -> bytes:
    """Any search answered with these."""
    return answer("200 OK", orjson.dumps(matches) if body is None else body, Content_Type=JSON)


def identifier(**values: Any) -> Dataset:
    """One answer to C-FIND."""
    ds = Dataset()
    for keyword, value in {"QueryRetrieveLevel": "STUDY", "PatientID": "P1", **values}.items():
        setattr(ds, keyword, value)
    return ds


@dataclass
class Entity:
    """An application entity that answers C-FIND: how many associations ended how, and what was asked of it."""

    port: int = 0
    aborted: int = 0
    cancelled: int = 0
    asked: list[Dataset] = field(default_factory=list)


@contextmanager
def finds(handle: Handler) -> Iterator[Entity]:
    """C-FIND answered by `handle`, a generator of status and identifier."""
    entity = Entity()

    def answered(event: Any) -> Iterator[Any]:
        entity.asked.append(event.identifier)
        for response in handle(event):
            if event.is_cancelled:
                entity.cancelled += 1
                yield 0xFE00, None
                return
            yield response

    def aborted(_: Any) -> None:
        entity.aborted += 1

    ae = AE("CITY")
    for uid in (STUDY_ROOT_FIND, PATIENT_ROOT_FIND):
        ae.add_supported_context(uid)
    handlers = [(evt.EVT_C_FIND, answered), (evt.EVT_ABORTED, aborted), (evt.EVT_CONN_CLOSE, lambda _: None)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
    assert server is not None
    entity.port = server.server_address[1]
    try:
        yield entity
    finally:
        server.shutdown()


@dataclass
class Centre:
    """An archive that asks others."""

    application: Application

    def hold(self, uid: str, **values: Any) -> None:
        """One image of a study here."""
        put(self.application, part10(ct(StudyInstanceUID=uid, **values)))

    def knows(self, name: str, **archive: Any) -> None:
        """Another archive becomes known."""
        self.application.sources.add(SYSTEM, Source(name, name, archive=RemoteArchive(**archive)))

    @contextmanager
    def asking(self, *matches: dict[str, Any], name: str = "CITY", body: bytes | None = None) -> Iterator[Server]:
        """While another archive answers every search over HTTP with these."""
        with serving(says(qido(*matches, body=body))) as server:
            self.knows(name, qido_rs=f"{server.url}/rs", wado_rs=f"{server.url}/rs", retrieve_ae_title=f"{name}_AE")
            yield server

    def find(self, query: Query, *names: str) -> SearchPage:
        """Here and there."""
        return self.application.across.find(SYSTEM, query, names)


@contextmanager
def centre(empty: Path, folder: Path, **sections: dict[str, object]) -> Iterator[Centre]:
    """A new one; `empty` is the data folder of an archive with nothing in it."""
    shutil.copytree(empty, folder / "data")
    application = build(Backend("sqlite+folder", folder).settings(**sections))
    try:
        yield Centre(application)
    finally:
        application.close()


def make_empty(folder: Path) -> Path:
    """Made once: migrations take longer than most tests."""
    settings = Backend("sqlite+folder", folder).settings()
    ready(settings)
    return folder / "data"


def uids(page: SearchPage) -> list[str]:
    """Studies, in the order in which they were given."""
    return [match.study_instance_uid for match in page.matches]


def values(match: Match, keyword: str) -> list[Any]:
    """Of one attribute."""
    return list(match.elements.get(tag_of(keyword) or "", {}).get("Value", []))


def key(keyword: str, *texts: str) -> Key:
    """A matching key."""
    tag = tag_of(keyword) or keyword
    return Key((tag,), vr_of(tag), texts)
