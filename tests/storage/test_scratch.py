"""The scratch file of a message: in memory, then without a name, then gone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.scratch import Scratch
from vna.model.errors import OutOfResources

MB = 1 << 20


@pytest.mark.parametrize("size", [0, 10, MB, MB + 1, 3 * MB])
def test_stretches_are_read_and_no_file_has_a_name(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    with Scratch(tmp_path) as scratch:
        scratch.write(data[:size])
        assert scratch.size == size
        assert scratch.open(0, size).read() == data[:size]
        assert scratch.open(size // 2, 5).read() == data[size // 2 : size][:5]
        assert list(tmp_path.iterdir()) == []


def test_readers_have_places_of_their_own_and_can_seek(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.write(b"x" * MB + b"0123456789")
        one, other = scratch.open(MB, 10), scratch.open(MB, 10)
        assert (one.read(3), other.read(2), one.read(2)) == (b"012", b"01", b"34")
        one.seek(-1, 2)
        assert (one.read(), one.tell()) == (b"9", 10)


def test_a_closed_one_cannot_be_read(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    scratch.write(b"data")
    file = scratch.open(0, 4)
    scratch.close()
    scratch.close()
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_a_folder_that_is_full_or_gone_is_out_of_resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutOfResources, match="cannot be written"):
        Scratch(tmp_path / "gone").write(bytes(2 * MB))

    def full(_file: IO[bytes], _piece: Any) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(Scratch, "_append", staticmethod(full))
    with Scratch(tmp_path) as scratch, pytest.raises(OutOfResources, match="no space left"):
        scratch.write(bytes(2 * MB))


def test_whether_there_is_room_is_asked_when_the_file_begins_and_as_it_grows(tmp_path: Path) -> None:
    asked: list[int] = []

    def room() -> None:
        asked.append(scratch.size)
        if scratch.size > 30 * MB:
            raise OutOfResources("little is free")

    with Scratch(tmp_path, room) as scratch:
        scratch.write(bytes(MB))
        assert asked == []
        for _ in range(32):
            scratch.write(bytes(MB))
        with pytest.raises(OutOfResources, match="little is free"):
            scratch.write(bytes(MB))
        assert asked == [2 * MB, 18 * MB, 34 * MB]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, MB), max_size=5), st.data())
def test_whatever_is_written_is_read(sizes: list[int], data: st.DataObject) -> None:
    whole = b""
    with tempfile.TemporaryDirectory() as folder, Scratch(Path(folder)) as scratch:
        for number, size in enumerate(sizes):
            piece = bytes([number]) * size
            scratch.write(memoryview(piece))
            whole += piece
        start = data.draw(st.integers(0, len(whole)))
        size = data.draw(st.integers(0, len(whole) - start))
        assert scratch.open(start, size).read() == whole[start : start + size]


def test_one_that_is_kept_is_closed_with_the_other(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        kept = Scratch(tmp_path)
        scratch.keep(kept)
        kept.write(b"x")
        assert kept.read(0, 1) == b"x"
    late = Scratch(tmp_path)
    scratch.keep(late)

    for one in (kept, late):
        with pytest.raises(ValueError, match="closed"):
            one.read(0, 1)
