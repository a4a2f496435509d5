"""Every stored query finds what a plain reading of ITI TF-2 3.18.4.1.2.3.7 finds, in a population made by chance.

The oracle knows the objects that were submitted, and nothing of the registry's code: it goes through all of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from tests.archives import open_index
from tests.xds.builders import code, document, folder, link, on_demand, query, submission, submission_set
from tests.xds.questions import APPROVED, IDS, quoted
from tests.xds.registries import DOMAIN, Registries, contexts, found, make, status
from vna.model.access import SYSTEM
from vna.model.documents import Association, AssociationKind, Author, DocumentEntry, Folder, SubmissionSet
from xds import iti18

PATIENTS = [f"ORACLE-{letter}^^^&{DOMAIN}&ISO" for letter in "ABCD"]
MERGES = ((0, 1), (1, 2))  # A into B, then B into C; D is nobody else
CODES = {name: [code(f"{name}{n}") for n in range(3)] for name in ("class", "type", "practice", "facility", "format")}
EVENTS, SECRECY = [code(f"E{n}") for n in range(4)], [code(f"S{n}") for n in range(3)]
PEOPLE = ["^Kaya^Ali", "^Kara^Ali", "^Kay_^Ece", "^Öz%^Su"]
TIMES = ["2025", "202506", "20250615", "2025061512", "202506151230", "20250615123045", "20260101", "2026"]
REFERENCES = [f"N{n}^^^&1.2.4&ISO^urn:ihe:iti:xds:2013:accession" for n in range(3)]
RELATED = ("RPLC", "APND", "XFRM", "XFRM_RPLC", "signs")
DEPRECATING, CHILDREN = {"RPLC", "XFRM_RPLC"}, {"APND", "XFRM"}
STABLE, DEMANDED = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1", "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
STATUS = "urn:oasis:names:tc:ebxml-regrep:StatusType:"


@dataclass(slots=True)
class Oracle:
    """What was submitted: objects with the place of their patient in PATIENTS, associations, and who is deprecated."""

    objects: dict[str, tuple[Any, int]] = field(default_factory=dict)
    links: list[Association] = field(default_factory=list)
    deprecated: set[str] = field(default_factory=set)
    merged: bool = False

    def of(self, kind: type, patient: int) -> Iterator[Any]:
        """Of a patient: a merged one has none, the one that stays has those of all."""
        whose: set[int] = {0: set(), 1: set(), 2: {0, 1, 2}, 3: {3}}[patient] if self.merged else {patient}
        return (thing for thing, owner in self.objects.values() if isinstance(thing, kind) and owner in whose)

    def get(self, kind: type, uuids: Iterable[str]) -> list[Any]:
        return [thing for uuid in uuids if isinstance(thing := self.objects.get(uuid, (None, 0))[0], kind)]

    def is_approved(self, thing: Any) -> bool:
        return thing.entry_uuid not in self.deprecated

    def replaced(self, uuid: str) -> None:
        """With its addenda and transformations, theirs too."""
        self.deprecated.add(uuid)
        for child in [one.source for one in self.links if one.target == uuid and one.association in CHILDREN]:
            if child not in self.deprecated:
                self.replaced(child)


@dataclass(slots=True)
class Populated:
    registries: Registries
    oracle: Oracle
    chance: random.Random

    def ask(self, name: str, **slots: Any) -> list[str]:
        answer = self.registries.ask(iti18.ACTION, query(IDS[name], returns="ObjectRef", **slots))
        assert status(answer) == "Success", contexts(answer)
        uuids = [str(uuid) for uuid in found(answer, "//rim:ObjectRef/@id")]
        assert len(set(uuids)) == len(uuids)
        return uuids

    def some(self, values: list[Any], most: int = 2) -> list[Any]:
        return self.chance.sample(values, self.chance.randint(1, min(most, len(values))))

    def one(self, kind: type) -> Any:
        return self.chance.choice([thing for thing, _ in self.oracle.objects.values() if isinstance(thing, kind)])


def entry(chance: random.Random, name: str, patient: str, *, demanded: bool) -> DocumentEntry:
    said: dict[str, Any] = {
        "patient_id": patient,
        "class_code": chance.choice(CODES["class"]),
        "type_code": chance.choice(CODES["type"]),
        "practice_setting_code": chance.choice(CODES["practice"]),
        "healthcare_facility_type_code": chance.choice(CODES["facility"]),
        "format_code": chance.choice(CODES["format"]),
        "event_codes": tuple(chance.sample(EVENTS, chance.randint(0, 3))),
        "confidentiality_codes": tuple(chance.sample(SECRECY, chance.randint(1, 2))),
        "authors": tuple(Author(person=(one,)) for one in chance.sample(PEOPLE, chance.randint(0, 2))),
        "reference_ids": tuple(chance.sample(REFERENCES, chance.randint(0, 2))),
        "service_start_time": chance.choice(["", *TIMES[:4]]),
    }
    return on_demand(name, **said) if demanded else document(name, creation_time=chance.choice(TIMES), **said)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def populated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Populated]:
    database = open_index(request, tmp_path_factory.mktemp("oracle"))
    made = Populated(make(database), Oracle(), random.Random(18))
    for patient in PATIENTS:
        made.registries.patients.register(SYSTEM, patient)
    for number in range(60):
        submit(made, number % 4)
    for old, new in MERGES:
        made.registries.patients.merge(SYSTEM, PATIENTS[old], PATIENTS[new])
    made.oracle.merged = True
    for number in (2, 3) * 4:
        submit(made, number)
    yield made
    database.close()


def submit(made: Populated, patient: int) -> None:
    chance, oracle, registry = made.chance, made.oracle, made.registries.registry
    demanded = chance.random() < 0.1
    own = submission_set(
        patient_id=PATIENTS[patient],
        submission_time=chance.choice(TIMES),
        source_id=f"1.2.{chance.randint(1, 2)}",
        content_type_code=chance.choice(CODES["type"]),
        authors=tuple(Author(person=(one,)) for one in chance.sample(PEOPLE, chance.randint(0, 1))),
    )
    count = chance.randint(1, 3)
    things: list[Any] = [entry(chance, f"d{n}", PATIENTS[patient], demanded=demanded) for n in range(count)]
    if not demanded and chance.random() < 0.4:
        codes = tuple(chance.sample(EVENTS, chance.randint(1, 2)))
        things += [folder("f", patient_id=PATIENTS[patient], codes=codes), link("f", "HasMember", "d0")]
    mine = [one for one in oracle.of(DocumentEntry, patient) if oracle.is_approved(one) and not one.on_demand]
    transformed = {one.source for one in oracle.links if one.association in ("XFRM", "XFRM_RPLC")}
    target, kind = (chance.choice(mine) if mine else None), chance.choice(RELATED)
    filed = {one.target for one in oracle.links if one.association == "HasMember" and not one.submission_set_status}
    if target is not None and not demanded:
        is_refused = kind == "APND" and target.entry_uuid in transformed
        adds_members = kind in DEPRECATING and target.entry_uuid in filed
        if not is_refused and not adds_members:
            things.append(link("d0", kind, target.entry_uuid))
    register = registry.register_on_demand if demanded else registry.register
    done = register(SYSTEM, submission(*things, own=own))
    for thing in done.registered():
        oracle.objects[thing.entry_uuid] = thing, patient
    oracle.links += done.associations
    for one in done.associations:
        if one.association in DEPRECATING:
            oracle.replaced(one.target)


def coded(codes: Iterable[Any]) -> list[str]:
    return [f"{one.code}^^{one.scheme}" for one in codes]


def listed(values: Iterable[str]) -> str:
    return "(" + ",".join(map(quoted, values)) + ")"


def begins(time: str) -> str:
    return (time + "00000101000000"[len(time) :])[:14]


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace("%", ".*").replace("_", "."), text, re.DOTALL) is not None


Holds = Callable[[Any], bool]


def any_of(made: Populated, values: list[Any], read: Callable[[Any], Iterable[Any]]) -> tuple[str, Holds]:
    wanted = coded(made.some(values))
    return listed(wanted), lambda thing: bool({*wanted} & {*coded(read(thing))})


def all_of(made: Populated, values: list[Any], read: Callable[[Any], Iterable[Any]]) -> tuple[list[str], Holds]:
    wanted = [coded(made.some(values)) for _ in range(made.chance.randint(1, 2))]
    return [listed(one) for one in wanted], lambda thing: all({*one} & {*coded(read(thing))} for one in wanted)


def time(made: Populated, slots: dict[str, Any], name: str, read: Callable[[Any], str]) -> Holds:
    begin, end = (made.chance.choice(["", *TIMES]) for _ in range(2))
    slots |= {f"{name}{which}": value for which, value in (("From", begin), ("To", end)) if value}

    def holds(thing: Any) -> bool:
        moment = begins(read(thing)) if read(thing) else ""
        return not moment or ((not begin or begins(begin) <= moment) and (not end or moment < begins(end)))

    return holds


def _code(attribute: str, thing: Any) -> list[Any]:
    return [getattr(thing, attribute)]


def people(made: Populated) -> tuple[list[str], Holds]:
    patterns = made.some(["%Ka_a%", "^Kaya^Ali", "%^Ali", "%Öz\\%%", "^Kay_^%", "%%"])
    return patterns, lambda thing: any(
        matches(pattern, person) for one in thing.authors for person in one.person for pattern in patterns
    )


def of_documents(made: Populated, slots: dict[str, Any], *, status_too: bool = True) -> Holds:
    """Parameters by chance, and for what they hold; of an on-demand document the creation time does not count."""
    chance, oracle = made.chance, made.oracle
    holds: list[Holds] = []
    wants = made.some(["Approved", "Deprecated"]) if status_too else []
    kinds = made.some([STABLE, DEMANDED]) if chance.random() < 0.3 else []
    if status_too:
        slots["XDSDocumentEntryStatus"] = listed(f"{STATUS}{one}" for one in wants)
        holds.append(lambda one: ("Approved" if oracle.is_approved(one) else "Deprecated") in wants)
    if kinds:
        slots["XDSDocumentEntryType"] = listed(kinds)
    holds.append(lambda one: (DEMANDED if one.on_demand else STABLE) in (kinds or [STABLE]))
    single = {
        "ClassCode": ("class", "class_code"),
        "TypeCode": ("type", "type_code"),
        "PracticeSettingCode": ("practice", "practice_setting_code"),
        "HealthcareFacilityTypeCode": ("facility", "healthcare_facility_type_code"),
        "FormatCode": ("format", "format_code"),
    }
    for name, (values, attribute) in single.items() if status_too else [("FormatCode", single["FormatCode"])]:
        if chance.random() < 0.25:
            slots[f"XDSDocumentEntry{name}"], one = any_of(made, CODES[values], partial(_code, attribute))
            holds.append(one)
    if chance.random() < 0.3:
        slots["XDSDocumentEntryConfidentialityCode"], one = all_of(made, SECRECY, lambda t: t.confidentiality_codes)
        holds.append(one)
    if status_too and chance.random() < 0.4:
        slots["XDSDocumentEntryEventCodeList"], one = all_of(made, EVENTS, lambda t: t.event_codes)
        holds.append(one)
    if status_too and chance.random() < 0.3:
        patterns, one = people(made)
        slots["XDSDocumentEntryAuthorPerson"] = listed(patterns)
        holds.append(one)
    if status_too and chance.random() < 0.4:
        holds.append(time(made, slots, "XDSDocumentEntryCreationTime", lambda t: t.creation_time))
    if status_too and chance.random() < 0.4:
        holds.append(time(made, slots, "XDSDocumentEntryServiceStartTime", lambda t: t.service_start_time))
    return lambda thing: all(one(thing) for one in holds)


def uuids(things: Iterable[Any]) -> set[str]:
    return {thing.entry_uuid for thing in things}


def touching(made: Populated, ends: set[str]) -> list[Association]:
    return [one for one in made.oracle.links if {one.source, one.target} & ends]


def between(made: Populated, ends: set[str]) -> list[Association]:
    return [one for one in made.oracle.links if {one.source, one.target} <= ends]


@pytest.mark.parametrize("name", ["FindDocuments", "FindDocumentsByReferenceId"])
def test_documents_of_a_patient(populated: Populated, name: str) -> None:
    sizes = []
    for _ in range(150):
        patient = populated.chance.randrange(4)
        slots: dict[str, Any] = {"XDSDocumentEntryPatientId": quoted(PATIENTS[patient])}
        holds = of_documents(populated, slots)
        wanted = [populated.some(REFERENCES) for _ in range(populated.chance.randint(1, 2))]
        if name == "FindDocumentsByReferenceId":
            slots["XDSDocumentEntryReferenceIdList"] = [listed(one) for one in wanted]
        expected = {
            one.entry_uuid
            for one in populated.oracle.of(DocumentEntry, patient)
            if holds(one) and (name == "FindDocuments" or all({*some} & {*one.reference_ids} for some in wanted))
        }
        assert set(populated.ask(name, **slots)) == expected, slots
        sizes.append(len(expected))
    assert sum(map(bool, sizes)) > 20, "chance asked for hardly anything"


def test_submission_sets_of_a_patient(populated: Populated) -> None:
    for _ in range(80):
        patient = populated.chance.randrange(4)
        slots: dict[str, Any] = {"XDSSubmissionSetPatientId": quoted(PATIENTS[patient])}
        slots["XDSSubmissionSetStatus"] = APPROVED
        holds = [time(populated, slots, "XDSSubmissionSetSubmissionTime", lambda one: one.submission_time)]
        if populated.chance.random() < 0.3:
            slots["XDSSubmissionSetSourceId"] = "('1.2.1')"
            holds.append(lambda one: one.source_id == "1.2.1")
        if populated.chance.random() < 0.3:
            slots["XDSSubmissionSetContentType"], kind = any_of(
                populated, CODES["type"], lambda one: [one.content_type_code]
            )
            holds.append(kind)
        if populated.chance.random() < 0.3:
            slots["XDSSubmissionSetAuthorPerson"] = "'%Ka%Ali'"
            holds.append(lambda one: any(matches("%Ka%Ali", who) for author in one.authors for who in author.person))
        expected = {
            one.entry_uuid for one in populated.oracle.of(SubmissionSet, patient) if all(hold(one) for hold in holds)
        }
        assert set(populated.ask("FindSubmissionSets", **slots)) == expected, slots


def test_folders_of_a_patient(populated: Populated) -> None:
    for _ in range(40):
        patient = populated.chance.randrange(4)
        codes, holds = all_of(populated, EVENTS, lambda one: one.codes)
        slots = {"XDSFolderPatientId": quoted(PATIENTS[patient]), "XDSFolderStatus": APPROVED}
        expected = uuids(one for one in populated.oracle.of(Folder, patient) if holds(one))
        assert set(populated.ask("FindFolders", XDSFolderCodeList=codes, **slots)) == expected, codes


def test_everything_of_a_patient(populated: Populated) -> None:
    for _ in range(40):
        patient = populated.chance.randrange(4)
        slots: dict[str, Any] = {"patientId": quoted(PATIENTS[patient])}
        slots |= {f"XDS{kind}Status": APPROVED for kind in ("DocumentEntry", "SubmissionSet", "Folder")}
        holds = of_documents(populated, slots, status_too=False)
        entries = [
            one
            for one in populated.oracle.of(DocumentEntry, patient)
            if populated.oracle.is_approved(one) and holds(one)
        ]
        things = uuids([*entries, *populated.oracle.of(SubmissionSet, patient), *populated.oracle.of(Folder, patient)])
        assert set(populated.ask("GetAll", **slots)) == things | uuids(touching(populated, things)), slots


@pytest.mark.parametrize("by", ["EntryUUID", "UniqueId"])
def test_what_is_asked_for_by_its_identifiers(populated: Populated, by: str) -> None:
    def named(thing: Any) -> str:
        return str(thing.entry_uuid if by == "EntryUUID" else thing.unique_id)

    for _ in range(25):
        entries = [populated.one(DocumentEntry) for _ in range(3)]
        binder, own, one = populated.one(Folder), populated.one(SubmissionSet), entries[0]
        given = {f"XDSDocumentEntry{by}": listed(map(named, entries))}
        assert set(populated.ask("GetDocuments", **given)) == uuids(entries)
        assert set(populated.ask("GetDocumentsAndAssociations", **given)) == uuids(entries) | uuids(
            touching(populated, uuids(entries))
        )
        assert populated.ask("GetFolders", **{f"XDSFolder{by}": listed([named(binder)])}) == [binder.entry_uuid]
        check_contents(populated, "GetFolderAndContents", f"XDSFolder{by}", named(binder), binder)
        check_contents(populated, "GetSubmissionSetAndContents", f"XDSSubmissionSet{by}", named(own), own)
        alone = {f"XDSDocumentEntry{by}": quoted(named(one))}
        holders = {member.source for member in populated.oracle.links if member.target == one.entry_uuid}
        assert set(populated.ask("GetFoldersForDocument", **alone)) == uuids(populated.oracle.get(Folder, holders))
        check_related(populated, alone, one)


def check_contents(made: Populated, name: str, parameter: str, value: str, holder: Any) -> None:
    slots: dict[str, Any] = {parameter: quoted(value)}
    holds = of_documents(made, slots, status_too=False)
    members = [one for one in made.oracle.links if one.source == holder.entry_uuid and one.association == "HasMember"]
    targets = [one.target for one in members]
    inside = uuids([one for one in made.oracle.get(DocumentEntry, targets) if holds(one)])
    if name == "GetSubmissionSetAndContents":
        inside |= uuids(made.oracle.get(Folder, targets))
        inside |= uuids(
            one for one in between(made, inside) if one.association != "HasMember" or one.entry_uuid in targets
        )
    expected = {holder.entry_uuid} | inside | uuids(one for one in members if one.target in inside)
    assert set(made.ask(name, **slots)) == expected, slots


def check_related(made: Populated, slots: dict[str, Any], one: DocumentEntry) -> None:
    kinds = made.some(list(RELATED), 3)
    asked = listed(f"urn:ihe:iti:2007:AssociationType:{kind}" for kind in kinds)
    links = [
        each
        for each in touching(made, {one.entry_uuid})
        if each.association in kinds
        and all(not end.on_demand for end in made.oracle.get(DocumentEntry, (each.source, each.target)))
    ]
    ends = {end for each in links for end in (each.source, each.target)}
    assert set(made.ask("GetRelatedDocuments", AssociationTypes=asked, **slots)) == ends | uuids(links)


def test_associations_and_submission_sets_of_objects(populated: Populated) -> None:
    for _ in range(25):
        given = uuids(populated.one(kind) for kind in (DocumentEntry, Folder))
        found_links = populated.ask("GetAssociations", uuid=listed(given))
        assert set(found_links) == uuids(touching(populated, given))
        members = [one for one in populated.oracle.links if one.target in given and one.association == "HasMember"]
        sets = uuids(populated.oracle.get(SubmissionSet, (one.source for one in members)))
        expected = sets | {one.entry_uuid for one in members if one.source in sets}
        assert set(populated.ask("GetSubmissionSets", uuid=listed(given))) == expected


def test_the_population_has_everything(populated: Populated) -> None:
    kinds = {one.association for one in populated.oracle.links}
    assert kinds >= {AssociationKind(kind) for kind in ("HasMember", "RPLC", "APND", "XFRM", "signs")}
    assert populated.oracle.deprecated
    assert any(one.on_demand for one in populated.oracle.of(DocumentEntry, 2))
