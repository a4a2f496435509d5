"""A client that JAX-WS makes of our WSDL, with nothing but what the WSDL says."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.soap.conftest import Live
from tests.soap.fake_repository import SIZES, STATUS, document
from tests.xds.gateways import A, B, C, three
from tests.xds.registries import PATIENT

JARS = Path("/usr/share/java")
NAMES = (
    *("FastInfoset", "codemodel", "dtd-parser", "geronimo-annotation-1.3-spec", "gmbal", "istack-commons-runtime"),
    *("istack-commons-tools", "javax.activation", "javax.xml.soap-api", "jaxb-api", "jaxb-core", "jaxb-impl"),
    *("jaxb-runtime", "jaxb-xjc", "jaxws-api", "jaxws-rt", "jaxws-tools", "jws-api", "metro-policy", "mimepull"),
    *("relaxngDatatype", "rngom", "saaj-impl", "stax-ex", "stax2-api", "streambuffer", "txw2", "woodstox-core", "xsom"),
)
CLASS_PATH = ":".join(str(JARS / f"{name}.jar") for name in NAMES)

NO_JAVA = not shutil.which("javac") or not all((JARS / f"{name}.jar").exists() for name in NAMES)

pytestmark = pytest.mark.skipif(NO_JAVA, reason="no JDK with libjaxws-java here")


def run(*arguments: object, folder: Path) -> str:
    command = [str(argument) for argument in arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def java(main: str, *arguments: object, folder: Path) -> str:
    options = ("-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", f"{CLASS_PATH}:{folder}")
    return run("java", *options, main, *arguments, folder=folder)


def asking(peer: str, wsdl: str, *arguments: str, folder: Path) -> list[str]:
    """What a program says that is compiled with the code that wsimport makes of a WSDL."""
    java("com.sun.tools.ws.WsImport", "-extension", "-quiet", "-Xnocompile", wsdl, folder=folder)
    sources = [path.relative_to(folder) for path in folder.rglob("*.java")]
    source = Path(__file__).parent / f"{peer}.java"
    run("javac", "-nowarn", "-proc:none", "-cp", CLASS_PATH, "-d", ".", source, *sources, folder=folder)
    return java(peer, wsdl, *arguments, folder=folder).splitlines()


def test_jax_ws_provides_and_retrieves_by_mtom_and_reads_our_faults(repository: Live, tmp_path: Path) -> None:
    said = asking("Peer", f"{repository.url}?wsdl", *SIZES, folder=tmp_path)

    provided = [f"provided doc{size} {size} {sha1(bytes(size))}" for size in (0, 1, 100_000, 3_000_000)]
    retrieved = [f"retrieved {name} {size} {sha1(document(name))}" for name, size in SIZES.items()]
    assert said == [f"status {STATUS}", *provided, *retrieved, "fault no document of that name is held"]
    assert not list(repository.spool.iterdir())


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def test_jax_ws_finds_and_retrieves_across_communities(tmp_path: Path) -> None:
    client = tmp_path / "client"
    client.mkdir()
    with three(tmp_path) as communities:
        said = asking("GatewayPeer", f"{communities[0].initiating}?wsdl", PATIENT, folder=client)
        contents = {
            f"retrieved {home} {one.documents[0]} %PDF of {one.http}"
            for one, home in zip(communities, (A, B, C), strict=True)
        }

    assert said[0] == f"status {STATUS}"
    assert set(said[1:]) == contents
