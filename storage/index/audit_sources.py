"""What records are made of: names that actors had, and events that are in the trail already."""

import orjson
import sqlalchemy as sa

from storage.index.audit_schema import audit_records
from storage.index.schema import peers, sources, users

_KINDS = ((users.c.name, "user"), (peers.c.ae_title, "ae"), (sources.c.name, "source"))


def kind_of_actor(connection: sa.Connection, name: str) -> str:
    """Whether a user, an application entity or a source has this name; empty where nobody (any more) has."""
    for column, kind in _KINDS:
        if connection.execute(sa.select(sa.literal(1)).where(column == name).limit(1)).first() is not None:
            return kind
    return ""


def recorded_events(connection: sa.Connection, first: int, last: int) -> set[int]:
    """Events that records of this part of the events are of. A record of several is known by the first of them."""
    chosen = sa.select(audit_records.c.event_id, audit_records.c.detail).where(
        audit_records.c.event_id > 0, audit_records.c.event_id >= first, audit_records.c.event_id <= last
    )
    found: set[int] = set()
    for event_id, detail in connection.execute(chosen):
        found.add(event_id)
        found.update(unpacked(orjson.loads(detail).get("event_ids", "")))
    return found


def packed(ids: list[int]) -> str:
    """Numbers in their order as ranges: `1-5,9`."""
    ranges: list[list[int]] = []
    for one in ids:
        if ranges and ranges[-1][1] == one - 1:
            ranges[-1][1] = one
        else:
            ranges.append([one, one])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def unpacked(text: str) -> list[int]:
    """What `packed` wrote."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found
