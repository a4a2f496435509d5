"""Corrections, moves and unmerges: every way out says the same, also after a reindex, and all is as before when they
are revoked. On both pairs of stores."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import orjson
import pydicom
import pytest
from pydicom import Dataset

from tests.archive.test_merging import DOMAIN, PROFILE
from tests.archive.test_reindex import answers
from tests.archive.test_rejection import seen, settle
from tests.archives import Backend, Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.model.access import SYSTEM, Peer
from vna.model.errors import BadRequest, Conflict, NotFound
from vna.model.identifiers import PatientIdentifier, PatientKey, issued_identifier
from vna.model.instances import Outcome, Selection
from vna.model.query import Level, Query

WRONG, RIGHT, NEW = "1.2.826.1", "1.2.826.2", "1.2.826.3"
SERIES, OTHER = "1.2.826.1.1", "1.2.826.1.2"
PATIENT, KEEPER = "OLD", "KEEPER"
Said = dict[str, tuple[str, ...]]


@pytest.fixture
def archive(open_archive: Open, backend: Backend) -> Application:
    """Two studies of two patients; the first has two series of two."""
    profile = backend.folder / "profile.toml"
    profile.write_text(PROFILE, "utf-8")
    archive = open_archive(xds={"affinity_domain": DOMAIN, "profile": str(profile)})
    others = Dataset()
    others.PatientID, others.IssuerOfPatientID = "N1", "STATE"
    for series, number in ((SERIES, 1), (SERIES, 2), (OTHER, 3), (OTHER, 4)):
        one = ct(
            StudyInstanceUID=WRONG,
            SeriesInstanceUID=series,
            SOPInstanceUID=f"{WRONG}.{number}",
            InstanceNumber=number,
            PatientID=PATIENT,
            PatientName="Eski^Ad",
            PatientSex="M",
            StudyDescription="Thorax",
            SeriesDescription=series[-1],
        )
        one.OtherPatientIDsSequence = [others]
        put(archive, part10(one))
    put(
        archive,
        part10(
            ct(
                StudyInstanceUID=RIGHT,
                SOPInstanceUID=f"{RIGHT}.1",
                PatientID=KEEPER,
                PatientName="Asil^Ad",
                PatientBirthDate="19700101",
                AccessionNumber="A2",
                StudyDate="20260203",
                StudyDescription="Abdomen",
            )
        ),
    )
    return archive


KEYWORDS = (
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "PatientName", "PatientBirthDate"),
    *("AccessionNumber", "StudyDate", "StudyDescription", "SeriesDescription", "ImageComments"),
)


def said(archive: Application) -> Said:
    """What searches, metadata and files say, by SOP Instance UID: all the same."""
    found: dict[str, tuple[str, ...]] = {}
    for one in archive.retrieval.instances(SYSTEM, Selection()):
        file = pydicom.dcmread(io.BytesIO(archive.retrieval.part10(SYSTEM, one).read()))
        metadata = Dataset.from_json(orjson.loads(archive.retrieval.metadata(SYSTEM, one)), lambda *_: b"")
        values = tuple(str(file.get(keyword, "")) for keyword in KEYWORDS)
        assert values == tuple(str(metadata.get(keyword, "")) for keyword in KEYWORDS)
        assert values[:3] == (one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
        held, _ = archive.retrieval.with_frames(SYSTEM, *values[:3])
        assert next(iter(archive.retrieval.frames(SYSTEM, held, [1]))).read() == file.PixelData
        found[values[2]] = values
    matches = {one.sop_instance_uid for one in archive.search.find(SYSTEM, Query(Level.IMAGE)).matches}
    assert matches == set(found)
    above = rows(
        archive,
        "select s.study_instance_uid, p.patient_id, p.patient_name, p.birth_date, s.accession_number, s.study_date,"
        " s.study_description, s.number_of_instances, s.number_of_series from studies s"
        " join patients p on p.id = s.patient_fk",
    )
    expected = set()
    for study in {values[0] for values in found.values()}:
        mine = [values for values in found.values() if values[0] == study]
        patient, name, _, *rest = mine[0][3:]
        born = next((values[5] for values in found.values() if values[3] == patient and values[5]), "")
        expected.add((study, patient, name, born, *rest[:3], len(mine), len({v[1] for v in mine})))
    assert set(above) == expected
    return found


def correcting(*place: str, **values: str) -> Callable[[Application], str]:
    return lambda archive: archive.keeping.corrections.correct(SYSTEM, *place, said=values, reason="wrong")


def moving(*place: str, **target: object) -> Callable[[Application], str]:
    return lambda archive: archive.keeping.corrections.move(SYSTEM, *place, **target, reason="wrong")  # type: ignore[arg-type]


def each(numbers: str, values: dict[str, str]) -> dict[str, dict[str, str]]:
    return dict.fromkeys(numbers, values)


CASES: dict[str, tuple[Callable[[Application], str], dict[str, dict[str, str]]]] = {
    "patient": (correcting(WRONG, PatientName="Yeni^Ad"), each("1234", {"PatientName": "Yeni^Ad"})),
    "study": (
        correcting(WRONG, AccessionNumber="A9", StudyDescription="Kafa"),
        each("1234", {"AccessionNumber": "A9", "StudyDescription": "Kafa"}),
    ),
    "series": (correcting(WRONG, OTHER, SeriesDescription="late"), each("34", {"SeriesDescription": "late"})),
    "instance": (
        correcting(WRONG, SERIES, f"{WRONG}.2", ImageComments="moved"),
        {"2": {"ImageComments": "moved"}},
    ),
    "series to another patient's study": (
        moving(WRONG, OTHER, to_study=RIGHT),
        each(
            "34",
            {
                "StudyInstanceUID": RIGHT,
                "PatientID": KEEPER,
                "PatientName": "Asil^Ad",
                "PatientBirthDate": "19700101",
                "AccessionNumber": "A2",
                "StudyDate": "20260203",
                "StudyDescription": "Abdomen",
            },
        ),
    ),
    "first series to a new study": (
        moving(WRONG, SERIES, to_study=NEW, to_series=f"{NEW}.1"),
        each("12", {"StudyInstanceUID": NEW, "SeriesInstanceUID": f"{NEW}.1"}),
    ),
    "instance to a patient's new study": (
        moving(WRONG, SERIES, f"{WRONG}.1", to_study=NEW, to_series=f"{NEW}.2", to_patient=PatientKey(KEEPER, "")),
        {
            "1": {
                "StudyInstanceUID": NEW,
                "SeriesInstanceUID": f"{NEW}.2",
                "PatientID": KEEPER,
                "PatientName": "Asil^Ad",
                "PatientBirthDate": "19700101",
            }
        },
    ),
    "study to another patient": (
        moving(WRONG, to_patient=PatientKey(KEEPER, "")),
        each("1234", {"PatientID": KEEPER, "PatientName": "Asil^Ad", "PatientBirthDate": "19700101"}),
    ),
    "all of a study into another": (
        moving(WRONG, to_study=RIGHT),
        each("1234", {"StudyInstanceUID": RIGHT, "PatientID": KEEPER, "AccessionNumber": "A2"}),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_way_out_follows_a_correction_and_its_revocation(archive: Application, case: str) -> None:
    make, expected = CASES[case]
    before, blobs = said(archive), answers(archive)

    name = make(archive)
    settle(archive)

    after = said(archive)
    for number, values in expected.items():
        found = after[f"{WRONG}.{number}"]
        assert {keyword: found[KEYWORDS.index(keyword)] for keyword in values} == values
    untouched = {uid for uid in before if uid.removeprefix(f"{WRONG}.") not in expected}
    assert {uid: after[uid] for uid in untouched} == {uid: before[uid] for uid in untouched}
    whole = answers(archive)
    for uid in (f"{WRONG}.{number}" for number in expected):
        assert again(archive, uid) is Outcome.ALREADY_HELD
    list(archive.reindex.run(SYSTEM))
    settle(archive)
    assert said(archive) == after
    assert answers(archive).files == whole.files

    study = next(iter(archive.keeping.corrections.listed(SYSTEM, WRONG)))
    assert (study.name, study.reason, study.actor, study.revoked_at) == (name, "wrong", "vna", "")
    archive.keeping.corrections.revoke(SYSTEM, name)
    settle(archive)
    assert said(archive) == before
    assert answers(archive).files == blobs.files
    list(archive.reindex.run(SYSTEM))
    settle(archive)
    assert said(archive) == before
    assert [one.damage for one in archive.care.verify(SYSTEM) if one.damage] == []
    with pytest.raises(NotFound):
        archive.keeping.corrections.revoke(SYSTEM, name)


def again(archive: Application, uid: str) -> Outcome:
    """The same bytes are sent once more."""
    (one,) = archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,)))
    return put(archive, archive.blobs.read(one.blob)).outcome


def test_a_merge_is_taken_back_and_what_came_since_goes_where_its_bytes_say(archive: Application) -> None:
    before = said(archive)
    old, new = (PatientIdentifier(value, DOMAIN) for value in (PATIENT, KEEPER))
    assert archive.keeping.people.merge(SYSTEM, old, new)
    settle(archive)
    assert rows(archive, "select patient_id, number_of_studies from patients") == [(KEEPER, 2)]
    late = put(archive, part10(ct(PatientID=PATIENT, PatientName="Eski^Ad")))
    since = put(archive, part10(ct(PatientID=KEEPER, PatientName="Asil^Ad")))
    assert archive.keeping.people.shown(SYSTEM, old).survivor == new

    assert archive.keeping.people.unmerge(SYSTEM, old) == new
    settle(archive)

    apart = said(archive)
    assert (apart[late.sop_instance_uid][3], apart[since.sop_instance_uid][3]) == (PATIENT, KEEPER)
    assert {uid: apart[uid] for uid in before} == before
    list(archive.reindex.run(SYSTEM))
    settle(archive)
    assert said(archive) == apart
    with pytest.raises(Conflict):
        archive.keeping.people.unmerge(SYSTEM, old)


@pytest.mark.parametrize("corrected", ["", WRONG, RIGHT], ids=["nobody", "who was merged", "who survives"])
def test_after_a_merge_all_images_say_what_the_survivor_is_called_and_so_does_a_search(
    archive: Application, corrected: str
) -> None:
    """A correction of who was merged is not one of the survivor."""
    if corrected:
        correcting(corrected, PatientName="Duzelt^I")(archive)
        settle(archive)
    before = said(archive)
    old, new = (PatientIdentifier(value, DOMAIN) for value in (PATIENT, KEEPER))
    archive.keeping.people.merge(SYSTEM, old, new)
    settle(archive)
    late = put(archive, part10(ct(PatientID=PATIENT, PatientName="Eski^Ad")))

    after = said(archive)
    expected = "Duzelt^I" if corrected == RIGHT else "Asil^Ad"
    assert {values[3:6] for values in after.values()} == {(KEEPER, expected, "19700101")}
    for _ in range(2):
        list(archive.reindex.run(SYSTEM))
        settle(archive)
        assert said(archive) == after

    name = correcting(WRONG, PatientName="Sonra^Ad")(archive)
    settle(archive)
    assert {values[4] for values in said(archive).values()} == {"Sonra^Ad"}
    archive.keeping.corrections.revoke(SYSTEM, name)
    settle(archive)
    assert said(archive) == after
    archive.deletion.delete(SYSTEM, late.study_instance_uid)
    archive.keeping.people.unmerge(SYSTEM, old)
    settle(archive)
    assert said(archive) == before


def test_patients_of_an_issuer_by_its_name_are_merged_and_parted(archive: Application) -> None:
    archive.peers.add(SYSTEM, Peer("SCANNER", facility="42"))
    for value in ("M1", "M2"):
        put(archive, part10(ct(PatientID=value, PatientName=value, IssuerOfPatientID="HIS")), source="SCANNER")
    before = said(archive)
    one, two = (issued_identifier(text) for text in ("M1^^^HIS", "M2^^^HIS"))
    assert one is not None
    assert two is not None
    archive.keeping.people.merge(SYSTEM, one, two)
    settle(archive)
    assert {values[3:5] for values in said(archive).values() if values[3].startswith("M")} == {("M2", "M2")}
    archive.keeping.people.unmerge(SYSTEM, one)
    settle(archive)
    assert said(archive) == before
    assert [issued_identifier(text) for text in ("M1", "M1^^^", "^^^HIS", "M1^^^&HIS&ISO")] == [None] * 4


def test_a_patient_who_is_not_known_is_called_what_the_move_says(archive: Application) -> None:
    called = {"PatientName": "Bir^Ad", "PatientBirthDate": "19810203"}
    with pytest.raises(BadRequest):
        moving(WRONG, to_patient=PatientKey("P9", "HIS"), called={"PatientBirthDate": "soon"})(archive)
    with pytest.raises(BadRequest):
        moving(WRONG, to_patient=PatientKey(KEEPER, ""), called=called)(archive)

    moving(WRONG, to_patient=PatientKey("P9", "HIS"), called=called)(archive)
    settle(archive)

    assert {said(archive)[f"{WRONG}.{number}"][3:6] for number in "1234"} == {("P9", "Bir^Ad", "19810203")}


def test_linked_patients_keep_their_numbers_and_the_link_is_shown_until_it_is_taken_back(archive: Application) -> None:
    one, two, three = (PatientIdentifier(value, DOMAIN) for value in (PATIENT, KEEPER, "THIRD"))
    people = archive.keeping.people
    assert people.link(SYSTEM, one, two)
    assert people.link(SYSTEM, two, three)
    assert not people.link(SYSTEM, two, one)
    settle(archive)
    list(archive.reindex.run(SYSTEM))
    assert [link.identifier for link in people.shown(SYSTEM, one).linked] == [str(two), str(three)]
    people.unlink(SYSTEM, one, two)
    assert people.shown(SYSTEM, one).linked == ()
    with pytest.raises(NotFound):
        people.unlink(SYSTEM, one, two)


@pytest.mark.parametrize(
    ("place", "values"),
    [
        ((WRONG,), {"StudyInstanceUID": NEW}),
        ((WRONG,), {"PatientID": "X"}),
        ((WRONG,), {"Rows": "5"}),
        ((WRONG,), {"StudyDate": "yesterday"}),
        ((WRONG,), {"PatientSex": "Q"}),
        ((WRONG, SERIES), {"StudyDescription": "half"}),
        ((WRONG, SERIES), {"PatientName": "Bir"}),
        ((WRONG,), {}),
    ],
)
def test_what_cannot_be_corrected_is_refused(
    archive: Application, place: tuple[str, ...], values: dict[str, str]
) -> None:
    with pytest.raises(BadRequest):
        correcting(*place, **values)(archive)
    with pytest.raises(NotFound):
        correcting("1.2.3", StudyDescription="x")(archive)
    with pytest.raises(Conflict):
        moving(WRONG, to_study=RIGHT, to_patient=PatientKey("SOMEBODY", ""))(archive)


def test_what_comes_late_or_while_a_series_is_moved_is_where_it_was_moved(archive: Application) -> None:
    late = [
        ct(StudyInstanceUID=WRONG, SeriesInstanceUID=OTHER, PatientID=PATIENT, InstanceNumber=n + 9) for n in range(12)
    ]
    together = threading.Barrier(4)

    def store(some: list[Dataset]) -> None:
        together.wait()
        for one in some:
            put(archive, part10(one))

    def move() -> None:
        together.wait()
        moving(WRONG, OTHER, to_study=RIGHT)(archive)
        settle(archive)

    with ThreadPoolExecutor(4) as threads:
        done = [threads.submit(store, late[n::3]) for n in range(3)] + [threads.submit(move)]
        for each_ in done:
            each_.result()
    archive.keeping.refiling.later(WRONG)  # what a job does a minute later
    settle(archive)
    put(archive, part10(ct(StudyInstanceUID=WRONG, SeriesInstanceUID=OTHER, SOPInstanceUID=f"{WRONG}.99")))

    assert len(seen(archive, RIGHT)) == 1 + 2 + 13
    assert len(seen(archive, WRONG)) == 2
    said(archive)
