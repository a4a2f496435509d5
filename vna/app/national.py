"""The national side: from the profile to its use cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.index.engine import Connection, Database
from vna.archive.reindex import Replay
from vna.jobs.dispatch import Subscriber
from vna.jobs.workers import Work
from vna.model import profile
from vna.model.events import Event, EventKind
from vna.model.notifications import Payer
from vna.model.profile import Profile
from vna.security.policy import Policy
from vna.settings.national import NationalSettings
from vna.sgk.medula import Medula
from vna.teleradiology import codes, dose, looks, notifying, reports, standing
from vna.teleradiology.codes import Codes
from vna.teleradiology.dose import DOSE, Doses
from vna.teleradiology.duplicates import Duplicates
from vna.teleradiology.looks import Looks
from vna.teleradiology.notifying import NOTIFY, Notifying
from vna.teleradiology.reports import Reports
from vna.teleradiology.rules import Rules
from vna.teleradiology.standing import STANDING, Standings
from vna.teleradiology.tracking import Tracking
from vna.teleradiology.windows import Windows
from vna.worklist import orders
from vna.worklist.orders import Orders


@dataclass(frozen=True, slots=True)
class National:
    """Use cases of orders, reports and rules, in one process."""

    database: Database
    profile: Profile
    orders: Orders
    codes: Codes
    reports: Reports
    rules: Rules
    doses: Doses
    standings: Standings
    notifying: Notifying
    duplicates: Duplicates
    looks: Looks
    tracking: Tracking

    def subscribers(self) -> Mapping[str, Subscriber]:
        """Who has to know of events."""

        def standing(batch: Sequence[Event]) -> None:
            self.doses(batch)  # first: how an order stands depends on them
            self.standings(batch)

        return {"standing": standing}

    def works(self) -> Mapping[str, Work]:
        """What does its durable jobs."""
        return {STANDING: self.standings.every, DOSE: self.doses.every, NOTIFY: self.notifying}


REPLAYS: Mapping[EventKind, Replay] = {
    EventKind.ORDER_CHANGED: orders.replay,
    EventKind.PREVIOUS_SEEN: looks.replay,
    EventKind.NOTIFICATION_CHANGED: notifying.replay,
    EventKind.CODES_LOADED: codes.replay,
    EventKind.REPORT_CHANGED: reports.replay,
}
"""What a reindex does again."""


def after_reindex(connection: Connection) -> None:
    """What a rebuilt index has to find out again."""
    dose.again(connection)  # and then how orders stand
    notifying.after_reindex(connection)


def build(settings: NationalSettings, database: Database, policy: Policy, affinity_domain: str = "") -> National:
    """Wire the national side; BadRequest when the site's profile, or a file that it names, cannot be read.

    `affinity_domain` is the authority of patient identifiers, where there is one.
    """
    said = profile.read(Path(settings.profile) if settings.profile else None)
    known = Codes(database, policy)
    rules = Rules(said, known, _windows(settings, said))
    authorities = sorted({said.national_authority, affinity_domain} - {""})
    payer = PAYERS[settings.payer](settings)
    standings = Standings(database, said, rules, authorities, notifying.begin if payer is not None else None)
    return National(
        database=database,
        profile=said,
        orders=Orders(database, policy),
        codes=known,
        reports=Reports(database, policy, said),
        rules=rules,
        doses=Doses(database, standing.again),
        standings=standings,
        notifying=Notifying(database, policy, said, known, standings, payer),
        duplicates=Duplicates(database, policy, rules, authorities),
        looks=Looks(database, policy, said, rules, authorities),
        tracking=Tracking(database, policy),
    )


def _medula(settings: NationalSettings) -> Payer:
    said = settings.medula
    return Medula(said.url, said.user, said.password.get_secret_value(), timeout=said.timeout, wsdl=said.wsdl)


PAYERS: Mapping[str, Callable[[NationalSettings], Payer | None]] = {"": lambda _: None, "medula": _medula}
"""By what VNA_NATIONAL__PAYER says."""


def _windows(settings: NationalSettings, said: Profile) -> Windows:
    """A file that the profile names from its own folder."""
    return Windows(Path(settings.profile).parent / said.rules.windows if said.rules.windows else None)
