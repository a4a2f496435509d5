"""`make bench ARGS="retrieve"`: what viewers ask of a study, beside Orthanc and nginx that has the same bytes in files.

make bench ARGS="retrieve --rounds 5 --count 200 --seconds 2"
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contestants import NO_DELAY, Peer, folder, orthanc, process, vna
from benchmarks.objects import ct_images
from benchmarks.wrk import PATHS
from tests.peers.processes import answers, free_port, wait_for

_FRAME = {"Accept": 'multipart/related; type="application/octet-stream"'}
_BROWSER = {"Accept-Encoding": "gzip, deflate, br"}
_JSON = {"Accept": "application/dicom+json"}
_UIDS = ("0020000D", "0020000E", "00080018")
_DICOM = {"Accept": 'multipart/related; type="application/dicom"'}

_SCRIPT = (
    PATHS
    + """done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\nFOUND {"p50": %%f, "requests": %%d, "bytes": %%d, "us": %%d, "errors": %%d}\\n',
    latency:percentile(50), summary.requests, summary.bytes, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a figure of ours has to stand to one of a contestant's; `less` where less is better."""

    contestant: str
    bound: float
    less: bool = True

    def said(self) -> str:
        return f"{'at most' if self.less else 'at least'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, over how many connections; `unit` says which figure of an answer counts."""

    name: str
    paths: Sequence[str]
    headers: Mapping[str, str]
    wanted: tuple[Wanted, ...]
    connections: int = 1
    unit: str = "ms"


@dataclass(slots=True)
class Files:
    """nginx in front of a folder, and the paths in it by those of the archive."""

    peer: Peer
    root: Path
    names: dict[str, str] = field(default_factory=dict)

    def keep(self, ours: Peer, path: str, headers: Mapping[str, str]) -> str:
        """Where it serves what the archive answers to this, byte for byte."""
        if path not in self.names:
            self.names[path] = f"/{len(self.names)}"
            with httpx.stream("GET", ours.url + path, headers=headers, timeout=60) as answer:
                answer.raise_for_status()
                (self.root / self.names[path][1:]).write_bytes(b"".join(answer.iter_raw()))
        return self.names[path]


@contextmanager
def nginx() -> Iterator[Files]:
    """As Debian configures it (sendfile, tcp_nopush, a worker a core), without a log."""
    with folder() as path:
        port, root = free_port(), path / "root"
        root.mkdir()
        (path / "nginx.conf").write_text(
            f"worker_processes auto; pid {path}/pid; daemon off; error_log {path}/error.log;\n"
            "events { worker_connections 768; }\n"
            "http { sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000;\n"
            f"client_body_temp_path {path}/a; proxy_temp_path {path}/b; fastcgi_temp_path {path}/c;\n"
            f"uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;\n"
            f"server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
        )
        argv = ["/usr/sbin/nginx", "-p", str(path), "-c", str(path / "nginx.conf")]
        with process(argv, path / "log", NO_DELAY) as child:
            wait_for(lambda: answers(port), what="nginx", timeout=30)
            path.chmod(0o755)
            yield Files(Peer("nginx", 0, (child.pid,), f"http://127.0.0.1:{port}"), root)


