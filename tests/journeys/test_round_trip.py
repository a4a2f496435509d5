"""Every sample file goes in through C-STORE and through STOW-RS, and comes out of C-MOVE, C-GET and WADO-RS equal."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context, build_role

from storage.metadata import scan
from storage.part10 import read_file_meta
from tests.archives import LiveArchive, make_backend, start_archive
from tests.peers import samples
from tests.peers.processes import free_port
from vna.model.errors import VnaError
from vna.model.identifiers import require_uid

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
]

REFUSED = {
    # what is refused, and why; every other sample has to be taken
    "SOPInstanceUID is missing": "a data set without identity",
    "SOPClassUID is missing": "a data set without identity",
    "StudyInstanceUID is missing": "belongs to no study: DICOMDIR, worklist answers, fragments of data sets",
    "SeriesInstanceUID is missing": "belongs to no series",
    "is not a UID": "malformed identity",
    "is longer than 64": "malformed identity",
    "truncated": "the file is cut short",
    "no DICOM file": "no preamble, no group 2 and no group 8",
    "runs past the end": "a length that lies",
    "its transfer syntax says otherwise": "written in another form than group 2 says: nobody could read it",
    "never ends": "a sequence without its end",
}


@dataclass(slots=True)
class Sample:
    path: Path
    data: bytes
    dataset_offset: int
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str


def _identify(path: Path) -> Sample | str:
    """The sample, or in words why it is none that can be stored; by pydicom, not by the archive."""
    data = path.read_bytes()
    try:
        meta = read_file_meta(data)
        scan(data, meta)
        ds = dcmread(path, force=True, stop_before_pixels=True)
        uids = [
            require_uid(str(ds.get(keyword, "") or ""), keyword)
            for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
        ]
    except VnaError as exc:
        return str(exc)
    return Sample(path, data, meta.dataset_offset, uids[0], uids[1], uids[2], meta.transfer_syntax_uid)


@dataclass(slots=True)
class Collection:
    """Storable samples, one per SOP Instance UID (several samples share one), and what is not storable."""

    samples: dict[str, Sample] = field(default_factory=dict)
    refused: dict[Path, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def collection() -> Collection:
    made = Collection()
    for path in samples.all_files():
        found = _identify(path)
        if isinstance(found, str):
            made.refused[path] = found
        else:
            made.samples.setdefault(found.sop_instance_uid, found)
    return made


@pytest.fixture(scope="module", params=("sqlite+folder", "postgresql+seaweedfs"))
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    backend = make_backend(request.param, request, tmp_path_factory.mktemp("live"))
    archive = start_archive(backend, DIMSE__UNKNOWN_SOP_CLASSES="true")
    yield archive
    archive.stop()


def test_what_is_not_storable_is_not_storable_for_a_stated_reason(collection: Collection) -> None:
    unexplained = {
        path.name: reason
        for path, reason in collection.refused.items()
        if not any(known in reason for known in REFUSED)
    }
    assert unexplained == {}
    assert len(collection.samples) > 50


def _dataset_bytes(sample: Sample) -> bytes:
    return sample.data[sample.dataset_offset :]


def _store_all(live: LiveArchive, collection: Collection) -> dict[str, int]:
    """C-STORE of the data sets' own bytes, each in its own syntax, by pynetdicom; statuses by SOP Instance UID."""
    statuses: dict[str, int] = {}
    todo = list(collection.samples.values())
    for start in range(0, len(todo), 60):
        batch = todo[start : start + 60]
        ae = AE(ae_title="SAMPLES")
        pairs = {(sample.sop_class_uid, sample.transfer_syntax_uid) for sample in batch}
        for sop_class, syntax in sorted(pairs):
            ae.add_requested_context(sop_class, syntax)
        assoc = ae.associate("127.0.0.1", live.dimse_port)
        assert assoc.is_established
        for sample in batch:
            statuses[sample.sop_instance_uid] = _send_raw(assoc, sample)
        assoc.release()
    return statuses


