"""Our own server meets every check, and one that was broken fails the check meant for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.suite.run import Outcome
from tests.conformance.dimse_mutations import MUTATIONS as OF_DIMSE
from tests.conformance.hl7_mutations import MUTATIONS as OF_HL7
from tests.conformance.mutations import Mutation
from tests.conformance.servers import Ours, not_passed, our_server
from tests.conformance.sharing_mutations import MUTATIONS as OF_SHARING
from tests.conformance.web_mutations import MUTATIONS as OF_WEB

MUTATIONS = (*OF_DIMSE, *OF_HL7, *OF_SHARING, *OF_WEB)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    with our_server(tmp_path_factory.mktemp("ours")) as server:
        yield server


def test_our_server_passes_every_check_that_has_a_door_here(ours: Ours) -> None:
    report = ours.run()
    assert not_passed(report) == []
    assert [f"{one.check.id}: {one.reason}" for one in report.of(Outcome.NOT_APPLICABLE)] == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_broken_server_fails_the_check_meant_for_it(ours: Ours, mutation: Mutation) -> None:
    with mutation.change():
        report = ours.run(*mutation.checks)
    assert len(report.results) == len(mutation.checks), "a check has another id"
    assert {
        one.check.id: (one.outcome, one.reason) for one in report.results if one.outcome is not Outcome.FAILED
    } == {}


def test_mutations_are_named_apart() -> None:
    names = [one.name for one in MUTATIONS]
    assert sorted({name for name in names if names.count(name) > 1}) == []
