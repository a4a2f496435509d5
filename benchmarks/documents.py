"""`make bench ARGS="documents"`: FindDocuments for a patient with 20 documents, among ten thousand and among a million.

make bench ARGS="documents --count 200000 --database postgresql"
"""

from __future__ import annotations

import statistics
import time
import zlib
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import httpx
import orjson
import sqlalchemy as sa
from lxml import etree

from benchmarks.rows import insert
from benchmarks.two_sizes import Comparison
from storage.index.engine import Database
from storage.index.migrate import upgrade
from storage.index.schema import document_objects, patient_identifiers
from vna.model import document_json
from vna.model.documents import Author, Code, DocumentEntry, coded
from vna.soap import addressing, envelope
from vna.soap.versions import Version
from vna.xml.namespaces import QUERY, RIM
from xds.ebrim.writing import rendition
from xds.iti18 import ACTION

EACH = 20
"""Documents of one patient."""

AUTHORITY = "1.3.6.1.4.1.21367.2005.13.20.1000"
_BATCH = 5_000
_FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
_APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
_MARK = "urn:uuid:00000000-0000-4000-8000-000000000000"


def main(words: list[str]) -> None:
    """Fill, serve, ask in turn, print."""
    Comparison("documents", "documents", __doc__, fill, _ask, ("LeafClass", "ObjectRef"), 200).main(words)


def _ask(client: httpx.Client, count: int, rounds: int) -> dict[str, float]:
    """Medians in milliseconds; a round asks everything once, each time for another patient."""
    asked = {"LeafClass": 0.0, "ObjectRef": 0.0, "/healthz": 0.0}
    times: dict[str, list[float]] = {what: [] for what in asked}
    headers = {"Content-Type": f'application/soap+xml; charset=UTF-8; action="{ACTION}"'}
    for number in range(rounds + 20):
        patient = f"{number * 7919 % (count // EACH) + 1}"
        for what in asked:
            message = b"" if what == "/healthz" else _message(patient, what)
            started = time.perf_counter()
            answer = (
                client.get(what)
                if what == "/healthz"
                else client.post("/xds/registry", content=message, headers=headers)
            )
            elapsed = time.perf_counter() - started
            assert answer.status_code == 200, answer.text
            if what != "/healthz":
                assert answer.content.count(b' id="urn:uuid:') >= EACH, answer.text[:500]
            if number >= 20:  # the first ones find the caches cold
                times[what].append(elapsed * 1000)
    return {what: statistics.median(several) for what, several in times.items()}


def _message(patient: str, returns: str) -> bytes:
    request = etree.Element(f"{{{QUERY}}}AdhocQueryRequest", nsmap={"query": QUERY, "rim": RIM})
    etree.SubElement(request, f"{{{QUERY}}}ResponseOption", returnType=returns, returnComposedObjects="true")
    query = etree.SubElement(request, f"{{{RIM}}}AdhocQuery", id=_FIND_DOCUMENTS)
    for name, value in (
        ("$XDSDocumentEntryPatientId", f"'{patient}^^^&{AUTHORITY}&ISO'"),
        ("$XDSDocumentEntryStatus", f"('{_APPROVED}')"),
    ):
        slot = etree.SubElement(query, f"{{{RIM}}}Slot", name=name)
        etree.SubElement(etree.SubElement(slot, f"{{{RIM}}}ValueList"), f"{{{RIM}}}Value").text = value
    headers = addressing.request_headers(Version.SOAP12, ACTION, addressing.new_message_id(), "/xds/registry")
    return envelope.write(Version.SOAP12, request, headers)


def fill(database: Database, count: int) -> None:
    """An empty database with `count` documents, 20 of each patient; document n is the same whatever the count."""
    upgrade(database)
    patients = ({"authority": AUTHORITY, "value": str(n), "registered_at": ""} for n in range(1, count // EACH + 1))
    for rows, table in ((patients, patient_identifiers), (_rows(count), document_objects)):
        while batch := list(islice(rows, _BATCH)):
            with database.transaction() as connection:
                insert(connection, table, batch)
    with database.transaction() as connection:
        connection.execute(sa.text("ANALYZE"))


def _rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        entry_uuid = f"urn:uuid:00000000-0000-4000-8000-{number + 1:012x}"
        body, kept = _kinds(number % 7)
        patient = number // EACH + 1 if number // EACH < count // EACH else 1
        yield {
            "kind": "DocumentEntry",
            "entry_uuid": entry_uuid,
            "logical_id": entry_uuid,
            "version": 1,
            "status": "Approved",
            "patient_fk": patient,
            "unique_id": f"1.2.826.0.1.3680043.10.1561.7.{number}",
            "class_code": coded("REPORTS", "1.2.3.4.5"),
            "type_code": coded("RADIOLOGY", "1.2.3.4.5"),
            "creation_time": f"2026{number % 12 + 1:02}{number % 28 + 1:02}000000",
            "body": zlib.compress(body.replace(_MARK, entry_uuid).encode(), 1),
            "rendition": zlib.compress(kept.replace(_MARK, entry_uuid).encode(), 1),
        }


@lru_cache
def _kinds(number: int) -> tuple[str, str]:
    """A document as JSON and as a door writes it, with a mark where its entryUUID goes."""
    code = Code("RADIOLOGY", "1.2.3.4.5", "Radyoloji")
    entry = DocumentEntry(
        entry_uuid=_MARK,
        logical_id=_MARK,
        patient_id=f"1^^^&{AUTHORITY}&ISO",
        unique_id="1.2.826.0.1.3680043.10.1561.7.1",
        source_patient_id="4711^^^&1.2.3.4&ISO",
        source_patient_info=("PID-3|4711^^^&1.2.3.4&ISO", "PID-5|Yilmaz^Ayse", "PID-7|19700101", "PID-8|F"),
        mime_type="application/pdf",
        class_code=code,
        type_code=code,
        format_code=code,
        healthcare_facility_type_code=code,
        practice_setting_code=code,
        confidentiality_codes=(code,),
        event_codes=(code,),
        language_code="tr-TR",
        creation_time="20260301",
        repository_unique_id="1.2.3.4.5.6",
        hash="da39a3ee5e6b4b0d3255bfef95601890afd80709",
        size=str(1000 + number),
        authors=(Author(person=("^Yilmaz^Ayse",), institution=("Ornek Hastanesi",)),),
        title=f"Toraks BT {number}",
    )
    body = orjson.dumps(document_json.plain(entry, without=frozenset({"patient_id"}))).decode()
    return body, rendition(entry).decode()
