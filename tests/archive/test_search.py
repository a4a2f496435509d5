"""Search finds what an independent evaluation of the same keys over the same data sets finds, on both databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement

from storage.index import answers
from tests.archive.held import AE_TITLE, EXPLICIT_LITTLE, Archive, sqlite_archive
from tests.archive.oracle import Asked, Held, Modes, wild
from tests.archive.population import population
from tests.archive.questions import question
from tests.archives import Backend, put, ready
from tests.objects import ct, part10
from vna.app import build
from vna.archive.search import Search
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.dates import normal_date, normal_time
from vna.model.dictionary import path_of
from vna.model.errors import BadRequest, NotAuthorized
from vna.model.query import Key, Level, Match, Query, SearchPage
from vna.security.policy import EnforcedPolicy

SEED = 20231119
HELD = Held(population(SEED))


DATABASES = ("sqlite", "postgresql")


def new_archive(database: str, request: pytest.FixtureRequest, folder: Path) -> Archive:
    if database == "sqlite":
        return sqlite_archive(folder)
    return Archive(request.getfixturevalue("postgres_server").new_database(), folder / "blobs")


@pytest.fixture(scope="module", params=DATABASES)
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Holds the population; nobody adds to it."""
    filled = new_archive(request.param, request, tmp_path_factory.mktemp("search"))
    filled.put(HELD.datasets)
    yield filled
    filled.close()


