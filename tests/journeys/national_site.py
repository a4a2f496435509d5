"""A hospital, another one, a reading centre and a payer around one live archive, with programs that are not ours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hl7
import httpx
import zeep
from hl7.client import MLLPClient
from hl7.mllp import start_hl7_server
from pydicom import Dataset, dcmread
from pynetdicom import AE
from zeep.transports import Transport

from tests.archives import LiveArchive
from tests.objects import part10
from tests.peers.dcmtk import Dcmtk
from tests.peers.processes import wait_for
from tests.sgk.messages import PATH
from tests.worklist.steps import PERFORMED_STEP, begun, ended
from vna.app import Application
from vna.model.access import SYSTEM, Action, Peer
from vna.model.orders import Order
from vna.model.sources import MessageProfile, Messages, Source
from vna.teleradiology import demonstration

HOSPITAL, ELSEWHERE, CENTRE = "500059", "500060", "500061"
MEDULA = {HOSPITAL: 11069901, ELSEWHERE: 11069902, CENTRE: 11069903}
"""Facilities of the demonstration code list, by their SKRS and Medula codes."""
PASSWORD = "a long secret"
READER = ("reader", PASSWORD)
USERS = (
    ("hbys", {Action.LOOK_UP, Action.FEED}, HOSPITAL),
    ("other", {Action.LOOK_UP}, ELSEWHERE),
    ("centre", {Action.LOOK_UP, Action.REPORT}, CENTRE),
    ("reader", {Action.QUERY, Action.RETRIEVE}, ""),
)
STEP = "ScheduledProcedureStepSequence[0]"
ASKED = ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber", f"{STEP}.Modality")


@dataclass
class Receiver:
    """The hospital's HL7 receiver: another library's server, which accepts everything."""

    port: int = 0
    received: list[hl7.Message] = field(default_factory=list)

    async def converse(self, reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                self.received.append(message)
                writer.writemessage(message.create_ack())
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()


@contextmanager
def receiving() -> Iterator[Receiver]:
    """One on loopback."""
    receiver, loop = Receiver(), asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        server = await start_hl7_server(receiver.converse, host="127.0.0.1", port=0, encoding="utf-8")
        receiver.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await over.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)


@dataclass(slots=True)
class Site:
    """A live archive in enforced mode, as those around it see it."""

    live: LiveArchive
    dcmtk: Dcmtk
    folder: Path
    payer: Any
    receiver: Receiver
    runs: int = 0

    def register(self, application: Application) -> None:
        """What an administrator does by the command line (docs/national.md)."""
        spoken = Messages(MessageProfile.NATIONAL, "UTF8", "127.0.0.1", self.receiver.port)
        demonstration.load(application.national.codes, SYSTEM)
        hbys = Source("HBYS", "HBYS", addresses=("127.0.0.1",), facility=HOSPITAL, messages=spoken)
        application.sources.add(SYSTEM, hbys)
        for title, facility in (("CT1", HOSPITAL), ("MRFAR", CENTRE)):
            application.peers.add(SYSTEM, Peer(title, facility=facility))
        for name, rights, facility in USERS:
            application.accounts.add_user(SYSTEM, name, PASSWORD, frozenset(rights), facility)

    # The hospital's system

    def tell(self, message: str) -> None:
        """A message over MLLP, which has to be accepted."""
        with MLLPClient("127.0.0.1", self.live.hl7_port) as client:
            client.socket.settimeout(20)
            answer = client.send_message(message.encode()).decode().strip("\x0b\x1c\r")
        assert str(hl7.parse(answer).segment("MSA")(1)) == "AA", answer

    def order(self, accession_number: str) -> dict[str, Any]:
        """How an order stands, by the status API."""
        return self.api("hbys", f"/orders/{HOSPITAL}/{accession_number}")

    def stands(self, accession_number: str, status: str) -> dict[str, Any]:
        """The same once it stands so."""
        found: dict[str, Any] = {}

        def reached() -> bool:
            found.update(self.order(accession_number))
            return bool(found["status"] == status)

        try:
            wait_for(reached, what=status, timeout=60)
        except TimeoutError as exc:
            raise AssertionError(f"{accession_number} is not {status}: {found}") from exc
        return found

    def reports(self, accession_number: str) -> list[dict[str, Any]]:
        """Every version of a report."""
        found: list[dict[str, Any]] = self.api("hbys", f"/reports/{HOSPITAL}/{accession_number}")["reports"]
        return found

    def api(self, user: str, path: str, said: dict[str, Any] | None = None) -> dict[str, Any]:
        """An answer of `/api/teleradiology`."""
        url, login = f"{self.live.http}/api/teleradiology{path}", (user, PASSWORD)
        answer = httpx.get(url, auth=login) if said is None else httpx.post(url, auth=login, json=said)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    # Modalities

    def worklist(self, *keys: str, station: str = "CT1") -> list[Dataset]:
        """What a station is to do."""
        return self._found("-W", station, (*ASKED, *keys))

    def perform(self, order: Order, uid: str) -> list[int]:
        """The statuses of N-CREATE and N-SET."""
        ae = AE("CT1")
        ae.add_requested_context(PERFORMED_STEP)
        assoc = ae.associate("127.0.0.1", self.live.dimse_port, ae_title="VNA")
        assert assoc.is_established
        created, _ = assoc.send_n_create(begun(order), PERFORMED_STEP, uid)
        changed, _ = assoc.send_n_set(ended(), PERFORMED_STEP, uid)
        assoc.release()
        return [created.Status, changed.Status]

    def store(self, *datasets: Dataset, station: str = "CT1") -> None:
        """Images by C-STORE."""
        folder = self._new_folder()
        for number, ds in enumerate(datasets):
            (folder / f"{number}.dcm").write_bytes(part10(ds))
        files = sorted(folder.iterdir())
        done = self.dcmtk("storescu", "-R", *_between(station), "127.0.0.1", self.live.dimse_port, *files)
        assert done.returncode == 0, done.stdout

    def c_find(self, *keys: str) -> list[Dataset]:
        """Studies by C-FIND."""
        return self._found("-S", "CT1", ("QueryRetrieveLevel=STUDY", *keys))

    def _found(self, model: str, station: str, keys: tuple[str, ...]) -> list[Dataset]:
        out = self._new_folder()
        asked = [word for key in keys for word in ("-k", key)]
        done = self.dcmtk(
            "findscu", model, "-X", "-od", out, *_between(station), "127.0.0.1", self.live.dimse_port, *asked
        )
        assert done.returncode == 0, done.stdout
        return [dcmread(path, force=True) for path in sorted(out.iterdir())]

    def _new_folder(self) -> Path:
        self.runs += 1
        made = self.folder / f"run{self.runs}"
        made.mkdir()
        return made

    # Readers

    def metadata(self, study: str) -> list[dict[str, Any]]:
        """Every instance of a study by WADO-RS, in one order."""
        answer = httpx.get(f"{self.live.dicomweb}/studies/{study}/metadata", auth=READER)
        assert answer.status_code == 200, answer.text
        return sorted(answer.json(), key=lambda one: str(one["00080018"]["Value"][0]))

    def qido(self, **query: str) -> set[str]:
        """Studies."""
        answer = httpx.get(f"{self.live.dicomweb}/studies", params=query, auth=READER)
        return {one["0020000D"]["Value"][0] for one in answer.json()} if answer.status_code == 200 else set()

    def classes(self, study: str) -> list[str]:
        """SOP Classes of a study's instances, by QIDO-RS."""
        answer = httpx.get(f"{self.live.dicomweb}/studies/{study}/instances", auth=READER)
        return sorted(one["00080016"]["Value"][0] for one in answer.json()) if answer.status_code == 200 else []

    # Another facility

    def lookups(self) -> Any:
        """The SOAP look-ups as another hospital calls them, by what the WSDL says."""
        transport: Any = Transport()  # type: ignore[no-untyped-call]  # zeep has no types
        transport.session.auth = ("other", PASSWORD)
        return zeep.Client(f"{self.live.http}{PATH}?wsdl", transport=transport).service  # type: ignore[no-untyped-call]


def _between(station: str) -> tuple[str, ...]:
    return "-aet", station, "-aec", "VNA"
