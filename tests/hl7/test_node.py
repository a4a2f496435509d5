"""Orders from, and reports to, the HL7 packages of npm."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.archives import rows
from tests.hl7.conftest import NODE, Feed, Listen
from tests.hl7.national import FACILITY, changed, group, header, order, report
from tests.peers.processes import free_port, start
from vna.model.access import SYSTEM
from vna.model.orders import OrderKey
from vna.model.sources import Messages

pytestmark = pytest.mark.parametrize("backend", ["sqlite+folder"], indirect=True)


def test_orders_of_its_client_are_taken_and_refused(feed: Feed, listen: Listen, node: str, tmp_path: Path) -> None:
    feed.know("HBYS")
    told = (
        order(),
        order(changed("OBR", 24, "", "A2"), msh=header("ORM^O01", "C2")),
        order(group("A3"), msh=header("ORM^O01", "C3")),
    )
    files = [tmp_path / f"{number}.hl7" for number in range(3)]
    for file, one in zip(files, told, strict=True):
        file.write_text(one, "utf-8", newline="")
    port = listen(answering=feed.dispatch).port
    done = subprocess.run(
        [node, NODE / "send.cjs", str(port), *files], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["AA C1", "AE C2", "AA C3"], done.stderr
    assert rows(feed.archive, "select count(*) from events where kind = 'order.changed'") == [(2,)]
    found = feed.archive.national.orders.get(SYSTEM, OrderKey(FACILITY, "A1")).order
    assert found.patient.name == "ÖRNEK^AYŞE"


def test_its_server_takes_a_report(feed: Feed, node: str, tmp_path: Path) -> None:
    port = free_port()
    receiving = start([node, str(NODE / "receive.cjs"), str(port), "AA"], log=tmp_path / "log")
    try:
        receiving.wait_until(lambda: "listening" in receiving.output())
        feed.know("HBYS", messages=Messages(host="127.0.0.1", port=port))
        feed.know("TRS", facility="")
        assert feed(order())[0] == "AA"
        assert feed(report(msh=header("ORU^R01", "R1", m3="TRS")))[0] == "AA"
        feed.archive.workers().drain()
        assert rows(feed.archive, "select count(*) from jobs where kind = 'report-out'") == [(0,)]
        assert "PID|1||F1001|10000000146|ÖRNEK^AYŞE||19800102|F" in receiving.output()
    finally:
        receiving.stop()
