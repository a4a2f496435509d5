"""How orders stand, found out by the subscriber from orders, images, reports and what was told of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from storage.index import events
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from tests.teleradiology.standing_rows import match, report
from tests.worklist.ordering import AYSE, DOCTOR, order
from vna.app import Application
from vna.model.access import SYSTEM
from vna.model.codes import Code
from vna.model.errors import TooLarge
from vna.model.events import EventKind
from vna.model.orders import Coded, Order, OrderKey, OrderState, Standing

KEY = OrderKey("500059", "A1")
STUDY = "1.2.3.4"


def stands(archive: Application, key: OrderKey = KEY) -> Standing:
    archive.dispatcher().drain()
    archive.workers().drain()
    return archive.national.orders.get(SYSTEM, key).standing


def place(archive: Application, *orders: Order) -> None:
    for one in orders:
        archive.national.orders.place(SYSTEM, one)


def images(archive: Application, study: str = STUDY, instance: str = "1.2.3.4.1.1") -> None:
    ds = ct(StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1", SOPInstanceUID=instance)
    put(archive, part10(ds))


def test_an_order_waits_for_images_then_for_its_report_then_is_complete(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order(modality="MR"))
    assert stands(archive) == Standing(status="waiting for images", reasons=("no-images", "no-report"))

    match(archive, KEY, STUDY)
    assert stands(archive) == Standing(True, status="waiting for images", reasons=("no-images", "no-report"))

    images(archive)
    found = stands(archive)
    assert (found.status, found.reasons) == ("waiting for report", ("no-report",))
    assert (found.matched, found.has_images, found.has_report) == (True, True, False)

    report(archive, KEY, state="draft")
    assert not stands(archive).has_report
    report(archive, KEY, number=2)
    assert replace(stands(archive), performed_at="") == Standing(True, True, True, "complete")


def test_images_that_go_leave_the_order_waiting_again(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order(modality="MR"))
    images(archive)
    match(archive, KEY, STUDY)
    report(archive, KEY)
    assert stands(archive).status == "complete"

    archive.deletion.delete(SYSTEM, STUDY, reason="a test")
    found = stands(archive)
    assert (found.has_images, found.status) == (False, "waiting for images")


def test_a_report_among_the_instances_is_no_image(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order(modality="MR"))
    match(archive, KEY, STUDY)
    ds = ct(StudyInstanceUID=STUDY, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", Modality="SR")
    del ds.PixelData
    put(archive, part10(ds))

    assert not stands(archive).has_images


def test_a_cancelled_order_has_no_reasons(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order())
    assert stands(archive).reasons
    archive.national.orders.cancel(SYSTEM, KEY)

    assert stands(archive) == Standing(status="cancelled")


def test_a_second_order_within_the_period_is_blocked_until_the_first_one_goes(open_archive: Open) -> None:
    archive = open_archive()
    later = order("A2", "500061", modality="MR", requested_at="20261201100000")
    place(archive, order(modality="MR"), later)
    assert "duplicate" not in stands(archive, later.key).reasons

    images(archive)  # it was made after all
    match(archive, KEY, STUDY)
    found = stands(archive, later.key)
    assert (found.status, found.reasons[0]) == ("blocked", "duplicate")

    archive.national.orders.cancel(SYSTEM, KEY)
    assert "duplicate" not in stands(archive, later.key).reasons


def test_a_second_order_that_says_why_is_not_blocked(open_archive: Open) -> None:
    archive = open_archive()
    later = order("A2", modality="MR", requested_at="20261201100000", repeat_reason=Coded("3"))
    place(archive, order(modality="MR"))
    report(archive, KEY)
    place(archive, later)

    assert stands(archive, later.key).status == "waiting for images"


def test_whoever_opened_the_earlier_report_before_may_repeat(open_archive: Open) -> None:
    archive = open_archive()
    first = order(modality="MR", requested_at=f"{datetime.now(UTC):%Y}0101000000")
    again = order("A2", modality="MR", requested_at="20991231", patient_class="O", repeat_reason=Coded("3"))
    period = "[rules.duplicate]\nmonths = 1200\n"
    site = archive.settings.data_dir / "site.toml"
    site.write_text(period)
    archive = open_archive(national={"profile": str(site)})
    place(archive, first, again)
    report(archive, KEY)
    assert stands(archive, again.key).reasons[0] == "not-looked"

    archive.national.looks.opened_order(SYSTEM, KEY, DOCTOR.number)
    place(archive, replace(again, clinical_information="changed"))

    assert "not-looked" not in stands(archive, again.key).reasons


def test_a_merge_makes_an_order_a_repetition(open_archive: Open) -> None:
    archive = open_archive()
    authority, old = archive.national.profile.national_authority, "99000000040"
    later = order("A2", modality="MR", requested_at="20261201100000")
    place(archive, order(modality="MR", patient=replace(AYSE, national_number=old)), later)
    report(archive, KEY)
    for number in (old, AYSE.national_number):
        archive.patients.register(SYSTEM, f"{number}^^^&{authority}&ISO")
    assert "duplicate" not in stands(archive, later.key).reasons

    archive.patients.merge(SYSTEM, f"{old}^^^&{authority}&ISO", f"{AYSE.national_number}^^^&{authority}&ISO")

    assert "duplicate" in stands(archive, later.key).reasons


def test_of_a_payer_that_is_not_told_the_order_is_complete_and_says_why(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order(modality="MR", payer="Other"))
    images(archive)
    match(archive, KEY, STUDY)
    report(archive, KEY)

    found = stands(archive)
    assert (found.status, found.reasons) == ("complete", ("payer-not-told",))


def test_after_a_reindex_every_standing_is_found_out_again(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order(), order("A2"))
    archive.national.orders.cancel(SYSTEM, OrderKey("500059", "A2"))
    before = [stands(archive, key) for key in (KEY, OrderKey("500059", "A2"))]

    list(archive.reindex.run(SYSTEM))
    assert rows(archive, "select distinct status from orders") == [("",)]

    assert [stands(archive, key) for key in (KEY, OrderKey("500059", "A2"))] == before


def test_a_list_that_was_loaded_has_every_order_looked_at_again(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order())
    archive.dispatcher().drain()
    with archive.database.transaction() as connection:
        connection.exec_driver_sql("update orders set status = 'old'")
        events.append(
            connection, EventKind.CODES_LOADED, at=datetime.now(UTC), actor="test", detail={"list": "x", "count": 1}
        )

    assert stands(archive).status == "waiting for images"


def test_what_stands_as_it_did_is_not_written(open_archive: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage.index import standings

    archive = open_archive()
    place(archive, order())
    before = stands(archive)
    written: list[int] = []
    monkeypatch.setattr(standings, "write", lambda _connection, found: written.append(len(found)))
    place(archive, order(clinical_information="headache"))

    assert stands(archive) == before
    assert written == [0]


def test_how_far_an_order_is_does_not_change_how_it_stands_but_its_end_does(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order())
    with archive.database.transaction() as connection:
        archive.national.orders.advance(connection, SYSTEM, [KEY], OrderState.DISCONTINUED)

    assert stands(archive) == Standing(status="discontinued")


def test_orders_are_tracked_with_all_that_is_known_of_them(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order(modality="MR"), order("A2"))
    images(archive)
    match(archive, KEY, STUDY)
    report(archive, KEY, by="10000000382")
    archive.dispatcher().drain()

    unknown = OrderKey("1", "1")
    found = archive.national.tracking.status(SYSTEM, [OrderKey("500059", "A2"), unknown, KEY, KEY])

    assert [one.known.order.key.accession_number for one in found] == ["A2", "A1"]
    assert found[1].studies[0].study_instance_uid == STUDY
    assert found[1].studies[0].modalities == ("CT",)
    assert found[1].reports[0].radiologist == "10000000382"
    assert (found[1].doses, found[1].notification) == ((), None)
    with pytest.raises(TooLarge):
        archive.national.tracking.status(SYSTEM, [unknown] * 501)


def test_a_device_that_is_exempt_is_known_by_its_images(open_archive: Open) -> None:
    archive = open_archive()
    exempt = Code("CT9", "", {"rule": "dose"})
    archive.national.codes.load(SYSTEM, "exemptions", "1", [exempt])
    place(archive, order(), order("A2"))
    for key, study, station in ((KEY, STUDY, "CT9"), (OrderKey("500059", "A2"), "1.2.3.5", "CT8")):
        put(archive, part10(ct(StudyInstanceUID=study, StationName=station)))
        match(archive, key, study)
        report(archive, key)

    assert stands(archive).status == "complete"
    assert stands(archive, OrderKey("500059", "A2")).reasons == ("no-dose",)


def test_the_video_of_an_endoscopy_is_an_image(open_archive: Open) -> None:
    archive = open_archive()
    place(archive, order(modality="ES"))
    match(archive, KEY, STUDY)
    assert "no-endoscopy-images" in stands(archive).reasons

    video = ct(StudyInstanceUID=STUDY, SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.1.1", Modality="ES")
    put(archive, part10(video))

    assert stands(archive).reasons == ("no-report",)
