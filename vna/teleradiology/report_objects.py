"""Approved reports as DICOM objects beside the images they are of, by a durable job for each order.

An object is made when the order is matched with a study, and goes from there when a person takes the match back. Its
UIDs are made of order, version and study, so that doing it again stores nothing twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import orjson

from storage.index import contents, jobs, lookup
from storage.index import orders as order_rows
from storage.index import reports as rows
from storage.index.engine import Connection, Database
from vna.archive.deletion import Deletion
from vna.archive.store import Store
from vna.model.access import SYSTEM
from vna.model.errors import NotFound
from vna.model.events import Event, EventKind
from vna.model.instances import Arrival, Door
from vna.model.orders import OrderKey
from vna.model.profile.reports import ReportsProfile
from vna.model.reports import Report, ReportState
from vna.teleradiology import encapsulated_report, structured_report
from vna.teleradiology.report_dataset import ENCAPSULATED, STRUCTURED, Place, instance_uid, series_uid

STORE_REPORTS = "report-objects"
"""The kind of jobs that store what is missing; the payload is JSON: facility, accession_number, and `left` for a study
that is the order's no more."""

_WRITERS: Mapping[str, Callable[[Place], bytes]] = {
    STRUCTURED: structured_report.written,
    ENCAPSULATED: encapsulated_report.written,
}
_REASON = "the order of this report is not matched with the study any more"


class ReportObjects:
    """The work of the job, and the subscriber that queues it when matches change."""

    def __init__(self, database: Database, store: Store, deletion: Deletion, profile: ReportsProfile) -> None:
        self._database = database
        self._store = store
        self._deletion = deletion
        self._profile = profile

    def __call__(self, payload: str) -> None:
        """Store what is missing of an order's approved reports, and take away what is where it does not belong."""
        said = orjson.loads(payload)
        key, left = OrderKey(said["facility"], said["accession_number"]), said.get("left", "")
        with self._database.read() as connection:
            approved = [one for one in rows.of(connection, key) if one.state is ReportState.APPROVED]
            studies = dict(rows.studies(connection, key)) if approved else {}
        if approved and left:
            studies.setdefault(left, False)
        for study_instance_uid, is_matched in studies.items():
            if is_matched:
                self._complete(approved, study_instance_uid)
            else:
                self._withdraw(approved, study_instance_uid)

    def notice(self, batch: Sequence[Event]) -> None:
        """Look after the reports of orders whose matches changed."""
        for event in batch:
            if event.kind is EventKind.MATCH_CHANGED:
                key = OrderKey(event.detail["facility"], event.detail["accession_number"])
                with self._database.transaction() as connection:
                    if rows.of(connection, key):
                        queue(connection, key, left=event.detail["study"] if event.detail.get("gone") else "")

    def _complete(self, approved: Sequence[Report], study_instance_uid: str) -> None:
        for report in approved:
            for form in self._profile.objects:
                place = self._place(approved, report, study_instance_uid, form)
                if place is not None:
                    self._put(place, form)

    def _place(self, approved: Sequence[Report], report: Report, study: str, form: str) -> Place | None:
        """None where the study is not here, or the object is there already."""
        uid = instance_uid(report, study, form)
        with self._database.read() as connection:
            if lookup.content(connection, uid) is not None:
                return None
            found = contents.of_study(connection, study, own=False)
            order = order_rows.find(connection, report.key)
        if found is None:
            return None
        earlier = tuple(one for one in approved if one.number == report.addendum_to)
        return Place(report, found, None if order is None else order.order, earlier)

    def _put(self, place: Place, form: str) -> None:
        actor = replace(SYSTEM, facility=place.study.facility)
        arrival = Arrival(Door.REPORT, study_instance_uid=place.study.study_instance_uid)
        with self._store.open(actor, arrival) as incoming:
            incoming.write(_WRITERS[form](place))
            self._store.accept(incoming, actor, arrival)

    def _withdraw(self, approved: Sequence[Report], study: str) -> None:
        for report in approved:
            for form in _WRITERS:
                uid = instance_uid(report, study, form)
                with self._database.read() as connection:
                    held = lookup.content(connection, uid)
                if held is not None and held.study_instance_uid == study:
                    self._delete(study, series_uid(report, study, form), uid)

    def _delete(self, study: str, series: str, uid: str) -> None:
        try:
            self._deletion.delete(SYSTEM, study, series, uid, reason=_REASON)
        except NotFound:
            return  # it went meanwhile


def queue(connection: Connection, key: OrderKey, *, left: str = "") -> None:
    """Have the objects of an order's reports looked after, in the caller's transaction; `left` is a study that is the
    order's no more."""
    payload = {"facility": key.facility, "accession_number": key.accession_number, "left": left}
    jobs.add(connection, STORE_REPORTS, order_key=str(key)[:64], payload=orjson.dumps(payload).decode())
