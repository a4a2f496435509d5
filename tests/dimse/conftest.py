"""Archives with a DICOM door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.dimse import door as doors


@pytest.fixture
def open_door(tmp_path: Path) -> Iterator[Callable[..., doors.Door]]:
    """`open_door(rules=MoveRules(...))` starts an archive with the arguments of `tests.dimse.door.open_door`."""
    with ExitStack() as running:

        def start(**options: Any) -> doors.Door:
            return running.enter_context(doors.open_door(tmp_path, **options))

        yield start


@pytest.fixture
def door(open_door: Callable[..., doors.Door]) -> doors.Door:
    return open_door()
