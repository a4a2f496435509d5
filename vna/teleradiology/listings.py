"""Lists of orders, and of what else hospital systems ask for by the day or by the patient."""

from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from storage.index import notifications
from storage.index import order_listings as rows
from storage.index.engine import Database
from vna.model.access import Action, Actor
from vna.model.codes import Facility
from vna.model.errors import BadRequest, NotAuthorized, NotFound
from vna.model.notifications import Notification
from vna.model.order_queries import ListedStudy, OrderPage, OrderQuery, Period, Place
from vna.model.orders import KnownOrder, OrderKey
from vna.security.policy import Policy
from vna.teleradiology.codes import Codes
from vna.teleradiology.own_orders import is_of

MOST = 500
"""Entries of one page, and accession numbers of one question."""
MOST_DAYS = 92
"""The longest period of a list by date."""


class Listings:
    """Whoever is of a facility sees what that facility ordered or performs; all of it takes the right to look up."""

    def __init__(self, database: Database, policy: Policy, codes: Codes, zone: ZoneInfo) -> None:
        self._database = database
        self._policy = policy
        self._codes = codes
        self._zone = zone

    def facility_of_medula(self, actor: Actor, code: str) -> Facility:
        """The facility that the payer knows by this code; NotFound, or NotAuthorized where it is not the actor's."""
        self._policy.check(actor, Action.LOOK_UP, "facilities")
        found = self._codes.facility_of_medula(code)
        if found is None:
            raise NotFound(
                "no facility is known by this MedulaInstitutionId: `vna codes load facilities` makes it known"
            )
        own_facility(actor, found.code)
        return found

    def facility_of_stm(self, actor: Actor, number: str) -> Facility:
        """The facility that the tracking module knows by this number; refused as `facility_of_medula` does."""
        self._policy.check(actor, Action.LOOK_UP, "facilities")
        found = self._codes.facility_of_stm(number)
        if found is None:
            raise NotFound("no facility is known by this InstitutionId: `vna codes load facilities` makes it known")
        own_facility(actor, found.code)
        return found

    def facility(self, actor: Actor, skrs: str) -> Facility:
        """The facility of an SKRS code, with its code alone where the list does not have it."""
        self._policy.check(actor, Action.LOOK_UP, "facilities")
        return self._codes.facility(skrs) or Facility(skrs)

    def orders(self, actor: Actor, query: OrderQuery, *, after: Place | None = None, limit: int = 100) -> OrderPage:
        """A page of the orders that a query asks for, the newest first.

        BadRequest for one that would look at everything: a patient, accession numbers, or a facility with a period of
        at most `MOST_DAYS` days has to be said.
        """
        self._policy.check(actor, Action.LOOK_UP, "orders")
        query = replace(query, facility=own_facility(actor, query.facility))
        _bounded(query)
        with self._database.read() as connection:
            return rows.page(connection, query, after, _limited(limit))

    def order(self, actor: Actor, key: OrderKey) -> KnownOrder:
        """One order that is of the actor's facility; NotFound when there is none."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        query = OrderQuery(facility=key.facility, accession_numbers=(key.accession_number,))
        with self._database.read() as connection:
            found = rows.page(connection, query, None, 2).orders
            own = [one for one in found if one.order.key == key and is_of(connection, actor, one)]
        if not own:
            raise NotFound("no such order is known at this facility")
        return own[0]

    def studies_of_day(self, actor: Actor, facility: str, day: str, modality: str = "") -> list[ListedStudy]:
        """What was made at a facility on a day (`YYYYMMDD`), at most ten pages of it."""
        self._policy.check(actor, Action.LOOK_UP, "studies")
        facility = own_facility(actor, facility)
        with self._database.read() as connection:
            return rows.studies_of_day(connection, facility, day, modality, 10 * MOST)

    def studies_with_accession(self, actor: Actor, facility: str, numbers: Sequence[str]) -> list[ListedStudy]:
        """Studies of a facility with these accession numbers, whether an order is known or not."""
        self._policy.check(actor, Action.LOOK_UP, "studies")
        _few(numbers)
        facility = own_facility(actor, facility)
        with self._database.read() as connection:
            return rows.studies_with_accession(connection, facility, numbers)

    def failed_notifications(
        self, actor: Actor, facility: str, period: Period, modality: str = "", *, limit: int = MOST
    ) -> list[Notification]:
        """Notifications that the payer refused or did not answer, sent last in a period, the newest first."""
        self._policy.check(actor, Action.LOOK_UP, "notifications")
        facility = own_facility(actor, facility)
        between = period.in_utc(self._zone)
        with self._database.read() as connection:
            return notifications.failed(connection, facility, modality, between, _limited(limit))


def own_facility(actor: Actor, asked: str) -> str:
    """The facility that is asked about, or the actor's own; NotAuthorized when they differ."""
    if actor.facility and asked and asked != actor.facility:
        raise NotAuthorized("what is asked is of another facility")
    return asked or actor.facility


def _bounded(query: OrderQuery) -> None:
    _few(query.accession_numbers)
    if query.requested is not None and query.scheduled is not None:
        raise BadRequest("one period is asked at a time: when it was ordered, or when it is scheduled")
    if query.accession_numbers or query.national_number or (query.facility and query.patient_id):
        return
    period = query.requested or query.scheduled
    if not query.facility or period is None:
        raise BadRequest("say a patient, accession numbers, or a facility with a period")
    if period.days > MOST_DAYS:
        raise BadRequest(f"a period is at most {MOST_DAYS} days")


def _few(values: Sequence[str]) -> None:
    if len(values) > MOST:
        raise BadRequest(f"at most {MOST} can be asked for at once")


def _limited(limit: int) -> int:
    return max(1, min(limit, MOST))
