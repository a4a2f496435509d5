"""The journal: what the index knows and the images do not say, as objects beside them, never changed."""

import gzip
import secrets
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import orjson

from storage.blobs.base import BlobStore
from storage.index.events import read_time, time_text
from vna.model.events import Event, EventKind

FOLDER = "journal"
_KINDS = frozenset(kind.value for kind in EventKind)


def write(blobs: BlobStore, batch: Sequence[Event]) -> str:
    """Keep these events as one object, one JSON line each; durable when it returns. Its name sorts by time."""
    now = datetime.now(UTC)
    name = f"{FOLDER}/{now:%Y/%m/%d}/{now:%H%M%S%f}-{secrets.token_hex(4)}.jsonl.gz"
    lines = b"".join(orjson.dumps(_line(event), option=orjson.OPT_APPEND_NEWLINE) for event in batch)
    blobs.put(name, [gzip.compress(lines, 1)])
    return name


def read(blobs: BlobStore) -> Iterator[Event]:
    """Every event that was journaled, once, as the objects come: per study, in the order in which they happened.

    Objects that cannot be read are passed over; `objects` tells of them.
    """
    seen: set[int] = set()
    for _, events in objects(blobs):
        for event in events or ():
            if event.event_id not in seen:
                seen.add(event.event_id)
                yield event


def objects(blobs: BlobStore) -> Iterator[tuple[str, list[Event] | None]]:
    """The name of every journal object, with its events; None where its bytes are damaged."""
    for name in blobs.names(FOLDER):
        raw = blobs.read(name)
        try:
            yield name, list(parse(gzip.decompress(raw)))
        except (OSError, EOFError, zlib.error, ValueError, KeyError):
            yield name, None


def parse(lines: bytes) -> Iterator[Event]:
    """Events of one journal object; lines of a kind that this version does not know are passed over."""
    for line in lines.splitlines():
        values = orjson.loads(line)
        if values["kind"] not in _KINDS:
            continue
        yield Event(
            event_id=values["id"],
            kind=EventKind(values["kind"]),
            at=read_time(values["at"]),
            study_instance_uid=values["study"],
            sop_instance_uid=values["instance"],
            actor=values["actor"],
            detail=values["detail"],
            sequence=values.get("sequence", 0),
        )


def _line(event: Event) -> dict[str, object]:
    return {
        "id": event.event_id,
        "kind": event.kind.value,
        "at": time_text(event.at),
        "study": event.study_instance_uid,
        "instance": event.sop_instance_uid,
        "actor": event.actor,
        "detail": event.detail,
        "sequence": event.sequence,
    }
