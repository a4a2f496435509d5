"""`vna serve`: one supervisor, pre-forked workers behind it that share one port per door; a dead one is replaced."""

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass

from dimse.upper_layer.acceptor import Acceptor, channel_pair, listen
from dimse.upper_layer.worker import allow_many_descriptors
from vna import events as signals
from vna import metrics
from vna.app import certificates, communities, processes
from vna.app.certificates import Certificates
from vna.app.data_folder import occupy
from vna.app.doors import Addresses
from vna.app.draining import Draining
from vna.app.wiring import build, prepare
from vna.metrics import Metrics
from vna.model.errors import Unavailable, VnaError
from vna.routing import prefetch_rules
from vna.settings import Settings
from vna.web.viewer import installed

log = logging.getLogger(__name__)

_GRACE_SECONDS = 20.0
_PAUSE_AFTER_DEATH = 0.5
_QUICK_DEATH_SECONDS = 2.0
_POLL_SECONDS = 0.25
_WARN_SECONDS = 86_400.0


@dataclass(slots=True)
class _Child:
    kind: str
    started: float
    channel: socket.socket | None = None


def serve(settings: Settings, *, demo: bool = False) -> None:
    """Serve every door until SIGTERM or SIGINT; what is being stored then is finished first."""
    allow_many_descriptors()
    found = certificates.read(settings)  # files that are no use are found now, not by a worker
    communities.check(settings.xds)
    prefetch_rules.named(settings.federation.prefetch)
    occupied = occupy(settings.data_dir)
    prepare(settings)
    with closing(build(settings)) as archive:  # and so is a profile or another file that cannot be read
        archive.keeping.nodes.require_name()
        archive.keeping.nodes.require_store(archive.blobs)
    metrics.prepare(settings.data_dir / "metrics")
    Supervisor(settings, found, demo=demo, occupied=occupied).run()
    _leave(settings)
    os.close(occupied)


def _leave(settings: Settings) -> None:
    """The other nodes need not ask this one for what may wait in its spool."""
    try:
        with closing(build(settings)) as archive:
            archive.keeping.nodes.leave()
    except VnaError as exc:
        log.warning("node cannot say that it ends", extra={"reason": str(exc)})


