"""Storage commitment, from settings to use cases and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from dimse.client.commitment import ReportSCP
from dimse.scu import sender
from vna.archive.commitment import CHECK, REPORT, Commitments
from vna.archive.committing import FORGET, Checking, Forgetting, Reporting
from vna.jobs.regular import Regular
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work

if TYPE_CHECKING:
    from vna.app.keeping import Surroundings

_REPORTS = Ladder((1, 5, 30, 120, 600, 3600), days=3)
"""A modality may be switched off over a weekend."""


@dataclass(frozen=True, slots=True)
class Committing:
    """Requests, and the work that they make."""

    commitments: Commitments
    checking: Checking
    reporting: Reporting
    forgetting: Forgetting

    def works(self) -> Mapping[str, Work]:
        """What does the jobs."""
        return {CHECK: self.checking, REPORT: self.reporting, FORGET: self.forgetting}

    def ladders(self) -> Mapping[str, Ladder]:
        """Reports are tried for days."""
        return {REPORT: _REPORTS}

    def regularly(self) -> Mapping[str, Regular]:
        """What is old is forgotten."""
        return {FORGET: Regular(timedelta(days=1), at_once=False)}


def build(around: Surroundings) -> Committing:
    """Wire it."""
    settings = around.settings.commitment
    requests = Commitments(around.database, around.policy, most=settings.max_instances)
    reporter = ReportSCP(sender(around.settings.dimse.ae_title))
    return Committing(
        commitments=requests,
        checking=Checking(around.database, around.blobs),
        reporting=Reporting(around.database, requests, around.peers.get, reporter),
        forgetting=Forgetting(around.database, settings.keep_days),
    )
