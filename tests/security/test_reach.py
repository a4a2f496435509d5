"""Whose studies each role reaches, searched and read, on either pair of stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from storage.index.permits import PermitStudy
from tests.archives import BACKENDS, make_backend, put, ready, rows
from tests.objects import ct, part10
from tests.worklist.ordering import order
from vna.app import Application, build
from vna.model.access import SYSTEM, Action, Actor, ActorKind, Purpose, Role
from vna.model.errors import BadRequest, NotAuthorized, NotFound, NotReached
from vna.model.instances import Selection
from vna.model.orders import OrderedPatient, OrderKey
from vna.model.query import Key, Level, Query
from vna.security.roles import ROLES

AYSE, MEHMET, BEREN, MERGED = "10000000146", "10000000214", "10000000382", "10000000450"
"""National numbers of invented patients."""
DOMAIN = "2.16.840.1.113883.3.3731"
ALL = {"own", "called", "ordered", "filed", "merged", "private", "unknown"}
WEEK = timedelta(days=7)


class Site:
    """An archive with a study for each way in which one can be somebody's."""

    def __init__(self, archive: Application) -> None:
        self.archive = archive
        self.uids: dict[str, str] = {}
        self._image("own", "34001", PatientID=AYSE)
        self._image("called", "34002", PatientID="M7", OtherPatientIDs=[AYSE])
        self._image("ordered", "34002", PatientID="M8", AccessionNumber="A8")
        self._image("filed", "34003", PatientID="M9")
        self._image("merged", "34003", PatientID=MERGED)
        self._image("private", "06001", PatientID=MEHMET)
        self._image("unknown", "", PatientID="M10")
        first = order("A8", "34001", patient=OrderedPatient("F8", AYSE), performing_facility="34002")
        self.archive.national.orders.place(SYSTEM, first)
        self.archive.national.matching.match(SYSTEM, first.key, self.uids["ordered"], "seen by a person")
        self.archive.national.orders.place(SYSTEM, order("A9", "34003", patient=OrderedPatient("M9", BEREN)))
        self.archive.catch_up()

    def _image(self, name: str, facility: str, **elements: Any) -> None:
        ds: Dataset = ct(InstitutionName=f"HASTANE^^^SKRS{facility}^^^FK1" if facility else "", **elements)
        put(self.archive, part10(ds))
        self.uids[name] = ds.StudyInstanceUID

    def found(self, actor: Actor, *keys: Key, level: Level = Level.STUDY) -> set[str]:
        """What a search finds, by the names above."""
        page = self.archive.search.find(actor, Query(level, keys))
        assert self.archive.search.count(actor, Query(level, keys)).number == len(page.matches)
        return self._named([match.study_instance_uid for match in page.matches])

    def read(self, actor: Actor) -> set[str]:
        """What can be read; what cannot is told as what there is not."""
        named = {name for name, uid in self.uids.items() if not self._refusal(actor, uid)}
        refusals = {self._refusal(actor, uid) for name, uid in self.uids.items() if name not in named}
        assert refusals <= {self._refusal(actor, "1.2.3.4.5")}
        given = self.archive.retrieval.instances(actor, Selection(study_uids=tuple(self.uids.values())))
        assert self._named([one.study_instance_uid for one in given]) == named
        patients = ("M7", "M8", "M9", "M10", AYSE, MEHMET, MERGED)
        by_patient = [
            one.study_instance_uid
            for patient in patients
            for one in self.archive.retrieval.instances(actor, Selection(patient_id=patient))
        ]
        assert self._named(by_patient) == named
        return named

    def _refusal(self, actor: Actor, uid: str) -> str:
        """In which words a study is told not to be there; empty where it is."""
        try:
            self.archive.retrieval.state(actor, uid)
        except NotFound as error:
            return str(error)
        return ""

    def _named(self, uids: Iterable[str]) -> set[str]:
        by_uid = {uid: name for name, uid in self.uids.items()}
        return {by_uid[uid] for uid in uids}


