"""The framework of the suite: what is said of a check is what came of it, and reports can be read."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from conformance.checks import every
from conformance.reports.html import html
from conformance.reports.junit import junit
from conformance.reports.text import lines
from conformance.suite.check import Check, Failed, NotApplicable, Target
from conformance.suite.evidence import Evidence, shown, shown_fields
from conformance.suite.run import Outcome, Report, run
from conformance.suite.session import Session
from conformance.suite.targets import Targets, Unreadable, address, entity, place
from tests.cli.conftest import Vna, vna

__all__ = ["vna"]

NASTY = "<script>alert(1)</script>\x00\x1b"


def fails(session: Session) -> None:
    session.evidence.sent("a request", b"\x00\x01")
    session.evidence.came(NASTY, NASTY)
    raise Failed(f"it said {NASTY}")


def breaks(_: Session) -> None:
    raise ZeroDivisionError("of the suite")


def says_nothing(_: Session) -> None:
    raise NotApplicable("not offered")


def one(name: str, function: object, target: Target = Target.HL7) -> Check:
    return Check(f"made.up.{name}", "PS3.0 1", "It holds", target, function)  # type: ignore[arg-type]


@pytest.fixture
def report() -> Report:
    checks = [
        one("good", lambda session: None),
        one("bad", fails),
        one("broken", breaks),
        one("unknown", says_nothing),
        one("elsewhere", fails, Target.SGK),
    ]
    return run(checks, Session(Targets(hl7=place("127.0.0.1:1"))))


def test_a_check_ends_as_what_came_of_it_and_ends_no_other(report: Report) -> None:
    outcomes = [result.outcome for result in report.results]
    assert outcomes == [
        Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.NOT_APPLICABLE, Outcome.NO_TARGET
    ]  # fmt: skip
    assert not report.is_clean
    assert "ZeroDivisionError" in report.results[2].evidence.entries[-1].text
    assert report.results[4].reason == "--sgk is not named"


def test_the_text_says_why_and_what_was_left_out(report: Report) -> None:
    text = "\n".join(lines(report))
    assert "FAIL  made.up.bad" in text
    assert "it said <script>" in text
    assert "skip  1 checks: --sgk is not named" in text
    assert text.endswith("1 passed, 1 failed, 1 not applicable, 1 no target, 1 error")


def test_junit_is_xml_with_the_counts_and_the_evidence_whatever_a_server_sent(report: Report) -> None:
    root = ET.fromstring(junit(report))
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["5", "1", "1", "2"]
    (failure,) = root.iter("failure")
    assert "PS3.0 1" in (failure.text or "")
    assert any("<script>" in (output.text or "") for output in root.iter("system-out"))


def test_the_page_needs_nothing_else_and_shows_what_a_server_sent_as_text(report: Report) -> None:
    page = html(report)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http-equiv" not in page
    assert not [line for line in page.splitlines() if "src=" in line or "@import" in line]


def test_evidence_is_bounded_and_shows_no_secret() -> None:
    evidence = Evidence()
    for _ in range(100):
        evidence.sent("much", b"x" * 100_000)
    assert len(evidence.entries) + evidence.left_out == 100
    assert sum(len(entry.text) for entry in evidence.entries) < 500_000
    assert "s3cret" not in shown_fields({"Authorization": "Bearer s3cret", "Accept": "*/*"})
    assert shown(b"\x00" * 5000).endswith("3976 bytes more")


def test_what_several_checks_need_is_made_once_and_its_failure_is_theirs() -> None:
    session, made = Session(Targets()), []

    def make() -> int:
        made.append(1)
        raise Failed("no")

    for _ in range(2):
        with pytest.raises(NotApplicable, match="a thing: no"):
            session.once("a thing", make)
    assert made == [1]


@pytest.mark.parametrize("text", ["VNA@host", "@host:1", "VNA@host:0", "VNA@host:70000", "A234567890123456X@host:1"])
def test_an_application_entity_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(Unreadable, match="AET@HOST:PORT"):
        entity(text)


@pytest.mark.parametrize("text", ["host:80", "ftp://host/", "http://name:word@host/", "http://host/?a=b"])
def test_an_address_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(Unreadable, match="http://HOST:PORT/PATH"):
        address(text)


def test_every_check_has_a_clause_a_sentence_and_a_place() -> None:
    checks = every()
    assert [one.id for one in checks if not one.clause or one.title.endswith(".")] == []
    assert {one.id.partition(".")[0] for one in checks} <= {target.value for target in Target} | {"xds"}


def test_the_command_says_what_is_missing_in_one_line(vna: Vna) -> None:
    done = vna("conformance", "run")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "--dimse VNA@127.0.0.1:11112" in done.err
    assert vna("conformance", "run", "--hl7", "nowhere").code == 1
    assert vna("conformance", "run", "--only", "no.such.check", "--hl7", "h:1").code == 1
    assert "dimse.echo.success" in vna("conformance", "run", "--list").out


def test_the_command_exits_with_1_when_nobody_answers_and_writes_the_reports(vna: Vna) -> None:
    where = ("--dimse", "VNA@127.0.0.1:1", "--only", "dimse.echo.*")
    done = vna("conformance", "run", *where, "--junit", "j.xml", "--html", "h.html")
    assert done.code == 1
    assert "FAIL  dimse.echo.success" in done.out
    ET.parse("j.xml")
