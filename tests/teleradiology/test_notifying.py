"""The payer is told of complete examinations: once, durably, and again only when somebody asks for it."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from storage.index import jobs
from tests.archives import Open, rows
from tests.peers.processes import free_port
from tests.teleradiology.payer import PASSWORD, USER, PayerService, served
from tests.teleradiology.standing_rows import match, report
from tests.teleradiology.test_standing import images
from tests.worklist.ordering import order
from vna.app import Application
from vna.jobs.retries import KeepTrying
from vna.model.access import SYSTEM, Actor, ActorKind
from vna.model.codes import Code
from vna.model.errors import NotAuthorized, NotFound, Unavailable
from vna.model.notifications import Notice, Notification
from vna.model.order_queries import Period
from vna.model.orders import Coded, Order, OrderKey
from vna.security.policy import EnforcedPolicy
from vna.settings.national import NationalSettings
from vna.sgk.medula import Medula
from vna.teleradiology import notifying
from vna.teleradiology.notifying import Notifying

KEY, STUDY = OrderKey("500059", "A1"), "1.2.3.4"
PAYLOAD = orjson.dumps(["500059", "A1"]).decode()
ASKED = order(modality="MR", payer="SGK", tracking_number="TK1", admission_reference="B1", sut=Coded("804000", "MR"))
FACILITY = Code("500059", "Örnek Hastanesi", {"medula_code": "11069901", "ownership": "kamu"})


@pytest.fixture
def payer() -> PayerService:
    return PayerService()


@pytest.fixture
def url(payer: PayerService) -> Iterator[str]:
    with served(payer) as address:
        yield address


def opened(open_archive: Open, url: str, **changes: Any) -> Application:
    medula = {"url": url, "user": USER, "password": PASSWORD, "timeout": 5}
    archive = open_archive(national={"payer": "medula", "medula": medula, **changes})
    if not archive.national.codes.has("facilities"):
        archive.national.codes.load(SYSTEM, "facilities", "1", [FACILITY])
    return archive


def complete(archive: Application, asked: Order = ASKED) -> None:
    """An order with images and report."""
    archive.national.orders.place(SYSTEM, asked)
    images(archive)
    match(archive, asked.key, STUDY)
    report(archive, asked.key)
    archive.dispatcher().drain()


def handle(archive: Application) -> None:
    archive.workers().drain()
    archive.dispatcher().drain()


def state(archive: Application) -> tuple[str, Notification | None]:
    found = archive.national.tracking.status(SYSTEM, [KEY])[0]
    return found.known.standing.status, found.notification


def test_a_complete_order_is_told_with_its_accession_number_and_then_notified(
    open_archive: Open, payer: PayerService, url: str
) -> None:
    archive = opened(open_archive, url)
    complete(archive)
    assert state(archive)[0] == "complete"
    handle(archive)

    status, told = state(archive)
    assert told is not None
    assert (status, told.state, told.attempts) == ("notified", "accepted", 1)
    assert (told.response_code, told.response_message) == ("0000", "Başarılı")
    (service,) = payer.registered.values()
    reference = service.pop("hizmetSunucuRefNo")
    assert reference.isdigit()
    assert service == {
        "saglikTesisKodu": "11069901",
        "takipNo": "TK1",
        "hastaBasvuruNo": "B1",
        "modality": "MR",
        "adet": "1",
        "islemTarihi": "02.01.2026",
        "sutKodu": "804000",
        "accession": "A1",
    }

    report(archive, KEY, number=2)
    archive.dispatcher().drain()
    handle(archive)
    assert payer.requests == ["hizmetKayit"]


def test_the_accession_number_is_told_for_the_listed_codes_alone(
    open_archive: Open, payer: PayerService, url: str
) -> None:
    archive = opened(open_archive, url)
    complete(archive, replace(ASKED, sut=Coded("801000")))
    handle(archive)

    (service,) = payer.registered.values()
    assert "accession" not in service


def test_a_marker_is_told_where_an_order_can_have_no_number(open_archive: Open, payer: PayerService, url: str) -> None:
    archive = opened(open_archive, url)
    key = OrderKey("500059", "9999")
    archive.national.orders.place(SYSTEM, replace(ASKED, key=key))
    report(archive, key)
    archive.dispatcher().drain()
    handle(archive)

    assert [one["accession"] for one in payer.registered.values()] == ["9999"]


def test_what_the_payer_refuses_is_not_tried_again_by_itself(open_archive: Open, payer: PayerService, url: str) -> None:
    archive = opened(open_archive, url)
    payer.refuses = ("1234", "Takip bulunamadı")
    complete(archive)
    handle(archive)
    report(archive, KEY, number=2)
    archive.dispatcher().drain()
    handle(archive)

    status, told = state(archive)
    assert told is not None
    assert (status, told.response_code, told.response_message) == ("refused", "1234", "Takip bulunamadı")
    assert payer.requests == ["hizmetKayit"]
    telling, listed = archive.national.notifying, archive.national.listings.failed_notifications
    assert [one.key for one in listed(SYSTEM, "500059", Period())] == [KEY]
    assert listed(SYSTEM, "500059", Period(end="20010101000000")) == []

    payer.refuses = None
    assert telling.again(SYSTEM, KEY)
    handle(archive)
    assert state(archive)[0] == "notified"


def test_one_service_that_failed_is_a_refusal_whatever_the_answer_says(
    open_archive: Open, payer: PayerService, url: str
) -> None:
    archive = opened(open_archive, url)
    payer.fails_one = ("9", "Bu hizmet kaydedilemedi")
    complete(archive)
    handle(archive)

    told = state(archive)[1]
    assert told is not None
    assert (told.state, told.response_code) == ("refused", "9")


def test_a_payer_that_is_down_is_tried_again_until_it_answers(open_archive: Open, payer: PayerService) -> None:
    archive = opened(open_archive, f"http://127.0.0.1:{free_port()}/medula")
    complete(archive)
    with pytest.raises(KeepTrying):
        archive.national.notifying(PAYLOAD)
    status, told = state(archive)
    assert told is not None
    assert (status, told.state, told.attempts) == ("complete", "sending", 1)
    assert "gave no answer" in told.response_message
    assert rows(archive, "select state from jobs where kind = 'notify'") == [("ready",)]

    with served(payer) as url:
        again = opened(open_archive, url)
        handle(again)
        status, told = state(again)
    assert told is not None
    assert (status, told.attempts) == ("notified", 2)
    assert payer.requests == ["hizmetOku", "hizmetKayit"]


@pytest.mark.parametrize(
    ("status", "answer"), [(503, b""), (500, b"<x/>"), (200, b"{}"), (200, b"<!DOCTYPE a []><a/>")]
)
def test_what_is_no_answer_is_no_refusal(
    open_archive: Open, payer: PayerService, url: str, status: int, answer: bytes
) -> None:
    del open_archive
    payer.status, payer.answer = status, answer
    with pytest.raises(Unavailable):
        Medula(url, USER, PASSWORD).tell(Notice(ASKED, "11069901", "A1", "1"))


def test_a_wrong_password_and_an_answer_without_end_are_told_apart_from_a_refusal(
    url: str, payer: PayerService
) -> None:
    with pytest.raises(Unavailable, match="HTTP 401"):
        Medula(url, USER, "wrong").tell(Notice(ASKED, "11069901", "A1", "1"))
    payer.status, payer.answer = 200, b"x" * (2 << 20)
    with pytest.raises(Unavailable, match="too long"):
        Medula(url, USER, PASSWORD).tell(Notice(ASKED, "11069901", "A1", "1"))


class Killed(BaseException):
    """What ends a process between sending and commit."""


def test_who_is_killed_between_sending_and_commit_tells_nobody_twice(
    open_archive: Open, payer: PayerService, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = opened(open_archive, url)
    complete(archive)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Notifying, "_end", killed)
        with pytest.raises(Killed):
            archive.national.notifying(PAYLOAD)
    assert len(payer.registered) == 1
    handle(archive)

    assert payer.requests == ["hizmetKayit", "hizmetOku"]
    assert state(archive)[0] == "notified"


def test_somebody_can_have_the_payer_told_again(open_archive: Open, payer: PayerService, url: str) -> None:
    archive = opened(open_archive, url)
    complete(archive)
    handle(archive)
    assert archive.national.notifying.again(SYSTEM, KEY)
    handle(archive)

    status, told = state(archive)
    assert told is not None
    assert (status, told.round, len(payer.registered)) == ("notified", 2, 2)


def test_an_order_that_is_not_complete_is_not_told_again(open_archive: Open, payer: PayerService, url: str) -> None:
    archive = opened(open_archive, url)
    archive.national.orders.place(SYSTEM, ASKED)

    assert not archive.national.notifying.again(SYSTEM, KEY)
    with pytest.raises(NotFound):
        archive.national.notifying.again(SYSTEM, OrderKey("1", "1"))
    assert payer.requests == []


def test_an_order_that_is_cancelled_before_it_is_told_is_not_told(
    open_archive: Open, payer: PayerService, url: str
) -> None:
    archive = opened(open_archive, url)
    complete(archive)
    archive.national.orders.cancel(SYSTEM, KEY)
    archive.dispatcher().drain()
    handle(archive)

    assert payer.requests == []
    assert state(archive) == ("cancelled", None)


def test_of_other_payers_nobody_is_told(open_archive: Open, payer: PayerService, url: str) -> None:
    archive = opened(open_archive, url)
    complete(archive, replace(ASKED, payer="Other"))
    handle(archive)

    assert payer.requests == []
    assert state(archive) == ("complete", None)


def test_without_a_payer_nothing_is_queued(open_archive: Open) -> None:
    archive = open_archive()
    complete(archive)

    assert rows(archive, "select count(*) from jobs where kind = 'notify'") == [(0,)]
    assert not archive.national.notifying.again(SYSTEM, KEY)


def test_what_was_told_is_known_after_a_reindex_and_not_told_again(
    open_archive: Open, payer: PayerService, url: str
) -> None:
    archive = opened(open_archive, url)
    complete(archive)
    handle(archive)
    before = state(archive)[1]

    list(archive.reindex.run(SYSTEM))
    match(archive, KEY, STUDY)
    report(archive, KEY)
    archive.dispatcher().drain()
    handle(archive)

    assert state(archive) == ("notified", before)
    assert payer.requests == ["hizmetKayit"]


def test_an_attempt_that_the_journal_knows_the_beginning_of_is_gone_on_with(
    open_archive: Open, payer: PayerService, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = opened(open_archive, url)
    complete(archive)
    with monkeypatch.context() as patched:
        patched.setattr(Notifying, "_end", lambda *_: None)
        archive.national.notifying(PAYLOAD)
    archive.dispatcher().drain()

    list(archive.reindex.run(SYSTEM))
    match(archive, KEY, STUDY)
    report(archive, KEY)
    archive.dispatcher().drain()
    handle(archive)

    assert state(archive)[0] == "notified"
    assert payer.requests == ["hizmetKayit", "hizmetOku"]


def test_a_facility_without_a_code_of_the_payer_waits_for_the_list(open_archive: Open, url: str) -> None:
    medula = {"url": url, "user": USER, "password": PASSWORD}
    archive = open_archive(national={"payer": "medula", "medula": medula})
    complete(archive)

    with pytest.raises(KeepTrying, match="no code by which the payer knows this facility"):
        archive.national.notifying(PAYLOAD)


def test_whoever_may_not_feed_may_not_have_it_told_again(open_archive: Open) -> None:
    archive = open_archive()
    national = archive.national
    closed = Notifying(archive.database, EnforcedPolicy(), national.profile, national.codes, national.standings, None)
    with pytest.raises(NotAuthorized):
        closed.again(Actor(ActorKind.USER, "nobody"), KEY)


def test_long_keys_have_jobs_of_their_own(open_archive: Open) -> None:
    archive = open_archive()
    facility = "F" * 60
    with archive.database.transaction() as connection:
        for number in ("A1", "A2"):
            notifying.begin(connection, OrderKey(facility, number))
    with archive.database.read() as connection:
        assert len(jobs.listed(connection, state="", kind="notify", limit=10)) == 2


def test_a_site_without_its_payers_address_is_told_so() -> None:
    with pytest.raises(ValueError, match="VNA_NATIONAL__MEDULA__URL has to say where that is"):
        NationalSettings(payer="medula")
