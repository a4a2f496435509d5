"""Our own server meets every check, and one that was broken fails the check meant for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from conformance.checks import every
from conformance.suite.run import Outcome, run
from conformance.suite.session import Session
from conformance.suite.targets import Targets
from tests.archives import Backend
from tests.conformance.dimse_mutations import MUTATIONS as OF_DIMSE
from tests.conformance.hl7_mutations import MUTATIONS as OF_HL7
from tests.conformance.lookup_mutations import MUTATIONS as OF_LOOKUPS
from tests.conformance.mutations import Mutation
from tests.conformance.servers import Ours, not_passed, our_server
from tests.conformance.sharing_mutations import MUTATIONS as OF_SHARING
from tests.conformance.web_mutations import MUTATIONS as OF_WEB
from tests.sgk.conftest import opened
from tests.xds.listening import listening
from vna.app.doors import Addresses, http_application
from vna.metrics import Metrics

MUTATIONS = (*OF_DIMSE, *OF_HL7, *OF_LOOKUPS, *OF_SHARING, *OF_WEB)

NOBODY_LOGS_IN = "sgk.login.wrong"
"""The server of most of these tests is a local one."""
HERE = Addresses(("127.0.0.1", 0), ("127.0.0.1", 0))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    with our_server(tmp_path_factory.mktemp("ours")) as server:
        yield server


def test_our_server_passes_every_check_that_has_a_door_here(ours: Ours) -> None:
    report = ours.run()
    assert not_passed(report) == []
    said_nothing = report.of(Outcome.NOT_APPLICABLE)
    assert [f"{one.check.id}: {one.reason}" for one in said_nothing if one.check.id != NOBODY_LOGS_IN] == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_broken_server_fails_the_check_meant_for_it(ours: Ours, mutation: Mutation) -> None:
    with mutation.change():
        report = ours.run(*mutation.checks)
    assert len(report.results) == len(mutation.checks), "a check has another id"
    assert {
        one.check.id: (one.outcome, one.reason) for one in report.results if one.outcome is not Outcome.FAILED
    } == {}


def test_look_ups_that_ask_for_a_login_refuse_a_wrong_one(tmp_path: Path) -> None:
    enforced = opened(Backend("sqlite+folder", tmp_path), security={"mode": "enforced"}).application
    with closing(enforced), listening(http_application(enforced, HERE, Metrics())) as http:
        session = Session(Targets(sgk=f"{http}/sgk/goruntu-paylasim"))
        assert not_passed(report := run(every(NOBODY_LOGS_IN, "sgk.wsdl.*"), session)) == []
        assert report.of(Outcome.NOT_APPLICABLE) == []


def test_mutations_are_named_apart() -> None:
    names = [one.name for one in MUTATIONS]
    assert sorted({name for name in names if names.count(name) > 1}) == []
