"""Reports by message: filed once, read in every form; and sent to who takes those of a facility."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

import base64
import socket
from dataclasses import replace
from datetime import datetime

import orjson
import pytest
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from storage.index import jobs
from tests.archives import rows
from tests.hl7.conftest import Feed, Listen, Live, parsed
from tests.hl7.national import FACILITY, FINDINGS, group, header, observation, order, part, report, reported
from tests.hl7.test_order_fields import PROFILE, rules
from tests.worklist.ordering import order as an_order
from vna.hl7 import oru_r01
from vna.hl7.acknowledgment import acknowledge
from vna.hl7.message import read_header
from vna.hl7.oru_r01_writing import Envelope, message
from vna.hl7.refusal import Condition, Refused
from vna.hl7.report_text import decoded
from vna.jobs.retries import Ladder
from vna.model.access import SYSTEM
from vna.model.orders import Coded, OrderKey, Person
from vna.model.reports import Contrast, Part, PartName, Report, ReportKind, ReportState
from vna.model.sources import Messages, Source

TOLD = ("AA", "", "")
KEY = OrderKey(FACILITY, "A1")


@pytest.fixture
def national(feed: Feed) -> Feed:
    feed.know("HBYS")
    return feed


def filed(feed: Feed) -> tuple[Report, ...]:
    return feed.archive.national.reports.of(SYSTEM, KEY)


def read(*observations: dict[int, str], of: dict[str, dict[int, str]] | None = None) -> Report:
    (found,) = oru_r01.reports(parsed(report(*observations, of=of).encode()), rules())
    return found.report


# In


def test_a_report_is_filed_once_however_often_it_comes(national: Feed) -> None:
    assert national(order()) == TOLD
    told = report(msh=header("ORU^R01", "R1")).encode()
    first = national.dispatch.answer(told, "127.0.0.1")
    assert national.dispatch.answer(told, "127.0.0.1") == first
    (one,) = filed(national)
    assert (one.number, one.state, one.approved_at) == (1, ReportState.APPROVED, "20261130113000")
    assert [part.text for part in one.parts][2] == FINDINGS
    assert (one.reason_rating, one.quality_rating) == (4, 5)
    assert one.contrast == (Contrast("IV", "iohexol", "350 mg/ml"), Contrast("O", "baryum sülfat"))
    assert one.diagnoses == (Coded("R51", "Baş ağrısı"),)
    other = report(observation(m13="1^1"), msh=header("ORU^R01", "R1"))
    assert national(other) == ("AE", "V104", "")


def test_a_correction_is_an_addendum(national: Feed) -> None:
    assert national(report(msh=header("ORU^R01", "R1"))) == TOLD
    more = observation(part(FINDINGS, 3), part("Ek: kontrol önerilir.", 4), state="C")
    assert national(report(more, msh=header("ORU^R01", "R2"))) == TOLD
    assert [(one.number, one.addendum_to) for one in filed(national)] == [(1, 0), (2, 1)]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ((part(FINDINGS, 3),), "V404"),
        ((part("x" * 49, 3), part("Normal.", 4)), "V409"),
    ],
)
def test_what_the_profile_refuses_of_a_report_has_its_code(national: Feed, parts: tuple[str, ...], code: str) -> None:
    assert national(report(observation(*parts))) == ("AE", code, "OBX-5")
    assert filed(national) == ()


def test_of_several_reports_all_are_filed_or_none(national: Feed) -> None:
    def both(second: dict[int, str], control_id: str) -> str:
        told = report(msh=header("ORU^R01", control_id))
        more = report(second, of=reported("A2")).split("\r")
        return told + "\r".join(line for line in more if line[:3] not in ("MSH", "PID", "PV1"))

    short = observation(part(FINDINGS, 3))
    assert national(both(short, "R1"))[:2] == ("AE", "V404")
    assert rows(national.archive, "select count(*) from reports") == [(0,)]
    assert rows(national.archive, "select count(*) from received_messages") == [(0,)]
    assert national(both(observation(), "R1")) == TOLD
    assert rows(national.archive, "select accession_number from reports order by 1") == [("A1",), ("A2",)]


def test_a_report_and_its_short_addendum_come_in_one_message(national: Feed) -> None:
    more = report(observation(part("Ek: kontrol önerilir.", 4), state="C")).split("\r")
    told = report() + "\r".join(line for line in more if line[:3] not in ("MSH", "PID", "PV1"))
    assert national(told) == TOLD
    assert [one.addendum_to for one in filed(national)] == [0, 1]


def test_a_report_of_somebody_elses_order_is_refused(national: Feed) -> None:
    assert national(order()) == TOLD
    one = reported()
    one["PID"] |= {4: "10000000450"}
    assert national(report(of=one, msh=header("ORU^R01", "R1"))) == ("AE", "V322", "")
    assert filed(national) == ()


def test_a_report_of_another_facility_is_refused(national: Feed) -> None:
    one = reported()
    one["ORC"] |= {21: "500060"}
    assert national(report(of=one)) == ("AE", "0054", "ORC-21")


def test_html_is_kept_without_what_runs(national: Feed) -> None:
    bad = part(f"<p>{FINDINGS}</p><script>alert(1)</script>", 3)
    told = report(observation(bad, part("<b>Normal</b>", 4), kind="HTML^BASE64"))
    assert national(told) == TOLD
    (one,) = filed(national)
    assert "script" not in one.parts[0].text
    assert FINDINGS in one.parts[0].text


def test_reports_in_windows_1254_are_read_in_it_and_in_utf_8(feed: Feed) -> None:
    feed.know("HBYS", character_set="Windows1254")
    for number, codec in enumerate(("cp1254", "utf-8"), 1):
        told = observation(part(FINDINGS, 3, codec), part("Şüpheli.", 4, codec))
        of = reported(f"A{number}")
        raw = report(told, of=of, msh=header("ORU^R01", f"R{number}", m18="Windows1254")).encode("cp1254")
        assert feed(raw) == TOLD
        (one,) = feed.archive.national.reports.of(SYSTEM, OrderKey(FACILITY, f"A{number}"))
        assert [part.text for part in one.parts] == [FINDINGS, "Şüpheli."]


def test_plain_text_that_is_called_base64_is_taken_as_it_is() -> None:
    assert read(observation(f"{FINDINGS}^3", part("Normal.", 4))).parts[0].text == FINDINGS
    assert decoded("Tek satir\r\nikinci", "utf-8") == "Tek satir\r\nikinci"


@pytest.mark.parametrize(
    "said",
    ["Normal", "Normaldir", "NORMAL", "Stabil", "Ok", "Normal.", "Doğal", "Temizdir", "Normalde", "STABILDI", "T2N0M0",
     "BIRADS2", "Normal/stabil", "Normal!"],
)  # fmt: skip
@pytest.mark.parametrize("codec", ["utf-8", "cp1254"])
def test_a_conclusion_of_one_word_is_not_taken_for_base64(said: str, codec: str) -> None:
    assert decoded(said, codec) == said
    assert decoded(base64.b64encode(said.encode(codec)).decode(), codec) == said


def test_base64_may_be_folded_into_lines() -> None:
    packed = base64.encodebytes(FINDINGS.encode()).decode().replace("\n", "\\X0D0A\\")
    assert read(observation(f"{packed}^3")).parts[0].text == FINDINGS


def test_parts_of_several_observations_are_one_report_with_the_diagnoses_of_each() -> None:
    found = read(observation(part(FINDINGS, 3)), observation(part("Normal.", 4)))
    assert [part.name for part in found.parts] == [PartName.FINDINGS, PartName.CONCLUSION]
    with pytest.raises(Refused, match="comes twice"):
        read(observation(part(FINDINGS, 3)), observation(part(FINDINGS, 3)))


@pytest.mark.parametrize("value", ["PAT", "SP"])
def test_a_report_of_pathology_is_known_by_its_section(value: str) -> None:
    one = reported()
    one["OBR"] |= {24: value}
    assert read(of=one).kind is ReportKind.PATHOLOGY


# Out

_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=60).map(
    lambda text: " ".join(text.split()) or "x"
)


@given(
    st.dictionaries(st.sampled_from(PartName), _WORDS, min_size=1),
    st.integers(0, 5),
    st.integers(0, 5),
    st.lists(st.builds(Contrast, st.sampled_from(("IV", "O")), _WORDS, _WORDS), max_size=3, unique=True),
)
def test_what_is_written_is_read_as_it_was(
    parts: dict[PartName, str], reason: int, quality: int, contrast: list[Contrast]
) -> None:
    said = Report(
        KEY,
        0,
        tuple(Part(name, parts[name]) for name in sorted(parts)),
        state=ReportState.APPROVED,
        approved_at="20261130113000",
        radiologists=(Person("10000000382", "RAPOR^ECE^^DR"),),
        reason_rating=reason,
        quality_rating=quality,
        contrast=tuple(contrast),
        diagnoses=(Coded("R51", "Baş & ağrısı"),),
        source="HBYS",
    )
    envelope = Envelope(("VNA", "VNA"), ("HBYS", "X"), datetime(2026, 11, 30, 12), "M1")
    (found,) = oru_r01.reports(parsed(message(envelope, an_order(), said)), rules(PROFILE.hl7.hospital))
    assert found.report == said
    assert found.patient == an_order().patient


def test_another_library_reads_what_is_written_and_what_the_set_lacks_is_a_reference() -> None:
    said = Report(KEY, 2, (Part(PartName.FINDINGS, "≥ 5 mm & ödem"),), addendum_to=1, approved_at="20261130113000")
    at = datetime(2026, 11, 30, 12)
    raw = message(Envelope(("V", "V"), ("H", "H"), at, "M1", "cp1254", "Windows1254"), an_order(), said)
    found = parse_message(raw.decode("cp1254"))
    assert found.msh.msh_9.value == "ORU^R01"
    fields = parsed(raw).one("OBX")
    assert (fields.value(3), fields.value(11)) == ("HTML", "C")
    assert base64.b64decode(fields.value(5)).decode("cp1254") == "&#8805; 5 mm &amp; ödem"


class Hospital:
    """Answers as it is told, and keeps what came."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.refusal: Refused | None = None

    def answer(self, data: bytes, address: str, certificate: bytes) -> bytes:
        self.seen.append(data)
        return acknowledge(read_header(data), self.refusal)

    def reject(self, data: bytes, words: str, address: str) -> bytes:
        raise NotImplementedError


