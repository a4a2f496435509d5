"""Frame tables that are kept unpacked."""

from __future__ import annotations

from storage.frames import FrameTable, Kind
from storage.offsets import pack_offsets
from vna.archive.frame_tables import FrameTables


def table(frames: int, first: int = 100) -> FrameTable:
    lengths = tuple(50 + number % 1000 for number in range(frames))
    offsets, at = [], first
    for length in lengths:
        offsets.append(at)
        at += length + 8
    return FrameTable(Kind.ENCAPSULATED, frames, 0, 0, tuple(offsets), lengths, tuple(range(frames + 1)))


def test_a_large_table_is_unpacked_once_and_a_small_one_each_time() -> None:
    kept = FrameTables()
    small, large = pack_offsets(table(3), {}), pack_offsets(table(20_000), {})
    assert kept.of("small", small) == table(3)
    assert kept.of("small", small) is not kept.of("small", small)
    assert kept.of("large", large) == table(20_000)
    assert kept.of("large", large) is kept.of("large", large)


def test_no_more_than_a_bound_is_kept() -> None:
    kept = FrameTables(most=100_000)
    packed = pack_offsets(table(20_000), {})
    made = [kept.of(f"blob {number}", packed) for number in range(5)]
    assert kept.of("blob 4", packed) is made[4]
    assert kept.of("blob 0", packed) is not made[0]
    huge = pack_offsets(table(30_000), {})
    assert kept.of("huge", huge) is not kept.of("huge", huge)