@pytest.fixture(params=DATABASES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    made = new_archive(request.param, request, tmp_path)
    yield made
    made.close()


def key(path: str, vr: str, *values: str) -> Key:
    return Key(path_of(path), vr, values)


def keys_of(asked: Sequence[Asked]) -> tuple[Key, ...]:
    return tuple(key(one.path, one.vr, *one.values) for one in asked)


def entity(match: Match) -> str:
    if match.level is not Level.PATIENT:
        return (match.study_instance_uid, match.series_instance_uid, match.sop_instance_uid)[match.level - 1]
    values = {keyword: text(match, tag) for keyword, tag in (("PatientID", "00100020"), ("Issuer", "00100021"))}
    return f"{values['PatientID']}|{values['Issuer']}" if values["PatientID"] else "study:"


def without_study(entity: str) -> str:
    """Patients without identifier cannot be told apart by their attributes."""
    return "study:" if entity.startswith("study:") else entity


def text(match: Match, tag: str) -> Any:
    values = match.elements.get(tag, {}).get("Value")
    return values[0] if values else ""


def found_by(search: Search, level: str, *keys: Key, **options: Any) -> list[str]:
    options.setdefault("returns", frozenset({"00100021"}))
    page = search.find(SYSTEM, Query(Level[level], keys, **options))
    assert not page.capped
    return [entity(match) for match in page.matches]


@pytest.fixture(scope="module")
def questions() -> list[tuple[str, list[Asked], Modes, set[str]]]:
    """Queries with the entities that match."""
    random = Random(SEED)
    asked = [question(random, HELD) for _ in range(300)]
    return [(level, keys, modes, HELD.answers(level, keys, modes)) for level, keys, modes in asked]


@pytest.mark.claim("PS3.18-10.6.2")
def test_answers_equal_an_independent_evaluation(
    archive: Archive, questions: list[tuple[str, list[Asked], Modes, set[str]]]
) -> None:
    for number, (level, asked, modes, expected) in enumerate(questions):
        found = found_by(
            archive.search,
            level,
            *keys_of(asked),
            fuzzy=modes.fuzzy,
            combined_datetime=modes.combined,
            empty_value_matching=modes.empty,
        )
        assert sorted(found) == sorted(map(without_study, expected)), (number, level, asked, modes)


def test_questions_are_both_of_things_held_and_of_others(
    questions: list[tuple[str, list[Asked], Modes, set[str]]],
) -> None:
    narrowing = [expected for _, asked, _, expected in questions if asked]
    assert sum(bool(expected) for expected in narrowing) > 100
    assert sum(not expected for expected in narrowing) > 40


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize(
    "keys",
    [(), (key("PatientName", "PN", "*a*"),), (key("OtherPatientNames", "PN", "*Y*"),)],
    ids=["all", "name", "left"],
)
def test_pages_put_together_are_the_whole_in_its_order(archive: Archive, level: Level, keys: tuple[Key, ...]) -> None:
    whole = archive.search.find(SYSTEM, Query(level, keys)).matches
    pages: list[Match] = []
    while page := archive.search.find(SYSTEM, Query(level, keys, limit=7, offset=len(pages))).matches:
        assert len(page) <= 7
        pages += page
    assert tuple(pages) == whole
    assert len(whole) > 7


def test_newest_studies_come_first(archive: Archive) -> None:
    found = archive.search.find(SYSTEM, Query(Level.STUDY)).matches
    moments = [(normal_date(text(one, "00080020")), normal_time(text(one, "00080030"))) for one in found]
    assert moments == sorted(moments, reverse=True)


def test_instances_of_a_series_come_by_number(archive: Archive) -> None:
    series = max(
        (ds.SeriesInstanceUID for ds in HELD.datasets),
        key=lambda uid: sum(ds.SeriesInstanceUID == uid for ds in HELD.datasets),
    )
    found = archive.search.find(SYSTEM, Query(Level.IMAGE, (key("SeriesInstanceUID", "UI", series),))).matches
    numbers = [text(one, "00200013") for one in found if text(one, "00200013") != ""]
    assert numbers == sorted(numbers)
    assert len(numbers) > 2


def test_the_archives_own_bound_on_matches_is_said(archive: Archive) -> None:
    search = archive.searching(max_matches=5)
    page = search.find(SYSTEM, Query(Level.IMAGE))
    assert (len(page.matches), page.capped, page.cap) == (5, True, "5 matches")
    assert not search.find(SYSTEM, Query(Level.IMAGE, limit=5)).capped
    assert search.find(SYSTEM, Query(Level.IMAGE, limit=6)).capped
    assert not archive.searching(max_matches=len(HELD.datasets)).find(SYSTEM, Query(Level.IMAGE)).capped


def test_the_bound_on_rows_looked_at_is_said_and_kept(archive: Archive) -> None:
    search = archive.searching(max_scanned=20)
    left_to_python = key("OtherPatientNames", "PN", "nobody")
    page = search.find(SYSTEM, Query(Level.IMAGE, (left_to_python,)))
    assert (page.matches, page.capped, page.cap) == ((), True, "20 rows")
    everybody = search.find(
        SYSTEM, Query(Level.IMAGE, (key("OtherPatientNames", "PN", '""'),), empty_value_matching=True)
    )
    assert len(everybody.matches) < 20
    assert not search.find(SYSTEM, Query(Level.IMAGE, (key("PatientID", "LO", "P001"), left_to_python))).capped


def test_a_setting_bounds_the_rows_looked_at(tmp_path: Path) -> None:
    settings = Backend("sqlite+folder", tmp_path).settings(database={"max_scanned": 2})
    ready(settings)
    application = build(settings)
    for _ in range(3):
        put(application, part10(ct(OtherPatientNames="Somebody^Else")))
    page = application.search.find(SYSTEM, Query(Level.IMAGE, (key("OtherPatientNames", "PN", "nobody"),)))
    application.close()
    assert (page.matches, page.cap) == ((), "2 rows")


def test_attributes_of_levels_below_narrow_nothing_and_are_named(archive: Archive) -> None:
    asked = key("Modality", "CS", "CT"), key("SliceThickness", "DS", "1.5"), key("StudyID", "SH", "7")
    page = archive.search.find(SYSTEM, Query(Level.STUDY, asked, returns=frozenset({"00201209", "00080061"})))
    assert page.unsupported == {"00080060", "00180050", "00201209"}
    assert {one.study_instance_uid for one in page.matches} == set(
        found_by(archive.search, "STUDY", key("StudyID", "SH", "7"))
    )


def test_keys_of_levels_above_narrow_instances(archive: Archive) -> None:
    expected = {ds.SOPInstanceUID for ds in HELD.datasets if ds.PatientID == "P002"}
    assert set(found_by(archive.search, "IMAGE", key("PatientID", "LO", "P002"))) == expected


@pytest.mark.parametrize("count", [1, 3, 60, 40_000])
def test_a_list_of_uids_may_have_any_length(archive: Archive, count: int) -> None:
    held = [str(ds.SOPInstanceUID) for ds in HELD.datasets[: min(count, 100)]]
    listed = held + [f"1.9.{number}" for number in range(count - len(held))]
    assert sorted(found_by(archive.search, "IMAGE", key("SOPInstanceUID", "UI", *listed))) == sorted(held)


def test_elements_are_those_of_the_level_and_above(archive: Archive) -> None:
    ds = next(ds for ds in HELD.datasets if ds.get("RequestAttributesSequence") and ds.get("StudyDescription"))
    (match,) = archive.search.find(
        SYSTEM, Query(Level.SERIES, (key("SeriesInstanceUID", "UI", ds.SeriesInstanceUID),), returns=None)
    ).matches
    expected = ds.to_json_dict()
    for tag in ("00100010", "00081030", "00081048", "00400275", "00081070"):
        if tag in expected:
            assert match.elements[tag] == expected[tag], tag
    assert match.study_instance_uid == ds.StudyInstanceUID
    assert match.elements["00080054"]["Value"] == [AE_TITLE]
    assert match.elements["00080056"]["Value"] == ["ONLINE"]
    assert "00200013" not in match.elements


def test_instances_give_what_only_their_header_says(archive: Archive) -> None:
    ds = next(ds for ds in HELD.datasets if "ImageType" in ds and "Rows" in ds)
    (match,) = archive.search.find(
        SYSTEM,
        Query(
            Level.IMAGE,
            (key("SOPInstanceUID", "UI", ds.SOPInstanceUID),),
            returns=frozenset({"00080008", "00280010", "00083002"}),
        ),
    ).matches
    assert match.elements["00080008"]["Value"] == list(ds.ImageType)
    assert match.elements["00280010"]["Value"] == [ds.Rows]
    assert match.elements["00083002"]["Value"] == [EXPLICIT_LITTLE]
    assert "00280030" not in match.elements


def test_headers_are_not_read_unless_needed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_packed: bytes) -> None:
        raise AssertionError("a header was read")

    monkeypatch.setattr(answers, "header_elements", never)
    by_date = key("ContentDate", "DA", "20230101-20230102"), key("InstanceNumber", "IS", "1")
    assert archive.search.find(SYSTEM, Query(Level.IMAGE, by_date)).matches
    with pytest.raises(AssertionError, match="a header was read"):
        archive.search.find(SYSTEM, Query(Level.IMAGE, (key("ImageType", "CS", "AXIAL"),)))


