"""Systems elsewhere that feed us, and archives elsewhere that we read from: what is known of one, what its doors do."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from vna.model.priority import Priority
from vna.model.query import Match, Query


@dataclass(frozen=True, slots=True)
class RemoteArchive:
    """Where an archive elsewhere is read; every door that is empty is not there.

    `tls` is for DICOM, addresses of services say it themselves; `tls_ca`, `tls_certificate` and `tls_key` are files,
    and hold for both. `user_name` with `password`, or `token`, is the login over HTTP. `retrieve_location_uid` and
    `retrieve_ae_title` are what manifests call it, in (0040,E011) and (0008,0054). Of several that could give something
    the one with the highest `priority` is asked first. `bandwidth` is in bytes a second, 0 without limit.
    `bulk_bandwidth` and `bulk_connections` are what bulk requests may have of it, 0 what is left.
    """

    ae_title: str = ""
    host: str = ""
    port: int = 0
    tls: bool = False
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    wado_uri: str = ""
    wado_rs: str = ""
    qido_rs: str = ""
    rad69: str = ""
    repository_unique_id: str = ""
    user_name: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    retrieve_location_uid: str = ""
    retrieve_ae_title: str = ""
    priority: int = 0
    bandwidth: int = 0
    connections: int = 4
    bulk_bandwidth: int = 0
    bulk_connections: int = 0

    @property
    def is_there(self) -> bool:
        """Whether it can be read through any door."""
        return any((self.host, self.wado_uri, self.wado_rs, self.qido_rs, self.rad69))


class MessageProfile(StrEnum):
    """By which rules orders and reports of a sender are read: to the letter of the national profile, or as hospitals'
    systems send them."""

    NATIONAL = "national"
    HOSPITAL = "hospital"


@dataclass(frozen=True, slots=True)
class Messages:
    """HL7 messages of a source, and where those to it go (no host: nowhere).

    `character_set` is what it declared, in the words of HL7 table 0211; `tls` is for messages to it, with the
    certificates of its archive.
    """

    profile: MessageProfile = MessageProfile.HOSPITAL
    character_set: str = ""
    host: str = ""
    port: int = 0
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A known system elsewhere (`vna source`), which sends or takes HL7 messages, or has an archive, or all of it.

    `application` and `sending_facility` are what it calls itself in MSH-3 and MSH-4, `addresses` (of machines and
    networks) are whence it sends; an empty `sending_facility` is any. `facility` is the code of the facility it belongs
    to. `certificates` (`vna.model.certificates`) are those that it sends messages with: empty where any will do.
    """

    name: str
    application: str
    sending_facility: str = ""
    addresses: tuple[str, ...] = ()
    facility: str = ""
    archive: RemoteArchive = field(default_factory=RemoteArchive)
    messages: Messages = Messages()
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a source may ask of us, in seconds, bytes and counts; `wait_seconds` is for each wait on the network.

    A source that has kept us waiting for `grace_seconds` in all, and sent fewer than `bytes_per_second` in them, is let
    go.
    """

    connect_seconds: float = 10.0
    wait_seconds: float = 60.0
    grace_seconds: float = 120.0
    bytes_per_second: int = 4096
    instance_bytes: int = 8 << 30
    answer_bytes: int = 64 << 20
    matches: int = 100_000
    instances: int = 100_000


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a search is asked, beside the bounds: `until` is a moment of time.monotonic, `wanted` says whether
    anybody still waits, `answer_bytes` is how much of one answer is kept in memory."""

    until: float = math.inf
    wanted: Callable[[], bool] = _always
    answer_bytes: int = 64 << 20

    @property
    def over(self) -> bool:
        """Whether nobody waits any more."""
        return time.monotonic() >= self.until or not self.wanted()

    def seconds(self, most: float) -> float:
        """How long one wait may be."""
        return max(0.001, min(most, self.until - time.monotonic()))


PATIENT = Terms()
"""As long as the bounds allow."""


@dataclass(frozen=True, slots=True)
class StudyPart:
    """What is wanted of one study: all of it, one series, or instances of that series by name.

    `sop_class_uids` are the SOP Classes that are expected, where that is known: C-GET has to propose them. `priority`
    says who gets a connection and bandwidth first.
    """

    study_instance_uid: str
    series_instance_uid: str = ""
    sop_instance_uids: tuple[str, ...] = ()
    sop_class_uids: tuple[str, ...] = ()
    priority: Priority = Priority.ROUTINE


@dataclass(slots=True)
class Fetched:
    """One instance that comes: a Part 10 file; `chunks` is read once, and before the next instance is asked for."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a C-MOVE: counts of sub-operations, and which instances are said to have failed."""

    completed: int
    failed: int
    warnings: int
    failed_uids: tuple[str, ...] = ()


class Verifying(Protocol):
    """A door that can be tried without reading anything of anybody."""

    def verify(self) -> None:
        """Raise why it does not work: Unavailable, NotAuthorized, NotFound or Rejected."""


class Searching(Verifying, Protocol):
    """A door that can be searched: C-FIND, QIDO-RS."""

    def search(self, query: Query, terms: Terms = PATIENT) -> Iterator[Match]:
        """Matches as they come, at most `query.limit` of them; close it to stop.

        Unavailable when the terms are over before the answer is; Rejected at the end when some of it named nothing.
        """


class Fetching(Verifying, Protocol):
    """A door that gives instances: C-GET, WADO-RS, WADO-URI, RAD-69.

    `by_name` says that it gives instances only one by one, so that the part has to name them.
    """

    @property
    def by_name(self) -> bool: ...

    def fetch(self, part: StudyPart) -> Iterator[Fetched]:
        """Instances as they come, each looked at: it is one of those asked for. Close it to stop.

        NotFound at the end when instances were named and some did not come.
        """


class Moving(Verifying, Protocol):
    """A door that sends what is asked for to an application entity: C-MOVE."""

    def move(self, part: StudyPart, destination_ae: str) -> Moved:
        """Have it sent, and wait until it says that it is done."""


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors of one source that are configured, each by its name; best first."""

    searching: Sequence[tuple[str, Searching]] = ()
    fetching: Sequence[tuple[str, Fetching]] = ()
    moving: Sequence[tuple[str, Moving]] = ()
    verifying: Sequence[tuple[str, Verifying]] = ()