@pytest.fixture
def hospital(feed: Feed, listen: Listen) -> tuple[Feed, Hospital, Live]:
    """An archive that has an order and its report, made elsewhere; the hospital takes reports of its orders."""
    receiving = Hospital()
    live = listen(answering=receiving)
    feed.know("HBYS", messages=Messages(host="127.0.0.1", port=live.port))
    feed.know("TRS", facility="")
    assert feed(order(msh=header("ORM^O01", m3="HBYS", m18="UTF8"))) == TOLD
    return feed, receiving, live


def send_all(feed: Feed) -> None:
    feed.archive.workers().drain()


def outbound(feed: Feed) -> list[jobs.Job]:
    with feed.archive.database.read() as connection:
        return jobs.listed(connection, state="", kind="report-out", limit=10)


def test_a_report_made_elsewhere_reaches_the_hospital_that_ordered(hospital: tuple[Feed, Hospital, Live]) -> None:
    feed, receiving, _ = hospital
    assert feed(report(msh=header("ORU^R01", "R1", m3="TRS"))) == TOLD
    send_all(feed)
    (came,) = receiving.seen
    (found,) = oru_r01.reports(parsed(came), rules(PROFILE.hl7.hospital))
    (ours,) = filed(feed)
    assert found.report == replace(ours, number=0, received_at="", source="HBYS")
    assert outbound(feed) == []


