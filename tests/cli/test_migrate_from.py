"""`vna migrate-from`: what is written wrongly, what is said, and how it ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from tests.cli.conftest import Vna
from tests.routing.old_pacs import OldPacs, running


@pytest.fixture
def pacs() -> Iterator[OldPacs]:
    with running(OldPacs()) as one:
        for number in range(3):
            said = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
            for _ in range(2):
                one.add(**said, StudyDate=f"201{number}0101", PatientName="Gizli^Hasta", PatientID="G-48151623")
        yield one


@pytest.fixture
def old(vna: Vna, pacs: OldPacs) -> OldPacs:
    url = pacs.archive.qido_rs
    assert vna("source", "add", "OLD", "--qido-rs", url, "--wado-rs", url).code == 0
    return pacs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "yesterday"), "yesterday is no day: write it as 2019-12-31"),
        (("--from", "2020-01-02", "--to", "2020-01-01"), "no day is between 2020-01-02 and 2020-01-01"),
        (("--modality", "ct"), "modalities are written as in DICOM, such as CT or MR, with commas between"),
        (("--modality", "CT,,MR"), "modalities are written as in DICOM"),
        (("--patient", "P*"), "a Patient ID has at most 64 characters, and no * ? or backslash"),
        (("--rate", "fast"), "fast is no rate: write 20MB/s, 500KB/s, 50/s (instances), 0 or unlimited"),
        (("--rate", "-5MB/s"), "-5MB/s is no rate"),
        (("--rate", "20"), "20 is no rate"),
        (("--rate", ""), "nothing is no rate"),
        (("--rate", "0"), "a rate of 0 all day lets nothing happen"),
        (("--rate", "07:00-19:00"), "07:00-19:00 is no rate"),
        (("--rate", "07:00-19:00=20MB/s,"), "nothing is no rate: write 20MB/s, or 07:00-19:00=20MB/s"),
        (("--rate", "07:00-25:00=20MB/s"), "25:00 is no time of the day"),
        (("--rate", "07:70-08:00=20MB/s"), "07:70 is no time of the day"),
        (("--rate", "07:00-07:00=20MB/s"), "07:00-07:00=20MB/s is no time of the day"),
        (("--rate", "07:00-12:00=1MB/s, 11:00-13:00=0"), "two rates are given for 11:00"),
        (("--rate", "22:00-06:00=1MB/s, 05:00-07:00=0"), "two rates are given for 05:00"),
        (("--compare", "some"), "some is nothing that can be compared: write others, all, none"),
        (("--report", "report.doc"), "report.doc is no report: its name ends with .csv, .json or .html"),
        (("--report", "nowhere/report.csv"), "nowhere is no folder"),
        (("--parallel", "0"), "Invalid value for '--parallel'"),
    ],
)
def test_what_is_written_wrongly_is_told_in_one_line_before_anything_happens(
    vna: Vna, words: tuple[str, ...], said: str
) -> None:
    done = vna("migrate-from", "OLD", *words)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("NOBODY",), "no source NOBODY is known"),
        (("OLD", "--door", "C-GET"), "OLD has no door C-GET; it has WADO-RS"),
    ],
)
def test_what_cannot_be_begun_ends_with_1_and_one_line(
    vna: Vna, old: OldPacs, words: tuple[str, ...], said: str
) -> None:
    done = vna("migrate-from", *words)
    assert (done.code, done.out, done.err) == (1, "", f"vna: {said}\n")


def test_a_source_that_does_not_answer_is_told_in_one_line(vna: Vna, old: OldPacs) -> None:
    old.down = True
    done = vna("migrate-from", "OLD")
    assert (done.code, done.out) == (1, "")
    assert done.err == "vna: QIDO-RS: OLD answers with HTTP status 503\n"


def test_a_dry_run_counts_and_copies_nothing(vna: Vna, old: OldPacs) -> None:
    done = vna("migrate-from", "OLD", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "3 studies with 6 instances there, 0 of them here"
    assert [line.split() for line in done.out.splitlines()[1:4]] == [
        [f"201{number}", "CT", "1", "0", "2", "0"] for number in range(3)
    ]
    assert [path for path in old.asked if "/instances" in path] == []


def test_a_run_says_what_became_of_everything(vna: Vna, old: OldPacs) -> None:
    done = vna("migrate-from", "OLD")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == (
        "3 studies: 3 complete, 0 incomplete, 0 failed, 0 to come; "
        "instances: 6 stored, 0 already held, 0 missing, 0 differed, 0 refused"
    )
    assert vna("verify").out == "6 sound, 0 damaged\n"
    assert vna("migrate-from", "OLD", "--dry-run").out.splitlines()[-1] == (
        "3 studies with 6 instances there, 6 of them here"
    )


def test_what_does_not_add_up_is_named_ends_with_1_and_is_tried_again_when_asked_for(vna: Vna, old: OldPacs) -> None:
    lost = old.held[3].uid
    old.lost = {lost}
    done = vna("migrate-from", "OLD")
    assert done.code == 1
    assert done.err == f"missing: {lost}: the source lists it and does not give it\n"
    assert done.out.splitlines()[-2].startswith("3 studies: 2 complete, 1 incomplete, 0 failed, 0 to come")
    assert done.out.splitlines()[-1] == "what failed or is not complete is tried again with --retry-failed"
    old.lost = set()
    assert vna("migrate-from", "OLD").code == 1
    assert vna("migrate-from", "OLD", "--retry-failed").code == 0


def test_a_report_has_the_figures_and_everything_that_does_not_add_up_and_no_patient(
    vna: Vna, old: OldPacs, tmp_path: Path
) -> None:
    lost, cut = old.held[0], old.held[2]
    old.lost, old.instead = {lost.uid}, {cut.uid: cut.content[:-50]}
    for name in ("report.csv", "report.json", "report.html"):
        assert vna("migrate-from", "OLD", "--report", name).code == 1
    with (tmp_path / "report.csv").open() as text:
        rows = list(csv.DictReader(text))
    counts = [row for row in rows if row["what"] == "count"]
    assert [(row["year"], row["modality"], row["studies there"], row["studies here"]) for row in counts] == [
        ("2010", "CT", "1", "1"),
        ("2011", "CT", "1", "1"),
        ("2012", "CT", "1", "1"),
    ]
    assert [(row["instances there"], row["instances here"]) for row in counts] == [("2", "1"), ("2", "1"), ("2", "2")]
    expected = {("missing", lost.uid), ("refused", cut.uid)}
    assert {(row["what"], row["instance"]) for row in rows if row["what"] != "count"} == expected
    report = json.loads((tmp_path / "report.json").read_text())
    assert {(one["what"], one["sop_instance_uid"]) for one in report["findings"]} == expected
    assert (report["adds_up"], report["totals"]["missing"], report["totals"]["refused"]) == (False, 1, 1)
    page = (tmp_path / "report.html").read_text()
    assert "not everything adds up" in page
    assert lost.uid in page
    for secret in ("Gizli", "G-48151623"):
        assert not [
            name for name in ("report.csv", "report.json", "report.html") if secret in (tmp_path / name).read_text()
        ]


def test_no_report_names_the_patient_that_was_chosen(vna: Vna, old: OldPacs, tmp_path: Path) -> None:
    done = vna("migrate-from", "OLD", "--patient", "G-48151623", "--report", "report.json")
    assert done.code == 0
    assert "G-48151623" not in done.out + done.err + (tmp_path / "report.json").read_text()
