"""What the door needs: the use cases behind it, and its own bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dicomweb.remembered import Remembered
from vna.archive.changes import Changes
from vna.archive.commitment import Commitments
from vna.archive.deletion import Deletion
from vna.archive.rendered import Rendering
from vna.archive.retrieve import Retrieval
from vna.archive.search import Search
from vna.archive.store import Store
from vna.mime.reader import Bounds
from vna.model.instances import Instance
from vna.routing.across import Across
from vna.turns import Turns

PREFIX = "/dicom-web"


class Arriving(Protocol):
    """What has instances fetched that are kept elsewhere, while nobody holds a thread for it."""

    async def arrive(self, wanted: Sequence[Instance], enough: int) -> None:
        """Wait until `enough` of them are here. NotFound, or Unavailable with the reason, when they do not come."""


@dataclass(frozen=True, slots=True)
class StudiesService:
    """The Studies Service (PS3.18 10) of one archive, and storage commitment (13).

    `arriving` is waited for where something is kept elsewhere; without one nothing is fetched.

    `public_url` is the origin that people use, where the request may say another; `bounds` are those of a STOW body,
    and `max_body` its bytes once they are out of gzip; `turns` says how many requests that can wait are served at once.
    """

    store: Store
    search: Search
    across: Across
    retrieval: Retrieval
    rendering: Rendering
    deletion: Deletion
    changes: Changes
    commitments: Commitments
    arriving: Arriving | None = None
    public_url: str = ""
    bounds: Bounds = field(default_factory=Bounds)
    max_body: int = 16 << 30
    remembered: Remembered = field(default_factory=Remembered)
    turns: Turns = field(default_factory=Turns)
