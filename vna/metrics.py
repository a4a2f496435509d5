"""Counters of what happens here, summed over every worker of this node (Prometheus text).

Workers are processes, so each keeps its counts in mapped files in one folder and `exposition` adds them up: `prepare`
comes first, in the parent, before any worker starts.
"""

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vna import events

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]
Gauges = Mapping[str, tuple[str, Mapping[Labels, float]]]
"""Name to help and values by labels."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def prepare(folder: Path | None = None) -> Path:
    """An empty folder for the counts of this run (a temporary one if none is given), known to all that we start."""
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="vna-metrics-"))
        atexit.register(_remove_if_parent, folder, os.getpid())
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
    os.environ[FOLDER_VARIABLE] = str(folder)
    return folder


def _remove_if_parent(folder: Path, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


class Metrics:
    """The instruments of one process: made once in it (or in its parent before a fork), fed by vna.events."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

        # Decided by prometheus_client when it is first imported, which may have been before `prepare`.
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._children: dict[tuple[Any, ...], Any] = {}
        self._lock = threading.Lock()

        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(name, words, labels, registry=self._registry)

        def seconds(name: str, words: str, *labels: str) -> Histogram:
            return Histogram(name, words, labels, registry=self._registry, buckets=_SECONDS)

        self._instances = counter(
            "vna_instances_total", "Instances that came in, by what became of them", "door", "outcome"
        )
        self._bytes_in = counter("vna_received_bytes_total", "Bytes of instances stored", "door")
        self._store_seconds = seconds("vna_store_seconds", "From the last byte to durable and indexed", "door")
        self._refused = counter("vna_instances_refused_total", "Instances refused", "door", "reason")
        self._associations = Gauge(
            "vna_associations_active",
            "DICOM associations open now",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._associations_refused = counter("vna_associations_refused_total", "DICOM associations refused", "reason")
        self._queries = counter("vna_queries_total", "Searches answered", "door", "level")
        self._matches = counter("vna_matches_total", "Matches given in answer to searches", "door")
        self._query_seconds = seconds("vna_query_seconds", "Time to answer a search", "door")
        self._sources = counter(
            "vna_source_searches_total", "Searches of other archives, by how much came", "source", "outcome"
        )
        self._retrieves = counter("vna_retrieves_total", "Retrieves answered", "door")
        self._sent = counter("vna_sent_instances_total", "Instances given out", "door")
        self._bytes_out = counter("vna_sent_bytes_total", "Bytes of instances given out", "door")
        self._requests = counter("vna_http_requests_total", "HTTP requests", "method", "route", "status")
        self._request_seconds = seconds("vna_http_request_seconds", "Time to answer an HTTP request", "route")
        self._messages = counter("vna_messages_total", "HL7 messages answered", "type", "code")
        self._message_seconds = seconds("vna_message_seconds", "Time to answer an HL7 message", "type")
        self._commitments = counter("vna_commitments_total", "Storage commitment requests checked", "outcome")
        self._not_committed = counter("vna_not_committed_instances_total", "Instances that were not committed")
        self._lookup_alarms = counter("vna_lookup_alarms_total", "Times that many look-ups of one caller failed")
        self._forwarded = counter(
            "vna_forwarded_instances_total",
            "Instances forwarded to other archives, by what became of them",
            "destination",
            "outcome",
        )
        self._uploads = counter("vna_spool_uploads_total", "Objects put from the spool into the object store")
        self._uploaded = counter("vna_spool_uploaded_bytes_total", "Bytes of them")
        self._upload_failures = counter("vna_spool_failures_total", "Uploads that failed and are tried again", "reason")
        self._verified = counter("vna_verified_objects_total", "Objects compared with their digests by the regular job")
        self._verified_bytes = counter("vna_verified_bytes_total", "Bytes of them")
        self._damaged = counter("vna_blobs_damaged_total", "Reads that met bytes that are gone or bad", "store")
        self._silent = counter("vna_store_failures_total", "Times that one of several stores did not answer", "store")
        self._worker_deaths = counter("vna_worker_deaths_total", "Worker processes that died and were replaced", "kind")
        self._clock = Gauge(
            "vna_clock_offset_seconds",
            "By how much the clock was behind the time server, when it was last asked",
            registry=self._registry,
            multiprocess_mode="mostrecent",
        )
        self._clock_wrong = counter("vna_clock_alarms_total", "Times that the clock was found wrong")
        self._clock_unknown = counter("vna_clock_failures_total", "Times that the time server did not answer")
        self._handlers: Mapping[events.Name, events.Subscriber] = {
            "instance.accepted": self._on_accepted,
            "instance.refused": self._on_refused,
            "association.opened": self._on_opened,
            "association.closed": self._on_closed,
            "association.refused": self._on_association_refused,
            "query.answered": self._on_query,
            "source.searched": self._on_source,
            "retrieve.answered": self._on_retrieve,
            "http.answered": self._on_http,
            "message.answered": self._on_message,
            "commitment.checked": self._on_commitment,
            "instance.forwarded": self._on_forwarded,
            "lookup.alarm": self._on_lookup_alarm,
            "spool.uploaded": self._on_uploaded,
            "spool.failed": self._on_upload_failed,
            "objects.verified": self._on_verified,
            "blob.damaged": self._on_damaged,
            "store.silent": self._on_silent,
            "clock.checked": self._on_clock,
            "clock.unknown": self._on_clock_unknown,
            "worker.died": self._on_worker_died,
        }

    def subscribe(self) -> None:
        """Begin to count."""
        for name, handler in self._handlers.items():
            events.subscribe(name, handler)

    def unsubscribe(self) -> None:
        """Stop counting."""
        for name, handler in self._handlers.items():
            events.unsubscribe(name, handler)

    def _child(self, instrument: Any, *labels: str) -> Any:
        """The instrument for these labels, looked up once: `labels()` alone costs more than the count."""
        key = (id(instrument), *labels)
        child = self._children.get(key)
        if child is None:
            with self._lock:
                child = self._children[key] = instrument.labels(*labels)
        return child

    def _on_accepted(self, *, door: str, outcome: str, **fields: Any) -> None:
        self._child(self._instances, door, outcome).inc()
        if outcome != "already held":
            self._child(self._bytes_in, door).inc(fields.get("bytes", 0))
        if "seconds" in fields:
            self._child(self._store_seconds, door).observe(fields["seconds"])

    def _on_verified(self, *, objects: int, **fields: Any) -> None:
        self._verified.inc(objects)
        self._verified_bytes.inc(fields.get("bytes", 0))

    def _on_refused(self, *, door: str, reason: str, **_fields: Any) -> None:
        self._child(self._refused, door, reason).inc()

    def _on_opened(self, **_fields: Any) -> None:
        self._associations.inc()

    def _on_closed(self, **_fields: Any) -> None:
        self._associations.dec()

    def _on_association_refused(self, *, reason: str, **_fields: Any) -> None:
        self._child(self._associations_refused, reason).inc()

    def _on_query(self, *, door: str, level: str = "", **fields: Any) -> None:
        self._child(self._queries, door, str(level)).inc()
        self._child(self._matches, door).inc(fields.get("matches", 0))
        if "seconds" in fields:
            self._child(self._query_seconds, door).observe(fields["seconds"])

    def _on_source(self, *, source: str, outcome: str, **_fields: Any) -> None:
        self._child(self._sources, source, outcome).inc()

    def _on_retrieve(self, *, door: str, **fields: Any) -> None:
        self._child(self._retrieves, door).inc()
        self._child(self._sent, door).inc(fields.get("instances", 0))
        self._child(self._bytes_out, door).inc(fields.get("bytes", 0))

    def _on_http(self, *, method: str, route: str, status: int, seconds: float, **_fields: Any) -> None:
        self._child(self._requests, method, route, str(status)).inc()
        self._child(self._request_seconds, route).observe(seconds)

    def _on_message(self, *, type: str, code: str, seconds: float, **_fields: Any) -> None:  # noqa: A002
        self._child(self._messages, type, code).inc()
        self._child(self._message_seconds, type).observe(seconds)

    def _on_commitment(self, *, outcome: str, failures: int, **_fields: Any) -> None:
        self._child(self._commitments, outcome).inc()
        self._not_committed.inc(failures)

    def _on_forwarded(self, *, destination: str, outcome: str, instances: int, **_fields: Any) -> None:
        self._child(self._forwarded, destination, outcome).inc(instances)

    def _on_lookup_alarm(self, **_fields: Any) -> None:
        self._lookup_alarms.inc()

    def _on_uploaded(self, **fields: Any) -> None:
        self._uploads.inc()
        self._uploaded.inc(fields.get("bytes", 0))

    def _on_upload_failed(self, *, reason: str, **_fields: Any) -> None:
        self._child(self._upload_failures, reason).inc()

    def _on_damaged(self, *, store: str, **_fields: Any) -> None:
        self._child(self._damaged, store).inc()

    def _on_silent(self, *, store: str, **_fields: Any) -> None:
        self._child(self._silent, store).inc()

    def _on_clock(self, *, offset: float, wrong: bool) -> None:
        self._clock.set(offset)
        if wrong:
            self._clock_wrong.inc()

    def _on_clock_unknown(self) -> None:
        self._clock_unknown.inc()

    def _on_worker_died(self, *, kind: str, pid: int, **_fields: Any) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        self._child(self._worker_deaths, kind).inc()
        if FOLDER_VARIABLE in os.environ:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]  # the library has no types there

    def exposition(self, gauges: Gauges | None = None) -> bytes:
        """All counts as Prometheus text; `gauges` are as they are at this moment."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        if FOLDER_VARIABLE in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            text = generate_latest(registry)
        else:
            text = generate_latest(self._registry)
        return text + b"".join(_gauge_lines(gauges or {}))


def _gauge_lines(gauges: Gauges) -> Iterable[bytes]:
    for name, (words, values) in gauges.items():
        yield f"# HELP {name} {words}\n# TYPE {name} gauge\n".encode()
        for labels, value in values.items():
            said = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
            yield f"{name}{f'{{{said}}}' if said else ''} {value}\n".encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
