"""Files that live as long as they are used."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_MEMORY = 8 << 20


@contextmanager
def temporary_copy(folder: Path, pieces: Iterable[bytes]) -> Iterator[IO[bytes]]:
    """The pieces as a file to read and seek: in memory while small, without a name on disk when large."""
    with tempfile.SpooledTemporaryFile(_MEMORY, dir=folder) as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        yield file
