"""Our own doors in this process, as the suite meets them; a test may break them under its hands."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from conformance.checks import every
from conformance.suite.run import Outcome, Report, Result, run
from conformance.suite.session import Session
from conformance.suite.targets import Caller, Entity, Place, Targets
from dimse.upper_layer.inprocess import listening
from tests.archives import Backend, ready
from tests.hl7.messages import DOMAIN
from tests.peers.processes import free_port
from tests.xds.listening import listening as http_listening
from vna.app import Application, build
from vna.app.doors import Addresses, dimse_server, hl7_listener, http_application
from vna.metrics import Metrics
from vna.model.access import SYSTEM, Peer


@dataclass(frozen=True, slots=True)
class Ours:
    """An archive that listens, and where the suite finds it and is found by it."""

    archive: Application
    targets: Targets
    caller: Caller

    def run(self, *patterns: str) -> Report:
        """The checks of these ids."""
        return run(every(*patterns), Session(self.targets, self.caller))

    def outcome(self, check: str) -> Result:
        """What comes of one."""
        (result,) = self.run(check).results
        return result


@contextmanager
def our_server(folder: Path) -> Iterator[Ours]:
    """Every door on free ports; the suite's AE title is known where it listens."""
    settings = Backend("sqlite+folder", folder).settings(xds={"affinity_domain": DOMAIN})
    ready(settings)
    application = build(settings)
    here = Place("127.0.0.1", free_port())
    caller = Caller(listen=here, timeout=10, domain=DOMAIN)
    application.peers.add(SYSTEM, Peer(caller.ae_title, here.host, here.port, facility=caller.facility))
    with ExitStack() as running:
        running.callback(application.close)
        dimse = running.enter_context(listening(dimse_server(application), grace_seconds=0.2))
        addresses = Addresses(("127.0.0.1", 0), ("127.0.0.1", dimse))
        http = running.enter_context(http_listening(http_application(application, addresses, Metrics())))
        targets = Targets(
            dimse=Entity("VNA", "127.0.0.1", dimse),
            dicomweb=f"{http}/dicom-web",
            wado=f"{http}/wado",
            xds_registry=f"{http}/xds/registry",
            xds_repository=f"{http}/xds/repository",
            xds_imaging_source=f"{http}/xds/imaging-source",
            sgk=f"{http}/sgk/goruntu-paylasim",
            hl7=running.enter_context(_hl7(application)),
        )
        running.enter_context(_jobs(application))
        yield Ours(application, targets, caller)


@contextmanager
def _hl7(application: Application) -> Iterator[Place]:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run_listener = partial(hl7_listener(application).run, listener, stop, grace_seconds=1)
        thread = threading.Thread(target=run_listener, daemon=True)
        thread.start()
        yield Place("127.0.0.1", listener.getsockname()[1])
        stop.set()
        thread.join(10)


@contextmanager
def _jobs(application: Application) -> Iterator[None]:
    stop = threading.Event()
    runs = application.workers().run, application.dispatcher().run
    threads = [threading.Thread(target=partial(one, stop, pause=0.05), daemon=True) for one in runs]
    for one in threads:
        one.start()
    yield
    stop.set()
    for one in threads:
        one.join(10)


def not_passed(report: Report) -> list[str]:
    """Ids and reasons of what failed."""
    return [f"{one.check.id}: {one.reason}" for one in report.of(Outcome.FAILED, Outcome.ERROR)]