def _send_raw(assoc: Any, sample: Sample) -> int:
    from pynetdicom.dimse_primitives import C_STORE

    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = UID(sample.sop_class_uid)
    request.AffectedSOPInstanceUID = UID(sample.sop_instance_uid)
    request.Priority = 2
    request.DataSet = io.BytesIO(_dataset_bytes(sample))
    context = next(
        cx
        for cx in assoc.accepted_contexts
        if cx.abstract_syntax == sample.sop_class_uid and cx.transfer_syntax[0] == sample.transfer_syntax_uid
    )
    assoc._reactor_checkpoint.clear()
    while not assoc._is_paused:
        pass
    try:
        assoc.dimse.send_msg(request, context.context_id)
        _, answer = assoc.dimse.get_msg(block=True)
    finally:
        assoc._reactor_checkpoint.set()
    return int(answer.Status)


@pytest.fixture(scope="module")
def statuses(live: LiveArchive, collection: Collection) -> dict[str, int]:
    """Every sample has been stored by C-STORE, whichever test comes first."""
    return _store_all(live, collection)


def test_c_store_takes_every_storable_sample(statuses: dict[str, int]) -> None:
    assert {uid: hex(status) for uid, status in statuses.items() if status} == {}


@pytest.mark.usefixtures("statuses")
def test_stow_takes_every_sample_again_as_identical_content_or_refuses_it_for_the_stated_reason(
    live: LiveArchive, collection: Collection
) -> None:
    for sample in collection.samples.values():
        answer = _stow(live, sample.data)
        assert answer.status_code in (200, 202), (sample.path.name, answer.text)  # 202: stored, with a warning
        assert "00081198" not in answer.json(), (sample.path.name, answer.text)
    for path in list(collection.refused)[:40]:
        answer = _stow(live, path.read_bytes())
        assert answer.status_code in (400, 409), (path.name, answer.status_code)


def _stow(live: LiveArchive, data: bytes) -> httpx.Response:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    return httpx.post(f"{live.dicomweb}/studies", content=body, headers={"Content-Type": kind}, timeout=60)


@pytest.mark.usefixtures("statuses")
def test_wado_rs_gives_every_sample_back_byte_for_byte(live: LiveArchive, collection: Collection) -> None:
    with httpx.Client(timeout=60) as client:
        for uid, sample in collection.samples.items():
            found = client.get(f"{live.dicomweb}/instances", params={"SOPInstanceUID": uid}).json()
            url = found[0]["00081190"]["Value"][0]
            accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
            (out,) = _parts(client.get(url, headers={"Accept": accept}))
            _assert_equal(out, sample)


def _parts(answer: httpx.Response) -> list[bytes]:
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + answer.content)
    return [_payload(answer, n) for n in range(len(message.get_payload()))]


def _payload(answer: httpx.Response, number: int) -> bytes:
    """email decodes binary bodies lossily, so the part is cut out by its boundary."""
    boundary = answer.headers["content-type"].split("boundary=")[1].split(";")[0].strip('"').encode()
    part = (b"\r\n" + answer.content).split(b"\r\n--" + boundary)[number + 1]
    return part.split(b"\r\n\r\n", 1)[1]


def _assert_equal(out: bytes, sample: Sample) -> None:
    """The data set byte for byte: then every element and every pixel is equal."""
    meta = read_file_meta(out)
    assert meta.transfer_syntax_uid == sample.transfer_syntax_uid, sample.path.name
    assert out[meta.dataset_offset :] == _dataset_bytes(sample), sample.path.name


class _Receiver:
    """A storage SCP that keeps encoded data sets by SOP Instance UID, in any syntax."""

    def __init__(self) -> None:
        self.got: dict[str, tuple[str, bytes]] = {}

    def take(self, event: evt.Event) -> int:
        request: Any = event.request
        self.got[str(request.AffectedSOPInstanceUID)] = (
            str(event.context.transfer_syntax),
            request.DataSet.getvalue(),
        )
        return 0x0000


def _assert_received(receiver: _Receiver, collection: Collection, wanted: list[Sample]) -> None:
    for sample in wanted:
        syntax, data = receiver.got[sample.sop_instance_uid]
        assert syntax == sample.transfer_syntax_uid, sample.path.name
        assert data == _dataset_bytes(sample), sample.path.name


