"""What goes out to hospitals, as durable jobs: who sends it is a door."""

import orjson

from storage.index import jobs
from storage.index.engine import Connection
from vna.model.reports import Report

SEND_REPORT = "report-out"
"""The kind of jobs that tell a hospital of a report (ORU); the payload is JSON: facility, accession_number, number."""


def send_report(connection: Connection, report: Report) -> None:
    """Queue that a hospital is told of a report, in the caller's transaction; those of one order go in their order."""
    payload = {
        "facility": report.key.facility,
        "accession_number": report.key.accession_number,
        "number": report.number,
    }
    jobs.add(connection, SEND_REPORT, order_key=str(report.key)[:64], payload=orjson.dumps(payload).decode())
