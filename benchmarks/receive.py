"""How fast the lean path receives: two workers that keep nothing, or files made durable, beside dcmtk's `storescp +B`.

    python benchmarks/receive.py [--count 400] [--rounds 3]

dcmtk's storescu sends, with TCP_NODELAY=1 where nothing else is said. storescp listens on every address, so all of it
runs in a network namespace of its own. Contestants take turns; medians are printed, and the CPU time of the receiver.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from dimse.upper_layer.acceptor import Acceptor, channel_pair, listen
from dimse.upper_layer.association import LeanAssociation
from dimse.upper_layer.handlers import Sink, StoreAnswer, StoreCommand
from dimse.upper_layer.limits import Limits
from dimse.upper_layer.negotiation import ContextTable, SupportedContext
from dimse.upper_layer.profile import Profile
from dimse.upper_layer.server import Server
from dimse.upper_layer.worker import ConnectionChannel, run_worker
from vna.model.sop_classes import STORAGE_CLASSES, VERIFICATION
from vna.model.transfer_syntaxes import QUERY_TRANSFER_SYNTAXES, STORAGE_TRANSFER_SYNTAXES

PORT = 11190
WORKERS = 2


class NullSink:
    def write(self, piece: memoryview) -> None:
        pass

    def abandon(self) -> None:
        pass


class FileSink:
    """Writes and hashes as the pieces come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        self.digest = hashlib.sha256()

    def write(self, piece: memoryview) -> None:
        os.write(self.descriptor, piece)
        self.digest.update(piece)

    def abandon(self) -> None:
        os.close(self.descriptor)
        self.path.unlink()


class NullStore:
    def begin(self, assoc: LeanAssociation, command: StoreCommand) -> Sink:  # noqa: ARG002
        return NullSink()

    def complete(self, assoc: LeanAssociation, command: StoreCommand, sink: Sink) -> StoreAnswer:  # noqa: ARG002
        return StoreAnswer(0)

    def refuse(self, assoc: LeanAssociation, command: StoreCommand, error: BaseException) -> StoreAnswer:  # noqa: ARG002
        return StoreAnswer(0xC000)


class FileStore(NullStore):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, assoc: LeanAssociation, command: StoreCommand) -> Sink:  # noqa: ARG002
        return FileSink(self.folder / command.sop_instance_uid)

    def complete(self, assoc: LeanAssociation, command: StoreCommand, sink: Sink) -> StoreAnswer:  # noqa: ARG002
        assert isinstance(sink, FileSink)
        sink.digest.digest()
        os.fdatasync(sink.descriptor)
        os.close(sink.descriptor)
        return StoreAnswer(0)


@dataclass
class Receiver:
    """Something that listens on PORT; its processes' CPU time is counted."""

    processes: list[int]
    stop: Callable[[], None]

    def cpu_seconds(self) -> float:
        ticks = 0
        for process in self.processes:
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def start_ours(store: NullStore, max_pdu: int) -> Receiver:
    syntaxes = frozenset(STORAGE_TRANSFER_SYNTAXES)
    contexts = [SupportedContext(uid, syntaxes, requestor_may_be_scp=True) for uid in STORAGE_CLASSES]
    contexts.append(SupportedContext(VERIFICATION, frozenset(QUERY_TRANSFER_SYNTAXES)))
    profile = Profile("VNA", ContextTable(contexts), store=store, limits=Limits(max_pdu=max_pdu))
    listener = listen("127.0.0.1", PORT)
    acceptor = Acceptor(listener)
    workers = []
    for _ in range(WORKERS):
        ours, theirs = channel_pair()
        process = os.fork()
        if process == 0:
            listener.close()
            ours.close()
            run_worker(Server(profile), ConnectionChannel(theirs), threading.Event(), grace_seconds=0.2)
            os._exit(0)
        theirs.close()
        acceptor.add_worker(ours)
        workers.append(process)
    stopping = threading.Event()

    def accept() -> None:
        while not stopping.is_set():
            acceptor.poll(0.1)

    thread = threading.Thread(target=accept)
    thread.start()

    def stop() -> None:
        stopping.set()
        thread.join()
        acceptor.close()
        for process in workers:
            os.waitpid(process, 0)

    return Receiver(workers, stop)