def test_what_the_hospital_refuses_waits_for_a_person_and_is_not_sent_again(
    hospital: tuple[Feed, Hospital, Live],
) -> None:
    feed, receiving, _ = hospital
    receiving.refusal = Refused(Condition.UNKNOWN_KEY, "patient 10000000146 is not known")
    assert feed(report(msh=header("ORU^R01", "R1", m3="TRS"))) == TOLD
    send_all(feed)
    (job,) = outbound(feed)
    assert (job.state, len(receiving.seen)) == (jobs.DEAD, 1)
    assert job.last_error == "GivenUp: HBYS answers AE: patient ... is not known"


def test_what_it_does_not_take_now_is_tried_again_under_the_same_number(hospital: tuple[Feed, Hospital, Live]) -> None:
    feed, receiving, _ = hospital
    receiving.refusal = Refused(Condition.INTERNAL, "not now", rejects=True)
    assert feed(report(msh=header("ORU^R01", "R1", m3="TRS"))) == TOLD
    send_all(feed)
    (job,) = outbound(feed)
    assert (job.state, job.attempts) == (jobs.READY, 1)
    assert 55 < (datetime.fromisoformat(job.run_after) - datetime.now().astimezone()).total_seconds() <= 60
    receiving.refusal = None
    feed.archive.national.works()["report-out"](job.payload)
    first, second = (read_header(data) for data in receiving.seen)
    assert first is not None
    assert second is not None
    assert first.value(10) == second.value(10) != ""


def test_of_several_receivers_each_has_a_job_of_its_own(hospital: tuple[Feed, Hospital, Live]) -> None:
    feed, receiving, _ = hospital
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    feed.know("AWAY", messages=Messages(host="127.0.0.1", port=port))
    assert feed(report(msh=header("ORU^R01", "R1", m3="TRS"))) == TOLD
    send_all(feed)
    (job,) = outbound(feed)
    assert (orjson.loads(job.payload)["receiver"], len(receiving.seen)) == ("AWAY", 1)
    assert f"no connection to 127.0.0.1:{port}" in job.last_error


def test_who_sent_a_report_does_not_get_it_back(hospital: tuple[Feed, Hospital, Live]) -> None:
    feed, receiving, _ = hospital
    assert feed(report(msh=header("ORU^R01", "R1"))) == TOLD
    send_all(feed)
    assert (receiving.seen, outbound(feed)) == ([], [])


def test_the_ladder_is_that_of_the_profile() -> None:
    assert Ladder(PROFILE.hl7.retry_seconds, PROFILE.hl7.retry_days) == Ladder(
        (60, 5 * 60, 15 * 60, 3600, 4 * 3600, 24 * 3600), 30
    )


def test_nothing_is_sent_of_a_report_whose_receiver_is_gone(national: Feed) -> None:
    payload = orjson.dumps({"facility": FACILITY, "accession_number": "A1", "number": 1}).decode()
    assert national.archive.national.works()["report-out"](payload) is None
    assert rows(national.archive, "select count(*) from jobs where kind = 'report-out'") == [(0,)]


def test_a_source_may_be_a_receiver_alone(feed: Feed) -> None:
    feed.archive.sources.add(SYSTEM, Source("OUT", "OUT", facility="1", messages=Messages(host="h", port=1)))
    assert [one.name for one in feed.archive.sources.receivers("1")] == ["OUT"]
    assert group()["ORC"][21] == FACILITY