def main(words: list[str]) -> None:
    """Each question to every contestant in turn, several rounds; medians of ratios."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="retrieve ..."', description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=200, help="CT images of 512 KB in a study (default 200)")
    parser.add_argument(
        "--studies", type=int, default=4, help="so that frames are more than Orthanc caches (default 4)"
    )
    parser.add_argument("--seconds", type=int, default=2, help="of each run (default 2)")
    parser.add_argument("--only", default="", help="questions whose name has this in it")
    parser.add_argument("--quick", action="store_true", help="without Orthanc")
    options = parser.parse_args(words)
    with ExitStack() as running:
        path = running.enter_context(folder())
        ours = running.enter_context(vna(VNA_HTTP__WORKERS="2"))
        peers = [ours]
        if not options.quick:
            plugins = {"Plugins": ["/usr/share/orthanc/plugins"], "OrthancPeers": {}}
            peers.append(running.enter_context(orthanc(**plugins)))
        for _ in range(options.studies):
            images = [file for group in ct_images(path, options.count) for file in group]
            for peer in peers:
                argv = ["/usr/bin/storescu", "127.0.0.1", str(peer.port), *map(str, images)]
                subprocess.run(argv, env=NO_DELAY, check=True, stdout=subprocess.DEVNULL)
        files = running.enter_context(nginx())
        questions = [one for one in _questions(ours.url) if options.only in one.name]
        print(f"{os.cpu_count()} cores, {options.rounds} rounds in turn; median (lowest to highest)")
        for question in questions:
            _compare(path, question, [*peers, files.peer], files, options)


def _questions(url: str) -> list[Question]:
    with httpx.Client() as client:
        found = client.get(f"{url}/instances?limit=5000", headers=_JSON).json()
    frames = ["/studies/{}/series/{}/instances/{}/frames/1".format(*map(partial(_value, one), _UIDS)) for one in found]
    study = _value(found[0], _UIDS[0])
    orthanc_20th = Wanted("Orthanc", 1 / 20)
    gzip = {**_JSON, "Accept-Encoding": "gzip"}
    return [
        Question("frame, one connection", frames, _FRAME, (Wanted("nginx", 4), orthanc_20th)),
        Question("frame, asked as browsers do", frames, {**_FRAME, **_BROWSER}, (Wanted("nginx", 4), orthanc_20th)),
        Question("frames, 16 connections", frames, _FRAME, (Wanted("nginx", 0.5, less=False),), 16, "per second"),
        Question("metadata of the study", [f"/studies/{study}/metadata"], gzip, (Wanted("nginx", 2), orthanc_20th)),
        Question("search for its instances", [f"/studies/{study}/instances?limit=1000"], _JSON, (orthanc_20th,)),
        Question("download", [f"/studies/{study}"], _DICOM, (Wanted("nginx", 0.8, less=False),), 1, "MB/s"),
    ]


def _value(found: dict[str, Any], tag: str) -> str:
    return str(found[tag]["Value"][0])


def _paths(files: Files, ours: Peer, question: Question) -> dict[str, list[str]]:
    """What each contestant is asked for: those that a figure names."""
    named = {wanted.contestant for wanted in question.wanted}
    asked = {name: [f"/dicom-web{path}" for path in question.paths] for name in ("vna", *named)}
    if "nginx" in named:
        asked["nginx"] = [files.keep(ours, path, question.headers) for path in question.paths]
    return asked


def _compare(path: Path, question: Question, peers: list[Peer], files: Files, options: argparse.Namespace) -> None:
    print(f"{question.name}, {question.unit}")
    asked = _paths(files, peers[0], question)
    figures: dict[str, list[float]] = {peer.name: [] for peer in peers if peer.name in asked}
    for number in range(options.rounds + 1):
        for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
            if peer.name in asked:
                figure = _run(path, question, peer, asked[peer.name], options.seconds if number else 1)
                figures[peer.name] += [figure] if number else []  # the first round warms up
    for name, values in figures.items():
        print(f"    {name:8s} {_spread(values)}")
    for wanted in question.wanted:
        if wanted.contestant in figures:
            ratios = [mine / theirs for mine, theirs in zip(figures["vna"], figures[wanted.contestant], strict=True)]
            print(f"    vna / {wanted.contestant:8s} {_spread(ratios)}, wanted {wanted.said()}", flush=True)


def _run(path: Path, question: Question, peer: Peer, paths: list[str], seconds: int) -> float:
    """One run of wrk; every answer has to be a success."""
    (path / "paths").write_text("".join(f"{one}\n" for one in paths))
    (path / "ask.lua").write_text(_SCRIPT % {"paths": path / "paths"})
    fields = [word for name, value in question.headers.items() for word in ("-H", f"{name}: {value}")]
    origin = peer.url.removesuffix("/dicom-web")
    argv = ["wrk", "-t1", f"-c{question.connections}", f"-d{seconds}s", "-s", str(path / "ask.lua"), *fields, origin]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout
    found = json.loads(said.partition("FOUND ")[2])
    if found["errors"] or not found["requests"]:
        raise SystemExit(f"{peer.name}: wrk failed: {said}")
    return _UNITS[question.unit](found)


_UNITS: dict[str, Callable[[dict[str, float]], float]] = {
    "ms": lambda found: found["p50"] / 1000,
    "per second": lambda found: found["requests"] / found["us"] * 1e6,
    "MB/s": lambda found: found["bytes"] / found["us"],
}


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
