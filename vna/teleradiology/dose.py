"""Radiation dose reports: read when they come, forgotten when they go."""

import logging
from collections.abc import Callable, Iterable, Sequence

import orjson

from storage.index import doses, jobs
from storage.index.doses import DoseRow, Report
from storage.index.engine import Connection, Database
from storage.index.packing import unpack
from vna.model.events import Event, EventKind
from vna.model.sop_classes import STANDARD_STORAGE
from vna.teleradiology import dose_reading

log = logging.getLogger(__name__)

DOSE = "dose"
"""The kind of job that reads every dose report again; its payload is the row that the next step begins behind."""

ALWAYS = frozenset({STANDARD_STORAGE + "88.67", STANDARD_STORAGE + "88.76"})
"""X-Ray Radiation Dose SR and Enhanced X-Ray Radiation Dose SR (PS3.4 Table B.5-1)."""

CLASSES = ALWAYS | {STANDARD_STORAGE + suffix for suffix in ("88.22", "88.33", "88.34", "88.35")}
"""SOP Classes whose documents may be dose reports: Enhanced, Comprehensive and Extensible SR too."""

_GAINED = frozenset({EventKind.INSTANCE_STORED, EventKind.INSTANCE_REPLACED, EventKind.INSTANCE_RESTORED})
_LOST = frozenset({EventKind.INSTANCE_DELETED, EventKind.INSTANCE_FORGOTTEN})
_PAGE = 200


class Doses:
    """Called with events, before anybody finds out how orders stand."""

    def __init__(self, database: Database, then: Callable[[Connection], None]) -> None:
        """`then` is what has to be done when every dose report was read again."""
        self._database = database
        self._then = then

    def __call__(self, batch: Sequence[Event]) -> None:
        """Keep what dose reports say that came, forget those that went."""
        gained = [event.sop_instance_uid for event in batch if event.kind in _GAINED]
        lost = [event.sop_instance_uid for event in batch if event.kind in _LOST]
        if not (gained or lost):
            return
        with self._database.read() as connection:
            found = doses.reports(connection, list(dict.fromkeys([*gained, *lost])), CLASSES)
            held = {report.sop_instance_uid for report in found}
            replaced = [event.sop_instance_uid for event in batch if event.kind is EventKind.INSTANCE_REPLACED]
            gone = doses.known(connection, sorted({*lost, *replaced} - held))
        if found or gone:
            self._keep(found, gone)

    def every(self, payload: str) -> str | None:
        """A step of the job that reads every dose report again."""
        with self._database.read() as connection:
            found = doses.every_report(connection, CLASSES, int(payload or 0), _PAGE)
        self._keep(found, ())
        if len(found) == _PAGE:
            return str(found[-1].key)
        with self._database.transaction() as connection:
            self._then(connection)
        return None

    def _keep(self, found: Sequence[Report], gone: Iterable[str]) -> None:
        rows = [_row(report) for report in found]
        with self._database.transaction() as connection:
            doses.remove(connection, gone)
            for report, row in zip(found, rows, strict=True):
                if row is None:
                    doses.remove(connection, [report.sop_instance_uid])
                else:
                    doses.put(connection, row)


def again(connection: Connection) -> None:
    """Have every dose report read again: after a reindex."""
    jobs.schedule(connection, DOSE, order_key=DOSE, payload="0")


def _row(report: Report) -> DoseRow | None:
    elements = orjson.loads(unpack(report.header))
    sop_class = (elements.get("00080016", {}).get("Value") or [""])[0]
    if "0040A730" not in elements:  # only a manifest tells of it
        return None
    if sop_class not in ALWAYS and not dose_reading.is_dose_report(elements):
        return None
    said = dose_reading.read(elements)
    if not (said.totals or any(event.values for event in said.events)):
        log.warning("no value of a dose report is understood", extra={"sop_instance_uid": report.sop_instance_uid})
    return DoseRow(
        report.sop_instance_uid,
        report.study_instance_uid,
        said.modality,
        said.device,
        said.started_at,
        said.as_plain(),
    )
