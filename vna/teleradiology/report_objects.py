"""Approved reports as DICOM objects beside the images they are of, by a durable job for each order."""

import orjson

from storage.index import jobs
from storage.index.engine import Connection
from vna.model.orders import OrderKey

STORE_REPORTS = "report-objects"
"""The kind of jobs that store what is missing; the payload is JSON: facility, accession_number."""


def queue(connection: Connection, key: OrderKey) -> None:
    """Have the objects of an order's reports looked after, in the caller's transaction."""
    payload = {"facility": key.facility, "accession_number": key.accession_number}
    jobs.schedule(connection, STORE_REPORTS, order_key=str(key)[:64], payload=orjson.dumps(payload).decode())
