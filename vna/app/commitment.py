"""Storage commitment and notices of availability, from settings to use cases and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from dicomweb.service import PREFIX
from dimse.client.availability import NoticeSCU
from dimse.client.commitment import ReportSCP
from dimse.scu import sender
from vna.app.blobs import without_spool
from vna.archive.availability import NOTIFY, Availabilities, Place, noticing
from vna.archive.commitment import CHECK, REPORT, Commitments
from vna.archive.committing import FORGET, Checking, Forgetting, Reporting
from vna.archive.repairing import Replica
from vna.jobs.dispatch import Subscriber
from vna.jobs.regular import Regular
from vna.jobs.retries import Ladder
from vna.jobs.workers import Work
from vna.settings import Settings

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
    availabilities: Availabilities
    subscriber: Subscriber | None

    def works(self) -> Mapping[str, Work]:
        """What does the jobs."""
        return {
            CHECK: self.checking,
            REPORT: self.reporting,
            FORGET: self.forgetting,
            NOTIFY: self.availabilities,
        }

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of changes: notices, where anybody is to be told."""
        return {"availability": self.subscriber} if self.subscriber is not None else {}

    def ladders(self) -> Mapping[str, Ladder]:
        """Whoever is told may not be there for days."""
        return {REPORT: _REPORTS, NOTIFY: _REPORTS}

    def regularly(self) -> Mapping[str, Regular]:
        """What is old is forgotten."""
        return {FORGET: Regular(timedelta(days=1), at_once=False)}


def build(around: Surroundings, repair: Replica | None = None) -> Committing:
    """Wire it; `repair` puts a copy from another store in the place of what is damaged."""
    settings = around.settings.commitment
    requests = Commitments(around.database, around.policy, most=settings.max_instances)
    profile = sender(around.settings.dimse.ae_title, calling=around.certificates.calling)
    return Committing(
        commitments=requests,
        checking=Checking(around.database, around.blobs, lasting=without_spool(around.blobs), repair=repair),
        reporting=Reporting(around.database, requests, around.peers.get, ReportSCP(profile)),
        forgetting=Forgetting(around.database, settings.keep_days),
        availabilities=Availabilities(
            around.database, around.blobs, around.peers.get, NoticeSCU(profile), _place(around.settings)
        ),
        subscriber=_subscriber(around),
    )


def _place(settings: Settings) -> Place:
    url = settings.http.public_url
    return Place(settings.dimse.ae_title, f"{url}{PREFIX}" if url else "")


def _subscriber(around: Surroundings) -> Subscriber | None:
    settings = around.settings.availability
    if not settings.notify:
        return None
    return noticing(around.database, settings.notify, timedelta(seconds=settings.after))