def _batches(collection: Collection) -> Iterator[list[Sample]]:
    """So many that their presentation contexts fit one association."""
    todo = sorted(collection.samples.values(), key=lambda s: (s.sop_class_uid, s.transfer_syntax_uid))
    for start in range(0, len(todo), 100):
        yield todo[start : start + 100]


@pytest.mark.usefixtures("statuses")
def test_c_get_gives_every_sample_back_byte_for_byte(live: LiveArchive, collection: Collection) -> None:
    for batch in _batches(collection):
        receiver = _Receiver()
        ae = AE(ae_title="GETTER")
        ae.add_requested_context("1.2.840.10008.5.1.4.1.2.2.3")
        classes = sorted({sample.sop_class_uid for sample in batch})
        pairs = sorted({(sample.sop_class_uid, sample.transfer_syntax_uid) for sample in batch})
        ae.requested_contexts = [*ae.requested_contexts, *(build_context(uid, syntax) for uid, syntax in pairs)]
        roles: list[Any] = [build_role(uid, scp_role=True) for uid in classes]
        assoc = ae.associate(
            "127.0.0.1", live.dimse_port, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, receiver.take)]
        )
        assert assoc.is_established
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.SOPInstanceUID = [sample.sop_instance_uid for sample in batch]
        final = list(assoc.send_c_get(query, "1.2.840.10008.5.1.4.1.2.2.3"))[-1][0]
        assoc.release()
        assert final.Status == 0x0000, final
        _assert_received(receiver, collection, batch)


@pytest.fixture
def destination() -> Iterator[tuple[_Receiver, Callable[[list[Sample]], int]]]:
    servers: list[Any] = []
    receiver = _Receiver()

    def start(batch: list[Sample]) -> int:
        from pynetdicom.service_class import StorageServiceClass
        from pynetdicom.sop_class import register_uid, uid_to_service_class

        for uid in {sample.sop_class_uid for sample in batch}:
            if uid_to_service_class(uid) is not StorageServiceClass:  # a class that only the samples know
                register_uid(uid, f"Sample{uid.replace('.', '')}", StorageServiceClass)
        ae = AE(ae_title="MOVEDEST")
        for sop_class in {sample.sop_class_uid for sample in batch}:
            syntaxes = sorted({s.transfer_syntax_uid for s in batch if s.sop_class_uid == sop_class})
            ae.add_supported_context(sop_class, syntaxes)
        port = free_port()
        servers.append(
            ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, receiver.take)])
        )
        return port

    yield receiver, start
    for server in servers:
        server.shutdown()


@pytest.mark.usefixtures("statuses")
def test_c_move_gives_every_sample_back_byte_for_byte(
    live: LiveArchive, collection: Collection, destination: tuple[_Receiver, Callable[[list[Sample]], int]]
) -> None:
    receiver, start = destination
    port = start(list(collection.samples.values()))
    live.vna("ae", "add", "MOVEDEST", "--host", "127.0.0.1", "--port", str(port))
    import time

    time.sleep(2.5)  # workers read the table of AE titles again within two seconds
    for batch in _batches(collection):
        ae = AE(ae_title="MOVER")
        ae.add_requested_context("1.2.840.10008.5.1.4.1.2.2.2")
        assoc = ae.associate("127.0.0.1", live.dimse_port)
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.SOPInstanceUID = [sample.sop_instance_uid for sample in batch]
        final = list(assoc.send_c_move(query, "MOVEDEST", "1.2.840.10008.5.1.4.1.2.2.2"))[-1][0]
        assoc.release()
        assert final.Status == 0x0000, final
        _assert_received(receiver, collection, batch)


@pytest.mark.usefixtures("statuses")
def test_afterwards_every_object_is_sound(live: LiveArchive) -> None:
    said = live.vna("verify")
    assert said.returncode == 0, said.stdout + said.stderr


warnings.filterwarnings("ignore", module="pydicom")
