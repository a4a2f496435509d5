"""The demonstration codes: a small set, for trying things out. Facilities and people of it are invented."""

from collections.abc import Iterator
from pathlib import Path

from vna.model.access import Actor
from vna.model.codes import CodeVersion
from vna.teleradiology.code_files import read
from vna.teleradiology.code_lists import LISTS
from vna.teleradiology.codes import Codes

FOLDER = Path(__file__).with_name("demo_codes")
VERSION = "demo-1"


def load(codes: Codes, actor: Actor) -> list[CodeVersion]:
    """Put the demonstration set of every list in force."""
    return [codes.load(actor, name, VERSION, read(path, LISTS[name])) for name, path in files()]


def files() -> Iterator[tuple[str, Path]]:
    """The file of each list."""
    for path in sorted(FOLDER.glob("*.csv")):
        yield path.stem, path
