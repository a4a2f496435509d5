"""The suite is honest of another server: against Orthanc it finds what is known of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.checks import every
from conformance.suite.run import Outcome, Report, run
from conformance.suite.session import Session
from conformance.suite.targets import Caller, Entity, Place, Targets
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.processes import free_port

FAULTS = (  # Orthanc 1.10.1, as Debian has it
    # Names outside Latin alphabet No. 1 lose their letters in C-FIND.
    "dimse.charset.latin5.returned",
    "dimse.charset.cyrillic.returned",
    "dimse.charset.utf8.returned",
    # Items of sequences are no matching keys.
    "dimse.find.sequence",
    "dimse.find.unknown-level",
    # Sub-operations that failed are not told as the tables of PS3.4 C.4 have it.
    "dimse.get.refused-store",
    "dimse.get.no-context",
    "dimse.move.refused-store",
    "dimse.move.unknown-destination",
    "dimse.association.unknown-pdu",
    # facts/real-peers.md: %2A is no wildcard, type="*/*" is 400, a frame as image/jls ends the program.
    "dicomweb.search.match.encoded-wildcard",
    "dicomweb.retrieve.frame-any",
    "dicomweb.retrieve.frame-jls",
    # facts/peers.md: no includefield=all, fuzzymatching is ignored, no matching in sequences, no capabilities.
    "dicomweb.search.includefield-all",
    "dicomweb.search.fuzzymatching",
    "dicomweb.search.sequence",
    "dicomweb.capabilities",
)
NOT_OFFERED = (
    "dimse.find.relational",
    "dimse.find.fuzzy",
    "dimse.find.combined-datetime",
    "dimse.worklist.answered",
    "dimse.step.create",
)


@pytest.fixture(scope="module")
def report(orthanc: Callable[..., Orthanc]) -> Report:
    caller = Caller(listen=Place("127.0.0.1", free_port()), timeout=5)
    assert caller.listen is not None
    server = orthanc(modalities={"suite": Modality(caller.ae_title, caller.listen.port)})
    targets = Targets(
        dimse=Entity(server.ae_title, "127.0.0.1", server.dicom_port),
        dicomweb=server.dicomweb_url,
        wado=f"{server.url}/wado",
    )
    return run(every(), Session(targets, caller))


def outcomes(report: Report, *ids: str) -> dict[str, Outcome]:
    return {one.check.id: one.outcome for one in report.results if one.check.id in ids}


def test_what_is_known_to_be_wrong_fails(report: Report) -> None:
    assert outcomes(report, *FAULTS) == dict.fromkeys(FAULTS, Outcome.FAILED)


def test_what_need_not_be_offered_and_is_not_is_no_failure(report: Report) -> None:
    assert outcomes(report, *NOT_OFFERED) == dict.fromkeys(NOT_OFFERED, Outcome.NOT_APPLICABLE)


def test_no_check_breaks_over_what_another_server_does(report: Report) -> None:
    assert [f"{one.check.id}: {one.reason}" for one in report.of(Outcome.ERROR)] == []


def test_most_of_what_is_asked_it_does(report: Report) -> None:
    assert len(report.of(Outcome.PASSED)) > 100
