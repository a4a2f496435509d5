"""Orders with everything that is known of them: for status look-ups and the tracking page."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.index import doses, notifications, standings
from storage.index.doses import DoseRow
from storage.index.engine import Database
from storage.index.standings import MatchedStudy, ReportOf
from vna.model.access import Action, Actor
from vna.model.errors import TooLarge
from vna.model.notifications import Notification
from vna.model.orders import KnownOrder, OrderKey
from vna.security.policy import Policy
from vna.teleradiology.own_orders import is_of

MOST = 500
"""The most orders that are asked for at once."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """An order, how it stands, and by what: its images, approved reports, dose reports, and what the payer was told."""

    known: KnownOrder
    studies: tuple[MatchedStudy, ...] = ()
    reports: tuple[ReportOf, ...] = ()
    doses: tuple[DoseRow, ...] = ()
    notification: Notification | None = None


class Tracking:
    """How orders stand, for those who may look them up."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def status(self, actor: Actor, keys: Sequence[OrderKey]) -> tuple[Tracked, ...]:
        """Those that are known, in the order of the keys; TooLarge when more than MOST are asked for.

        Who is bound to a facility by a role is told of its orders alone.
        """
        self._policy.check(actor, Action.LOOK_UP)
        is_bound = self._policy.within(actor) is not None
        if len(keys) > MOST:
            raise TooLarge(f"at most {MOST} orders can be asked for at once")
        wanted = list(dict.fromkeys(keys))
        with self._database.read() as connection:
            found = standings.gather(connection, wanted)
            if is_bound:
                found = [one for one in found if is_of(connection, actor, one.known)]
            told = notifications.of(connection, wanted)
            uids = sorted({study.study_instance_uid for one in found for study in one.studies})
            measured = doses.of_studies(connection, uids) if uids else []
        return tuple(
            Tracked(
                known=one.known,
                studies=one.studies,
                reports=one.reports,
                doses=tuple(
                    dose
                    for dose in measured
                    if dose.study_instance_uid in {study.study_instance_uid for study in one.studies}
                ),
                notification=told.get(one.known.order.key),
            )
            for one in found
        )
