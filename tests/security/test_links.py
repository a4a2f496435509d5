"""Access links: whoever opens one sees one study, so often and so long as it was made for, on either pair of stores."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from pydicom import Dataset

from storage.index.events import time_text
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.errors import BadRequest, Gone, NotAuthorized, NotFound
from vna.model.instances import Arrival, Door, Selection
from vna.model.query import Key, Level, Query

WEEK = timedelta(days=7)
MODES = ("local", "enforced")


def _two_studies_of_one_patient(archive: Application) -> tuple[Dataset, Dataset]:
    one, other = (
        ct(PatientID="P-SECRET", PatientName="Gizli^Hasta"),
        ct(PatientID="P-SECRET", PatientName="Gizli^Hasta"),
    )
    for study in (one, other):
        put(archive, part10(study))
    return one, other


def _visitor(archive: Application, study: Dataset, uses: int = 1) -> Actor:
    secret = archive.links.add(SYSTEM, study.StudyInstanceUID, uses=uses, lifetime=WEEK)
    return archive.links.visitor(archive.links.open(secret, "127.0.0.1").secret, "127.0.0.1")


def _expire(archive: Application, table: str) -> None:
    with archive.database.transaction() as connection:
        past = time_text(datetime.now(UTC) - timedelta(seconds=1))
        connection.exec_driver_sql(f"UPDATE {table} SET expires_at = '{past}'")


def test_a_link_opens_as_often_as_it_was_made_for(open_archive: Open) -> None:
    archive = open_archive()
    one, _ = _two_studies_of_one_patient(archive)
    secret = archive.links.add(SYSTEM, one.StudyInstanceUID, uses=2, lifetime=WEEK)
    assert archive.links.open(secret, "").study_instance_uid == one.StudyInstanceUID
    archive.links.open(secret, "")
    with pytest.raises(Gone, match="used as often"):
        archive.links.open(secret, "")
    (link,) = archive.links.all(SYSTEM)
    assert link.uses_left == 0


def test_openings_at_once_never_spend_the_same_use(open_archive: Open) -> None:
    archive = open_archive()
    one, _ = _two_studies_of_one_patient(archive)
    secret = archive.links.add(SYSTEM, one.StudyInstanceUID, uses=3, lifetime=WEEK)
    outcomes: list[str] = []

    def opening() -> None:
        try:
            outcomes.append(archive.links.open(secret, "").secret)
        except Gone:
            outcomes.append("gone")

    threads = [threading.Thread(target=opening) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("gone") == 5
    assert len(set(outcomes)) == 4


def test_an_expired_link_is_gone_and_so_are_its_visits(open_archive: Open) -> None:
    archive = open_archive()
    one, _ = _two_studies_of_one_patient(archive)
    secret = archive.links.add(SYSTEM, one.StudyInstanceUID, uses=9, lifetime=WEEK)
    visit = archive.links.open(secret, "")
    assert visit.expires_at <= datetime.now(UTC) + timedelta(hours=12)
    _expire(archive, "links")
    with pytest.raises(Gone, match="expired"):
        archive.links.open(secret, "")
    _expire(archive, "link_visits")
    with pytest.raises(NotAuthorized, match="expired"):
        archive.links.visitor(visit.secret, "")


def test_a_visit_never_lasts_longer_than_the_link(open_archive: Open) -> None:
    archive = open_archive()
    one, _ = _two_studies_of_one_patient(archive)
    secret = archive.links.add(SYSTEM, one.StudyInstanceUID, uses=1, lifetime=timedelta(minutes=5))
    assert archive.links.open(secret, "").expires_at == archive.links.all(SYSTEM)[0].expires_at


def test_a_removed_link_closes_where_it_is_open(open_archive: Open) -> None:
    archive = open_archive()
    one, _ = _two_studies_of_one_patient(archive)
    secret = archive.links.add(SYSTEM, one.StudyInstanceUID, uses=9, lifetime=WEEK)
    visit = archive.links.open(secret, "")
    archive.links.remove(SYSTEM, archive.links.all(SYSTEM)[0].link_id)
    with pytest.raises(NotFound):
        archive.links.open(secret, "")
    with pytest.raises(NotAuthorized):
        archive.links.visitor(visit.secret, "")
    with pytest.raises(NotFound):
        archive.links.remove(SYSTEM, "00000000")


def test_a_secret_that_is_not_one_opens_nothing(open_archive: Open) -> None:
    archive = open_archive()
    one, _ = _two_studies_of_one_patient(archive)
    secret = archive.links.add(SYSTEM, one.StudyInstanceUID, uses=1, lifetime=WEEK)
    for wrong in ("", secret[:-1], archive.links.all(SYSTEM)[0].link_id):
        with pytest.raises(NotFound):
            archive.links.open(wrong, "")
    with pytest.raises(NotAuthorized):
        archive.links.visitor(secret, "")


def test_only_a_held_study_can_be_linked_and_only_by_an_administrator(open_archive: Open) -> None:
    archive = open_archive(security={"mode": "enforced"})
    one, _ = _two_studies_of_one_patient(archive)
    with pytest.raises(NotFound):
        archive.links.add(SYSTEM, "1.2.3", uses=1, lifetime=WEEK)
    for uses in (0, -1, 10_000_000):
        with pytest.raises(BadRequest):
            archive.links.add(SYSTEM, one.StudyInstanceUID, uses=uses, lifetime=WEEK)
    reader = Actor(ActorKind.USER, "reader", frozenset({Action.QUERY, Action.RETRIEVE}))
    with pytest.raises(NotAuthorized):
        archive.links.add(reader, one.StudyInstanceUID, uses=1, lifetime=WEEK)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.IMAGE])
def test_a_search_through_a_link_finds_its_study_only(open_archive: Open, mode: str, level: Level) -> None:
    archive = open_archive(security={"mode": mode})
    one, other = _two_studies_of_one_patient(archive)
    visitor = _visitor(archive, one)

    def found(*keys: Key) -> set[str]:
        page = archive.search.find(visitor, Query(level, keys))
        return {match.study_instance_uid for match in page.matches}

    mine, theirs = {one.StudyInstanceUID}, (one.StudyInstanceUID, other.StudyInstanceUID)
    assert found() == mine
    assert found(Key(("00100020",), "LO", ("P-SECRET",))) == mine
    assert found(Key(("0020000D",), "UI", theirs)) == mine
    assert found(Key(("0020000D",), "UI", ())) == mine
    assert found(Key(("0020000D",), "UI", (other.StudyInstanceUID,))) == set()
    not_of_studies = Key(("0020000E",), "UI", (other.SeriesInstanceUID,))  # ignored where no study can have it
    assert found(not_of_studies) == (mine if level is Level.STUDY else set())


@pytest.mark.parametrize("mode", MODES)
def test_nothing_but_reading_the_study_is_allowed_through_a_link(open_archive: Open, mode: str) -> None:
    archive = open_archive(security={"mode": mode})
    one, other = _two_studies_of_one_patient(archive)
    visitor = _visitor(archive, one)
    (mine,) = archive.retrieval.instances(visitor, Selection(study_uids=(one.StudyInstanceUID,)))
    assert b"".join(archive.retrieval.part10(visitor, mine).chunks) == part10(one)
    (theirs,) = archive.retrieval.instances(SYSTEM, Selection(study_uids=(other.StudyInstanceUID,)))
    refused = (
        lambda: archive.retrieval.instances(visitor, Selection(study_uids=(other.StudyInstanceUID,))),
        lambda: archive.retrieval.instances(
            visitor, Selection(study_uids=(one.StudyInstanceUID, other.StudyInstanceUID))
        ),
        lambda: archive.retrieval.instances(visitor, Selection(sop_instance_uids=(other.SOPInstanceUID,))),
        lambda: archive.retrieval.instances(visitor, Selection()),
        lambda: archive.retrieval.part10(visitor, theirs),
        lambda: archive.retrieval.frames(visitor, theirs, [1]),
        lambda: archive.retrieval.metadata(visitor, theirs),
        lambda: archive.search.find(visitor, Query(Level.PATIENT)),
        lambda: archive.store.open(visitor, Arrival(Door.STOW, study_instance_uid=one.StudyInstanceUID)),
        lambda: archive.status.counts(visitor),
        lambda: archive.status.conflicts(visitor),
        lambda: archive.accounts.users(visitor),
        lambda: archive.links.all(visitor),
        lambda: archive.links.add(visitor, one.StudyInstanceUID, uses=1, lifetime=WEEK),
    )
    for operation in refused:
        with pytest.raises(NotAuthorized):
            operation()


def test_links_are_told_in_events_and_the_log_without_secrets_or_patients(
    open_archive: Open, caplog: pytest.LogCaptureFixture
) -> None:
    archive = open_archive()
    one, _ = _two_studies_of_one_patient(archive)
    with caplog.at_level(logging.INFO, "vna.security.links"):
        secret = archive.links.add(SYSTEM, one.StudyInstanceUID, uses=1, lifetime=WEEK)
        visit = archive.links.open(secret, "192.0.2.7")
        with pytest.raises(Gone):
            archive.links.open(secret, "192.0.2.8")
    archive.links.remove(SYSTEM, archive.links.all(SYSTEM)[0].link_id)
    told = rows(
        archive, "SELECT kind, study_instance_uid, actor, detail FROM events WHERE kind LIKE 'link.%' ORDER BY id"
    )
    assert [kind for kind, *_ in told] == ["link.changed", "link.opened", "link.changed"]
    assert {study for _, study, *_ in told} == {one.StudyInstanceUID}
    said = [record.__dict__ for record in caplog.records if record.name == "vna.security.links"]
    assert [record["address"] for record in said] == ["192.0.2.7", "192.0.2.8"]
    for text in (str(told), str(said)):
        assert "Gizli" not in text
        assert "P-SECRET" not in text
        assert secret not in text
        assert visit.secret not in text


def test_the_index_keeps_no_secret_of_a_link(open_archive: Open) -> None:
    archive = open_archive()
    one, _ = _two_studies_of_one_patient(archive)
    secret = archive.links.add(SYSTEM, one.StudyInstanceUID, uses=1, lifetime=WEEK)
    visit = archive.links.open(secret, "")
    kept = str(rows(archive, "SELECT * FROM links")) + str(rows(archive, "SELECT * FROM link_visits"))
    assert secret not in kept
    assert visit.secret not in kept


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES, Level.IMAGE])
def test_through_a_link_nothing_tells_how_much_its_patient_has(open_archive: Open, level: Level) -> None:
    archive = open_archive()
    one, _ = _two_studies_of_one_patient(archive)
    visitor = _visitor(archive, one)
    counts = ("00201200", "00201202", "00201204")
    for returns in (None, frozenset(counts)):
        everyone = archive.search.find(SYSTEM, Query(level, returns=returns)).matches
        assert {match.elements["00201200"]["Value"][0] for match in everyone} == {2}
        (match,) = archive.search.find(visitor, Query(level, returns=returns)).matches
        assert not set(counts) & set(match.elements)
    for tag in counts:
        with pytest.raises(NotAuthorized, match="cannot be asked"):
            archive.search.find(visitor, Query(level, keys=(Key((tag,), "IS", ("2",)),)))
        with pytest.raises(NotAuthorized, match="cannot be asked"):
            archive.search.count(visitor, Query(level, keys=(Key((tag,), "IS", ("2",)),)))