@pytest.fixture(scope="module", params=BACKENDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("reach")
    backend = make_backend(request.param, request, folder)
    settings = backend.settings(security={"mode": "enforced"}, xds={"affinity_domain": DOMAIN})
    ready(settings)
    archive = build(settings)
    yield Site(archive)
    archive.close()


def _somebody(role: Role, facility: str = "", person: str = "", **more: Any) -> Actor:
    return Actor(ActorKind.USER, "somebody", frozenset(Action), facility, role=role, person=person, **more)


def _forget(site: Site) -> None:
    """What was remembered of who reaches what: permits are believed for two seconds more."""
    policy: Any = site.archive.policy
    reaching = getattr(policy, "_policy", policy)._reaching
    for remembered in (reaching._reaches, reaching._studies, reaching._broken):
        remembered._found.clear()


@pytest.mark.parametrize(
    ("actor", "reached"),
    [
        (_somebody(Role.CITIZEN, person=AYSE), {"own", "called", "ordered"}),
        (_somebody(Role.CITIZEN, person=BEREN), {"filed"}),
        (_somebody(Role.CITIZEN, person=MEHMET), {"private"}),
        (_somebody(Role.CITIZEN, person=""), set()),
        (_somebody(Role.CLINICIAN, "34001"), {"own", "ordered"}),
        (_somebody(Role.CLINICIAN, "34002"), {"called", "ordered"}),
        (_somebody(Role.CLINICIAN, "99999"), set()),
        (_somebody(Role.CLINICIAN, ""), set()),
        (_somebody(Role.RADIOLOGIST, "06001"), {"private"}),
        (_somebody(Role.HOSPITAL_ADMINISTRATOR, "34003"), {"filed", "merged"}),
        (_somebody(Role.NATIONAL_OPERATOR), ALL),
        (_somebody(Role.PAYER_INSPECTOR), set()),
        (Actor(ActorKind.USER, "without a role", frozenset(Action)), ALL),
    ],
)
def test_a_role_finds_and_reads_what_it_reaches_and_nothing_else(site: Site, actor: Actor, reached: set[str]) -> None:
    assert site.found(actor) == reached
    assert site.read(actor) == reached
    for uid in site.uids.values():
        keys = (Key(("0020000D",), "UI", (uid,)),)
        assert site.found(actor, *keys) == {name for name in reached if site.uids[name] == uid}
        assert site.found(actor, *keys, level=Level.IMAGE) == {name for name in reached if site.uids[name] == uid}
    patients = site.archive.search.find(actor, Query(Level.PATIENT)).matches
    assert bool(patients) == bool(reached)
    if actor.role is not None and not ROLES[actor.role].reaches_all:
        assert not any("00201200" in match.elements for match in patients)
        with pytest.raises(NotAuthorized, match="how many"):
            site.found(actor, Key(("00201206",), "IS"), Key(("00201200",), "IS", ("1",)))


def test_a_clerk_of_the_payer_sees_no_images(site: Site) -> None:
    clerk = _somebody(Role.PAYER_CLERK)
    with pytest.raises(NotAuthorized):
        site.found(clerk)
    with pytest.raises(NotAuthorized):
        site.archive.retrieval.state(clerk, site.uids["own"])
    site.archive.policy.check(clerk, Action.CHECK_BILLS)


@pytest.mark.parametrize("role", [role for role in Role if not ROLES[role].reaches_all])
def test_what_names_no_study_is_closed_to_whoever_does_not_reach_all(site: Site, role: Role) -> None:
    actor = _somebody(role, "34001", AYSE)
    for refused in (
        lambda: site.archive.status.counts(actor),
        lambda: site.archive.deletion.deleted(actor),
        lambda: site.archive.across.find(actor, Query(Level.STUDY)),
        lambda: site.archive.guarding.permits.consent(actor, AYSE, "34001"),
        lambda: site.archive.patients.register(actor, f"{AYSE}^^^&1.2&ISO"),
    ):
        with pytest.raises(NotAuthorized):
            refused()


def test_a_consent_opens_other_facilities_until_it_is_revoked_or_over(site: Site) -> None:
    permits, clinician = site.archive.guarding.permits, _somebody(Role.CLINICIAN, "06001")
    _forget(site)
    assert site.read(clinician) == {"private"}
    consent = permits.consent(SYSTEM, AYSE, "06001", reason="form 1", until=datetime.now(UTC) + WEEK)
    _forget(site)
    assert site.read(clinician) == site.found(clinician) == {"private", "own", "called", "ordered"}
    assert site.read(_somebody(Role.RADIOLOGIST, "06001")) == {"private"}
    assert site.read(_somebody(Role.CLINICIAN, "34003")) == {"filed", "merged"}
    permits.revoke(SYSTEM, "consent", consent.name)
    _forget(site)
    assert site.read(clinician) == {"private"}
    permits.consent(SYSTEM, AYSE, "06001", since=datetime.now(UTC) + WEEK)
    short = permits.consent(SYSTEM, AYSE, "06001", until=datetime.now(UTC) + WEEK)
    with site.archive.database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE permits SET until = '2020-01-01' WHERE name = '{short.name}'")
    _forget(site)
    assert site.read(clinician) == {"private"}
    with pytest.raises(NotFound):
        permits.revoke(SYSTEM, "consent", consent.name)


def test_a_grant_opens_one_facility_to_radiologists_of_another(site: Site) -> None:
    permits, radiologist = site.archive.guarding.permits, _somebody(Role.RADIOLOGIST, "06001")
    grant = permits.grant(SYSTEM, "34003", "06001", until=datetime.now(UTC) + WEEK)
    _forget(site)
    assert site.read(radiologist) == site.found(radiologist) == {"private", "filed", "merged"}
    assert site.read(_somebody(Role.CLINICIAN, "06001")) == {"private"}
    assert site.read(_somebody(Role.RADIOLOGIST, "34003")) == {"filed", "merged"}
    permits.revoke(SYSTEM, "grant", grant.name)
    _forget(site)
    assert site.read(radiologist) == {"private"}


def test_public_facilities_of_a_province_read_for_each_other(site: Site) -> None:
    permits, radiologist = site.archive.guarding.permits, _somebody(Role.RADIOLOGIST, "34001")
    for code, province, ownership in (
        ("34001", "34", "public"),
        ("34002", "34", "private"),
        ("34003", "34", "public"),
        ("06001", "06", "public"),
    ):
        permits.put_facility(SYSTEM, code, province, ownership)
    _forget(site)
    assert site.read(radiologist) == site.found(radiologist) == {"own", "ordered", "filed", "merged"}
    assert site.read(_somebody(Role.RADIOLOGIST, "34002")) == {"called", "ordered"}
    assert site.read(_somebody(Role.CLINICIAN, "34001")) == {"own", "ordered"}
    for code in ("34001", "34002", "34003", "06001"):
        permits.remove_facility(SYSTEM, code)
    _forget(site)
    assert site.read(radiologist) == {"own", "ordered"}


def test_an_inspector_reads_what_a_case_is_about(site: Site) -> None:
    permits, inspector = site.archive.guarding.permits, _somebody(Role.PAYER_INSPECTOR)
    about = [PermitStudy(site.uids["private"]), PermitStudy(facility="34001", accession_number="A8")]
    case = permits.case(SYSTEM, "somebody", about, reason="file 8", until=datetime.now(UTC) + WEEK)
    assert case.about == next(one for one in permits.listed(SYSTEM, "case") if one.name == case.name).about
    _forget(site)
    assert site.read(inspector) == site.found(inspector) == {"private", "ordered"}
    assert site.read(replace(inspector, kind=ActorKind.TOKEN, name="somebody/12ab")) == {"private", "ordered"}
    assert site.read(replace(inspector, name="somebody else")) == set()
    permits.revoke(SYSTEM, "case", case.name)
    _forget(site)
    assert site.read(inspector) == set()


def test_glass_is_broken_for_a_reason_that_is_recorded_before_anything_is_given(site: Site) -> None:
    emergency = _somebody(Role.CLINICIAN, "34001", purpose=Purpose.EMERGENCY, reason="unconscious after an accident")
    broken = "SELECT study_instance_uid, actor, detail FROM events WHERE kind = 'glass.broken'"
    before = len(rows(site.archive, broken))
    site.archive.retrieval.state(emergency, site.uids["own"])
    assert len(rows(site.archive, broken)) == before  # his own: no glass
    site.archive.retrieval.state(emergency, site.uids["private"])
    site.archive.retrieval.state(emergency, site.uids["private"])
    (event,) = rows(site.archive, broken)[before:]
    assert event[:2] == (site.uids["private"], "somebody")
    assert "unconscious" in str(event[2])
    assert site.found(emergency) == {"own", "ordered"}
    assert site.found(emergency, Key(("00100020",), "LO", (MEHMET,))) == {"private"}
    assert site.found(emergency, Key(("00100020",), "LO", ("*",))) == {"own", "ordered"}
    assert len(rows(site.archive, broken)) == before + 2
    for other in (
        replace(emergency, reason=" "),
        replace(emergency, purpose=Purpose.TREATMENT),
        replace(emergency, role=Role.RADIOLOGIST),
        replace(emergency, role=Role.CITIZEN, person=AYSE),
    ):
        with pytest.raises(NotReached):
            site.archive.retrieval.state(other, site.uids["private"])
        assert site.found(other, Key(("00100020",), "LO", (MEHMET,))) == set()


def test_a_citizen_who_was_merged_sees_what_came_under_either_number(site: Site) -> None:
    citizen = _somebody(Role.CITIZEN, person=BEREN)
    _forget(site)
    assert site.read(citizen) == {"filed"}
    named = [f"{number}^^^&{DOMAIN}&ISO" for number in (MERGED, BEREN)]
    site.archive.patients.register(SYSTEM, named[0])
    site.archive.patients.merge(SYSTEM, *named)
    _forget(site)
    assert site.read(citizen) == site.found(citizen) == {"filed", "merged"}
    assert site.read(_somebody(Role.CITIZEN, person=MERGED)) == {"filed", "merged"}


def test_the_change_feed_and_the_worklist_are_narrowed(site: Site) -> None:
    clinician, citizen = _somebody(Role.CLINICIAN, "34001"), _somebody(Role.CITIZEN, person=MEHMET)
    feed = site.archive.changes.after
    assert {one.study_instance_uid for one in feed(citizen, 0, 100)} == {site.uids["private"]}
    assert {one.study_instance_uid for one in feed(clinician, 0, 100)} == {site.uids["own"], site.uids["ordered"]}
    assert {one.study_instance_uid for one in feed(SYSTEM, 0, 100)} == set(site.uids.values())
    schedule = site.archive.national.schedule
    assert len(schedule.find(SYSTEM, Query(Level.PATIENT)).matches) == 2
    assert schedule.find(citizen, Query(Level.PATIENT)).matches == ()
    assert schedule.find(clinician, Query(Level.PATIENT)).matches == ()
    assert len(schedule.find(_somebody(Role.CLINICIAN, "34003"), Query(Level.PATIENT)).matches) == 1


def test_look_ups_and_orders_are_of_the_facility_of_who_asks(site: Site) -> None:
    tracking, keys = site.archive.national.tracking, [OrderKey("34001", "A8"), OrderKey("34003", "A9")]
    assert len(tracking.status(SYSTEM, keys)) == 2
    (known,) = tracking.status(_somebody(Role.CLINICIAN, "34003"), keys)
    assert known.known.order.key == keys[1]
    for action in (Action.LOOK_UP, Action.REPORT, Action.MATCH):
        with pytest.raises(NotAuthorized, match="of no facility"):
            site.archive.policy.check(_somebody(Role.HOSPITAL_ADMINISTRATOR), action)
        site.archive.policy.check(_somebody(Role.NATIONAL_OPERATOR), action)
    with pytest.raises(NotReached):
        site.archive.national.looks.opened_study(_somebody(Role.CLINICIAN, "34003"), site.uids["own"], BEREN)


def test_an_account_has_what_its_role_needs(site: Site) -> None:
    accounts = site.archive.accounts
    for role, facility, person in (("citizen", "", ""), ("clinician", "", AYSE), ("radiologist", "", "")):
        with pytest.raises(BadRequest):
            accounts.add_user(SYSTEM, "nobody", "a long secret", facility=facility, role=role, person=person)
    with pytest.raises(BadRequest, match="no role"):
        accounts.add_user(SYSTEM, "nobody", "a long secret", role="king")
    accounts.add_user(SYSTEM, "ayse", "a long secret", role="citizen", person=AYSE)
    actor = accounts.authenticate_basic("ayse", "a long secret", "")
    assert (actor.role, actor.person, actor.purpose) == (Role.CITIZEN, AYSE, Purpose.PATIENT_REQUEST)
    assert actor.rights == ROLES[Role.CITIZEN].actions
    accounts.add_user(SYSTEM, "ayse", "another secret")
    secret = accounts.add_token(SYSTEM, "ayse")
    assert accounts.authenticate_token(secret, "").role is Role.CITIZEN
