"""What the door needs: use cases, counters, and what to tell about this archive."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vna.archive.backup_standing import BackupStanding
from vna.archive.node_spool import NodeSpool
from vna.archive.search import Search
from vna.archive.status import Status
from vna.metrics import Gauges, Metrics
from vna.routing.trial import Trial
from vna.security.expiry import Expiry
from vna.security.links import Links
from vna.security.sources import Sources
from vna.teleradiology.looks import Looks
from vna.teleradiology.reports import Reports


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the doors of this archive are; `public_url` empty means as the request says.

    `hl7` is host and port, None without that door; `sharing` are the paths of document sharing; `read_paths` are those
    that studies are read from: whoever came by an access link shows their cookie there.
    """

    ae_title: str
    dimse_host: str
    dimse_port: int
    dicomweb_path: str = "/dicom-web"
    public_url: str = ""
    hl7: tuple[str, int] | None = None
    sharing: tuple[str, ...] = ()
    read_paths: tuple[str, ...] = ("/dicom-web", "/wado")


def never() -> bool:
    """Where nothing stops a node but its end."""
    return False


def no_gauges() -> Gauges:
    """Where there is nothing more to tell."""
    return {}


@dataclass(frozen=True, slots=True)
class Site:
    """One archive, as its page shows it; `mode` is `local` or `enforced`, `viewer` the folder of the viewer's files,
    `draining` whether this node is being stopped, `guarding` how the audit trail stands."""

    mode: str
    addresses: Addresses
    search: Search
    status: Status
    backups: BackupStanding
    metrics: Metrics
    links: Links
    sources: Sources
    trial: Trial
    reports: Reports
    looks: Looks
    viewer: Path
    spool: NodeSpool
    draining: Callable[[], bool] = never
    expiry: Expiry | None = None
    guarding: Callable[[], Gauges] = no_gauges
