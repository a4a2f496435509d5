"""The commands of docs/national.md lead from an order to its look-up, against a running archive."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.archives import Backend, start_archive
from tests.peers.processes import system_program
from tests.tours import walked
from vna.model import profile

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "national.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All of it, as one script that ends at the first command that fails; what it wrote."""
    for program, package in (("storescu", "dcmtk"), ("curl", "curl")):
        system_program(program, package=package)
    folder = tmp_path_factory.mktemp("tour")
    live = start_archive(Backend("sqlite+folder", folder))
    for begin in (("demo", str(folder / "held")), ("import", str(folder / "held"))):  # what `make run` loads
        done = live.vna(*begin)
        assert done.returncode == 0, done.stderr
    addresses = {
        "127.0.0.1:8080": live.http.removeprefix("http://"),
        "127.0.0.1:2575": f"127.0.0.1:{live.hl7_port}",
        " 11112": f" {live.dimse_port}",
    }
    return walked(live, "\n".join(_blocks("sh")), addresses, folder, seconds=120)


def test_the_order_is_in_the_worklist_and_stands_as_the_page_says(tour: str) -> None:
    assert "(0008,0050) SH [A1]" in tour
    assert "waiting for dose report" in tour


def test_the_look_up_finds_the_images_and_the_report(tour: str) -> None:
    assert "<sonucKodu>0000</sonucKodu>" in tour
    assert "<goruntuVarMi>true</goruntuVarMi><raporVarMi>true</raporVarMi>" in tour
    assert "<kurumKodu>500059</kurumKodu>" in tour


def test_the_profile_of_the_page_is_one(tmp_path: Path) -> None:
    (text,) = _blocks("toml")
    path = tmp_path / "site.toml"
    path.write_text(text)
    said = profile.read(path)
    assert said.hl7.receiving_application == "teletipapp"
    assert said.reports.findings_at_least == 80
    assert profile.read(None).rules.dose.since == said.rules.dose.since