class Supervisor:
    """Owns the listening sockets, hands connections to DICOM workers, and keeps every worker alive."""

    def __init__(self, settings: Settings, found: Certificates, *, demo: bool, occupied: int) -> None:
        """`occupied` is the descriptor that holds the data folder: as long as this process lives, not its workers."""
        self._settings = settings
        self._certificates = found
        self._metrics = Metrics()
        self._metrics.subscribe()
        self._demo = demo
        self._occupied = occupied
        self._stopping = False
        self._draining = Draining()
        self._drained_at = 0.0
        self._children: dict[int, _Child] = {}
        self._again: list[tuple[float, str]] = []
        self._expiry = certificates.expiry(settings, found, tuple)
        self._warned_at = -_WARN_SECONDS
        self._lifeline_read, self._lifeline_write = os.pipe()
        self._http = _listen("HTTP", settings.http.host, settings.http.port, backlog=2048)
        dimse = _listen("DIMSE", settings.dimse.host, settings.dimse.port, backlog=4096)
        self._hl7 = _listen("HL7", settings.hl7.host, settings.hl7.port, backlog=128)
        place, port = settings.dimse.host, settings.dimse.tls_port
        secured = [_listen("DIMSE", place, port, backlog=4096, word="TLS_PORT")] if port is not None else []
        self.addresses = Addresses(_place(self._http), _place(dimse), _place(self._hl7), *map(_place, secured))
        self._acceptor = Acceptor(dimse, settings.dimse.max_associations, also=secured)

    def run(self) -> None:
        """Start everything, watch over it, and end it in order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._look_at_certificates)
        for kind, count in self._wanted():
            for _ in range(count):
                self._start(kind)
        self._say()
        try:
            while not self._stopping:
                self._acceptor.poll(_POLL_SECONDS)
                self._reap()
                self._restart()
                self._watch_certificates()
                self._drain()
        finally:
            self._end()

    def _wanted(self) -> Iterable[tuple[str, int]]:
        yield "dimse", self._settings.dimse.workers
        yield "http", self._settings.http.workers
        yield "hl7", 1
        yield "jobs", 1
        if self._demo:
            yield "demo", 1

    def _start(self, kind: str) -> None:
        ours, theirs = channel_pair() if kind == "dimse" else (None, None)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._be(kind, ours, theirs)
        if theirs is not None:
            theirs.close()
        if ours is not None:
            self._acceptor.add_worker(ours)
        self._children[pid] = _Child(kind, time.monotonic(), ours)
        signals.emit("worker.started", kind=kind, pid=pid)
        log.info("worker started", extra={"kind": kind, "worker": pid})

    def _be(self, kind: str, ours: socket.socket | None, theirs: socket.socket | None) -> None:
        """The life of a worker; never returns."""
        code = 1
        try:
            os.close(self._lifeline_write)
            os.close(self._occupied)
            if ours is not None:
                ours.close()
            self._acceptor.forget()
            stop = processes.stop_event(self._lifeline_read)
            start = processes.Start(
                self._settings,
                stop,
                self._http,
                self._hl7,
                theirs,
                self.addresses,
                self._metrics,
                self._draining,
                self._certificates,
            )
            processes.run(kind, start)
            code = 0
        except KeyboardInterrupt:
            code = 0
        except BaseException:
            log.exception("worker failed", extra={"kind": kind})
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._lost(pid, os.waitstatus_to_exitcode(status))

    def _lost(self, pid: int, code: int) -> None:
        child = self._children.pop(pid, None)
        if child is None:
            return
        if child.channel is not None:
            self._acceptor.remove_worker(child.channel)
        if self._stopping or (child.kind == "demo" and code == 0):
            return
        signals.emit("worker.died", kind=child.kind, pid=pid)
        log.error("worker died", extra={"kind": child.kind, "worker": pid, "code": code})
        if child.kind == "demo":
            return
        now = time.monotonic()
        pause = _PAUSE_AFTER_DEATH if now - child.started < _QUICK_DEATH_SECONDS else 0.0
        self._again.append((now + pause, child.kind))

    def _restart(self) -> None:
        now = time.monotonic()
        due = [item for item in self._again if item[0] <= now]
        for item in due:
            self._again.remove(item)
            self._start(item[1])

    def _stop(self, _number: int, _frame: object) -> None:
        seconds = self._settings.node.drain_seconds
        if self._draining() or not seconds:
            self._stopping = True
        self._draining.begin()
        self._drained_at = time.monotonic() + seconds

    def _watch_certificates(self) -> None:
        """What is started anew has those of now; once a day the log says what expires."""
        self._certificates.look()
        now = time.monotonic()
        if now - self._warned_at >= _WARN_SECONDS:
            self._warned_at = now
            for sentence in self._expiry.standing().warnings:
                log.warning("certificate needs care", extra={"reason": sentence})

    def _look_at_certificates(self, _number: int, _frame: object) -> None:
        log.info("certificates are looked at")
        self._certificates.asked.again()

    def _drain(self) -> None:
        """What comes meanwhile is served: the balancer has to see first that this node is not ready."""
        if self._draining() and time.monotonic() >= self._drained_at:
            self._stopping = True

    def _end(self) -> None:
        log.info("stopping")
        self._stopping = True
        self._acceptor.close()
        self._http.close()
        self._hl7.close()
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS + 5
        while self._children and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        self._signal(signal.SIGKILL)
        while self._children:
            self._reap()
            time.sleep(0.02)
        os.close(self._lifeline_write)
        log.info("stopped")

    def _signal(self, number: int) -> None:
        for pid in list(self._children):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _say(self) -> None:
        """The addresses, for people and for scripts that start the archive on free ports."""
        mode = self._settings.security.mode.value
        host, port = self.addresses.http
        dimse_host, dimse_port = self.addresses.dimse
        hl7_host, hl7_port = _place(self._hl7)
        site = f"http{'s' if self._certificates.http is not None else ''}://{_shown(host)}:{port}"
        title, own = self._settings.dimse.ae_title, self.addresses.dimse_tls
        lines = (
            f"vna is ready ({mode} mode)",
            f"  page      {site}/",
            f"  DICOMweb  {site}/dicom-web",
            f"  DICOM     {title}@{_shown(dimse_host)}:{dimse_port}",
            f"  HL7       {_shown(hl7_host)}:{hl7_port}",
            *((f"  DICOM TLS {title}@{_shown(own[0])}:{own[1]}",) if own is not None else ()),
            *((f"  viewer    {site}/viewer/",) if installed(self._settings.http.viewer) else ()),
            f"  data      {self._settings.data_dir}",
        )
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        log.info("serving", extra={"http": port, "dimse": dimse_port, "hl7": hl7_port, "mode": mode})


def _listen(door: str, host: str, port: int, *, backlog: int, word: str = "PORT") -> socket.socket:
    try:
        return listen(host, port, backlog)
    except OSError as exc:
        reason = f"{exc.strerror or exc}; VNA_{door}__HOST and VNA_{door}__{word} choose another place"
        raise Unavailable(f"cannot listen on {_shown(host)}:{port}: {reason}") from exc


def _place(sock: socket.socket) -> tuple[str, int]:
    name = sock.getsockname()
    return str(name[0]), int(name[1])


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
