"""Reports go out to who takes those of their facility: durable jobs, one a receiver, in the order of the versions."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Protocol

import orjson

from storage.index import jobs
from storage.index.engine import Database
from vna.jobs.retries import GivenUp
from vna.model.access import SYSTEM
from vna.model.errors import NotFound, Rejected
from vna.model.orders import Order, OrderKey
from vna.model.reports import Report
from vna.model.sources import Source
from vna.teleradiology.outbound import SEND_REPORT
from vna.teleradiology.reports import Reports
from vna.worklist.orders import Orders


class Sending(Protocol):
    """The door that reports go out by."""

    def send(self, receiver: Source, message_id: str, order: Order, report: Report) -> None:
        """Returns when the receiver has taken it. Rejected when it never will, Unavailable when it may later.

        One that is sent again has the same `message_id`.
        """


class ReportsOut:
    """The work of SEND_REPORT: to the only receiver at once, to several by a job each."""

    def __init__(
        self,
        database: Database,
        orders: Orders,
        reports: Reports,
        receivers: Callable[[str], Sequence[Source]],
        sending: Sending,
    ) -> None:
        self._database = database
        self._orders = orders
        self._reports = reports
        self._receivers = receivers
        self._sending = sending

    def __call__(self, payload: str) -> str | None:
        """One report, as its job names it."""
        said: dict[str, Any] = orjson.loads(payload)
        key = OrderKey(said["facility"], said["accession_number"])
        receivers = self._receivers(key.facility)
        if "receiver" not in said and len(receivers) > 1:
            self._to_each(key, said, receivers)
            return None
        for receiver in receivers:
            if receiver.name == said.get("receiver", receiver.name):
                self._send(receiver, key, int(said["number"]))
        return None

    def _to_each(self, key: OrderKey, said: dict[str, Any], receivers: Sequence[Source]) -> None:
        with self._database.transaction() as connection:
            for receiver in receivers:
                name = sha256(f"{key}\n{receiver.name}".encode()).hexdigest()
                payload = orjson.dumps({**said, "receiver": receiver.name}).decode()
                jobs.add(connection, SEND_REPORT, order_key=name, payload=payload)

    def _send(self, receiver: Source, key: OrderKey, number: int) -> None:
        report = next((one for one in self._reports.of(SYSTEM, key) if one.number == number), None)
        if report is None:
            raise GivenUp("there is no such version of the report")
        try:
            order = self._orders.get(SYSTEM, key).order
        except NotFound as exc:
            raise NotFound("the order of the report is not known yet: nobody knows whom it is of") from exc
        try:
            self._sending.send(receiver, message_id(receiver, report), order, report)
        except Rejected as exc:
            raise GivenUp(str(exc)) from exc


def message_id(receiver: Source, report: Report) -> str:
    """The same for each attempt, so that a receiver knows what comes again; 20 characters, as MSH-10 has in old
    versions."""
    return sha256(f"{report.key}\n{report.number}\n{receiver.name}".encode()).hexdigest()[:20].upper()
