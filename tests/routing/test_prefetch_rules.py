"""Rules of what is fetched ahead: which examinations they are for, which priors they want, when; and bad files."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from vna.model.errors import BadRequest
from vna.model.examinations import Examination
from vna.routing import prefetch_rules
from vna.routing.prefetch_rules import Occasion, Priors, Rule, Rules

TODAY = date(2026, 3, 10)
CHEST = Examination(
    "1.2.1",
    "20260309",
    facility="34001",
    description="BT Göğüs, İntravenöz",
    modalities=frozenset({"CT"}),
    codes=frozenset({"24627-2"}),
    body_parts=frozenset({"CHEST"}),
)
PRIOR = Examination("1.2.2", "20250309", modalities=frozenset({"CT", "SR"}), body_parts=frozenset({"CHEST", "NECK"}))


def test_the_example_loads_and_what_its_comments_say_is_all_there_is() -> None:
    rules = prefetch_rules.named("example")
    assert [rule.name for rule in rules.rule] == [
        "mammography with all earlier ones",
        "cross-sections with the same region",
        "plain films with the same region",
    ]
    text = prefetch_rules.EXAMPLE.read_text()
    for model in (Rules, Rule, Occasion, Priors):
        for name in model.model_fields:
            assert name in text, name


def test_what_the_comments_of_the_example_write_is_a_rule(tmp_path: Path) -> None:
    lines = prefetch_rules.EXAMPLE.read_text().partition("[[rule]]\nname =")[0].splitlines()
    shown = [line.removeprefix("#").strip().partition("      ")[0] for line in lines if line.startswith("#   ")]
    path = tmp_path / "rules.toml"
    path.write_text("\n".join(shown))
    (rule,) = prefetch_rules.read(path).rule
    assert rule.hours == ("19:00-07:00",)
    assert rule.priors == Priors(modalities=("CT", "MR"), same_body_part=True, days=1825)


def test_nothing_is_fetched_ahead_without_a_file() -> None:
    assert prefetch_rules.named("").first(CHEST) is None


@pytest.mark.parametrize(
    ("occasion", "fits"),
    [
        ({}, True),
        ({"modalities": ["MR", "ct"]}, True),
        ({"modalities": ["MR"]}, False),
        ({"facilities": ["34001"]}, True),
        ({"facilities": ["34002"]}, False),
        ({"words": ["toraks", "GÖĞÜS"]}, True),
        ({"words": ["intravenoz"]}, True),
        ({"words": ["mamografi"]}, False),
        ({"codes": ["24627-2"]}, True),
        ({"codes": ["24627"]}, False),
        ({"body_parts": ["chest"]}, True),
        ({"body_parts": ["HEAD"]}, False),
        ({"modalities": ["CT"], "body_parts": ["HEAD"]}, False),
    ],
)
def test_a_rule_is_for_what_fits_all_it_says(occasion: dict[str, list[str]], fits: bool) -> None:
    assert Occasion.model_validate(occasion).fits(CHEST, TODAY) is fits


@pytest.mark.parametrize(("made", "fits"), [("20260303", True), ("20260302", False), ("", True), ("nonsense", True)])
def test_an_old_examination_is_no_patient_who_comes(made: str, fits: bool) -> None:
    assert Occasion().fits(replace(CHEST, date=made), TODAY) is fits


@pytest.mark.parametrize(
    ("wanted", "prior", "fits"),
    [
        ({}, PRIOR, True),
        ({}, replace(PRIOR, study_instance_uid="1.2.1"), False),
        ({"modalities": ["CT"]}, PRIOR, True),
        ({"modalities": ["MR"]}, PRIOR, False),
        ({"modalities": ["MR"]}, replace(PRIOR, modalities=frozenset()), True),
        ({"same_body_part": True}, PRIOR, True),
        ({"same_body_part": True}, replace(PRIOR, body_parts=frozenset({"HEAD"})), False),
        ({"same_body_part": True}, replace(PRIOR, body_parts=frozenset()), True),
        ({"days": 365}, PRIOR, True),
        ({"days": 364}, PRIOR, False),
        ({"days": 364}, replace(PRIOR, date=""), False),
        ({}, replace(PRIOR, date=""), True),
    ],
)
def test_a_prior_is_wanted_that_fits_all_a_rule_says(wanted: dict[str, object], prior: Examination, fits: bool) -> None:
    assert Priors.model_validate(wanted).fits(prior, CHEST, TODAY) is fits


def test_the_first_rule_that_fits_decides() -> None:
    rules = Rules.model_validate(
        {
            "rule": [
                {"name": "a", "examination": {"modalities": ["MR"]}},
                {"name": "b", "examination": {"modalities": ["CT"], "within_days": 100_000}},
                {"name": "c", "examination": {"within_days": 100_000}},
            ]
        }
    )
    found = rules.first(CHEST)
    assert found is not None
    assert found.name == "b"
    assert rules.first(replace(CHEST, modalities=frozenset({"US"}))) == rules.rule[2]


ISTANBUL = ZoneInfo("Europe/Istanbul")


@pytest.mark.parametrize(
    ("hours", "at", "opens"),
    [
        ([], "12:00", "12:00"),
        (["19:00-07:00"], "06:59", "06:59"),
        (["19:00-07:00"], "07:00", "19:00"),
        (["19:00-07:00"], "23:00", "23:00"),
        (["12:00-13:00", "17:00-18:00"], "13:00", "17:00"),
        (["12:00-13:00", "17:00-18:00"], "18:00", "+12:00"),
    ],
)
def test_hours_say_when(hours: list[str], at: str, opens: str) -> None:
    rule = Rule.model_validate({"name": "a", "hours": hours})
    day = "11" if opens.startswith("+") else "10"
    now = datetime.fromisoformat(f"2026-03-10T{at}").replace(tzinfo=ISTANBUL)
    assert rule.opens(now) == datetime.fromisoformat(f"2026-03-{day}T{opens.lstrip('+')}").replace(tzinfo=ISTANBUL)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no rule: it begins with [[rule]]"),
        ("[[rule]", "cannot be read as rules of what is fetched ahead: "),
        ("[[rule]]\nname = 'a'\nsource = ['CITY']", "rule[1].source: there is no such key"),
        ("[[rule]]\nname = 'a'\n[rule.priors]\nmost_bytes = 5", "rule[1].priors.most_bytes: there is no such key"),
        ("[[rule]]", "rule[1].name: Field required"),
        ("[[rule]]\nname = ' '", "rule[1].name: an empty text says nothing"),
        ("[[rule]]\nname = 'a'\n[[rule]]\nname = 'a'", "rule: two rules are called 'a'"),
        ("[[rule]]\nname = 'a'\nsources = 'CITY'", 'rule[1].sources: this is a list, such as ["CT"]'),
        ("[[rule]]\nname = 'a'\nsources = ['']", "rule[1].sources[1]: an empty text says nothing"),
        ("[[rule]]\nname = 'a'\n[rule.examination]\nmodalities = [7]", "modalities[1]: should be a valid string"),
        ("[[rule]]\nname = 'a'\nhours = ['7-19']", "rule[1].hours: 7-19 is no part of the day: write 19:00-07:00"),
        ("[[rule]]\nname = 'a'\nhours = ['24:00-07:00']", "24:00-07:00 is no part of the day"),
        ("[[rule]]\nname = 'a'\nhours = ['07:00-07:00']", "07:00-07:00 is no part of the day"),
        ("[[rule]]\nname = 'a'\n[rule.priors]\nmost_studies = 0", "most_studies: should be greater than or equal to 1"),
        ("[[rule]]\nname = 'a'\n[rule.priors]\ndays = '30'", "rule[1].priors.days: should be a valid integer"),
        ("[[rule]]\nname = 'a'\n[rule.priors]\nsame_body_part = 'yes'", "same_body_part: should be a valid boolean"),
        ("time_zone = 'Mars'\n[[rule]]\nname = 'a'", "time_zone: a time zone looks like Europe/Istanbul"),
        ("time_zone = '../etc'\n[[rule]]\nname = 'a'", "time_zone: a time zone looks like Europe/Istanbul"),
        ("rule = 5", "rule: should be a valid tuple"),
    ],
)
def test_a_bad_file_is_one_line_that_names_the_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(BadRequest) as refused:
        prefetch_rules.read(path)
    said = str(refused.value)
    assert said.startswith(str(path))
    assert words in said
    assert "\n" not in said


def test_a_file_that_is_not_there_or_no_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read as rules"):
        prefetch_rules.read(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadRequest, match="cannot be read as rules"):
        prefetch_rules.read(tmp_path / "binary.toml")
