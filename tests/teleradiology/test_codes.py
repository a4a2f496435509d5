"""Code tables are loaded as whole versions, found, and come back after a reindex."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.archives import Open, rows
from vna.app import Application
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.codes import Code, Facility, Radiologist
from vna.model.errors import BadRequest, Conflict, NotAuthorized, NotFound
from vna.teleradiology import codes as codes_module
from vna.teleradiology import demonstration
from vna.teleradiology.codes import Codes

CT, MR = Code("804000", "CT"), Code("804101", "MR")


def fresh(archive: Application) -> Codes:
    """One that remembers nothing."""
    return Codes(archive.database, archive.policy)


def test_the_version_that_was_loaded_last_is_in_force_and_older_ones_are_kept(open_archive: Open) -> None:
    archive = open_archive()
    codes = archive.national.codes
    codes.load(SYSTEM, "sut", "1", [CT])
    codes.load(SYSTEM, "sut", "2", [CT, MR])

    assert codes.find("sut", "804101") == MR
    assert [(one.version, one.codes, one.in_force) for one in codes.versions(SYSTEM)] == [
        ("2", 2, True),
        ("1", 1, False),
    ]

    codes.load(SYSTEM, "sut", "1", [CT])
    assert codes.find("sut", "804101") is None
    assert [(one.version, one.in_force) for one in codes.versions(SYSTEM)] == [("1", True), ("2", False)]


def test_the_same_codes_again_write_nothing_and_other_ones_need_another_name(open_archive: Open) -> None:
    archive = open_archive()
    codes = archive.national.codes
    first = codes.load(SYSTEM, "sut", "", [CT, MR])
    events = rows(archive, "select count(*) from events")

    assert codes.load(SYSTEM, "sut", "", [MR, CT]) == first
    assert rows(archive, "select count(*) from events") == events
    with pytest.raises(Conflict):
        codes.load(SYSTEM, "sut", first.version, [CT])
    with pytest.raises(BadRequest):
        codes.load(SYSTEM, "sut", "a version", [CT])
    with pytest.raises(BadRequest):
        codes.load(SYSTEM, "sut", "", [])
    with pytest.raises(NotFound):
        codes.load(SYSTEM, "nonsense", "", [CT])


def test_a_load_that_ends_half_way_changes_nothing_and_can_be_done_again(
    open_archive: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes_module, "_PIECE", 1)
    archive = open_archive()
    codes = archive.national.codes
    codes.load(SYSTEM, "sut", "1", [CT])

    def killed(done: int, _all: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        codes.load(SYSTEM, "sut", "2", [Code("1"), MR], killed)
    assert (fresh(archive).find("sut", "804000"), fresh(archive).find("sut", "1")) == (CT, None)

    codes.load(SYSTEM, "sut", "2", [MR])
    assert [(one.version, one.codes, one.in_force) for one in codes.versions(SYSTEM)] == [
        ("2", 1, True),
        ("1", 1, False),
    ]
    assert (fresh(archive).find("sut", "804101"), fresh(archive).find("sut", "1")) == (MR, None)


def test_codes_are_found_by_what_rules_ask_for(open_archive: Open) -> None:
    codes = open_archive().national.codes
    demonstration.load(codes, SYSTEM)

    facility = codes.facility("500059")
    assert facility == codes.facility_of_medula("11069901")
    assert facility == Facility(
        "500059", "Örnek Devlet Hastanesi", "11069901", "FK99000001", "0" * 31 + "1", "9001", "6", "kamu", "OD"
    )
    assert codes.facility_of_medula("500059") is None
    assert codes.facility("11069901") is None
    assert (codes.period_months("804200"), codes.period_months("804300"), codes.period_months("1")) == (12, None, None)
    assert codes.reason("3") is not None
    assert codes.reason("99") is None
    known, gone = codes.radiologist("10000000382"), codes.radiologist("10000000528")
    assert known == Radiologist("10000000382", "ÖRNEK^RADYOLOG BİR", active=True)
    assert gone == Radiologist("10000000528", "ÖRNEK^RADYOLOG ÜÇ", active=False)
    assert codes.radiologist("10000000146") is None
    assert (codes.has("sut"), codes.has("exemptions")) == (True, False)
    assert [code.code for code in codes.listed(SYSTEM, "reasons", after="1", limit=1)] == ["2"]


def test_a_facility_without_a_medula_code_is_not_found_by_an_empty_one(open_archive: Open) -> None:
    codes = open_archive().national.codes
    codes.load(SYSTEM, "facilities", "1", [Code("500059", "x")])
    assert codes.facility_of_medula("") is None


def test_only_administrators_load_codes(open_archive: Open) -> None:
    codes = open_archive(security={"mode": "enforced"}).national.codes
    with pytest.raises(NotAuthorized):
        codes.load(Actor(ActorKind.USER, "x", frozenset(Action) - {Action.ADMIN}), "sut", "1", [CT])


def test_a_reindex_brings_codes_back_even_into_an_empty_index(open_archive: Open) -> None:
    archive = open_archive()
    demonstration.load(archive.national.codes, SYSTEM)
    archive.national.codes.load(SYSTEM, "reasons", "2", [Code("1", "one"), Code("2", "two")])
    before = archive.national.codes.versions(SYSTEM)
    archive.dispatcher().drain()
    with archive.database.transaction() as connection:
        connection.execute(text("delete from codes"))
        connection.execute(text("delete from code_versions"))

    for _ in range(2):
        assert [one for one in archive.reindex.run(SYSTEM) if one.reason] == []
        assert archive.national.codes.versions(SYSTEM) == before
    assert fresh(archive).find("reasons", "2") == Code("2", "two")
    assert fresh(archive).facility_of_medula("11069902") is not None
