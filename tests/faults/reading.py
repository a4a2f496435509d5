"""What the archive says and gives, compared with what was sent."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

import httpx

from tests.archives import LiveArchive
from tests.faults.instances import data_set_of
from tests.faults.ledger import Ledger, Sent

_PAGE = 1000
_AS_STORED = {"Accept": "application/dicom; transfer-syntax=*"}


class Wrong(AssertionError):
    """The archive said or gave what is not so. Never excused by a fault."""


def instance_path(sop: str, sent: Sent) -> str:
    return f"/studies/{sent.study}/series/{sent.series}/instances/{sop}"


def read(client: httpx.Client, sop: str, sent: Sent) -> int:
    """WADO-RS of one instance: the status; bytes that are not those that were sent are `Wrong`."""
    answer = client.get(instance_path(sop, sent), headers=_AS_STORED)
    if answer.status_code == 200:
        compare(sop, sent, answer.content)
    return answer.status_code


def compare(sop: str, sent: Sent, part10: bytes) -> None:
    if hashlib.sha256(data_set_of(part10)).hexdigest() != sent.digest:
        raise Wrong(f"{sop} was served with other bytes ({len(part10)}) than were sent")


def search(client: httpx.Client, path: str, **params: str) -> list[dict[str, str]]:
    """QIDO-RS, all pages: first values by tag."""
    found: list[dict[str, str]] = []
    while True:
        answer = client.get(path, params={**params, "limit": str(_PAGE), "offset": str(len(found))})
        answer.raise_for_status()
        page = answer.json() if answer.content else []
        found += [_first_values(item) for item in page]
        if len(page) < _PAGE:
            return found


def _first_values(item: dict[str, dict[str, list[object]]]) -> dict[str, str]:
    return {tag: str(element["Value"][0]) for tag, element in item.items() if element.get("Value")}


STUDY, SERIES, SOP, PATIENT = "0020000D", "0020000E", "00080018", "00100020"
_COUNT_OF_STUDY = "00201208"


def settled(live: LiveArchive, ledger: Ledger, patience: float = 120) -> list[str]:
    """What is wrong after a fault, when nothing is being stored: no line when all is as promised.

    What was acknowledged is found and byte-identical; what is found can be read and was sent; each study counts
    what it has; each patient is one row; `vna verify`, which may take `patience` seconds, finds nothing.
    """
    with httpx.Client(base_url=live.dicomweb, timeout=60) as client:
        found = search(client, "/instances", includefield=PATIENT)
        wrong = list(_lost(ledger, found))
        wrong += _unreadable(client, ledger, found)
        wrong += _miscounted(client, found)
    said = live.vna("verify", timeout=patience)
    if said.returncode:
        wrong.append(f"vna verify: {said.stdout}{said.stderr}")
    return wrong


def _lost(ledger: Ledger, found: Iterable[dict[str, str]]) -> Iterator[str]:
    there = {item[SOP] for item in found}
    for sop in ledger.acknowledged:
        if sop not in there:
            yield f"{sop} was acknowledged and is not found"


def _unreadable(client: httpx.Client, ledger: Ledger, found: Iterable[dict[str, str]]) -> Iterator[str]:
    for item in found:
        sop = item[SOP]
        if (sent := ledger.sent.get(sop)) is None:
            yield f"{sop} is found and was never sent"
            continue
        if (item[STUDY], item[SERIES]) != (sent.study, sent.series):
            yield f"{sop} is found in another series"
        if (status := read(client, sop, sent)) != 200:
            yield f"{sop} is found and answered {status}"


def _miscounted(client: httpx.Client, found: Iterable[dict[str, str]]) -> Iterator[str]:
    held = Counter(item[STUDY] for item in found)
    said = {item[STUDY]: int(item[_COUNT_OF_STUDY]) for item in search(client, "/studies")}
    if said != dict(held):
        yield f"studies say {said}, and {dict(held)} are found"
