"""Each rule holds from its day on, by the ordering date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worklist.ordering import order
from vna.model import profile
from vna.model.errors import BadRequest
from vna.model.orders import Coded
from vna.model.profile import Profile
from vna.model.profile.periods import Period, Unit
from vna.teleradiology.reasons import REASONS, Status, status_of
from vna.teleradiology.rules import Facts, Rules
from vna.teleradiology.windows import Windows, parse


@dataclass(frozen=True)
class Row:
    """A code of a list."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        return self.values.get(name, "")


class Lists:
    """Code lists of a test."""

    def __init__(self, **lists: dict[str, dict[str, str]]) -> None:
        self._lists = lists

    def find(self, list_name: str, code: str) -> Row | None:
        found = self._lists.get(list_name, {}).get(code)
        return None if found is None else Row(code, found)

    def has(self, list_name: str) -> bool:
        return list_name in self._lists


def rules(lists: Lists | None = None, windows: Path | None = None, **changes: Any) -> Rules:
    said = profile.read()
    if changes:
        said = Profile.model_validate({**said.model_dump(), "rules": {**said.rules.model_dump(), **changes}})
    return Rules(said, lists or Lists(), Windows(windows))


def whole(**changes: Any) -> Facts:
    """An order of which nothing is missing."""
    facts = Facts(order(), has_images=True, has_report=True, has_dose=True)
    return replace(facts, **changes)


def broken(facts: Facts, on: str, by: Rules | None = None) -> set[str]:
    """What an order of that day is not complete for."""
    ordered = replace(facts.order, requested_at=on.replace("-", "") + "120000"[: 14 - len(on.replace("-", ""))])
    return set((by or rules()).broken(replace(facts, order=ordered)))


ENDOSCOPY = order(modality="ES")
FIRST_DAYS = (
    ("no-images", "2018-08-01", whole(has_images=False)),
    ("no-report", "2018-11-01", whole(has_report=False)),
    ("duplicate", "2019-01-01", whole(is_repeated=True)),
    ("not-looked", "2020-02-01", whole(is_repeated=True, order=order(patient_class="O", repeat_reason=Coded("3")))),
    ("no-loinc", "2020-03-16", whole(order=order(loinc=Coded()))),
    ("no-dose", "2020-03-16", whole(has_dose=False)),
    ("no-endoscopy-images", "2023-03-06", whole(order=ENDOSCOPY, has_images=False)),
)


@pytest.mark.parametrize(("reason", "first_day", "facts"), FIRST_DAYS)
def test_a_rule_holds_from_its_day_on_and_not_the_day_before(reason: str, first_day: str, facts: Facts) -> None:
    before = (date.fromisoformat(first_day) - timedelta(1)).isoformat()

    assert reason not in broken(facts, before)
    assert reason in broken(facts, first_day)


def test_nothing_is_wrong_with_a_whole_order() -> None:
    assert broken(whole(), "2026-11-30") == set()


def test_public_hospitals_had_to_send_images_two_months_earlier() -> None:
    by = rules(Lists(facilities={"500059": {"ownership": "Kamu"}, "500061": {"ownership": "özel"}}))
    at_private = replace(order("A1", "500061"), modality="MR")

    assert "no-images" not in broken(whole(has_images=False), "2018-05-31", by)
    assert "no-images" in broken(whole(has_images=False), "2018-06-01", by)
    assert "no-images" not in broken(whole(has_images=False, order=at_private), "2018-07-31", by)
    assert "no-images" in broken(whole(has_images=False, order=at_private), "2018-08-01", by)


def test_dose_reports_were_due_in_february_2020_and_waived_until_the_middle_of_march() -> None:
    facts = whole(has_dose=False)
    unwaived = rules(dose={"since": date(2020, 2, 3)})

    assert "no-dose" not in broken(facts, "2020-02-02", unwaived)
    assert "no-dose" in broken(facts, "2020-02-03", unwaived)
    for day in ("2020-02-03", "2020-03-15"):
        assert "no-dose" not in broken(facts, day)


def test_dose_reports_are_due_for_ct_and_mammography_alone() -> None:
    assert "no-dose" in broken(whole(has_dose=False, order=order(modality="MG")), "2026-11-30")
    assert broken(whole(has_dose=False, order=order(modality="MR")), "2026-11-30") == set()
    unsaid = whole(has_dose=False, order=order(modality=""))
    assert broken(unsaid, "2026-11-30") == set()
    assert broken(replace(unsaid, modalities=frozenset({"CT", "SR"})), "2026-11-30") == {"no-dose"}


