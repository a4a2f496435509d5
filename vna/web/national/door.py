"""What the national side over HTTP needs: use cases, and what is known of facilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from vna.model.access import Actor
from vna.model.order_queries import OrderQuery
from vna.model.orders import KnownOrder
from vna.model.profile import Profile
from vna.security.accounts import Accounts
from vna.teleradiology.duplicates import Duplicates
from vna.teleradiology.listings import MOST, Listings
from vna.teleradiology.looks import Looks
from vna.teleradiology.matching import Matching
from vna.teleradiology.order_ids import OrderIds
from vna.teleradiology.reports import Reports
from vna.teleradiology.reprocessing import Reprocessing
from vna.teleradiology.tracking import Tracking
from vna.teleradiology.unmatched import Unmatched
from vna.web.national.statuses import Known


@dataclass(frozen=True, slots=True)
class NationalDoor:
    """The national side of one archive."""

    listings: Listings
    tracking: Tracking
    order_ids: OrderIds
    unmatched: Unmatched
    matching: Matching
    reprocessing: Reprocessing
    duplicates: Duplicates
    looks: Looks
    reports: Reports
    accounts: Accounts
    profile: Profile

    @property
    def zone(self) -> ZoneInfo:
        """The zone of local times."""
        return self.profile.zone

    def now(self) -> str:
        """The local time, as orders have it."""
        return datetime.now(UTC).astimezone(self.zone).strftime("%Y%m%d%H%M%S")

    def known(self, actor: Actor, facility: str, numbers: Sequence[str]) -> list[Known]:
        """All that is known of accession numbers at a facility, in their order."""
        wanted = list(dict.fromkeys(numbers))
        query = OrderQuery(facility=facility, accession_numbers=tuple(wanted))
        orders: dict[str, KnownOrder] = {}
        for one in self.listings.orders(actor, query, limit=MOST).orders:
            number = one.order.key.accession_number
            if number not in orders or one.order.key.facility == facility:
                orders[number] = one
        alone = [number for number in wanted if number not in orders]
        unordered = self.listings.studies_with_accession(actor, facility, alone) if alone else []
        by_number = {one.accession_number: one for one in self.about(actor, list(orders.values()))} | {
            number: Known(number, unordered=[one for one in unordered if one.accession_number == number])
            for number in alone
        }
        return [by_number[number] for number in wanted]

    def about(self, actor: Actor, orders: Sequence[KnownOrder]) -> list[Known]:
        """The same of orders that were found."""
        tracked = self.tracking.status(actor, [one.order.key for one in orders]) if orders else ()
        return [Known(one.known.order.key.accession_number, one) for one in tracked]
