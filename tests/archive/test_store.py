"""Storing, on both pairs of stores."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from struct import pack

import orjson
import pytest
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, generate_uid

from storage.metadata import scan
from storage.part10 import read_file_meta
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.model.access import SYSTEM, Action, Actor, ActorKind, Coercion, Peer
from vna.model.errors import (
    CannotUnderstand,
    DuplicateInstance,
    Mismatch,
    NotAuthorized,
    OutOfResources,
    SOPClassNotSupported,
    SyntaxNotSupported,
    Unavailable,
    VnaError,
)
from vna.model.instances import Arrival, Door, Outcome, Selection


def coded() -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-D1100", "SRT", "Head"
    return item


def test_an_instance_comes_back_byte_for_byte_with_its_provenance(open_archive: Open) -> None:
    archive = open_archive()
    data = part10(ct())
    before = datetime.now(UTC)

    accepted = put(archive, data, source="SCANNER")

    (instance,) = archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(accepted.sop_instance_uid,)))
    assert archive.retrieval.part10(SYSTEM, instance).read() == data
    assert (instance.size, instance.source_ae, instance.number_of_frames) == (len(data), "SCANNER", 1)
    assert before <= instance.received_at <= datetime.now(UTC)
    assert archive.retrieval.frames(SYSTEM, instance, [1])[0].read() == bytes(range(256)) * 2


def test_identical_content_succeeds_and_keeps_one_copy(open_archive: Open) -> None:
    archive = open_archive()
    data = part10(ct())
    put(archive, data)

    assert put(archive, data).outcome is Outcome.ALREADY_HELD

    assert rows(archive, "select number_of_instances from studies") == [(1,)]
    assert len(list(archive.blobs.names("studies"))) == 1


def test_another_group_2_around_the_same_data_set_is_identical_content(open_archive: Open) -> None:
    archive = open_archive()
    ds = ct()
    put(archive, part10(ds))
    again = part10(ds).replace(b"\x02\x00\x12\x00UI", b"\x02\x00\x12\x00UI", 1)
    preamble = b"other" + again[5:]

    assert put(archive, preamble).outcome is Outcome.ALREADY_HELD


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_a_blob_that_was_lost_or_cut_is_mended_when_its_instance_comes_again(open_archive: Open, damage: str) -> None:
    archive = open_archive()
    data = part10(ct())
    put(archive, data)
    (name,) = archive.blobs.names("studies")
    archive.blobs.delete(name)
    if damage == "cut":
        archive.blobs.put(name, [data[:-10]])

    assert put(archive, data).outcome is Outcome.ALREADY_HELD

    (instance,) = archive.retrieval.instances(SYSTEM, Selection())
    assert archive.retrieval.part10(SYSTEM, instance).read() == data


@pytest.mark.parametrize("first", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("again", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_the_same_instance_by_another_way_is_identical_content(open_archive: Open, first: str, again: str) -> None:
    """Senders drop trailing padding, and send explicit what was implicit."""
    archive = open_archive()
    ds = ct(AnatomicRegionSequence=[coded()], Rows=128, Columns=128, PixelData=bytes(128 * 128 * 2))
    put(archive, part10(ds, first))
    ds.DataSetTrailingPadding = bytes(200)
    ds["AnatomicRegionSequence"].is_undefined_length = True

    assert put(archive, part10(ds, again)).outcome is Outcome.ALREADY_HELD

    assert len(list(archive.blobs.names("studies"))) == 1


@pytest.mark.parametrize("what", ["an element more", "a value in an item", "a pixel"])
def test_a_difference_of_one_value_is_other_content_in_any_form(open_archive: Open, what: str) -> None:
    archive = open_archive()
    ds = ct(AnatomicRegionSequence=[coded()], Rows=128, Columns=128, PixelData=bytes(128 * 128 * 2))
    put(archive, part10(ds))
    if what == "an element more":
        ds.PatientComments = "more"
    elif what == "a value in an item":
        ds.AnatomicRegionSequence[0].CodeValue = "T-D1101"
    else:
        ds.PixelData = bytes(128 * 128 * 2 - 1) + b"\1"

    with pytest.raises(DuplicateInstance):
        put(archive, part10(ds, ImplicitVRLittleEndian))


def test_an_object_whose_first_bytes_mislead_about_its_place_is_kept_all_the_same(open_archive: Open) -> None:
    """Large objects are written while they come, under a name guessed from UIDs that may be those of a reference."""
    archive = open_archive()
    other = Dataset()
    other.SOPInstanceUID, other.StudyInstanceUID, other.SeriesInstanceUID = "1.2.3", "1.2.4", "1.2.5"
    ds = ct(Rows=512, Columns=512, PixelData=bytes(512 * 512 * 2))
    block = ds.private_block(0x0007, "MISLEADS", create=True)
    block.add_new(1, "SQ", [other])
    data = part10(ds)

    accepted = put(archive, data)

    (instance,) = archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(accepted.sop_instance_uid,)))
    assert archive.retrieval.part10(SYSTEM, instance).read() == data
    assert [name.split("/")[2] for name in archive.blobs.names("studies")] == [str(ds.StudyInstanceUID)]


def test_a_group_2_that_names_another_instance_is_taken_with_a_warning(open_archive: Open) -> None:
    ds = ct()
    data = part10(ds)
    ds.SOPInstanceUID = generate_uid()
    ds.save_as(changed := BytesIO())

    accepted = put(open_archive(), changed.getvalue())

    assert accepted.sop_instance_uid == ds.SOPInstanceUID
    assert accepted.warnings == ("MediaStorageSOPInstanceUID of group 2 differs from the data set",)
    assert put(open_archive(), data).warnings == ()


def test_other_content_under_a_held_uid_is_refused_and_the_first_stays(open_archive: Open) -> None:
    archive = open_archive()
    ds = ct()
    first = part10(ds)
    put(archive, first)
    ds.PatientComments = "changed"

    with pytest.raises(DuplicateInstance):
        put(archive, part10(ds))

    (instance,) = archive.retrieval.instances(SYSTEM, Selection())
    assert archive.retrieval.part10(SYSTEM, instance).read() == first
    assert len(list(archive.blobs.names("studies"))) == 1


def test_replace_takes_the_new_content_and_keeps_the_older_version_recoverable(open_archive: Open) -> None:
    archive = open_archive(storage={"duplicates": "replace"})
    ds = ct()
    first = part10(ds)
    put(archive, first)
    ds.PatientComments = "changed"
    second = part10(ds)

    assert put(archive, second).outcome is Outcome.REPLACED

    (instance,) = archive.retrieval.instances(SYSTEM, Selection())
    assert archive.retrieval.part10(SYSTEM, instance).read() == second
    assert instance.version == 2
    ((blob,),) = rows(archive, "select blob from superseded")
    assert archive.blobs.read(str(blob)) == first
    assert rows(archive, "select number_of_instances from studies") == [(1,)]


def test_where_frames_are_is_never_told_of_bytes_that_were_replaced(open_archive: Open) -> None:
    archive = open_archive(storage={"duplicates": "replace"})
    ds = ct()
    put(archive, part10(ds))
    (older,) = archive.retrieval.instances(SYSTEM, Selection())
    ds.PatientComments = "whatever comes behind it lies elsewhere now"
    put(archive, part10(ds))

    with pytest.raises(Unavailable, match="replaced meanwhile"):
        archive.retrieval.frames(SYSTEM, older, [1])
    with pytest.raises(Unavailable, match="replaced meanwhile"):
        archive.retrieval.bulk(SYSTEM, older, "7FE00010")
    with pytest.raises(Unavailable, match="replaced meanwhile"):
        archive.retrieval.metadata(SYSTEM, older)

    (newer,) = archive.retrieval.instances(SYSTEM, Selection())
    assert archive.retrieval.frames(SYSTEM, newer, [1])[0].read() == ds.PixelData


def test_small_fragments_of_a_frame_are_read_together(open_archive: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = open_archive()
    fragments = [bytes([number % 256]) * (2 + number % 7 * 2) for number in range(3000)]
    ds = ct(Rows=64, Columns=64)
    ds.PixelData = b"".join(pack("<HHI", 0xFFFE, 0xE000, len(one)) + one for one in (b"", *fragments))
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    put(archive, part10(ds, JPEG2000Lossless))
    (instance,) = archive.retrieval.instances(SYSTEM, Selection())
    (frame,) = archive.retrieval.frames(SYSTEM, instance, [1])
    (part,) = archive.retrieval.frames(SYSTEM, instance, [1], 5001, 77)
    reads: list[object] = []
    name = "read_known" if hasattr(archive.blobs, "read_known") else "read"
    read = getattr(type(archive.blobs), name)

    def counted(*arguments: object) -> bytes:
        reads.append(arguments)
        return bytes(read(*arguments))

    monkeypatch.setattr(type(archive.blobs), name, counted)

    assert frame.read() == b"".join(fragments)
    assert part.read() == b"".join(fragments)[5001:5078]
    assert len(reads) == 2


def test_a_thousand_racing_stores_of_one_patient_leave_one_patient_row(open_archive: Open) -> None:
    archives = [open_archive() for _ in range(2)]
    studies = [generate_uid() for _ in range(4)]
    series = {study: [generate_uid() for _ in range(3)] for study in studies}
    objects = [
        part10(ct(StudyInstanceUID=studies[n % 4], SeriesInstanceUID=series[studies[n % 4]][n % 3], PatientID="RACE"))
        for n in range(500)
    ]
    gate = threading.Barrier(8)

    def store(worker: int) -> None:
        gate.wait()
        for data in objects[worker % 4 :: 4]:
            put(archives[worker % 2], data)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, range(8)))

    assert rows(
        archives[0], "select patient_id, number_of_studies, number_of_series, number_of_instances from patients"
    ) == [("RACE", 4, 12, 500)]
    assert (
        sorted(rows(archives[0], "select number_of_series, number_of_instances, modalities from studies"))
        == [(3, 125, "\\CT\\")] * 4
    )
    assert rows(archives[0], "select count(*), sum(number_of_instances) from series") == [(12, 500)]
    assert rows(archives[0], "select count(*), count(distinct sop_instance_uid) from instances") == [(500, 500)]
    assert rows(archives[0], "select count(*) from events where kind = 'instance.stored'") == [(500,)]


def test_without_an_issuer_the_sending_facility_is_the_issuer(open_archive: Open) -> None:
    archive = open_archive()
    for code in ("11", "22"):
        actor = Actor(ActorKind.AE, f"PACS{code}", frozenset(Action), code)
        arrival = Arrival(Door.IMPORT, calling_ae=actor.name)
        with archive.store.open(actor, arrival) as incoming:
            incoming.write(part10(ct(PatientID="7")))
            archive.store.accept(incoming, actor, arrival)
    put(archive, part10(ct(PatientID="7", IssuerOfPatientID="MERNIS")))

    assert sorted(rows(archive, "select patient_id, issuer from patients")) == [
        ("7", "11"),
        ("7", "22"),
        ("7", "MERNIS"),
    ]


def test_an_institution_name_in_the_national_form_gives_the_facility(open_archive: Open) -> None:
    archive = open_archive()
    put(archive, part10(ct(InstitutionName="Ornek Hastanesi^^^SKRS123456^^^FK1")))

    assert rows(archive, "select facility from studies") == [("123456",)]


def test_an_empty_patient_id_gives_one_patient_per_study(open_archive: Open) -> None:
    archive = open_archive()
    study = generate_uid()
    for _ in range(2):
        put(archive, part10(ct(PatientID="", StudyInstanceUID=study)))
    put(archive, part10(ct(PatientID="")))

    assert sorted(rows(archive, "select number_of_instances from patients")) == [(1,), (2,)]


def test_a_study_under_two_patients_is_filed_under_the_first_and_listed_as_a_conflict(open_archive: Open) -> None:
    archive = open_archive()
    study = generate_uid()
    put(archive, part10(ct(PatientID="A", StudyInstanceUID=study)))
    put(archive, part10(ct(PatientID="B", StudyInstanceUID=study)))
    put(archive, part10(ct(PatientID="B", StudyInstanceUID=study)))

    assert rows(archive, "select patient_id, number_of_instances from patients") == [("A", 3)]
    (conflict,) = archive.status.conflicts(SYSTEM)
    assert (conflict.study_instance_uid, conflict.patient_id) == (study, "B")


def test_what_a_later_series_knows_of_the_study_fills_what_the_first_left_empty(open_archive: Open) -> None:
    archive = open_archive()
    study = generate_uid()
    put(archive, part10(ct(StudyInstanceUID=study, Modality="CT")))
    put(archive, part10(ct(StudyInstanceUID=study, Modality="MR", StudyDescription="Beyin", AccessionNumber="other")))

    assert rows(archive, "select study_description, accession_number, modalities from studies") == [
        ("Beyin", "A1", "\\CT\\MR\\")
    ]


def test_coercion_changes_what_goes_out_and_never_the_bytes(open_archive: Open) -> None:
    archive = open_archive()
    rules = Coercion(
        set=(("InstitutionName", "Şehir Hastanesi"),), remove=("PatientComments",), map=(("Modality", (("CT", "PT"),)),)
    )
    archive.peers.add(SYSTEM, Peer("SCANNER", coercion=rules))
    data = part10(ct(PatientComments="private", SpecificCharacterSet="ISO_IR 100", PatientName="A^B"))
    put(archive, data, source="SCANNER")

    (instance,) = archive.retrieval.instances(SYSTEM, Selection())
    assert archive.blobs.read(instance.blob) == data
    assert rows(archive, "select modality from series") == [("PT",)]
    metadata = archive.retrieval.metadata(SYSTEM, instance).decode()
    assert "Şehir Hastanesi" in metadata
    assert "private" not in metadata

    from io import BytesIO

    from pydicom import dcmread

    out = dcmread(BytesIO(archive.retrieval.part10(SYSTEM, instance).read()))
    assert (out.InstitutionName, out.Modality, "PatientComments" in out) == ("Şehir Hastanesi", "PT", False)
    assert out.PixelData == bytes(range(256)) * 2


def test_metadata_and_object_say_the_same_of_every_kind_of_coerced_value(open_archive: Open) -> None:
    archive = open_archive()
    given = {
        "ImageType": "DERIVED\\\\AXIAL",
        "ImageComments": "a\\b\r\nc",
        "OperatorsName": "Yilmaz^Ayşe\\B^C=D",
        "PatientWeight": "72.50",
        "SeriesNumber": "007",
        "StudyDate": "20240229",
        "InstitutionName": "",
    }
    archive.peers.add(SYSTEM, Peer("SCANNER", coercion=Coercion(set=tuple(given.items()))))
    put(archive, part10(ct()), source="SCANNER")
    (instance,) = archive.retrieval.instances(SYSTEM, Selection())
    whole = archive.retrieval.part10(SYSTEM, instance).read()
    elements = scan(whole, read_file_meta(whole)).elements
    metadata = orjson.loads(archive.retrieval.metadata(SYSTEM, instance))
    tags = [f"{tag_for_keyword(keyword):08X}" for keyword in given]
    assert {tag: metadata[tag] for tag in tags} == {tag: elements[tag] for tag in tags}
    assert metadata["00080008"]["Value"] == ["DERIVED", None, "AXIAL"]
    assert metadata["00204000"]["Value"] == ["a\\b\r\nc"]
    assert [name["Alphabetic"] for name in metadata["00081070"]["Value"]] == ["Yilmaz^Ayşe", "B^C"]
    assert metadata["00080080"] == {"vr": "LO"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"SOPInstanceUID": "../../etc/passwd"}, "SOPInstanceUID is not a UID"),
        ({"StudyInstanceUID": "1.2." + "3" * 62}, "StudyInstanceUID is longer than 64"),
        ({"SeriesInstanceUID": "1.2.a"}, "SeriesInstanceUID is not a UID"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_malformed_uid_is_refused_by_name(open_archive: Open, changes: dict[str, str], error: str) -> None:
    archive = open_archive()
    ds = ct()
    data = part10(ds)
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    data = part10(ds)

    with pytest.raises(CannotUnderstand, match=error):
        put(archive, data)

    assert list(archive.blobs.names("studies")) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_uid_with_two_values_is_refused(open_archive: Open) -> None:
    archive = open_archive()
    with pytest.raises(CannotUnderstand, match="StudyInstanceUID has more than one value"):
        put(archive, part10(ct(StudyInstanceUID=["1.2.3", "1.2.4"])))


@pytest.mark.parametrize("sop_class", ["1.2.3.4.5", "1.2.840.10008.1.3.10", "1.2.840.10008.1.1"])
def test_what_is_no_storage_class_is_refused_at_every_door(open_archive: Open, sop_class: str) -> None:
    with pytest.raises(SOPClassNotSupported):
        put(open_archive(), part10(ct(SOPClassUID=sop_class)))


def test_an_unknown_storage_class_is_kept_where_the_setting_allows_it(open_archive: Open) -> None:
    archive = open_archive(dimse={"unknown_sop_classes": True})
    assert put(archive, part10(ct(SOPClassUID="1.2.3.4.5"))).outcome is Outcome.STORED
    with pytest.raises(SOPClassNotSupported):
        put(archive, part10(ct(SOPClassUID="1.2.840.10008.1.3.10")))


def test_an_unknown_transfer_syntax_is_refused(open_archive: Open) -> None:
    data = part10(ct()).replace(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x14\x001.2.840.99999.1.2.1\0", 1)
    with pytest.raises(SyntaxNotSupported):
        put(open_archive(), data)


def test_pixel_data_in_another_form_than_the_transfer_syntax_says_is_refused(open_archive: Open) -> None:
    native = part10(ct()).replace(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x14\x001.2.840.10008.1.2.5\0", 1)
    with pytest.raises(CannotUnderstand, match="pixel data is native"):
        put(open_archive(), native)


def test_a_data_set_that_disagrees_with_its_command_is_refused(open_archive: Open) -> None:
    archive = open_archive()
    arrival = Arrival(Door.IMPORT, sop_instance_uid="1.2.3")
    incoming = archive.store.open(SYSTEM, arrival)
    incoming.write(part10(ct()))
    with pytest.raises(Mismatch):
        archive.store.accept(incoming, SYSTEM, arrival)


def test_below_the_set_free_space_stores_are_refused_while_reads_go_on(open_archive: Open) -> None:
    archive = open_archive()
    put(archive, part10(ct()))
    full = open_archive(storage={"min_free": 1 << 60})

    with pytest.raises(OutOfResources):
        put(full, part10(ct()))

    (instance,) = full.retrieval.instances(SYSTEM, Selection())
    assert full.retrieval.part10(SYSTEM, instance).size == instance.size
    assert not full.status.readiness().ready


def test_enforced_mode_denies_what_no_right_allows(open_archive: Open) -> None:
    archive = open_archive(security={"mode": "enforced"})
    reader = Actor(ActorKind.USER, "reader", frozenset({Action.QUERY}))

    with pytest.raises(NotAuthorized):
        archive.store.open(reader, Arrival(Door.STOW))
    with pytest.raises(NotAuthorized):
        archive.retrieval.instances(reader, Selection())


def test_a_selection_of_very_many_uids_is_answered(open_archive: Open) -> None:
    """More than the parameters that a statement may have in either database."""
    archive = open_archive()
    accepted = put(archive, part10(ct()))
    many = (*(f"1.2.3.{number}" for number in range(70_000)), accepted.sop_instance_uid)

    (found,) = archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=many))

    assert found.sop_instance_uid == accepted.sop_instance_uid


def test_an_instance_is_not_found_under_another_study(open_archive: Open) -> None:
    archive = open_archive()
    uid = put(archive, part10(ct())).sop_instance_uid
    assert archive.retrieval.instances(SYSTEM, Selection(study_uids=("1.2.3",), sop_instance_uids=(uid,))) == ()
    assert archive.retrieval.instances(SYSTEM, Selection(series_uids=("1.2.3",), sop_instance_uids=(uid,))) == ()


def test_the_log_says_which_instance_was_refused_and_from_where(
    open_archive: Open, caplog: pytest.LogCaptureFixture
) -> None:
    archive = open_archive()
    good = ct()
    put(archive, part10(good))
    good.PatientName, good.PatientComments = "Gizli^Hasta", "other content"
    strange = ct(PatientID="G-48151623")
    named = Arrival(Door.C_STORE, "CT1", "10.0.0.7", CTImageStorage, "1.2.3.4", "", ExplicitVRLittleEndian)
    for data, arrival in (
        (part10(good), Arrival(Door.STOW, "ayse", "10.0.0.8")),
        (part10(strange)[:-10], Arrival(Door.IMPORT)),
        (part10(strange).replace(strange.StudyInstanceUID.encode(), b"G" * len(strange.StudyInstanceUID)), named),
        (b"\xff" * 300_000, Arrival(Door.STOW)),
        (b"", Arrival(Door.STOW)),
    ):
        incoming = archive.store.open(SYSTEM, arrival)
        incoming.write(data)
        with pytest.raises(VnaError):
            archive.store.accept(incoming, SYSTEM, arrival)

    told = [
        [vars(record).get(name) for name in ("source", "address", "study_instance_uid", "sop_instance_uid")]
        for record in caplog.records
        if record.message == "instance refused"
    ]
    assert told == [
        ["ayse", "10.0.0.8", good.StudyInstanceUID, good.SOPInstanceUID],
        ["", "", strange.StudyInstanceUID, strange.SOPInstanceUID],
        ["CT1", "10.0.0.7", None, "1.2.3.4"],
        ["", "", None, None],
        ["", "", None, None],
    ]
