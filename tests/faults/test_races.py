"""Many do the same, or its opposite, at once: on PostgreSQL through two nodes, on SQLite through four workers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import httpx
import pytest
from hl7.client import MLLPClient
from sqlalchemy import text

from storage.index.engine import Database
from tests.archives import BACKENDS, LiveArchive, make_backend, start_archive
from tests.faults.instances import Instance, Maker, Study
from tests.faults.ledger import Ledger
from tests.faults.reading import Wrong, instance_path, read, search, settled
from tests.faults.results import Outcome, rounds
from tests.faults.senders import Association
from tests.hl7.messages import adt
from tests.peers.processes import wait_for

_DOMAIN = "1.2.826.0.1.3680043.10.1561.70"


@dataclass(slots=True)
class Nodes:
    """One archive by several doors."""

    name: str
    live: Sequence[LiveArchive]
    database: Database

    def associate(self, number: int) -> Association:
        return Association(self.live[number % len(self.live)].dimse_port)

    def client(self, number: int = 0) -> httpx.Client:
        return httpx.Client(base_url=self.live[number % len(self.live)].dicomweb, timeout=60)

    def rows(self, sql: str, **values: str) -> list[tuple[object, ...]]:
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql), values)]


@pytest.fixture(scope="module", params=BACKENDS)
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    first = make_backend(request.param, request, tmp_path_factory.mktemp("first"))
    profile = tmp_path_factory.mktemp("profile") / "profile.toml"
    profile.write_text(f'[[patients]]\nissuer = "*"\nauthority = "{_DOMAIN}"\n', "utf-8")
    if first.environment:
        second = replace(first, folder=tmp_path_factory.mktemp("second"))
        live = [
            start_archive(
                one,
                NODE__NAME=one.folder.name,
                DIMSE__WORKERS="2",
                XDS__PROFILE=str(profile),
                XDS__AFFINITY_DOMAIN=_DOMAIN,
            )
            for one in (first, second)
        ]
        url = first.environment["VNA_DATABASE__URL"]
    else:
        live = [start_archive(first, DIMSE__WORKERS="4", XDS__PROFILE=str(profile), XDS__AFFINITY_DOMAIN=_DOMAIN)]
        url = f"sqlite:///{first.folder}/data/index.sqlite"
    database = Database(url, pool_size=2)
    yield Nodes(request.param, live, database)
    database.close()
    for one in live:
        one.stop()


def at_once(*works: Callable[[], None]) -> None:
    """Each in a thread, begun together; the first error of any of them."""
    errors: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        gate.wait()
        try:
            work()
        except BaseException as exc:  # noqa: BLE001  raised below
            errors.append(exc)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _sender(nodes: Nodes, number: int, ledger: Ledger, instances: Sequence[Instance]) -> Callable[[], None]:
    def send() -> None:
        assoc = nodes.associate(number)
        for one in instances:
            ledger.sending(one)
            status = assoc.store(one)
            if status == 0x0000:
                ledger.acknowledge([one.sop])
            else:
                ledger.refuse(f"C-STORE: {status:04X}")
        assoc.release()

    return send


def _shuffled(instances: Sequence[Instance], rng: random.Random) -> list[Instance]:
    return rng.sample(instances, len(instances))


def test_the_same_study_stored_by_many_at_once_is_there_once(nodes: Nodes, ledger: Ledger, seed: int) -> None:
    rng = random.Random(seed)
    outcome = Outcome("same study at once", "four senders, each all instances of a study, in another order", nodes.name)
    outcome.seed = seed
    for _ in range(rounds(1, 20)):
        study = Maker(rng.getrandbits(60), prefix=seed).study()
        instances = [study.instance() for _ in range(12)]
        at_once(*(_sender(nodes, number, ledger, _shuffled(instances, rng)) for number in range(4)))
        outcome.tried += 4 * len(instances)
        with nodes.client() as client:
            assert len(search(client, f"/studies/{study.study}/instances")) == len(instances)
    assert not ledger.refused
    outcome.count(ledger)
    outcome.judge(_of_these(settled(nodes.live[0], ledger)))


def _of_these(wrong: list[str]) -> list[str]:
    """The tests of a module share an archive: what others sent is not known here."""
    return [line for line in wrong if "was never sent" not in line]


def test_a_thousand_stores_of_one_patient_make_one_patient(nodes: Nodes, ledger: Ledger, seed: int) -> None:
    count, senders = rounds(200, 1000), 8
    maker = Maker(seed, pixels=512)
    patient = f"R{seed:08d}-00"
    made = [maker.study(patient).instance() for _ in range(count)]
    at_once(*(_sender(nodes, number, ledger, made[number::senders]) for number in range(senders)))
    assert not ledger.refused
    assert nodes.rows("SELECT count(*) FROM patients WHERE patient_id = :it", it=patient) == [(1,)]
    with nodes.client() as client:
        assert len(search(client, "/studies", PatientID=patient)) == count
    outcome = Outcome("same patient at once", f"{senders} senders, each instance a study of its own", nodes.name)
    outcome.tried, outcome.seed = count, seed
    outcome.count(ledger)
    outcome.judge([])


def test_what_is_stored_while_its_study_is_deleted_is_there_or_is_not(nodes: Nodes, ledger: Ledger, seed: int) -> None:
    """Whoever asks afterwards finds what can be read, and counts that are right; nobody hangs or fails."""
    rng = random.Random(seed)
    outcome = Outcome("store against delete", "a study is deleted again and again while two store into it", nodes.name)
    outcome.seed = seed
    for _ in range(rounds(1, 20)):
        study = Maker(rng.getrandbits(60), prefix=seed).study()
        senders = [_sender(nodes, number, ledger, [study.instance() for _ in range(15)]) for number in range(2)]
        at_once(*senders, _deleter(nodes, study, times=6))
        outcome.tried += 6
        with nodes.client() as client:
            found = search(client, f"/studies/{study.study}/instances")
            counted = search(client, "/studies", StudyInstanceUID=study.study)
            assert sum(int(item["00201208"]) for item in counted) == len(found)
            for item in found:
                assert read(client, item["00080018"], ledger.sent[item["00080018"]]) == 200
    assert not ledger.refused, dict(ledger.refused)
    outcome.count(ledger)
    said = nodes.live[0].vna("verify")
    outcome.judge([said.stdout + said.stderr] if said.returncode else [])


def _deleter(nodes: Nodes, study: Study, *, times: int) -> Callable[[], None]:
    def delete() -> None:
        with nodes.client(1) as client:
            for _ in range(times):
                assert client.delete(f"/studies/{study.study}").status_code in (204, 404)

    return delete


def test_what_is_stored_while_its_patient_is_merged_is_the_survivors(nodes: Nodes, ledger: Ledger, seed: int) -> None:
    """Each instance as often as it was acknowledged, under one patient, whether it came before, meanwhile or later."""
    rng = random.Random(seed)
    outcome = Outcome("store against merge", "four store into a patient's studies while A40 comes", nodes.name)
    outcome.seed = seed
    for _ in range(rounds(1, 20)):
        old, new = (f"M{rng.randrange(10**11):011d}" for _ in range(2))
        studies = [Maker(rng.getrandbits(60), prefix=seed).study(old) for _ in range(8)]
        senders = [
            _sender(nodes, number, ledger, _shuffled([one.instance() for one in studies * 2], rng))
            for number in range(4)
        ]
        at_once(*senders, _merger(nodes, old, new, after=rng.uniform(0.02, 0.4)))
        outcome.tried += 1
        with nodes.client() as client:
            wait_for(partial(_nothing_of, client, old), what="no study under the old number", timeout=150)
            found = search(client, "/studies", PatientID=new)
            assert {(item["0020000D"], int(item["00201208"])) for item in found} == {(one.study, 8) for one in studies}
        assert nodes.rows("SELECT number_of_instances FROM patients WHERE patient_id = :it", it=new) == [(64,)]
    assert not ledger.refused, dict(ledger.refused)
    outcome.count(ledger)
    said = nodes.live[0].vna("verify")
    outcome.judge([said.stdout + said.stderr] if said.returncode else [])


def _nothing_of(client: httpx.Client, patient_id: str) -> bool:
    return not search(client, "/studies", PatientID=patient_id)


def _merger(nodes: Nodes, old: str, new: str, *, after: float) -> Callable[[], None]:
    def cx(value: str) -> str:
        return f"{value}^^^&{_DOMAIN}&ISO"

    def merge() -> None:
        time.sleep(after)
        with MLLPClient("127.0.0.1", nodes.live[-1].hl7_port) as client:
            client.socket.settimeout(30)
            messages = (
                adt("A04", cx(old), control_id=f"{old}1"),
                adt("A40", cx(new), mrg=cx(old), control_id=f"{old}2"),
            )
            for message in messages:
                assert b"MSA|AA" in client.send_message(message)

    return merge


def test_who_reads_what_is_being_deleted_gets_all_of_it_or_a_clean_error(
    nodes: Nodes, ledger: Ledger, seed: int
) -> None:
    outcome = Outcome("delete against retrieve", "a study is deleted while three read it", nodes.name, seed=seed)
    rng = random.Random(seed)
    for _ in range(rounds(2, 40)):
        study = Maker(rng.getrandbits(60), prefix=seed, pixels=1 << 18).study()
        instances = [study.instance() for _ in range(6)]
        _sender(nodes, 0, ledger, instances)()
        at_once(*(_reader(nodes, number, ledger, instances) for number in range(3)), _deleter(nodes, study, times=1))
        outcome.tried += 1
    assert ledger.refused.keys() <= {"WADO: 404", "study: 404"}, dict(ledger.refused)
    outcome.count(ledger)
    said = nodes.live[0].vna("verify")
    outcome.judge([said.stdout + said.stderr] if said.returncode else [])


def _reader(nodes: Nodes, number: int, ledger: Ledger, instances: Sequence[Instance]) -> Callable[[], None]:
    def go_on() -> None:
        with nodes.client(number) as client:
            for one in instances:
                if (status := read(client, one.sop, ledger.sent[one.sop])) != 200:
                    ledger.refuse(f"WADO: {status}")
            answer = client.get(f"/studies/{instances[0].study}", headers={"Accept": _WHOLE})
            if answer.status_code != 200:
                ledger.refuse(f"study: {answer.status_code}")
            elif answer.content.count(b"DICM") != len(instances):
                raise Wrong(f"a part of {instance_path(instances[0].sop, ledger.sent[instances[0].sop])} came as all")

    return go_on


_WHOLE = 'multipart/related; type="application/dicom"; transfer-syntax=*'
