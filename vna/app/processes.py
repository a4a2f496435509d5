"""What each kind of worker process does, from its start to its end."""

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from dimse.upper_layer.worker import ConnectionChannel, run_worker
from vna.app import spooling
from vna.app.certificates import Certificates
from vna.app.doors import Addresses, dimse_server, hl7_listener, http_application, proxies
from vna.app.draining import Draining
from vna.app.wiring import Application, build
from vna.metrics import Metrics
from vna.model.access import SYSTEM
from vna.model.instances import Arrival, Door
from vna.settings import Settings

log = logging.getLogger(__name__)

_GRACE_SECONDS = 20.0
_HTTP_GRACE_SECONDS = 10
_HTTP_AT_ONCE = 1000
_DECODING_AT_ONCE = 20
"""Threads of an HTTP worker, of the 40 that it has, which may wait for a decoder."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a worker process is given by its parent."""

    settings: Settings
    stop: threading.Event
    http: socket.socket
    hl7: socket.socket
    channel: socket.socket | None
    addresses: Addresses
    metrics: Metrics
    draining: Draining
    certificates: Certificates


def stop_event(lifeline: int) -> threading.Event:
    """Set by SIGTERM, and when the parent is gone however it went: then the other end of the pipe is closed."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is for the supervisor, and comes to the whole group of a terminal

    def watch() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
    return stop


def run(kind: str, start: Start) -> None:
    """Be a worker of this kind until told to stop."""
    for door, sock in (("http", start.http), ("hl7", start.hl7)):
        if door != kind:
            sock.close()
    application = build(start.settings, certificates=start.certificates)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # headers are many small objects that die young and form no cycles
    try:
        _KINDS[kind](start, application)
    finally:
        application.close()


def _dimse(start: Start, application: Application) -> None:
    assert start.channel is not None
    own = start.addresses.dimse_tls
    server = dimse_server(application, own[1] if own is not None else None)
    channel, caller = ConnectionChannel(start.channel), proxies(start.settings).caller
    run_worker(server, channel, start.stop, grace_seconds=_GRACE_SECONDS, caller=caller)


def _http(start: Start, application: Application) -> None:
    import uvicorn

    from vna.app.http_protocol import BoundedProtocol
    from vna.app.https import HttpsServer
    from vna.pixels.codecs import CODECS

    CODECS.bound(_DECODING_AT_ONCE)
    BoundedProtocol.seconds = start.settings.http.network_timeout
    config = uvicorn.Config(
        http_application(application, start.addresses, start.metrics, start.draining),
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_HTTP_AT_ONCE,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_HTTP_GRACE_SECONDS,
    )
    door = start.certificates.http
    if door is None:
        uvicorn.Server(config).run(sockets=[start.http])
    else:
        HttpsServer(config, start.http, door.context).run()


def _hl7(start: Start, application: Application) -> None:
    hl7_listener(application).run(start.hl7, start.stop, grace_seconds=_GRACE_SECONDS)


def _jobs(start: Start, application: Application) -> None:
    application.database.settle()
    workers = threading.Thread(target=application.workers().run, args=(start.stop,), name="workers")
    workers.start()
    upload = partial(spooling.upload, application.blobs, application.settings)
    beside = (
        application.keeping.nodes.run,
        application.keeping.regularly().run,
        application.guarding.clock.run,
        upload,
    )
    for run_beside in beside:
        threading.Thread(target=run_beside, args=(start.stop,), name="beside", daemon=True).start()
    application.dispatcher().run(start.stop)
    workers.join(_GRACE_SECONDS)


def _demo(start: Start, application: Application) -> None:
    """Store the demonstration study, when nothing is held yet, and the demonstration codes, when there are none."""
    from vna import demo
    from vna.teleradiology import demonstration

    if not application.national.codes.versions(SYSTEM):
        demonstration.load(application.national.codes, SYSTEM)
    if application.status.counts(SYSTEM)["instances"]:
        return
    arrival = Arrival(Door.IMPORT, "DEMO")
    for data in demo.generate():
        if start.stop.is_set():
            return
        with application.store.open(SYSTEM, arrival) as incoming:
            incoming.write(data)
            application.store.accept(incoming, SYSTEM, arrival)
    log.info("demonstration study loaded")


_KINDS: dict[str, Callable[[Start, Application], None]] = {
    "dimse": _dimse,
    "http": _http,
    "hl7": _hl7,
    "jobs": _jobs,
    "demo": _demo,
}
