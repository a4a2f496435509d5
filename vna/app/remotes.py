"""Doors of archives elsewhere, from what is known of each: made once, and anew when that has changed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

import httpx

from dicomweb.client.qido_rs import QidoRs
from dicomweb.client.service import Remote, Service, client
from dicomweb.client.stow_rs import StowRs
from dicomweb.client.wado_rs import WadoRs
from dicomweb.client.wado_uri import WadoUri
from dimse.client.find import FindSCU
from dimse.client.get import GetSCU
from dimse.client.move import MoveSCU
from dimse.client.peer import Peer
from dimse.scu import Destination as Entity
from vna.board import Board, SharedBoard
from vna.model.destination import Destination
from vna.model.priority import Priority
from vna.model.sources import Bounds, Doors, Fetching, Moving, RemoteArchive, Searching, Source, Verifying
from vna.pacing import Pace
from vna.places import Places, sharing
from vna.security import tls
from xds.imaging_client import ImagingClient


@dataclass(slots=True)
class _Opened:
    doors: Doors
    storing: list[tuple[str, Destination]] = field(default_factory=list)
    closing: list[Callable[[], None]] = field(default_factory=list)


class Echo:
    """C-ECHO, as something to try."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def verify(self) -> None:
        """Verify that it answers (PS3.4 A.2)."""
        self._peer.echo()


class Remotes:
    """The doors of each source, with their connections; `ae_title` is who we are to application entities.

    In `shared`, a folder, is what all processes of this node know of connections and bandwidth in use; without it the
    limits of a source are those of this process.
    """

    def __init__(
        self,
        ae_title: str,
        spool_folder: Path,
        room: Callable[[], None],
        bounds: Bounds | None = None,
        shared: Path | None = None,
    ) -> None:
        self._ae_title = ae_title
        self._spool_folder = spool_folder
        self._room = room
        self._bounds = bounds or Bounds()
        self._shared = shared
        self._lock = threading.Lock()
        self._opened: dict[str, tuple[Source, _Opened]] = {}

    def doors(self, source: Source) -> Doors:
        """Those that are configured. Unavailable names a certificate file that is no use."""
        return self._of(source).doors

    def destinations(self, source: Source) -> list[tuple[str, Destination]]:
        """Where it takes instances over HTTP."""
        return self._of(source).storing

    def close(self) -> None:
        """Let go of connections."""
        with self._lock:
            opened, self._opened = list(self._opened.values()), {}
        for _, one in opened:
            _close(one)

    def _of(self, source: Source) -> _Opened:
        with self._lock:
            known = self._opened.get(source.name)
            if known is not None and known[0] == source:
                return known[1]
            made = self._open(source)
            self._opened[source.name] = (source, made)
        if known is not None:
            _close(known[1])
        return made

    def _open(self, source: Source) -> _Opened:
        archive, pace, places = source.archive, self._pace(source), self._places(source)
        searching: list[tuple[str, Searching]] = []
        fetching: list[tuple[str, Fetching]] = []
        moving: list[tuple[str, Moving]] = []
        tried: list[tuple[str, Verifying]] = []
        opened = _Opened(Doors(searching, fetching, moving, tried))
        if archive.wado_rs or archive.qido_rs or archive.wado_uri or archive.rad69:
            http = _http(archive)
            opened.closing.append(http.close)
            remote = Remote(source.name, http, pace, self._bounds, places)
            self._open_services(source, remote, opened, searching, fetching)
        if archive.host:
            peer = self._peer(source, pace, places)
            opened.closing.append(peer.close)
            searching.append(("C-FIND", FindSCU(peer)))
            fetching.append(("C-GET", GetSCU(peer)))
            moving.append(("C-MOVE", MoveSCU(peer)))
            tried.append(("C-ECHO", Echo(peer)))
        tried += [*searching, *fetching, *moving]
        return opened

    def _open_services(
        self,
        source: Source,
        remote: Remote,
        opened: _Opened,
        searching: list[tuple[str, Searching]],
        fetching: list[tuple[str, Fetching]],
    ) -> None:
        archive = source.archive
        if archive.qido_rs:
            searching.append(("QIDO-RS", QidoRs(Service(remote, archive.qido_rs))))
        if archive.wado_rs:
            fetching.append(("WADO-RS", WadoRs(Service(remote, archive.wado_rs))))
            opened.storing.append(("STOW-RS", StowRs(Service(remote, archive.wado_rs))))
        if archive.wado_uri:
            fetching.append(("WADO-URI", WadoUri(Service(remote, archive.wado_uri))))
        if archive.rad69:
            client = ImagingClient(
                source.name,
                archive.rad69,
                archive.repository_unique_id,
                remote.http,
                self._spool_folder,
                room=self._room,
                bounds=self._bounds,
                pace=remote.pace,
                places=remote.places,
            )
            fetching.append(("RAD-69", client))

    def _pace(self, source: Source) -> Pace:
        most = {Priority.BULK: source.archive.bulk_bandwidth}
        return Pace(source.archive.bandwidth, most=most, board=self._board(f"{source.name} bytes"))

    def _places(self, source: Source) -> Places:
        most = sharing(source.archive.connections, source.archive.bulk_connections)
        return Places(most, self._board(f"{source.name} connections"))

    def _board(self, subject: str) -> Board | None:
        return SharedBoard(self._shared, subject) if self._shared is not None else None

    def _peer(self, source: Source, pace: Pace, places: Places) -> Peer:
        archive = source.archive
        secure = _verifying(archive) if archive.tls else None
        return Peer(
            source.name,
            Entity(archive.host, archive.port, archive.ae_title),
            self._ae_title,
            connections=archive.connections,
            tls=secure,
            bounds=self._bounds,
            pace=pace,
            places=places,
        )


def _http(archive: RemoteArchive) -> httpx.Client:
    urls = (archive.wado_rs, archive.qido_rs, archive.wado_uri, archive.rad69)
    is_secure = any(url.startswith("https:") for url in urls)  # without TLS there are no certificates to load
    return client(
        _verifying(archive) if is_secure else False,
        archive.connections,
        user=(archive.user_name, archive.password) if archive.user_name else None,
        token=archive.token,
    )


def _verifying(archive: RemoteArchive) -> SSLContext:
    files = (archive.tls_ca, archive.tls_certificate, archive.tls_key)
    return tls.client_context(*(Path(name) if name else None for name in files))


def _close(opened: _Opened) -> None:
    for close in opened.closing:
        close()
