"""What deploy/ gives to copy is right: every file that is named is there, every setting is one, programs take them."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.peers.processes import system_program
from vna.settings import Settings, load
from vna.settings.root import fields

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
VARIABLES = {"VNA_" + name.upper().replace(".", "__") for name, _ in fields()} | {"VNA_CONFIG"}


def _instructions() -> list[list[str]]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def test_the_image_is_made_of_files_that_are_there_and_does_not_run_as_root() -> None:
    instructions = _instructions()
    sources = [word for line in instructions if line[0] == "COPY" and "--from=build" not in line for word in line[1:-1]]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {f"!{source}" for source in sources} == {line for line in kept if line.startswith("!")}
    with (ROOT / "pyproject.toml").open("rb") as file:
        packages = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(sources)
    assert [line[1] for line in instructions if line[0] == "USER"] == ["10001"]
    assert {"HEALTHCHECK", "ENTRYPOINT", "STOPSIGNAL", "VOLUME"} <= {line[0] for line in instructions}
    for line in instructions:
        if line[0] == "ENV":
            assert {word.partition("=")[0] for word in line[1:] if word.startswith("VNA_")} <= VARIABLES


def test_compose_names_services_files_and_settings_that_exist() -> None:
    compose = _compose()
    services = compose["services"]
    assert {"postgres", "seaweedfs", "seaweedfs-fsync", "haproxy", "node1", "node2", "migrate"} == services.keys()
    given = {line.partition("=")[0] for line in (DEPLOY / "env.example").read_text().splitlines() if "=" in line}
    asked = set(re.findall(r"\$\{(\w+)\}", (DEPLOY / "compose.yaml").read_text()))
    assert asked <= given
    assert given - asked == {compose["secrets"]["s3.json"]["environment"]}
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        assert {name for name in service.get("environment", ()) if name.startswith("VNA_")} <= VARIABLES
        for mounted in service.get("volumes", ()):
            source = mounted.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"]
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    proxy = services["haproxy"]["networks"]["inside"]["ipv4_address"]
    for name in ("VNA_HTTP__TRUSTED_PROXIES", "VNA_NODE__TRUSTED_PROXIES"):
        assert services["node1"]["environment"][name] == proxy


def test_compose_gives_each_node_settings_that_load(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node1", "node2"):
        service = _compose()["services"][name]
        for variable, value in service["environment"].items():
            monkeypatch.setenv(variable, re.sub(r"\$\{PUBLIC_URL\}", "http://localhost", str(value)))
        settings = load().settings
        assert settings.node.name == name
        assert int(service["stop_grace_period"].removesuffix("s")) > settings.node.drain_seconds + 25


def test_the_sample_of_a_nodes_settings_loads_and_says_where_passwords_go() -> None:
    settings: Settings = load(DEPLOY / "vna.toml").settings
    assert settings.node.drain_seconds > 4
    assert settings.storage.secret_key.get_secret_value() == ""


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = system_program("systemd-analyze", package="systemd")
    unit = tmp_path / "vna.service"
    unit.write_text((DEPLOY / "vna.service").read_text().replace("/opt/vna/.venv/bin/vna", "/bin/true"))
    done = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "vna.service" in line] == []


def test_the_page_walks_through_every_file() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text()
    for path in DEPLOY.iterdir():
        assert f"(../deploy/{path.name})" in text, path.name