@pytest.mark.parametrize("list_name", ["exemptions", "devices"])
def test_a_device_that_is_exempt_owes_no_dose_report_until_its_last_day(list_name: str) -> None:
    column = {"exemptions": "rule", "devices": "exempt"}[list_name]
    by = rules(Lists(**{list_name: {"OLDCT": {column: "dose", "until": "2026-06-30"}, "CT2": {column: "other"}}}))
    facts = whole(has_dose=False, devices=frozenset({"OLDCT"}))

    assert broken(facts, "2026-06-30", by) == set()
    assert broken(facts, "2026-07-01", by) == {"no-dose"}
    assert broken(replace(facts, devices=frozenset({"CT2"})), "2026-06-30", by) == {"no-dose"}
    by_order = whole(has_dose=False, order=order(station_ae_title="OLDCT"))
    assert broken(by_order, "2026-06-30", by) == set()


def test_endoscopy_owed_no_images_before_its_own_day_and_is_told_by_sut_codes_too() -> None:
    by = rules(endoscopy={"since": date(2023, 3, 6), "sut_codes": ("700000-700020/10",)})
    coded = whole(has_images=False, order=order(modality="OT", sut=Coded("700010")))

    assert broken(coded, "2023-03-05", by) == set()
    assert broken(coded, "2023-03-06", by) == {"no-endoscopy-images"}


def test_a_reason_excuses_a_repetition_if_the_list_knows_it() -> None:
    repeated = whole(is_repeated=True, order=order(repeat_reason=Coded("3")))
    by = rules(Lists(reasons={"3": {}, "9": {"active": "0"}}))

    assert broken(repeated, "2026-11-30") == set()
    assert broken(repeated, "2026-11-30", by) == set()
    for code in ("7", "9"):
        unknown = replace(repeated, order=order(repeat_reason=Coded(code)))
        assert broken(unknown, "2026-11-30", by) == {"unknown-repeat-reason"}


def test_who_repeats_for_an_outpatient_has_to_have_looked() -> None:
    outpatient = order(patient_class="O", repeat_reason=Coded("3"))
    repeated = whole(is_repeated=True, order=outpatient)

    assert broken(repeated, "2026-11-30") == {"not-looked"}
    assert broken(replace(repeated, was_opened=True), "2026-11-30") == set()
    assert broken(replace(repeated, order=replace(outpatient, patient_class="E")), "2026-11-30") == set()


def test_a_window_excuses_that_nobody_asked_and_no_repetition(tmp_path: Path) -> None:
    file = tmp_path / "windows.csv"
    file.write_text("start,end,rule\n2022-02-14T10:00,2022-02-14T15:00,duplicate-query\n")
    by = rules(windows=file, duplicate_query={"since": date(2021, 1, 1)})

    assert broken(whole(), "20220214095959", by) == {"not-queried"}
    assert broken(whole(), "20220214100000", by) == set()
    assert broken(whole(), "20220214150000", by) == set()
    assert broken(whole(), "20220214150001", by) == {"not-queried"}
    assert broken(whole(was_queried=True), "20220214150001", by) == set()
    assert broken(whole(is_repeated=True), "20220214120000", by) == {"duplicate"}


def test_a_window_of_dose_excuses_dose_reports(tmp_path: Path) -> None:
    file = tmp_path / "windows.csv"
    file.write_text("start,end,rule\n2022-02-14T10:00,2022-02-14T15:00,dose\n")

    assert broken(whole(has_dose=False), "20220214120000", rules(windows=file)) == set()
    assert broken(whole(has_dose=False), "20220214160000", rules(windows=file)) == {"no-dose"}


