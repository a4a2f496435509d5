"""What the door needs: the use cases behind it, and its own bounds."""

from dataclasses import dataclass, field

from dicomweb.remembered import Remembered
from vna.archive.changes import Changes
from vna.archive.deletion import Deletion
from vna.archive.rendered import Rendering
from vna.archive.retrieve import Retrieval
from vna.archive.search import Search
from vna.archive.store import Store
from vna.mime.reader import Bounds
from vna.turns import Turns

PREFIX = "/dicom-web"


@dataclass(frozen=True, slots=True)
class StudiesService:
    """The Studies Service (PS3.18 10) of one archive.

    `public_url` is the origin that people use, where the request may say another; `bounds` are those of a STOW body,
    and `max_body` its bytes once they are out of gzip; `turns` says how many requests that can wait are served at once.
    """

    store: Store
    search: Search
    retrieval: Retrieval
    rendering: Rendering
    deletion: Deletion
    changes: Changes
    public_url: str = ""
    bounds: Bounds = field(default_factory=Bounds)
    max_body: int = 16 << 30
    remembered: Remembered = field(default_factory=Remembered)
    turns: Turns = field(default_factory=Turns)
