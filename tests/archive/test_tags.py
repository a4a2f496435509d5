"""Search tags: filled on the way in and, for what is held already, in the background; searched at their level."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from storage.index import rebuild
from tests.archive.held import Archive
from tests.archive.test_search import found_by, key, new_archive
from tests.objects import ct
from vna.archive.tags import FILL, SearchTags, filling
from vna.jobs.workers import Workers
from vna.model.access import SYSTEM
from vna.model.errors import BadRequest, Conflict, NotFound
from vna.model.query import Level, Query
from vna.security.policy import LocalPolicy


@pytest.fixture(params=["sqlite", "postgresql"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    made = new_archive(request.param, request, tmp_path)
    yield made
    made.close()


@pytest.fixture
def tags(archive: Archive) -> SearchTags:
    return SearchTags(archive.database, LocalPolicy())


def drain(archive: Archive) -> None:
    Workers(archive.database, {FILL: filling(archive.database)}).drain()


def image(**attributes: Any) -> Dataset:
    ds = ct(
        StudyInstanceUID=generate_uid(),
        SeriesInstanceUID=generate_uid(),
        SOPInstanceUID=generate_uid(),
        **attributes,
    )
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def protocol(code: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = code, "Meaning"
    return [item]


SAMPLES: tuple[tuple[str, str, dict[str, Any], list[str], list[str]], ...] = (
    ("DetectorID", "SH", {"DetectorID": "DETECTOR-7"}, ["DETECTOR-7", "*TOR-7", "D?TECTOR*"], ["detector-7", "7"]),
    ("KVP", "DS", {"KVP": "120.0"}, ["120", "120.00"], ["12", "121"]),
    ("DateOfLastCalibration", "DA", {"DateOfLastCalibration": "20240301"}, ["20240301", "20240229-"], ["-20230101"]),
    ("PerformedProtocolCodeSequence.CodeValue", "SH", {"PerformedProtocolCodeSequence": protocol("P5-09051")},
     ["P5-09051", "*09051"], ["P5"]),
    ("ConsultingPhysicianName", "PN", {"ConsultingPhysicianName": "Şahin^İpek"},
     ["sahin*", "*IPEK", "Şahin^İpek"], ["ipek"]),
    ("ImageComments", "LT", {"ImageComments": "as seen before"}, ["*seen*"], ["seen"]),
)  # fmt: skip


@pytest.mark.parametrize("held_before", [True, False], ids=["held", "coming"])
@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.IMAGE])
def test_tags_are_searched_at_their_level(archive: Archive, tags: SearchTags, level: Level, held_before: bool) -> None:
    wanted = image(**{name: value for sample in SAMPLES for name, value in sample[2].items()})
    if held_before:
        archive.put([wanted, image(), image(DetectorID="OTHER")])
    for path, *_ in SAMPLES:
        tags.add(SYSTEM, path, level)
    drain(archive)
    if not held_before:
        archive.put([wanted, image(), image(DetectorID="OTHER")])
    assert all(tag.ready for tag in tags.all(SYSTEM))
    uid = {"STUDY": wanted.StudyInstanceUID, "SERIES": wanted.SeriesInstanceUID, "IMAGE": wanted.SOPInstanceUID}
    for path, vr, _, hits, misses in SAMPLES:
        for below in (one for one in ("STUDY", "SERIES", "IMAGE") if Level[one] >= level):
            for value in hits:
                assert found_by(archive.search, below, key(path, vr, value)) == [uid[below]], (path, value)
            for value in misses:
                assert found_by(archive.search, below, key(path, vr, value)) == [], (path, value)


def test_until_it_is_filled_a_tag_is_not_known(archive: Archive, tags: SearchTags) -> None:
    archive.put([image(DetectorID="D7"), image()])
    asked = Query(Level.STUDY, (key("DetectorID", "SH", "D7"),), returns=frozenset({"0018700A"}))
    tags.add(SYSTEM, "DetectorID")
    page = archive.search.find(SYSTEM, asked)
    assert (len(page.matches), set(page.unsupported)) == (2, {"0018700A"})
    drain(archive)
    page = archive.search.find(SYSTEM, asked)
    assert (len(page.matches), set(page.unsupported)) == (1, set())
    assert page.matches[0].elements["0018700A"]["Value"] == ["D7"]
    tags.remove(SYSTEM, "DetectorID")
    assert archive.search.find(SYSTEM, asked).unsupported == {"0018700A"}


def test_several_steps_fill_a_tag_and_a_crash_between_them_does_no_harm(
    archive: Archive, tags: SearchTags, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vna.archive.tags._STEP", 2)
    held = [image(DetectorID=f"D{number}") for number in range(5)]
    archive.put(held)
    tags.add(SYSTEM, "DetectorID", Level.IMAGE)
    step = filling(archive.database)
    assert step("[1,0]") == step("[1,0]")
    drain(archive)
    for number, ds in enumerate(held):
        assert found_by(archive.search, "IMAGE", key("DetectorID", "SH", f"D{number}")) == [ds.SOPInstanceUID]


def test_an_emptied_index_is_filled_with_tags_as_it_comes_back(archive: Archive, tags: SearchTags) -> None:
    tags.add(SYSTEM, "DetectorID")
    with archive.database.transaction() as connection:
        rebuild.empty(connection)
    archive.store.forget()
    ds = image(DetectorID="D7")
    archive.put([ds, image()])
    assert found_by(archive.search, "STUDY", key("DetectorID", "SH", "D7")) == [ds.StudyInstanceUID]


def test_names_that_are_none_are_refused(archive: Archive, tags: SearchTags) -> None:
    with pytest.raises(BadRequest):
        tags.add(SYSTEM, "NoSuchAttribute")
    with pytest.raises(BadRequest):
        tags.add(SYSTEM, "PatientName", None)
    tags.add(SYSTEM, "DetectorID")
    with pytest.raises(Conflict):
        tags.add(SYSTEM, "0018700A")
    with pytest.raises(NotFound):
        tags.remove(SYSTEM, "KVP")


@pytest.mark.parametrize(
    ("name", "words"), [("PixelData", "holds bytes"), ("PatientComments", "PatientComments is of a patient")]
)
def test_what_cannot_be_a_tag_is_refused_by_name(tags: SearchTags, name: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        tags.add(SYSTEM, name)
