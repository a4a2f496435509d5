"""Searches and logins are in the trail: who asked what of whom, who came in, and who did not."""

from __future__ import annotations

import pytest

from storage.index import audit
from storage.index.audit import AuditRow
from tests.archives import Open, put
from tests.objects import ct, part10
from vna.app.wiring import Application
from vna.audit.rows import record_of
from vna.model.access import SYSTEM, Action, Actor, ActorKind, Peer
from vna.model.errors import NotAuthorized
from vna.model.query import Key, Level, Query

DOCTOR = Actor(ActorKind.USER, "doctor", frozenset({Action.QUERY, Action.READ_DOCUMENTS}))
OF_P1 = Query(Level.STUDY, (Key(("00100020",), "LO", ("P1",)), Key(("00080060",), "CS", ())))


def written(archive: Application) -> list[AuditRow]:
    with archive.database.read() as connection:
        return audit.after(connection, 0, 1000)


def test_a_search_is_a_record_with_its_keys_and_of_whom_it_asks(open_archive: Open) -> None:
    archive = open_archive(security={"mode": "enforced"})
    put(archive, part10(ct(PatientID="P1")))
    assert len(archive.search.find(DOCTOR, OF_P1).matches) == 1
    archive.search.count(DOCTOR, OF_P1)
    archive.national.schedule.find(DOCTOR, Query(Level.PATIENT))
    archive.search.find(SYSTEM, OF_P1)
    told = written(archive)
    assert [(row.kind, row.what, row.patient) for row in told] == [
        ("query", "query", "P1"),
        ("query", "count", "P1"),
        ("query", "worklist", ""),
    ]
    assert record_of(told[0]).detail["query"]["keys"] == {"00100020": ["P1"], "00080060": []}
    assert record_of(told[0]).detail["matches"] == 1


def test_a_pattern_is_no_patient(open_archive: Open) -> None:
    archive = open_archive()
    archive.search.find(DOCTOR, Query(Level.STUDY, (Key(("00100020",), "LO", ("P*",)),)))
    assert [row.patient for row in written(archive)] == [""]


def test_logins_are_recorded_once_a_minute_and_failures_each(open_archive: Open) -> None:
    archive = open_archive(security={"mode": "enforced"})
    archive.accounts.add_user(SYSTEM, "doctor", "correct horse battery")
    for _ in range(2):
        archive.accounts.authenticate_basic("doctor", "correct horse battery", "10.0.0.7")
    for _ in range(2):
        with pytest.raises(NotAuthorized):
            archive.accounts.authenticate_basic("doctor", "wrong", "10.0.0.8")
    with pytest.raises(NotAuthorized):
        archive.accounts.authenticate_token("nonsense", "10.0.0.9")
    told = [(row.actor, row.address, row.outcome) for row in written(archive) if row.kind == "user-authentication"]
    assert told == [
        ("doctor", "10.0.0.7", 0),
        ("doctor", "10.0.0.8", 4),
        ("doctor", "10.0.0.8", 4),
        ("", "10.0.0.9", 4),
    ]
    assert not any("wrong" in row.detail or "horse" in row.detail for row in written(archive))


def test_associations_are_recorded_by_title_and_refused_ones_too(open_archive: Open) -> None:
    archive = open_archive(security={"mode": "enforced"})
    archive.peers.add(SYSTEM, Peer("CT_ONE"))
    archive.peers.actor_for("CT_ONE", "10.0.0.7")
    with pytest.raises(NotAuthorized):
        archive.peers.actor_for("CT_TWO", "10.0.0.7")
    told = [(row.actor_kind, row.actor, row.outcome) for row in written(archive) if row.kind == "user-authentication"]
    assert told == [("ae", "CT_ONE", 0), ("ae", "CT_TWO", 4)]
