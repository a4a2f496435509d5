"""Reports are filed, approved and added to; what was approved never changes."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archives import Backend, Open, rows
from tests.teleradiology.reporting import CONCLUSION, FINDINGS, KEY, RADIOLOGIST, approved, conclusion, draft
from tests.worklist.ordering import order
from vna.app import Application, build, migrate, prepare
from vna.model.access import SYSTEM, Action, Actor, ActorKind
from vna.model.codes import Code
from vna.model.errors import BadRequest, Conflict, NotAuthorized, NotFound, RuleBroken, TooLarge, VnaError
from vna.model.orders import Coded, OrderKey, Person
from vna.model.profile import Profile
from vna.model.profile.reports import ReportsProfile
from vna.model.reports import Part, PartName, Report, ReportKind, ReportState
from vna.security.policy import EnforcedPolicy
from vna.teleradiology.outbound import SEND_REPORT
from vna.teleradiology.reports import Reports

_OF_ANOTHER = Person("10000000450", "HEKİM^BAŞKA")


@pytest.fixture(scope="module")
def one_archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """One for all generated cases."""
    chosen = Backend("sqlite+folder", tmp_path_factory.mktemp("reports")).settings()
    migrate(chosen)
    prepare(chosen)
    archive = build(chosen)
    yield archive
    archive.close()


def test_a_report_is_numbered_from_one_and_read_as_it_was_filed(open_archive: Open) -> None:
    reports = open_archive().national.reports
    filed = reports.file(SYSTEM, approved())

    assert filed.number == 1
    assert filed == replace(approved(), number=1, received_at=filed.received_at)
    assert reports.of(SYSTEM, KEY) == (filed,)
    assert reports.of(SYSTEM, OrderKey("500059", "A2")) == ()


def test_what_comes_after_an_approved_report_is_an_addendum_to_it(open_archive: Open) -> None:
    reports = open_archive().national.reports
    reports.file(SYSTEM, approved())
    reports.file(SYSTEM, approved(parts=conclusion("Kontrol önerilir.")))
    reports.file(SYSTEM, approved(parts=conclusion("Üç ay sonra kontrol önerilir.")))

    assert [(one.number, one.addendum_to) for one in reports.of(SYSTEM, KEY)] == [(1, 0), (2, 1), (3, 1)]


def test_an_addendum_can_be_to_the_addendum_that_is_named_and_to_nothing_else(open_archive: Open) -> None:
    reports = open_archive().national.reports
    reports.file(SYSTEM, approved())
    reports.file(SYSTEM, approved(parts=conclusion("Kontrol önerilir.")))

    assert reports.file(SYSTEM, approved(parts=conclusion("Vazgeçildi."), addendum_to=2)).addendum_to == 2
    with pytest.raises(NotFound):
        reports.file(SYSTEM, approved(parts=conclusion("Yok."), addendum_to=9))
    with pytest.raises(NotFound):
        reports.file(SYSTEM, approved(addendum_to=9))


def test_the_same_again_is_answered_and_not_written_again(open_archive: Open) -> None:
    archive = open_archive()
    reports = archive.national.reports
    first = reports.file(SYSTEM, approved())
    reports.file(SYSTEM, approved(parts=conclusion("Kontrol önerilir.")))

    assert reports.file(SYSTEM, approved(parts=(CONCLUSION, FINDINGS), approved_at="20261130111111")) == first
    assert rows(archive, "select count(*) from events where kind = 'report.changed'") == [(2,)]


def test_a_draft_is_replaced_until_it_is_approved(open_archive: Open) -> None:
    reports = open_archive().national.reports
    reports.file(SYSTEM, draft())
    reports.file(SYSTEM, draft(parts=(FINDINGS,)))
    reports.file(SYSTEM, draft(number=1, parts=conclusion("Kontrol önerilir.")))
    done = reports.approve(SYSTEM, KEY, 1, (RADIOLOGIST,), "20261130101500")

    assert (done.number, done.state, done.approved_at) == (1, ReportState.APPROVED, "20261130101500")
    assert done.parts == conclusion("Kontrol önerilir.")
    assert reports.approve(SYSTEM, KEY, 1, (RADIOLOGIST,)) == reports.approve(SYSTEM, KEY, 1) == done
    with pytest.raises(Conflict):
        reports.approve(SYSTEM, KEY, 1, (_OF_ANOTHER,))
    assert reports.of(SYSTEM, KEY) == (done,)
    with pytest.raises(Conflict):
        reports.file(SYSTEM, draft(number=1))
    assert (reports.file(SYSTEM, draft()).number, reports.file(SYSTEM, draft()).addendum_to) == (2, 1)


def test_an_approved_report_takes_the_place_of_the_draft_of_its_own_source_alone(open_archive: Open) -> None:
    reports = open_archive().national.reports
    reports.file(SYSTEM, draft(source="reader"))
    reports.file(SYSTEM, draft(source="HIS"))
    reports.file(SYSTEM, approved(source="HIS"))
    reports.approve(SYSTEM, KEY, 1, (_OF_ANOTHER,))

    assert [(one.number, one.state.value, one.source, one.addendum_to) for one in reports.of(SYSTEM, KEY)] == [
        (1, "approved", "reader", 2),
        (2, "approved", "HIS", 0),
    ]


def test_a_draft_that_is_not_known_cannot_be_replaced_or_approved(open_archive: Open) -> None:
    reports = open_archive().national.reports

    with pytest.raises(NotFound):
        reports.file(SYSTEM, draft(number=4))
    with pytest.raises(NotFound):
        reports.approve(SYSTEM, KEY, 1, (RADIOLOGIST,))


def test_pathology_has_reports_of_its_own_under_the_same_order(open_archive: Open) -> None:
    reports = open_archive().national.reports
    reports.file(SYSTEM, approved())
    reports.file(SYSTEM, approved(kind=ReportKind.PATHOLOGY))
    reports.file(SYSTEM, approved(kind=ReportKind.PATHOLOGY, parts=conclusion("Ek kesit alındı.")))

    assert [one.addendum_to for one in reports.of(SYSTEM, KEY)] == [0, 0, 2]


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("parts", {"parts": (CONCLUSION,)}),
        ("parts", {"parts": (FINDINGS,)}),
        ("parts", {"parts": (FINDINGS, Part(PartName.CONCLUSION, "<p> <br></p>", is_html=True))}),
        ("parts", {"parts": ()}),
        ("parts", {"parts": (FINDINGS, FINDINGS, CONCLUSION)}),
        ("findings", {"parts": (Part(PartName.FINDINGS, "Normal." + " " * 90), CONCLUSION)}),
        ("findings", {"parts": (Part(PartName.FINDINGS, f"<b>Normal.</b>{'<br>' * 50}", is_html=True), CONCLUSION)}),
        ("radiologist", {"radiologists": ()}),
        ("radiologist", {"radiologists": (Person(),)}),
    ],
)
def test_what_the_profile_refuses_names_its_rule_and_is_not_kept(
    open_archive: Open, rule: str, changes: dict[str, Any]
) -> None:
    reports = open_archive().national.reports
    with pytest.raises(RuleBroken) as refused:
        reports.file(SYSTEM, approved(**changes))

    assert refused.value.rule == rule
    assert reports.of(SYSTEM, KEY) == ()


def test_a_draft_may_be_unfinished(open_archive: Open) -> None:
    reports = open_archive().national.reports
    reports.file(SYSTEM, draft(parts=(CONCLUSION,)))

    with pytest.raises(RuleBroken):
        reports.approve(SYSTEM, KEY, 1, (RADIOLOGIST,))
    assert [one.state for one in reports.of(SYSTEM, KEY)] == [ReportState.DRAFT]


def test_an_addendum_may_be_one_sentence_unless_the_profile_says_otherwise(open_archive: Open) -> None:
    archive = open_archive()
    sentence = (Part(PartName.CONCLUSION, "Kontrol önerilir."),)
    archive.national.reports.file(SYSTEM, approved())
    strict = _reports(archive, ReportsProfile(complete_addenda=True))

    with pytest.raises(RuleBroken):
        strict.file(SYSTEM, approved(parts=sentence))
    assert archive.national.reports.file(SYSTEM, approved(parts=sentence)).addendum_to == 1


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        (TooLarge, {"parts": (Part(PartName.FINDINGS, "x" * 100_001), CONCLUSION)}),
        (TooLarge, {"radiologists": (RADIOLOGIST,) * 11}),
        (TooLarge, {"diagnoses": (Coded("I10"),) * 101}),
        (TooLarge, {"accession_number": "A" * 17}),
        (TooLarge, {"radiologists": (Person("1", "x" * 201),)}),
        (BadRequest, {"radiologists": (Person("1", "A\nB"),)}),
        (BadRequest, {"accession_number": "A\\B"}),
        (BadRequest, {"accession_number": "A\x00"}),
        (BadRequest, {"accession_number": " "}),
        (BadRequest, {"accession_number": "A\u200b"}),
        (BadRequest, {"accession_number": "9998"}),
        (BadRequest, {"approved_at": "29991231235959"}),
        (BadRequest, {"facility": ""}),
        (BadRequest, {"approved_at": "20261345101500"}),
        (BadRequest, {"approved_at": "yesterday"}),
        (BadRequest, {"quality_rating": 6}),
    ],
)
def test_what_is_beyond_a_bound_or_no_report_is_refused(
    open_archive: Open, error: type[VnaError], changes: dict[str, Any]
) -> None:
    with pytest.raises(error):
        open_archive().national.reports.file(SYSTEM, approved(**changes))


class _Listed:
    def may_approve(self, number: str) -> bool:
        return number == RADIOLOGIST.number


def test_from_its_date_on_a_radiologist_approves_by_the_date_of_the_order(open_archive: Open) -> None:
    archive = open_archive()
    reports = _reports(archive, archive.national.profile.reports, _Listed())
    archive.national.orders.place(SYSTEM, order("OLD", requested_at="20220119235959"))
    archive.national.orders.place(SYSTEM, order("NEW", requested_at="20220120000000"))
    other = (_OF_ANOTHER,)

    reports.file(SYSTEM, approved("OLD", radiologists=other))
    reports.file(SYSTEM, approved("NEW"))
    reports.file(SYSTEM, approved("A3", radiologists=other, kind=ReportKind.PATHOLOGY))
    reports.file(SYSTEM, draft("A4", radiologists=other))
    for refused in (approved("NEW", radiologists=other), approved("A5", radiologists=(RADIOLOGIST, *other))):
        with pytest.raises(RuleBroken) as problem:
            reports.file(SYSTEM, refused)
        assert problem.value.rule == "radiologist"
    with pytest.raises(RuleBroken):
        reports.approve(SYSTEM, OrderKey("500059", "A4"), 1)


def test_the_list_of_radiologists_is_asked_once_it_was_loaded(open_archive: Open) -> None:
    archive = open_archive()
    reports = archive.national.reports
    reports.file(SYSTEM, approved("A0", radiologists=(_OF_ANOTHER,)))
    listed = [Code(RADIOLOGIST.number, "ÖRNEK"), Code(_OF_ANOTHER.number, "BAŞKA", {"active": "0"})]
    archive.national.codes.load(SYSTEM, "radiologists", "1", listed)

    reports.file(SYSTEM, approved("A1"))
    for number in (_OF_ANOTHER.number, "10000000528", ""):
        with pytest.raises(RuleBroken, match="not in the list of radiologists"):
            reports.file(SYSTEM, approved("A2", radiologists=(Person(number, "HEKİM^X"),)))


def test_filing_takes_the_right_to_report_or_to_feed_and_reading_to_look_up(open_archive: Open) -> None:
    archive = open_archive()
    reports = Reports(archive.database, EnforcedPolicy(), archive.national.profile)

    def actor(*rights: Action) -> Actor:
        return Actor(ActorKind.USER, "reader", frozenset(rights))

    reports.file(actor(Action.REPORT), draft())
    reports.file(actor(Action.FEED), approved())
    assert len(reports.of(actor(Action.LOOK_UP), KEY)) == 1
    for refused in (
        lambda: reports.file(actor(Action.LOOK_UP, Action.QUERY), draft()),
        lambda: reports.approve(actor(Action.LOOK_UP), KEY, 1),
        lambda: reports.of(actor(Action.REPORT, Action.FEED), KEY),
    ):
        with pytest.raises(NotAuthorized):
            refused()


def test_no_operation_changes_a_byte_of_an_approved_row(open_archive: Open) -> None:
    archive = open_archive()
    reports = archive.national.reports
    first = reports.file(SYSTEM, approved())
    before = rows(archive, "select * from reports")
    for attempt in _attempts(reports, first):
        with suppress(VnaError):
            attempt()
        assert rows(archive, "select * from reports where number = 1") == before
    archive.dispatcher().drain()
    for _ in archive.reindex.run(SYSTEM):
        pass
    assert [row[1:] for row in rows(archive, "select * from reports where number = 1")] == [row[1:] for row in before]


def _attempts(reports: Reports, first: Report) -> list[Callable[[], object]]:
    other = conclusion("Kontrol önerilir.")
    return [
        lambda: reports.file(SYSTEM, approved()),
        lambda: reports.file(SYSTEM, draft()),
        lambda: reports.file(SYSTEM, approved(parts=other)),
        lambda: reports.file(SYSTEM, replace(first, parts=other)),
        lambda: reports.file(SYSTEM, replace(first, state=ReportState.DRAFT)),
        lambda: reports.file(SYSTEM, approved(number=1)),
        lambda: reports.file(SYSTEM, draft(number=1, parts=other)),
        lambda: reports.file(SYSTEM, approved(kind=ReportKind.PATHOLOGY, number=1)),
        lambda: reports.approve(SYSTEM, KEY, 1, (_OF_ANOTHER,), "20261201000000"),
        lambda: reports.approve(SYSTEM, KEY, 2, (_OF_ANOTHER,)),
    ]


def test_a_reindex_brings_every_version_back(open_archive: Open) -> None:
    archive = open_archive()
    reports = archive.national.reports
    reports.file(SYSTEM, draft())
    reports.file(SYSTEM, draft(parts=(FINDINGS,)))
    reports.file(SYSTEM, approved())
    reports.file(SYSTEM, approved(parts=conclusion("Kontrol önerilir.")))
    reports.file(SYSTEM, draft(parts=conclusion("Taslak."), diagnoses=(Coded("I10", "Hipertansiyon"),)))
    before = reports.of(SYSTEM, KEY)
    archive.dispatcher().drain()

    for _ in archive.reindex.run(SYSTEM):
        pass

    assert reports.of(SYSTEM, KEY) == before


def test_reports_of_one_order_that_are_filed_at_once_get_a_number_each_and_one_is_the_report(
    open_archive: Open,
) -> None:
    archive = open_archive()
    reports = archive.national.reports
    reports.file(SYSTEM, draft(source="reader"))
    texts = [f"Kontrol önerilir, {number}." for number in range(8)]
    threads = [
        threading.Thread(target=reports.file, args=(SYSTEM, approved(parts=conclusion(text), source=text)))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = reports.of(SYSTEM, KEY)

    assert [one.number for one in known] == list(range(1, 10))
    assert [one.addendum_to == 0 for one in known[1:]].count(True) == 1


def test_a_hospital_is_told_of_what_was_reported_elsewhere_and_not_of_its_own(open_archive: Open) -> None:
    archive = open_archive()
    reports = Reports(
        archive.database, archive.policy, archive.national.profile, receives=lambda facility: facility == "500059"
    )
    archive.national.orders.place(SYSTEM, order("A3", performing_facility="7"))
    own = Actor(ActorKind.SOURCE, "HIS", frozenset({Action.FEED}), facility="500059")
    reports.file(own, approved())
    reports.file(SYSTEM, approved("A2", facility="7"))
    reports.file(replace(own, facility="7"), draft("A3"))
    assert _sent(archive) == []

    reports.file(replace(own, facility="7"), approved("A3"))
    reports.file(replace(own, facility="7"), approved("A3"))
    reports.file(SYSTEM, approved(parts=conclusion("Kontrol önerilir.")))

    assert _sent(archive) == [
        ("order:500059:A3", '{"facility":"500059","accession_number":"A3","number":1}'),
        ("order:500059:A1", '{"facility":"500059","accession_number":"A1","number":2}'),
    ]


def _sent(archive: Application) -> list[tuple[object, ...]]:
    return rows(archive, f"select order_key, payload from jobs where kind = '{SEND_REPORT}' order by id")


def _reports(archive: Application, said: ReportsProfile, radiologists: _Listed | None = None) -> Reports:
    profile: Profile = archive.national.profile.model_copy(update={"reports": said})
    return Reports(archive.database, archive.policy, profile, radiologists)


@settings(max_examples=40, deadline=None)
@given(
    order_of_parts=st.permutations(list(PartName)),
    texts=st.lists(st.text(max_size=80), min_size=4, max_size=4),
    html=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_parts_mean_the_same_in_whatever_order_they_come(
    one_archive: Application, order_of_parts: list[PartName], texts: list[str], html: list[bool]
) -> None:
    said = {
        name: Part(name, FINDINGS.text + text, is_html=is_html)
        for name, text, is_html in zip(PartName, texts, html, strict=True)
    }
    reports = one_archive.national.reports
    first = reports.file(SYSTEM, approved("H", parts=tuple(said.values())))
    again = reports.file(SYSTEM, approved("H", parts=tuple(said[name] for name in order_of_parts)))

    assert again == first
    assert [part.name for part in first.parts] == list(PartName)