def test_windows_that_are_announced_later_count_at_once_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "windows.csv"
    file.write_text("start,end,rule\n")
    windows = Windows(file)
    assert not windows.excuse("duplicate-query", "20220214120000")

    file.write_text("start,end,rule\n2022-02-14T10:00,2022-02-14T15:00,duplicate-query\n")
    assert windows.excuse("duplicate-query", "20220214120000")
    file.write_text("start,end,rule\nyesterday,2022-02-14T15:00,duplicate-query\n\n\n")
    assert windows.excuse("duplicate-query", "20220214120000")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the first line has to be start,end,rule"),
        ("start,end,rule\n2022-02-14T10:00,soon,dose", "line 2: 'soon' is no time like 2022-02-14T10:00"),
        ("start,end,rule\n2022-02-14T10:00,2022-02-14T09:00,dose", "line 2 ends before it starts"),
        ("start,end,rule\n2022-02-14T10:00,2022-02-14T11:00", "line 2 has to be a start, an end and a rule"),
    ],
)
def test_windows_that_cannot_be_read_say_where(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse(text.splitlines())


def test_the_announced_windows_can_be_read() -> None:
    file = Path("/work/shared/data/exemption-windows.csv")
    if not file.exists():
        pytest.skip("the shared sample is not here")
    windows = Windows(file)

    assert windows.excuse("duplicate-query", "20220214120000")
    assert not windows.excuse("duplicate-query", "20220215120000")


def test_radiologists_are_checked_where_a_list_is_loaded() -> None:
    by = rules(Lists(radiologists={"10000000382": {}, "10000000528": {"active": "0"}}))

    assert broken(whole(radiologists=("10000000528",)), "2022-01-19", by) == set()
    assert broken(whole(radiologists=("10000000528",)), "2022-01-20", by) == {"unknown-radiologist"}
    assert broken(whole(radiologists=("10000000528", "10000000382")), "2022-01-20", by) == set()
    assert broken(whole(radiologists=("1",)), "2022-01-20") == set()


def test_an_order_without_a_time_is_under_every_rule() -> None:
    unsaid = order(requested_at="", scheduled_at="", loinc=Coded())
    assert set(rules().broken(Facts(unsaid))) == {"no-images", "no-report", "no-dose", "no-loinc"}


def test_a_period_of_its_own_comes_from_the_list_in_the_unit_of_the_profile() -> None:
    lists = Lists(periods={"804000": {"months": "30"}, "804010": {"months": "30", "active": "0"}})

    assert rules(lists).period("804000") == Period(30, Unit.MONTHS)
    days = rules(lists, duplicate={"since": date(2019, 1, 1), "list_unit": "days"})
    assert days.period("804000") == Period(30, Unit.DAYS)
    assert days.period("804010") == days.period("999999") == Period(6, Unit.MONTHS)


@pytest.mark.parametrize(
    ("period", "at", "first"),
    [
        (Period(6), "20261130090000", "20260530000000"),
        (Period(6), "20260831090000", "20260228000000"),
        (Period(6), "20240830", "20240229000000"),
        (Period(180, Unit.DAYS), "20261130090000", "20260603000000"),
        (Period(2, Unit.WEEKS), "20260101", "20251218000000"),
        (Period(1, Unit.YEARS), "20240229120000", "20230228000000"),
        (Period(6), "unknown", ""),
    ],
)
def test_a_period_is_counted_by_the_calendar(period: Period, at: str, first: str) -> None:
    assert period.before(at) == first


@given(
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)),
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)),
    st.builds(Period, st.integers(0, 400), st.sampled_from(Unit)),
)
def test_whatever_is_within_a_period_is_not_after_its_end(one: datetime, other: datetime, period: Period) -> None:
    earlier, later = (f"{at:%Y%m%d%H%M%S}" for at in sorted((one, other)))
    if earlier >= period.before(later):
        assert later <= period.after(earlier)


def test_every_reason_has_words_in_both_languages() -> None:
    for reason in REASONS.values():
        assert reason.turkish
        assert reason.english
        assert reason.turkish != reason.english


def test_the_weightiest_reason_says_how_an_order_stands() -> None:
    assert status_of([]) is Status.COMPLETE
    assert status_of(["no-dose", "no-report"]) is Status.WAITING_FOR_REPORT
    assert status_of(["no-report", "no-images", "duplicate"]) is Status.BLOCKED


def test_the_payer_is_told_of_all_orders_but_those_of_other_payers() -> None:
    assert rules().tells_payer(order(payer="SGK"))
    assert rules().tells_payer(order(payer=""))
    assert not rules().tells_payer(order(payer="other"))


def test_the_listed_codes_are_those_that_are_known() -> None:
    tells = profile.read().notification.tells_accession
    listed = {*(str(code) for code in range(803870, 804511, 10)), "804101", "804102"}

    assert len(listed) == 67
    assert {code for code in map(str, range(803000, 806000)) if tells(code)} == listed


def test_a_range_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[notification]\nsut_codes = ["804510-803870/10"]\n')
    with pytest.raises(BadRequest, match="is no range of codes"):
        profile.read(file)
