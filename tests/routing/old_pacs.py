"""An old PACS that speaks QIDO-RS and WADO-RS over real sockets, and lies as a test says."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydicom import Dataset

from tests.objects import ct, part10
from vna.model.sources import RemoteArchive

DICOM = "application/dicom"


@dataclass
class Held:
    """One instance of it."""

    ds: Dataset
    content: bytes

    @property
    def uid(self) -> str:
        return str(self.ds.SOPInstanceUID)


@dataclass
class OldPacs:
    """What it holds, and how it lies."""

    held: list[Held] = field(default_factory=list)
    port: int = 0
    cap: int = 0
    """Most matches of one answer; nothing says so."""
    pages: int = 0
    """Most matches of one page, where an offset brings the others."""
    undated_last: bool = False
    ignores_dates: bool = False
    ignores_times: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    """Other numbers of instances than there are, by study."""
    hidden: set[str] = field(default_factory=set)
    """Instances that are not listed, and given."""
    lost: set[str] = field(default_factory=set)
    """Instances that are listed, and not given."""
    instead: dict[str, bytes] = field(default_factory=dict)
    """Other bytes than those of the instance, by its UID."""
    html: bool = False
    down: bool = False
    falls_after: int = 0
    """It goes down after so many requests."""
    asked: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **elements: Any) -> str:
        """Hold one more; its SOP Instance UID."""
        ds = ct(**elements)
        for keyword in [key for key, value in elements.items() if value is None]:
            delattr(ds, keyword)
        self.held.append(Held(ds, part10(ds)))
        return self.held[-1].uid

    @property
    def archive(self) -> RemoteArchive:
        url = f"http://127.0.0.1:{self.port}/rs"
        return RemoteArchive(qido_rs=url, wado_rs=url)

    def searches(self) -> int:
        """How many searches for studies came."""
        return sum(1 for path in self.asked if path.startswith("/rs/studies?"))

    def answer(self, target: str) -> tuple[int, str, bytes]:
        """Status, media type and body."""
        with self._lock:
            self.asked.append(target)
            if self.falls_after and len(self.asked) > self.falls_after:
                self.down = True
        if self.down:
            return 503, "text/plain", b"down"
        if self.html:
            return 200, "text/html", b"<html>please log in</html>"
        parts = urlsplit(target)
        asked = dict(parse_qsl(parts.query))
        path = parts.path.removeprefix("/rs")
        if re.fullmatch(r"/studies(/[^/]+/series(/[^/]+/instances)?)?", path):
            return 200, "application/dicom+json", json.dumps(self._found(path, asked)).encode()
        return self._given(path)

    def _found(self, path: str, asked: dict[str, str]) -> list[dict[str, Any]]:
        words = path.strip("/").split("/")
        study = words[1] if len(words) > 1 else asked.get("0020000D", "")
        series = words[3] if len(words) > 3 else ""
        level = {1: "StudyInstanceUID", 3: "SeriesInstanceUID", 5: "SOPInstanceUID"}[len(words)]
        rows: dict[str, list[Dataset]] = {}
        for one in self.held:
            ds = one.ds
            if (study and ds.StudyInstanceUID != study) or (series and ds.SeriesInstanceUID != series):
                continue
            if level != "StudyInstanceUID" and one.uid in self.hidden:
                continue
            if level == "StudyInstanceUID" and not self._matches(ds, asked):
                continue
            rows.setdefault(str(ds[level].value), []).append(ds)
        found = [self._row(level, several) for _, several in sorted(rows.items())]
        if self.undated_last:
            found.sort(key=lambda row: "00080020" not in row)
        start = int(asked.get("offset", 0))
        if self.cap:
            return found[: self.cap] if not start else []
        most = min(int(asked.get("limit", len(found) or 1)), self.pages or 10**9)
        return found[start : start + most]

    def _matches(self, ds: Dataset, asked: dict[str, str]) -> bool:
        if (text := asked.get("00080020")) and not self.ignores_dates:
            first, _, last = text.partition("-") if "-" in text else (text, "", text)
            day = str(ds.get("StudyDate", ""))
            if not day or not (first or "0") <= day <= (last or "9"):
                return False
        if (text := asked.get("00080030")) and not self.ignores_times:
            first, _, last = text.partition("-")
            when = str(ds.get("StudyTime", ""))
            if not when or not first <= when <= last:
                return False
        if text := asked.get("00100020"):
            wanted = re.escape(text).replace(r"\*", ".*")
            if not re.fullmatch(wanted, str(ds.PatientID)):
                return False
        return not ((text := asked.get("00080061")) and ds.Modality != text)

    def _row(self, level: str, several: list[Dataset]) -> dict[str, Any]:
        ds = several[0]
        row: dict[str, Any] = {
            "0020000D": {"vr": "UI", "Value": [str(ds.StudyInstanceUID)]},
            "00100020": {"vr": "LO", "Value": [str(ds.PatientID)]},
        }
        if level == "StudyInstanceUID":
            if ds.get("StudyDate"):
                row["00080020"] = {"vr": "DA", "Value": [str(ds.StudyDate)]}
            row["00080061"] = {"vr": "CS", "Value": sorted({str(one.Modality) for one in several})}
            said = self.counts.get(str(ds.StudyInstanceUID), len(several))
            row["00201208"] = {"vr": "IS", "Value": [said]}
            return row
        row["0020000E"] = {"vr": "UI", "Value": [str(ds.SeriesInstanceUID)]}
        if level == "SeriesInstanceUID":
            row["00080060"] = {"vr": "CS", "Value": [str(ds.Modality)]}
            row["00201209"] = {"vr": "IS", "Value": [len(several)]}
            return row
        row["00080018"] = {"vr": "UI", "Value": [str(ds.SOPInstanceUID)]}
        row["00080016"] = {"vr": "UI", "Value": [str(ds.SOPClassUID)]}
        return row

    def _given(self, path: str) -> tuple[int, str, bytes]:
        words = path.strip("/").split("/")
        wanted = dict(zip(words[::2], words[1::2], strict=False))
        bodies = [
            self.instead.get(one.uid, one.content)
            for one in self.held
            if one.ds.StudyInstanceUID == wanted.get("studies")
            and wanted.get("series") in (None, one.ds.SeriesInstanceUID)
            and wanted.get("instances") in (None, one.uid)
            and one.uid not in self.lost
        ]
        if not bodies:
            return 404, "text/plain", b"nothing"
        lines = b"".join(b"--b\r\nContent-Type: application/dicom\r\n\r\n" + body + b"\r\n" for body in bodies)
        return 200, 'multipart/related; type="application/dicom"; boundary=b', lines + b"--b--\r\n"


@contextmanager
def running(pacs: OldPacs) -> Iterator[OldPacs]:
    """Serve it on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # head and body in one packet

        def do_GET(self) -> None:
            status, media, body = pacs.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    pacs.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield pacs
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