def test_modalities_are_never_given_without_a_value(archive: Archive) -> None:
    found = archive.search.find(SYSTEM, Query(Level.STUDY, returns=None)).matches
    assert all(one.elements["00080061"]["Value"] for one in found if "00080061" in one.elements)
    assert len(found) == len({ds.StudyInstanceUID for ds in HELD.datasets})


@pytest.mark.parametrize("asked", ["%", "_", "[x]", "a_b [x]", "*50%", "a_b*", "\\", "|", "'", '"', "[^x]*"])
def test_what_databases_hold_special_is_plain_text(archive: Archive, asked: str) -> None:
    expected = {
        ds.StudyInstanceUID
        for ds in HELD.datasets
        if wild(asked, ds.get("StudyDescription") or "") and "StudyDescription" in ds
    }
    assert set(found_by(archive.search, "STUDY", key("StudyDescription", "LO", asked))) == expected


@pytest.mark.parametrize("asked", ["*a" * 100, "x" * 70_000, "?" * 70_000, "a\0b", "\ud800", "İ" * 300])
@pytest.mark.parametrize(
    ("path", "vr"), [("StudyDescription", "LO"), ("PatientName", "PN"), ("StudyInstanceUID", "UI")]
)
def test_absurd_values_find_nothing(archive: Archive, path: str, vr: str, asked: str) -> None:
    assert found_by(archive.search, "STUDY", key(path, vr, asked)) == []
    assert found_by(archive.search, "STUDY", key(path, vr, asked), fuzzy=True) == []


def test_a_value_that_is_no_date_is_a_bad_request(archive: Archive) -> None:
    with pytest.raises(BadRequest, match="StudyDate"):
        archive.search.find(SYSTEM, Query(Level.STUDY, (key("StudyDate", "DA", "last week"),)))


def test_the_policy_is_asked_before_anything_else(archive: Archive) -> None:
    search = Search(archive.database, EnforcedPolicy(), AE_TITLE)
    nobody = Actor(ActorKind.AE, "STRANGER")
    with pytest.raises(NotAuthorized):
        search.find(nobody, Query(Level.STUDY, (key("StudyDate", "DA", "last week"),)))
    assert search.find(Actor(ActorKind.AE, "PACS", frozenset({Action.QUERY})), Query(Level.STUDY)).matches


def test_outer_spaces_and_stray_bytes_of_values_do_not_hide_them(empty: Archive) -> None:
    ds = deepcopy(HELD.datasets[0])
    odd = {
        "PatientID": " SPACED",
        "AccessionNumber": "  SPACED ",
        "StudyDescription": "cut\0here",
        "PatientName": "A\0B^C",
    }
    for keyword, value in odd.items():
        ds[keyword] = DataElement(keyword, dictionary_VR(keyword), value, validation_mode=config.IGNORE)
    empty.put([ds])
    for path, vr, value in (
        ("PatientID", "LO", "SPACED"),
        ("AccessionNumber", "SH", "SPACED"),
        ("AccessionNumber", "SH", "SPA*"),
        ("StudyDescription", "LO", "cut*here"),
        ("PatientName", "PN", "ab^c"),
    ):
        assert found_by(empty.search, "STUDY", key(path, vr, value)) == [ds.StudyInstanceUID], path


def test_nothing_is_found_in_an_empty_archive(empty: Archive) -> None:
    for level in Level:
        assert empty.search.find(SYSTEM, Query(level, returns=None)) == SearchPage()