def start_storescp(folder: Path) -> Receiver:
    command = ["storescp", "+B", "-pdu", "131072", "--fork", "-od", str(folder), str(PORT)]
    process = subprocess.Popen(command, env=os.environ | {"TCP_NODELAY": "1"}, stderr=subprocess.DEVNULL)
    time.sleep(0.3)

    def stop() -> None:
        process.send_signal(signal.SIGTERM)
        process.wait()

    return Receiver([], stop)


def make_instances(folder: Path, count: int, rows: int) -> None:
    random = np.random.default_rng(1)
    study, series = generate_uid(), generate_uid()
    for number in range(count):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
        ds.PatientID, ds.PatientName, ds.Modality = "BENCH", "Bench^Mark", "CT"
        ds.InstanceNumber, ds.Rows, ds.Columns = number, rows, 512
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.PixelData = random.integers(0, 4096, rows * 512, dtype="<u2").tobytes()
        ds.save_as(folder / f"{number:05}.dcm", enforce_file_format=True)


def send(folders: list[Path], *, nagle: bool) -> float:
    """Seconds that one storescu per folder takes, all at once."""
    environment = dict(os.environ) if nagle else os.environ | {"TCP_NODELAY": "1"}
    started = time.monotonic()
    senders = [
        subprocess.Popen(
            ["storescu", "-R", "-aec", "VNA", "-pdu", "131072", "+sd", "127.0.0.1", str(PORT), str(folder)],
            env=environment,
        )
        for folder in folders
    ]
    if any(sender.wait() for sender in senders):
        raise SystemExit("storescu failed")
    return time.monotonic() - started


def split(folder: Path, parts: int) -> list[Path]:
    """The same files in `parts` folders, as links."""
    folders = [folder.parent / f"{folder.name}-{parts}-{part}" for part in range(parts)]
    for part in folders:
        part.mkdir()
    for number, file in enumerate(sorted(folder.iterdir())):
        os.link(file, folders[number % parts] / file.name)
    return folders


def measure(args: argparse.Namespace, work: Path) -> None:
    large, small = work / "large", work / "small"
    for folder, count, rows in ((large, args.count, 512), (small, args.count, 8)):
        folder.mkdir()
        make_instances(folder, count, rows)
    loads = {
        "512 KB, 1 association": ([large], False),
        "512 KB, 4 associations": (split(large, 4), False),
        "8 KB, 1 association, Nagle on": ([small], True),
    }
    contestants: dict[str, Callable[[Path], Receiver]] = {
        "storescp +B": start_storescp,
        "lean, nothing kept": lambda _: start_ours(NullStore(), args.max_pdu),
        "lean, file + SHA-256 + fdatasync": lambda folder: start_ours(FileStore(folder), args.max_pdu),
    }
    for title, (folders, nagle) in loads.items():
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        cpu: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(args.rounds):
            for name, start in contestants.items():
                received = Path(tempfile.mkdtemp(dir=work))
                receiver = start(received)
                before = receiver.cpu_seconds()
                seconds = send(folders, nagle=nagle)
                cpu[name].append((receiver.cpu_seconds() - before) * 1000 / args.count)
                receiver.stop()
                rates[name].append(args.count / seconds)
                shutil.rmtree(received)
        print(f"\n{title}")
        reference = statistics.median(rates["storescp +B"])
        for name, found in rates.items():
            median = statistics.median(found)
            spread = f"{min(found):.0f} to {max(found):.0f}"
            spent = statistics.median(cpu[name])
            print(f"  {name:34} {median:6.0f}/s  ({spread}), {median / reference:.2f} of storescp", end="")
            print(f", {spent:.2f} ms CPU each" if spent else "", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-pdu", type=int, default=Limits().max_pdu)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.inside:
        script = 'ip link set lo up; exec "$0" "$@" --inside'
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", script, sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory() as work:
        measure(args, Path(work))


if __name__ == "__main__":
    main()
