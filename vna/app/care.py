"""The care of what is kept; from settings to use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from storage.blobs.base import BlobStore
from storage.index.engine import Database
from vna.archive.care import Care
from vna.archive.deletion import Deletion
from vna.archive.purging import ERASE, Purging
from vna.archive.repairing import Repairing, Replica
from vna.archive.retention import RETAIN, Retention
from vna.archive.retention_rules import Rule
from vna.archive.sweeping import SWEEP, Sweeping
from vna.archive.verifying import VERIFY, Verifying
from vna.jobs.regular import Regular
from vna.jobs.workers import Work
from vna.security.policy import Policy
from vna.settings import Settings
from vna.settings.care import RetentionSettings, Since


@dataclass(frozen=True, slots=True)
class Caring:
    """Use cases of care, in one process."""

    verifying: Verifying
    repairing: Repairing
    sweeping: Sweeping
    purging: Purging
    retention: Retention

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {VERIFY: self.verifying, SWEEP: self.sweeping, ERASE: self.purging, RETAIN: self.retention}


def build(
    settings: Settings,
    database: Database,
    blobs: BlobStore,
    policy: Policy,
    deletion: Deletion,
    replica: Replica | None = None,
) -> Caring:
    """Wire it; `replica` puts a copy from another store in the place of what is damaged."""
    repairing = Repairing(database, blobs, policy, replica)
    verifying = Verifying(
        database,
        blobs,
        policy,
        Care(database, blobs, policy),
        rate=int(settings.verify.rate),
        readers=settings.verify.readers,
        repair=repairing.repair if settings.verify.repair else None,
    )
    purging = Purging(database, blobs, policy)
    return Caring(
        verifying,
        repairing,
        Sweeping(database, blobs, policy),
        purging,
        Retention(database, policy, deletion, purging, [_rule(one) for one in settings.retention]),
    )


def _rule(said: RetentionSettings) -> Rule:
    return Rule(
        name=said.name,
        modalities=said.modalities,
        facilities=said.facilities,
        under_age=said.under_age,
        years=said.years,
        until_age=said.until_age,
        arrived=said.since is Since.ARRIVAL,
        then=said.then.value,
        purge_days=said.purge_days,
    )


def regularly(settings: Settings) -> Mapping[str, Regular]:
    """What of it is due when."""
    verify, sweep = timedelta(days=settings.verify.every), timedelta(hours=settings.care.sweep)
    retain = timedelta(hours=settings.care.retention if settings.retention else 0)
    wanted = {VERIFY: Regular(verify, at_once=False), SWEEP: Regular(sweep, at_once=False)}
    wanted[RETAIN] = Regular(retain, at_once=False)
    return {kind: one for kind, one in wanted.items() if one.every}
