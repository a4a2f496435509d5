"""Manifests that lie, and archives that lie about what manifests say: nothing wrong is shown, and all of it is said."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import MRImageStorage

from tests.archives import Backend, put, ready
from tests.objects import ct, part10
from tests.routing.manifests import evidence, kos, written
from tests.routing.servers import Behave, answer, multipart, says, serving
from vna.app import Application, build
from vna.model.access import SYSTEM
from vna.model.errors import Unavailable
from vna.model.instances import Instance, Selection
from vna.model.manifests import Download, Manifest, State
from vna.model.sources import RemoteArchive, Source

STUDY, LOCATION = "1.2.826.8", "1.2.826.8.99"
SERIES = f"{STUDY}.1"
UIDS = tuple(f"{SERIES}.{n}" for n in range(1, 4))
NAMED = {SERIES: UIDS}
MULTIPART = 'multipart/related; type="application/dicom"; boundary=b'


@pytest.fixture
def archive(tmp_path: Path) -> Application:
    settings = Backend("sqlite+folder", tmp_path).settings(federation={"wait_timeout": 20})
    ready(settings)
    return build(settings)


@pytest.fixture(autouse=True)
def _closed(archive: Application) -> Iterator[None]:
    yield
    archive.close()


def read(archive: Application, manifest: Dataset) -> Manifest:
    put(archive, written(manifest))
    archive.catch_up()
    return archive.manifests.get(SYSTEM, manifest.SOPInstanceUID)


def known(archive: Application, study: str = STUDY) -> list[Instance]:
    found = archive.retrieval.instances(SYSTEM, Selection(study_uids=(study,)))
    return [one for one in found if not one.is_here]


def image(uid: str, **elements: object) -> bytes:
    return part10(ct(**{"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "SOPInstanceUID": uid, **elements}))


def keeper(archive: Application, url: str, name: str = "A", **changes: object) -> None:
    values = {"wado_rs": url, "retrieve_location_uid": LOCATION, **changes}
    archive.sources.add(SYSTEM, Source(name, name, archive=RemoteArchive(**values)))  # type: ignore[arg-type]


# ---- manifests


def test_what_is_named_twice_is_known_once_and_said(archive: Application) -> None:
    twice = kos(STUDY, {SERIES: (*UIDS, UIDS[0])}, location=LOCATION)
    manifest = read(archive, twice)
    assert (manifest.named, manifest.problems) == (3, (f"the instance {UIDS[0]} is named twice",))
    assert len(known(archive)) == 3


def test_an_instance_named_in_two_series_is_in_the_first(archive: Application) -> None:
    manifest = read(archive, kos(STUDY, {SERIES: UIDS, f"{STUDY}.2": UIDS[:1]}, location=LOCATION))
    assert manifest.problems == (f"the instance {UIDS[0]} is named in two ways",)
    assert {one.series_instance_uid for one in known(archive)} == {SERIES}


def test_a_manifest_that_names_itself_leads_nowhere(archive: Application) -> None:
    loop = kos(STUDY, NAMED, location=LOCATION)
    loop.CurrentRequestedProcedureEvidenceSequence.append(
        evidence(STUDY, {loop.SeriesInstanceUID: [loop.SOPInstanceUID]}, LOCATION, "")
    )
    manifest = read(archive, loop)
    assert (manifest.named, manifest.problems) == (3, ("the manifest names itself",))


def test_a_manifest_of_manifests_is_not_followed_further(archive: Application) -> None:
    """What is fetched and is a manifest again is an instance, and nothing else."""
    inner = kos(STUDY, NAMED, location=LOCATION, SeriesInstanceUID=f"{STUDY}.9")
    outer = kos(STUDY, {f"{STUDY}.9": [inner.SOPInstanceUID]}, location=LOCATION, sop_class=inner.SOPClassUID)
    read(archive, outer)
    with serving(says(answer("200 OK", multipart(written(inner)), Content_Type=MULTIPART))) as server:
        keeper(archive, f"{server.url}/rs")
        (one,) = known(archive)
        archive.retrieval.part10(SYSTEM, one).read()
        archive.on_demand.settle()
    archive.catch_up()
    assert [m.sop_instance_uid for m in archive.manifests.listed(SYSTEM)] == [outer.SOPInstanceUID]
    assert known(archive) == []


def test_a_manifest_without_instances_is_refused_and_shown_so(archive: Application) -> None:
    empty = kos(STUDY, {}, location=LOCATION)
    manifest = read(archive, empty)
    assert (manifest.state, manifest.problems) == (State.REFUSED, ("the manifest names no instance",))


def test_a_key_image_note_is_no_manifest(archive: Application) -> None:
    put(archive, written(kos(STUDY, NAMED, location=LOCATION, title="113000")))
    archive.catch_up()
    assert known(archive) == []
    assert list(archive.manifests.listed(SYSTEM)) == []


def test_series_of_another_facilitys_archive_are_left_out_and_said(archive: Application) -> None:
    archive.sources.add(
        SYSTEM,
        Source(
            "B", "B", facility="999", archive=RemoteArchive(wado_rs="http://127.0.0.1:9", retrieve_location_uid="1.9")
        ),
    )
    mixed = kos(STUDY, NAMED, location=LOCATION)
    mixed.CurrentRequestedProcedureEvidenceSequence.append(evidence("1.2.826.8.7", {"1.2.826.8.7.1": UIDS}, "1.9", ""))
    mixed.CurrentRequestedProcedureEvidenceSequence[1].ReferencedSeriesSequence[0].ReferencedSOPSequence[
        0
    ].ReferencedSOPInstanceUID = "1.2.826.8.7.1.1"
    manifest = read(archive, mixed)
    assert any("an archive of facility 999, while the manifest is of 500059" in one for one in manifest.problems)
    assert known(archive, "1.2.826.8.7") == []
    assert len(known(archive)) == 3


def test_two_manifests_that_disagree_the_first_word_stands(archive: Application) -> None:
    read(archive, kos(STUDY, NAMED, location=LOCATION))
    second = kos("1.2.826.8.5", {"1.2.826.8.5.1": UIDS[:2]}, location=LOCATION)
    manifest = read(archive, second)
    assert any("2 instances of the series 1.2.826.8.5.1 are known under another study" in p for p in manifest.problems)
    assert {one.series_instance_uid for one in known(archive)} == {SERIES}
    assert known(archive, "1.2.826.8.5") == []


def test_an_image_that_really_is_in_another_series_is_filed_where_it_says(archive: Application) -> None:
    read(archive, kos(STUDY, NAMED, location=LOCATION))
    put(archive, image(UIDS[0], SeriesInstanceUID=f"{STUDY}.3"))
    found = archive.retrieval.instances(SYSTEM, Selection(study_uids=(STUDY,), series_uids=(f"{STUDY}.3",)))
    assert [one.sop_instance_uid for one in found] == [UIDS[0]]
    assert {one.sop_instance_uid for one in known(archive)} == set(UIDS[1:])


def test_a_hundred_thousand_references_are_known_in_bounded_time(archive: Application) -> None:
    began = time.monotonic()
    many = {f"{STUDY}.{n}": [f"{STUDY}.{n}.{k}" for k in range(1, 2001)] for n in range(1, 51)}
    manifest = read(archive, kos(STUDY, many, location=LOCATION))
    assert manifest.named == 100_000
    assert time.monotonic() - began < 60
    assert archive.status.counts(SYSTEM)["instances"] == 100_001


# ---- archives


def stalls(sock: socket.socket, _head: bytes) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom\r\nContent-Length: 9999\r\n\r\n" + b"x" * 100)
    time.sleep(1)  # and closes half way


LIES: dict[str, tuple[Behave, str]] = {
    "a page instead of an image": (says(answer("200 OK", b"<html>", Content_Type="text/html")), "text/html"),
    "an error text with 200": (says(answer("200 OK", b"no such study", Content_Type="text/plain")), "text/plain"),
    "half of it": (stalls, "A by WADO-RS"),
    "another instance": (
        says(answer("200 OK", multipart(image(f"{SERIES}.77")), Content_Type=MULTIPART)),
        "another instance",
    ),
    "another study": (
        says(answer("200 OK", multipart(image(UIDS[0], StudyInstanceUID="1.9")), Content_Type=MULTIPART)),
        "another study",
    ),
    "another SOP Class": (
        says(answer("200 OK", multipart(image(UIDS[0], SOPClassUID=MRImageStorage)), Content_Type=MULTIPART)),
        "SOP Class",
    ),
    "no DICOM": (says(answer("200 OK", multipart(b"x" * 4096), Content_Type=MULTIPART)), "no DICOM object"),
    "a cut instance": (
        says(answer("200 OK", multipart(image(UIDS[0])[:-300]), Content_Type=MULTIPART)),
        "refused",
    ),
    "a redirect to somebody else": (
        says(answer("302 Found", Location="http://127.0.0.2:9/studies")),
        "A by WADO-RS",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_who_lies_is_named_and_nothing_of_it_is_kept(archive: Application, lie: str) -> None:
    behave, words = LIES[lie]
    read(archive, kos(STUDY, NAMED, location=LOCATION))
    with serving(behave) as server:
        keeper(archive, f"{server.url}/rs")
        (one,) = (each for each in known(archive) if each.sop_instance_uid == UIDS[0])
        with pytest.raises(Unavailable) as failure:
            archive.retrieval.part10(SYSTEM, one)
        archive.on_demand.settle()
    assert words in str(failure.value)
    assert len(known(archive)) == 3
    (manifest,) = archive.manifests.listed(SYSTEM)
    assert manifest.download is Download.NOT_DOWNLOADED
    assert words in manifest.reason
    assert [each for each in archive.care.verify(SYSTEM) if each.damage is not None] == []


@pytest.mark.parametrize("lie", LIES)
def test_behind_who_lies_the_next_archive_is_asked(archive: Application, lie: str) -> None:
    behave, _ = LIES[lie]
    read(archive, kos(STUDY, NAMED, location=LOCATION))
    with serving(behave) as liar, serving(honest) as other:
        keeper(archive, f"{liar.url}/rs", priority=10)
        keeper(archive, f"{other.url}/rs", "B")
        for one in known(archive):
            assert archive.retrieval.part10(SYSTEM, one).read() == image(one.sop_instance_uid)
        archive.on_demand.settle()
    assert known(archive) == []


def honest(sock: socket.socket, head: bytes) -> None:
    path = head.split()[1].decode()
    wanted = [uid for uid in UIDS if path.endswith(f"/instances/{uid}")] or UIDS
    sock.sendall(answer("200 OK", multipart(*map(image, wanted)), Content_Type=MULTIPART))


def test_more_than_the_manifest_names_is_left(archive: Application) -> None:
    named = [f"{SERIES}.{n}" for n in range(1, 8)]
    read(archive, kos(STUDY, {SERIES: named}, location=LOCATION))
    body = multipart(image(f"{SERIES}.50"), *map(image, named), image(f"{SERIES}.51"))
    with serving(says(answer("200 OK", body, Content_Type=MULTIPART))) as server:
        keeper(archive, f"{server.url}/rs")
        archive.on_demand.bring(known(archive))
        archive.on_demand.settle()
    found = archive.retrieval.instances(SYSTEM, Selection(study_uids=(STUDY,), series_uids=(SERIES,)))
    assert {one.sop_instance_uid for one in found if one.is_here} == set(named)


def test_content_that_changed_elsewhere_is_taken_and_logged(
    archive: Application, caplog: pytest.LogCaptureFixture
) -> None:
    read(archive, kos(STUDY, {SERIES: UIDS[:1]}, location=LOCATION))
    content: list[bytes] = [image(UIDS[0])]

    def behave(sock: socket.socket, _head: bytes) -> None:
        sock.sendall(answer("200 OK", multipart(content[0]), Content_Type=MULTIPART))

    with serving(behave) as server:
        keeper(archive, f"{server.url}/rs")
        (one,) = known(archive)
        archive.retrieval.part10(SYSTEM, one).read()
        archive.on_demand.settle()
        _let_all_go(archive)
        content[0] = image(UIDS[0], PatientComments="changed")
        (one,) = known(archive)
        assert archive.retrieval.part10(SYSTEM, one).read() == content[0]
        archive.on_demand.settle()
    assert "content changed elsewhere" in caplog.messages


def _let_all_go(archive: Application) -> None:
    from storage.index import elsewhere

    with archive.database.transaction() as connection:
        elsewhere.let_go(connection, list(UIDS))
