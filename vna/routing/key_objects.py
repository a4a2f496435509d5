"""A Key Object Selection document read as a manifest: leniently, and nothing passed over without a word
(PS3.3 C.17.6.2.1, Table C.17-3a; RAD TF-3 4.68.4.1.2.2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.elements import text
from storage.values import Element
from vna.archive.facility import national_code
from vna.model.errors import CannotUnderstand, TooLarge
from vna.model.identifiers import is_uid
from vna.model.manifests import KEY_OBJECT_SELECTION, ListedSeries, Manifest

MOST_INSTANCES = 200_000
_MOST_PROBLEMS = 20
_TITLES = frozenset({"113030", "113031"})
"""Manifest and Signed Manifest (PS3.16 CID 7010); other selections point out images, not where they are."""

_EVIDENCE = ("0040A375", "0040A385")
"""Current Requested Procedure Evidence Sequence, Pertinent Other Evidence Sequence."""

Elements = Mapping[str, Element]


@dataclass(slots=True)
class _Reading:
    """What was read so far."""

    own: str
    series: dict[tuple[str, str, str, str], list[tuple[str, str]]] = field(default_factory=dict)
    seen: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    passed_over: int = 0

    def complain(self, sentence: str) -> None:
        """Once each, and only so many."""
        self.passed_over += 1
        if sentence not in self.problems and len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(sentence)


def is_manifest(elements: Elements) -> bool:
    """Whether a data set is a Key Object Selection whose title says Manifest."""
    if text(elements, "00080016") != KEY_OBJECT_SELECTION:
        return False
    return any(text(item, "00080100") in _TITLES for item in _items(elements, "0040A043"))


def read(elements: Elements, *, facility: str = "") -> Manifest:
    """What it names. CannotUnderstand when it names nothing that can be retrieved, TooLarge when too much.

    `facility` is the code of who sent it, where that is known; else the institution name says it, in the national form.
    """
    reading = _Reading(own=text(elements, "00080018"))
    for tag in _EVIDENCE:
        for study in _items(elements, tag):
            _study(study, reading)
    if not reading.seen:
        raise CannotUnderstand("the manifest names no instance" + "".join(f"; {one}" for one in reading.problems[:1]))
    if reading.passed_over > len(reading.problems):
        reading.problems.append(f"{reading.passed_over} entries were passed over in all")
    institution = text(elements, "00080080")
    return Manifest(
        sop_instance_uid=reading.own,
        series_instance_uid=text(elements, "0020000E"),
        study_instance_uid=text(elements, "0020000D"),
        facility=facility or national_code(institution),
        institution_name=institution,
        made_at=text(elements, "00080023") + text(elements, "00080033"),
        named=len(reading.seen),
        problems=tuple(reading.problems),
        series=tuple(ListedSeries(*key, tuple(named)) for key, named in reading.series.items()),
    )


def _study(study: Elements, reading: _Reading) -> None:
    study_uid = text(study, "0020000D")
    if not is_uid(study_uid):
        reading.complain("a study without a valid UID is named")
        return
    for one in _items(study, "00081115"):
        series_uid = text(one, "0020000E")
        if not is_uid(series_uid):
            reading.complain("a series without a valid UID is named")
            continue
        location, title = text(one, "0040E011").strip(), text(one, "00080054").strip()
        _series(one, (study_uid, series_uid, location, title), reading)


def _series(one: Elements, key: tuple[str, str, str, str], reading: _Reading) -> None:
    for reference in _items(one, "00081199"):
        sop_class, uid = text(reference, "00081150"), text(reference, "00081155")
        if not (is_uid(uid) and is_uid(sop_class)):
            reading.complain("an instance without valid UIDs is named")
        elif uid == reading.own:
            reading.complain("the manifest names itself")
        elif uid in reading.seen:
            twice = "named twice" if reading.seen[uid] == (*key[:2], sop_class) else "named in two ways"
            reading.complain(f"the instance {uid} is {twice}")
        elif len(reading.seen) >= MOST_INSTANCES:
            raise TooLarge(f"the manifest names more than {MOST_INSTANCES} instances")
        else:
            reading.seen[uid] = (*key[:2], sop_class)
            reading.series.setdefault(key, []).append((sop_class, uid))


def _items(elements: Elements, tag: str) -> Iterator[Elements]:
    values: list[Any] = elements.get(tag, {}).get("Value") or []
    return (item for item in values if isinstance(item, dict))
