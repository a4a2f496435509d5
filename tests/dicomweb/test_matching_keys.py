"""QIDO-RS: every attribute of Table 10.6.1-5 is matched, at its own level and at those below."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from tests.dicomweb.builders import ROOT, ct
from tests.dicomweb.client import Web
from tests.dicomweb.conftest import Stow

STUDIES = [f"{ROOT}.60.{number}" for number in (1, 2)]
SERIES = [f"{study}.1" for study in STUDIES]
INSTANCES = [f"{series}.1" for series in SERIES]
CLASSES = ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"]

# PS3.18 Table 10.6.1-5, written down apart from the code: the key, and what it is in the first and the second study.
STUDY_KEYS = {
    "StudyDate": ("20240101", "20250202"),
    "StudyTime": ("101010", "202020"),
    "AccessionNumber": ("A100", "B200"),
    "ModalitiesInStudy": ("CT", "MR"),
    "ReferringPhysicianName": ("Yavuz^Cem", "Kaya^Ece"),
    "PatientName": ("Deniz^Mavi", "Toprak^Kara"),
    "PatientID": ("P100", "Q200"),
    "StudyInstanceUID": (STUDIES[0], STUDIES[1]),
    "StudyID": ("S100", "T200"),
}
SERIES_KEYS = {
    "Modality": ("CT", "MR"),
    "SeriesInstanceUID": (SERIES[0], SERIES[1]),
    "SeriesNumber": ("7", "8"),
    "PerformedProcedureStepStartDate": ("20240101", "20250202"),
    "PerformedProcedureStepStartTime": ("101010", "202020"),
    "RequestAttributesSequence.ScheduledProcedureStepID": ("SPS1", "SPS2"),
    "RequestAttributesSequence.RequestedProcedureID": ("RP1", "RP2"),
}
INSTANCE_KEYS = {
    "SOPClassUID": (CLASSES[0], CLASSES[1]),
    "SOPInstanceUID": (INSTANCES[0], INSTANCES[1]),
    "InstanceNumber": ("3", "4"),
}


@pytest.fixture
def held(stow: Stow) -> list[Dataset]:
    """Two studies of one instance, nothing the same."""
    found = []
    for number in range(2):
        plain = {key: pair[number] for key, pair in {**STUDY_KEYS, **SERIES_KEYS, **INSTANCE_KEYS}.items()}
        plain.pop("ModalitiesInStudy")
        item = Dataset()
        for key in [key for key in plain if "." in key]:
            setattr(item, key.partition(".")[2], plain.pop(key))
        found.append(ct(**plain, RequestAttributesSequence=[item]))  # type: ignore[arg-type]
    assert stow(*found).status_code == 200
    return found


def matched(web: Web, path: str, **key: str) -> list[str]:
    response = web.get(path, params=key)
    assert "warning" not in response.headers, response.headers
    found: list[dict[str, Any]] = response.json() if response.content else []
    return [one["0020000D"]["Value"][0] for one in found]


def check(web: Web, paths: tuple[str, ...], key: str, pair: tuple[str, str]) -> None:
    for path in paths:
        for value, study in zip(pair, STUDIES, strict=True):
            assert matched(web, path, **{key: value}) == [study], path
        assert sorted(matched(web, path, **{key: ""})) == STUDIES


@pytest.mark.claim("PS3.18-10.6.1.2/study", "PS3.18-10.6.1.2/above", "PS3.18-8.3.4.1.1/universal")
@pytest.mark.parametrize("key", STUDY_KEYS)
def test_a_key_of_a_study_is_matched_at_every_level(web: Web, held: list[Dataset], key: str) -> None:
    check(web, ("studies", "series", "instances"), key, STUDY_KEYS[key])


@pytest.mark.claim("PS3.18-10.6.1.2/series", "PS3.18-10.6.1.2/above")
@pytest.mark.parametrize("key", SERIES_KEYS)
def test_a_key_of_a_series_is_matched_at_its_level_and_below(web: Web, held: list[Dataset], key: str) -> None:
    check(web, ("series", "instances"), key, SERIES_KEYS[key])
    within = f"studies/{STUDIES[0]}/series", f"studies/{STUDIES[0]}/instances"
    if key != "SeriesInstanceUID":
        for path in within:
            assert matched(web, path, **{key: SERIES_KEYS[key][0]}) == [STUDIES[0]]
            assert matched(web, path, **{key: SERIES_KEYS[key][1]}) == []


@pytest.mark.claim("PS3.18-10.6.1.2/instance")
@pytest.mark.parametrize("key", INSTANCE_KEYS)
def test_a_key_of_an_instance_is_matched_at_its_level(web: Web, held: list[Dataset], key: str) -> None:
    check(web, ("instances",), key, INSTANCE_KEYS[key])
    for path in (f"studies/{STUDIES[0]}/instances", f"studies/{STUDIES[0]}/series/{SERIES[0]}/instances"):
        assert matched(web, path, **{key: INSTANCE_KEYS[key][0]}) == [STUDIES[0]]
        assert matched(web, path, **{key: INSTANCE_KEYS[key][1]}) == []


@pytest.mark.claim("PS3.18-8.3.4.1.1/combined")
@pytest.mark.parametrize(
    ("dates", "times", "studies"),
    [
        ("20240101-20250202", "101010-202020", STUDIES),
        ("20240101-20250202", "101011-202020", STUDIES[1:]),
        ("20240101-20250202", "000000-202019", STUDIES[:1]),
        ("20240101-", "120000-", STUDIES[1:]),
    ],
)
def test_a_range_of_dates_and_one_of_times_are_one_range(
    web: Web, held: list[Dataset], dates: str, times: str, studies: list[str]
) -> None:
    assert sorted(matched(web, "studies", StudyDate=dates, StudyTime=times)) == studies


@pytest.mark.claim("PS3.18-10.6.1.2")
@pytest.mark.parametrize(
    "path",
    [
        "studies",
        "series",
        "instances",
        "studies/{0}/series",
        "studies/{0}/instances",
        "studies/{0}/series/{1}/instances",
    ],
)
def test_every_parameter_of_a_search_is_taken_at_every_address(web: Web, held: list[Dataset], path: str) -> None:
    address = path.format(STUDIES[0], SERIES[0])
    known = {
        "fuzzymatching": "true",
        "emptyvaluematching": "true",
        "multiplevaluematching": "true",
        "includefield": "StudyDescription,PatientBirthDate",
        "limit": "5",
        "offset": "0",
        "PatientName": "mavi deniz",
    }
    assert matched(web, address, **known) == STUDIES[:1]
    assert web.get(address, params=known | {"offset": "1"}).status_code == 204
    assert web.get(address, params=known | {"limit": "-1"}).status_code == 400
