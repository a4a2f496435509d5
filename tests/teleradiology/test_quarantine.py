"""Images that match no order, where a facility wants them out of sight: kept, and back when an order comes."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.archives import Open, put, rows
from tests.dicomweb.client import Web
from tests.objects import ct, part10
from tests.teleradiology.imaging import FACILITY, KEY, NATIONAL, image, pairs, profile, settle, store
from tests.worklist.ordering import AYSE, order
from vna.app import Application
from vna.app.doors import Addresses, http_application
from vna.metrics import Metrics
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.errors import BadRequest, DuplicateInstance, NotAuthorized, NotFound
from vna.model.identifiers import PatientIdentifier
from vna.model.instances import Door, Outcome
from vna.model.matches import MatchRule
from vna.model.query import Level, Query
from vna.model.unmatched import UnmatchedStudy

QUARANTINE = '[images]\nunmatched = "quarantine"\n\n[images.facilities]\n500060 = "accept"\n'


@pytest.fixture
def archive(open_archive: Open, tmp_path: Path) -> Application:
    return open_archive(national={"profile": profile(tmp_path, QUARANTINE)})


def seen(archive: Application) -> list[str]:
    """The studies that a search finds."""
    page = archive.search.find(SYSTEM, Query(Level.STUDY))
    return sorted(str(match.elements["0020000D"]["Value"][0]) for match in page.matches)


def waiting(archive: Application) -> list[tuple[str, int]]:
    return [(one.study_instance_uid, one.instances) for one in archive.national.quarantine.listed(SYSTEM)]


def test_images_without_an_order_are_kept_and_nobody_sees_them_until_one_comes(archive: Application) -> None:
    assert store(archive, "1.1").outcome is Outcome.STORED
    assert store(archive, "1.1").outcome is Outcome.STORED
    settle(archive)
    assert (seen(archive), waiting(archive)) == ([], [("1.1", 2)])
    assert archive.status.counts(SYSTEM)["instances"] == 0
    assert [one.reason for one in archive.deletion.deleted(SYSTEM)] == ["quarantine: no order matches it"] * 2
    assert [one.action for one in archive.changes.after(SYSTEM, 0, 10)] == []

    archive.national.orders.place(SYSTEM, order())
    settle(archive)
    assert (seen(archive), waiting(archive)) == (["1.1"], [])
    assert pairs(archive) == {("A1", "1.1"): MatchRule.NATIONAL}
    assert archive.status.counts(SYSTEM)["instances"] == 2
    assert list(archive.deletion.deleted(SYSTEM)) == []


def test_images_of_an_order_that_is_known_are_seen_at_once_and_so_is_what_follows(archive: Application) -> None:
    archive.national.orders.place(SYSTEM, order())
    store(archive, "1.1")
    store(archive, "1.1", AccessionNumber="")
    assert (seen(archive), waiting(archive)) == (["1.1"], [])

    archive.national.orders.cancel(SYSTEM, KEY)
    store(archive, "1.1")
    store(archive, "1.2")
    assert (seen(archive), waiting(archive)) == (["1.1"], [("1.2", 1)])


def test_other_facilities_imports_and_takeovers_are_not_concerned(archive: Application) -> None:
    store(archive, "1.1", InstitutionName="x^^^SKRS500060^^^y")
    store(archive, "1.2", door=Door.IMPORT)
    store(archive, "1.3", door=Door.MIGRATION)
    store(archive, "1.4", InstitutionName="")
    assert (seen(archive), waiting(archive)) == (["1.1", "1.2", "1.3"], [("1.4", 1)])


def test_what_is_in_quarantine_comes_again_by_the_same_rules(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive(national={"profile": profile(tmp_path, QUARANTINE)})
    first = ct(StudyInstanceUID="1.1", PatientID=NATIONAL, AccessionNumber="A1")
    assert put(archive, part10(first), door=Door.STOW).outcome is Outcome.STORED
    assert put(archive, part10(first), door=Door.STOW).outcome is Outcome.ALREADY_HELD
    assert put(archive, part10(first, "1.2.840.10008.1.2"), door=Door.STOW).outcome is Outcome.ALREADY_HELD
    first.StudyDescription = "another"
    with pytest.raises(DuplicateInstance):
        put(archive, part10(first), door=Door.STOW)
    assert waiting(archive) == [("1.1", 1)]

    replacing = open_archive(national={"profile": profile(tmp_path, QUARANTINE)}, storage={"duplicates": "replace"})
    assert put(replacing, part10(first), door=Door.STOW).outcome is Outcome.REPLACED
    assert waiting(archive) == [("1.1", 1)]
    replacing.national.orders.place(SYSTEM, order())
    settle(replacing)
    assert rows(archive, "select study_description, number_of_instances from studies") == [("another", 1)]
    assert [one.reason for one in archive.deletion.deleted(SYSTEM)] == ["replaced in quarantine"]


def test_a_person_lets_a_study_out_with_a_right_and_a_reason(open_archive: Open, tmp_path: Path) -> None:
    archive = open_archive(national={"profile": profile(tmp_path, QUARANTINE)}, security={"mode": "enforced"})
    quarantine = archive.national.quarantine
    store(archive, "1.1")
    doctor = Actor(ActorKind.USER, "doctor", frozenset({Action.MATCH}), facility=FACILITY)
    for actor in (
        Actor(ActorKind.USER, "x", frozenset(Action) - {Action.MATCH}),
        Actor(ActorKind.USER, "x", frozenset(Action), facility="1"),
    ):
        with pytest.raises(NotAuthorized):
            quarantine.release(actor, "1.1", "x")
    with pytest.raises(BadRequest):
        quarantine.release(doctor, "1.1", "")
    with pytest.raises(NotFound):
        quarantine.release(doctor, "1.2", "x")
    quarantine.release(doctor, "1.1", "an emergency")
    settle(archive)
    store(archive, "1.1")
    assert (seen(archive), waiting(archive)) == (["1.1"], [])
    told = rows(archive, "select actor, detail from events where kind = 'instance.restored'")
    assert [(actor, "an emergency" in str(detail)) for actor, detail in told] == [("doctor", True)]


def test_matching_by_hand_lets_it_out_too(archive: Application) -> None:
    archive.national.orders.place(SYSTEM, order())
    store(archive, "1.1", AccessionNumber="")
    archive.national.matching.match(SYSTEM, KEY, "1.1", "no number at the modality")
    settle(archive)
    assert (seen(archive), waiting(archive)) == (["1.1"], [])
    assert pairs(archive) == {("A1", "1.1"): MatchRule.HAND}


def test_restoring_as_deleted_things_are_lets_it_out_too(archive: Application) -> None:
    store(archive, "1.1")
    assert [one.problem for one in archive.deletion.restore(SYSTEM, "1.1")] == [""]
    settle(archive)
    assert (seen(archive), waiting(archive)) == (["1.1"], [])


def test_verify_and_a_reindex_know_what_is_in_quarantine(archive: Application) -> None:
    store(archive, "1.1")
    store(archive, "1.2", AccessionNumber="A2")
    archive.national.orders.place(SYSTEM, order("A2"))
    settle(archive)
    assert (seen(archive), waiting(archive)) == (["1.2"], [("1.1", 1)])
    assert [one for one in archive.care.verify(SYSTEM) if one.damage is not None] == []

    assert [one for one in archive.reindex.run(SYSTEM) if one.reason] == []
    assert (seen(archive), waiting(archive)) == (["1.2"], [("1.1", 1)])
    assert [one for one in archive.care.verify(SYSTEM) if one.damage is not None] == []
    archive.national.orders.place(SYSTEM, order())
    settle(archive)
    assert (seen(archive), waiting(archive)) == (["1.1", "1.2"], [])


def test_an_order_that_arrives_while_images_are_stored_leaves_nothing_behind(archive: Application) -> None:
    images = [image("1.1") for _ in range(12)]

    def send() -> None:
        for data in images:
            put(archive, data, door=Door.STOW)

    sender = threading.Thread(target=send)
    sender.start()
    archive.national.orders.place(SYSTEM, order())
    archive.dispatcher().drain()
    archive.workers().drain()
    sender.join()
    settle(archive)
    assert (seen(archive), waiting(archive)) == (["1.1"], [])
    assert archive.status.counts(SYSTEM)["instances"] == len(images)


def test_what_was_acknowledged_and_not_journaled_is_found_by_a_reindex_and_seen(archive: Application) -> None:
    put(archive, image("1.1"), door=Door.STOW)
    for _ in archive.reindex.run(SYSTEM):
        pass
    assert seen(archive) == ["1.1"]


def test_lists_of_unmatched_studies_say_what_is_in_quarantine(archive: Application) -> None:
    store(archive, "1.1", StudyDate="20260105")
    store(archive, "1.2", StudyDate="20260106", door=Door.IMPORT)
    store(archive, "1.3", StudyDate="20260106", AccessionNumber="")
    store(archive, "1.4", StudyDate="20260106")
    store(archive, "1.4", StudyDate="20260106", door=Door.IMPORT)
    store(archive, "1.5", StudyDate="20260107", InstitutionName="x^^^SKRS500060^^^y")

    def page(after: str = "", **asked: str) -> list[UnmatchedStudy]:
        return archive.national.unmatched.unmatched_studies(SYSTEM, FACILITY, after=after, limit=1, **asked)

    found: list[UnmatchedStudy] = []
    while some := page(found[-1].position if found else ""):
        found += some
    said_of = [(one.study_instance_uid, one.reason, one.is_quarantined) for one in found]
    assert sorted(said_of) == [
        ("1.1", "no-order", True),
        ("1.2", "no-order", False),
        ("1.3", "no-accession", True),
        ("1.4", "no-order", False),
    ]
    assert [one.study_date for one in found] == ["20260105", "20260106", "20260106", "20260106"]
    assert page(begin="20260107") == page(modality="MR") == []

    app = http_application(archive, Addresses(("127.0.0.1", 8080), ("127.0.0.1", 11112)), Metrics())
    web = Web(app, "http://127.0.0.1:8080")
    asked = {"facility": FACILITY, "from": "2026-01-05", "to": "2026-01-05"}
    (said,) = web.get("/api/teleradiology/unmatched/studies", params=asked).json()["studies"]
    assert (said["study_instance_uid"], said["quarantine"], said["reason"]["code"]) == ("1.1", True, "no-order")
    form = {"view": "unmatched-studies", "facility": FACILITY, "begin": "2026-01-05", "end": "2026-01-05"}
    assert "Karantinada" in web.get("/tracking", params={**form, "lang": "tr"}).text
    assert "In quarantine: nobody sees the images" in web.get("/tracking", params={**form, "lang": "en"}).text


@pytest.mark.parametrize("issuer", ["", "VNA-DEMO"])
def test_a_file_number_that_was_merged_meanwhile_is_the_survivors(archive: Application, issuer: str) -> None:
    said: dict[str, Any] = {"PatientID": "F2001", "IssuerOfPatientID": issuer}
    store(archive, "1.1", **said)
    numbers = (PatientIdentifier(number, f"facility:{FACILITY}") for number in ("F2001", "F3001"))
    archive.national.orders.place(SYSTEM, order(patient=replace(AYSE, patient_id="F2002", national_number="")))
    archive.hospitals.merge(SYSTEM, *numbers)
    settle(archive)
    assert (seen(archive), waiting(archive)) == ([], [("1.1", 1)])

    archive.national.orders.change(SYSTEM, order(patient=replace(AYSE, patient_id="F2001", national_number="")))
    settle(archive)
    store(archive, "1.2", **said)
    assert (seen(archive), waiting(archive)) == (["1.1", "1.2"], [])
    assert pairs(archive) == {("A1", "1.1"): MatchRule.FILE, ("A1", "1.2"): MatchRule.FILE}
    assert rows(archive, "select distinct patient_id from patients") == [("F3001",)]
