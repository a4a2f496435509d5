"""What a batch of the chain is made of: digest, MAC, and the numbers that no row had yet."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import orjson

from storage.index.audit_chain import Batch
from storage.index.audit_sources import packed, unpacked
from storage.index.events import read_time
from vna.audit.key import AuditKey

FIRST = bytes(32)
"""What the first batch follows."""
_PATIENCE = timedelta(hours=1)
"""A transaction that got a number and did not end in so long never will: records are written in short ones."""


def digest_of(previous: bytes, number: int, at: str, macs: Iterable[tuple[int, bytes]]) -> bytes:
    """Over the batch before, and id and MAC of every row of this one, in the order of their ids."""
    sum_ = sha256(previous + number.to_bytes(8) + at.encode())
    for id_, mac in macs:
        sum_.update(id_.to_bytes(8) + mac)
    return sum_.digest()


def message_of(batch: Batch) -> bytes:
    """Over what the MAC of a batch is: all but what retention removes of it later."""
    return orjson.dumps(
        [
            "batch",
            batch.number,
            batch.at,
            batch.last_id,
            packed(list(batch.ids)),
            batch.gaps,
            batch.previous.hex(),
            batch.digest.hex(),
            batch.key_id,
        ]
    )


def is_whole(key: AuditKey, batch: Batch) -> bool:
    """Whether a holder of one of our keys made this batch."""
    return key.is_of(message_of(batch), batch.mac, batch.key_id)


def gaps_after(before: str, found: Iterable[int], passed: Sequence[int], at: str) -> str:
    """Numbers without a row: those that had none before and those that were `passed`, without those `found` now and
    those for which nobody waits any more."""
    rest = set(found)
    now = read_time(at)
    kept = [(sorted(set(ids) - rest), since) for ids, since in waited_for(before) if _is_awaited(since, now)]
    kept.append((list(passed), at))
    return orjson.dumps([[packed(ids), since] for ids, since in kept if ids]).decode()


def waited_for(gaps: str) -> list[tuple[list[int], str]]:
    """Numbers without a row, with the time when that was seen."""
    return [(unpacked(ids), since) for ids, since in orjson.loads(gaps or "[]")]


def _is_awaited(since: str, now: datetime) -> bool:
    return now - read_time(since) < _PATIENCE


def pack_removed(macs: Mapping[int, bytes]) -> bytes:
    """Ids and MACs of rows that are gone for good."""
    return b"".join(id_.to_bytes(8) + macs[id_] for id_ in sorted(macs))


def unpack_removed(removed: bytes | None) -> dict[int, bytes]:
    """What `pack_removed` wrote."""
    whole = removed or b""
    return {int.from_bytes(whole[at : at + 8]): whole[at + 8 : at + 40] for at in range(0, len(whole), 40)}


def removed_message(number: int, removed: bytes) -> bytes:
    """Over what the MAC of removed rows is."""
    return b"removed" + number.to_bytes(8) + removed
