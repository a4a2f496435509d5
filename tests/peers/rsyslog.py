"""rsyslog as an audit record repository, over mutual TLS and UDP, on loopback."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .processes import Child, start, system_program, wait_for

_CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="512k" parser.escapeControlCharactersOnReceive="off"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name"
  permittedPeer=["{peer}"])
module(load="imudp")
template(name="audit" type="string" string="%pri% %protocol-version% %hostname% %app-name% %procid% %msgid% %msg%\\n")
ruleset(name="audit") {{ action(type="omfile" file="{log}" template="audit") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="audit")
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="audit")
action(type="omfile" file="{folder}/own.log")
"""


@dataclass(slots=True)
class Rsyslog:
    """A server that can be stopped and started; `peer` is the only name that it lets in."""

    folder: Path
    port: int
    ca: Path
    certificate: Path
    key: Path
    peer: str
    child: Child | None = None

    @property
    def log(self) -> Path:
        return self.folder / "audit.log"

    def lines(self) -> list[str]:
        """What arrived, a line each: PRI, version, host, app, process, MSGID, message."""
        return self.log.read_text("utf-8").splitlines() if self.log.exists() else []

    def wait_for_lines(self, count: int) -> list[str]:
        wait_for(lambda: len(self.lines()) >= count, what=f"{count} messages at rsyslog")
        return self.lines()

    def start(self) -> None:
        program = system_program("rsyslogd", package="rsyslog rsyslog-gnutls")
        configuration = self.folder / "rsyslog.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                ca=self.ca,
                certificate=self.certificate,
                key=self.key,
                peer=self.peer,
                log=self.log,
                port=self.port,
            )
        )
        argv: list[str | Path] = [program, "-n", "-f", configuration, "-i", self.folder / "rsyslog.pid"]
        self.child = start(argv, log=self.folder / "rsyslog.out")
        self.child.wait_until_port(self.port)
        self.child.wait_until(self._has_udp)

    def _has_udp(self) -> bool:
        """Whether the port of UDP is taken."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", self.port))
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.child is not None:
            self.child.stop(how)
            self.child = None


@contextlib.contextmanager
def rsyslog(folder: Path, port: int, *, ca: Path, certificate: Path, key: Path, peer: str) -> Iterator[Rsyslog]:
    folder.mkdir(exist_ok=True)
    server = Rsyslog(folder, port, ca, certificate, key, peer)
    server.start()
    try:
        yield server
    finally:
        server.stop()
