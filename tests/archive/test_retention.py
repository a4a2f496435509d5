"""Rules of retention, and what becomes of studies whose time is over."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from storage.index.retention import Kept
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.archive.retention import RETAIN
from vna.archive.retention_rules import Rule, is_due, rule_of
from vna.model.access import SYSTEM
from vna.model.errors import Conflict, NotFound

TODAY = date(2026, 6, 30)


def study(made: str, born: str = "19500101", modalities: str = "\\CT\\", facility: str = "1") -> Kept:
    return Kept(1, "1.2", facility, made, modalities, "2025-01-01T00:00:00.000000+00:00", 1, born)


CHILDREN = Rule("children", under_age=18, years=10, until_age=25)
MAMMOGRAPHY = Rule("mammography", modalities=("MG",), years=10)
REST = Rule("rest", years=5)


@pytest.mark.parametrize(
    ("one", "rule", "due"),
    [
        (study("20210630"), "rest", True),
        (study("20210701"), "rest", False),
        (study("20160701", modalities="\\MG\\SR\\"), "mammography", False),
        (study("20160630", modalities="\\MG\\SR\\"), "mammography", True),
        (study("20100101", born="20010630"), "children", True),
        (study("20100101", born="20010701"), "children", False),  # not yet 25
        (study("20170101", born="20000101"), "children", False),  # not yet 10 years
        (study("20100101", born=""), "children", False),  # perhaps a child
        (study(""), "children", False),  # arrived in 2025, and perhaps a child when it was made
        (study("20270101"), "rest", False),
        (study("20160229"), "rest", True),
    ],
)
def test_the_first_rule_that_fits_says_when_a_study_is_due(one: Kept, rule: str, due: bool) -> None:
    found = rule_of([CHILDREN, MAMMOGRAPHY, REST], one)
    assert found is not None
    if one.study_date:
        assert found.name == rule
    assert is_due(found, one, TODAY) is due


def test_what_no_rule_fits_and_a_rule_without_an_end_keep_for_ever() -> None:
    assert rule_of([MAMMOGRAPHY], study("19000101")) is None
    assert not is_due(Rule("all"), study("19000101"), TODAY)


def test_rules_do_what_they_say_unless_a_study_is_on_hold(open_archive: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [
        {"name": "mr", "modalities": ["MR"], "years": 1},
        {"name": "us", "modalities": ["US"], "years": 1, "then": "reject"},
        {"name": "rest", "years": 10, "then": "purge", "purge_days": 1},
    ]
    monkeypatch.setenv("VNA_RETENTION", json.dumps(rules))
    archive = open_archive()
    old, now = "20000101", f"{datetime.now(UTC):%Y%m%d}"
    made = {
        name: put(archive, part10(ct(StudyDate=day, Modality=modality))).study_instance_uid
        for name, day, modality in (
            ("reported", old, "MR"),
            ("rejected", old, "US"),
            ("deleted", old, "CT"),
            ("held", old, "CT"),
            ("young", now, "CT"),
        )
    }
    archive.keeping.holds.add(SYSTEM, made["held"], reason="court order")
    retention = archive.keeping.care.retention
    assert {(one.study_instance_uid, one.rule.name, one.held) for one in retention.due(SYSTEM)} == {
        (made["reported"], "mr", False),
        (made["rejected"], "us", False),
        (made["deleted"], "rest", False),
        (made["held"], "rest", True),
    }

    archive.keeping.schedule.run(SYSTEM, RETAIN)
    with pytest.raises(Conflict):
        archive.keeping.schedule.run(SYSTEM, RETAIN)
    archive.catch_up()

    left = {row[0] for row in rows(archive, "select study_instance_uid from studies")}
    assert left == {made["reported"], made["held"], made["young"]}
    reasons = {row[0]: row[1] for row in rows(archive, "select study_instance_uid, reason from deleted")}
    assert reasons == {made["rejected"]: "Data Retention Policy Expired", made["deleted"]: "retention: rest"}
    (planned,) = (one for one in archive.keeping.schedule.all(SYSTEM) if one.name == RETAIN)
    assert (planned.outcome, planned.running) == ("4 due, 2 removed, 1 on hold", False)

    with archive.database.transaction() as connection:
        connection.exec_driver_sql("update deleted set deleted_at = '2001'")
    archive.keeping.schedule.run(SYSTEM, RETAIN)
    archive.catch_up()
    assert rows(archive, "select study_instance_uid from deleted") == [(made["rejected"],)]
    archive.dispatcher().drain()  # the bytes wait for the journal
    archive.keeping.care.purging("")
    assert rows(archive, "select study_instance_uid, erased from purged") == [(made["deleted"], 1)]
    with pytest.raises(NotFound):
        archive.keeping.schedule.run(SYSTEM, "nothing")
