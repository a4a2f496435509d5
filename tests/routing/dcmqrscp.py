"""dcmtk's dcmqrscp, a small archive, with storescp as the application entity that it may move to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.dcmtk import NO_DELAY, StoreSCP, run_dcmtk, start_storescp
from tests.peers.processes import Child, free_port, need_isolation, start, system_program

AE_TITLE = "QRSCP"
_CONFIGURATION = """\
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
destination = ({destination}, 127.0.0.1, {destination_port})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{ae_title} {store} RW (200, 1024mb) ANY
AETable END
"""


@dataclass(slots=True)
class Dcmqrscp:
    """A running one."""

    ae_title: str
    port: int
    destination: StoreSCP
    child: Child = field(repr=False)

    def stop(self) -> None:
        self.child.stop()
        self.destination.stop()


def start_dcmqrscp(directory: Path, files: Sequence[bytes]) -> Dcmqrscp:
    """Start one, and store these Part 10 files in it."""
    need_isolation("dcmqrscp")
    program = system_program("dcmqrscp", package="dcmtk")
    port, store, sent = free_port(), directory / "store", directory / "sent"
    store.mkdir()
    sent.mkdir()
    destination = start_storescp(directory, ae_title="DESTINATION")
    configuration = directory / "dcmqrscp.cfg"
    configuration.write_text(
        _CONFIGURATION.format(
            port=port,
            destination=destination.ae_title,
            destination_port=destination.port,
            ae_title=AE_TITLE,
            store=store,
        )
    )
    child = start([program, "-c", configuration], log=directory / "dcmqrscp.log", env=NO_DELAY, cwd=directory)
    child.wait_until_port(port)
    for number, content in enumerate(files):
        (sent / f"{number}.dcm").write_bytes(content)
    done = run_dcmtk("storescu", "-aec", AE_TITLE, "+sd", "127.0.0.1", port, sent)
    assert done.returncode == 0, done.stdout
    return Dcmqrscp(AE_TITLE, port, destination, child)
