"""Orders that were performed though no modality said so: they leave the worklist."""

from datetime import UTC, datetime, timedelta

import orjson

from storage.index import jobs, performed_steps, standings
from storage.index.engine import Connection, Database
from storage.index.events import read_time, time_text
from storage.index.standings import Gathered
from vna.model.access import SYSTEM
from vna.model.orders import OPEN, KnownOrder, OrderKey, OrderState, Standing
from vna.model.profile.worklist import WorklistProfile
from vna.worklist.orders import Orders

END = "end-order"
"""The kind of job that looks whether an order is over; its payload is JSON."""

_IN_PROGRESS = "IN PROGRESS"


class Endings:
    """An order with an approved report is over, and so is one whose images came, some time after the last of them.

    Matches that go do not bring it back: a modality may have been told already that there is nothing to do.
    """

    def __init__(self, database: Database, orders: Orders, rules: WorklistProfile) -> None:
        self._database = database
        self._orders = orders
        self._after = timedelta(hours=rules.ends_hours)

    def notice(self, connection: Connection, known: KnownOrder, standing: Standing) -> None:
        """How an order stands has changed."""
        if known.order.state not in OPEN or not (standing.has_images or standing.has_report):
            return
        at = "" if standing.has_report else time_text(datetime.now(UTC) + self._after)
        _look(connection, known.order.key, at)

    def __call__(self, payload: str) -> None:
        """The one step of a job of kind END."""
        key = OrderKey(**orjson.loads(payload))
        with self._database.transaction() as connection:
            for one in standings.gather(connection, [key]):
                if one.known.order.state in OPEN and not _goes_on(connection, one):
                    self._end(connection, one)

    def _end(self, connection: Connection, one: Gathered) -> None:
        key = one.known.order.key
        if not one.reports:
            last = standings.last_image(connection, [study.study_instance_uid for study in one.studies])
            if not last:
                return
            at = read_time(last) + self._after
            if at > datetime.now(UTC):
                _look(connection, key, time_text(at))
                return
        self._orders.advance(connection, SYSTEM, [key], OrderState.COMPLETED)


def _goes_on(connection: Connection, one: Gathered) -> bool:
    order = one.known.order
    said = performed_steps.statuses(connection, order.study_instance_uid, order.key.accession_number)
    return _IN_PROGRESS in said


def _look(connection: Connection, key: OrderKey, at: str) -> None:
    said = {"facility": key.facility, "accession_number": key.accession_number}
    jobs.schedule(connection, END, order_key=str(key), payload=orjson.dumps(said).decode(), run_after=at)
