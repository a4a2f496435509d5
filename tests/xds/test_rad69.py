"""RAD-69: instances by study, series and instance, in a transfer syntax of the request, with an error for each that
cannot be given."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree
from pydicom.encaps import encapsulate
from pydicom.uid import EncapsulatedPDFStorage, generate_uid

from tests.archives import Open, put
from tests.objects import ct, part10
from tests.xds.imaging import EXPLICIT, IMPLICIT, JPEG_LOSSLESS, OID, Ask, ask, retrieve
from vna.app import Application
from vna.documents import imaging_source
from vna.model.access import SYSTEM, Action, Actor, ActorKind, Coercion, Peer
from vna.model.errors import NotAuthorized
from vna.soap.faults import SoapFault

VIDEO = "1.2.840.10008.1.2.4.102"
UNKNOWN = "XDSDocumentUniqueIdError"


@pytest.fixture
def archive(open_archive: Open) -> Application:
    return open_archive(xds={"repository_unique_id": OID})


def test_instances_come_as_they_are_stored_where_that_syntax_is_listed(archive: Application) -> None:
    study, series = generate_uid(), generate_uid()
    datasets = [ct(StudyInstanceUID=study, SeriesInstanceUID=series) for _ in range(3)]
    for ds in datasets:
        put(archive, part10(ds))

    answer = retrieve(archive, map(ask, datasets), [IMPLICIT, EXPLICIT])

    assert (answer.status, answer.errors) == ("Success", [])
    assert answer.files == {ds.SOPInstanceUID: part10(ds) for ds in datasets}


def test_others_are_made_in_the_first_listed_syntax_that_is_possible(archive: Application) -> None:
    ds = ct()
    put(archive, part10(ds))

    for syntaxes, expected in (
        (["1.2.3", IMPLICIT], IMPLICIT),
        ([JPEG_LOSSLESS, IMPLICIT], JPEG_LOSSLESS),
        (["1.2.840.10008.1.2.4.50", JPEG_LOSSLESS], JPEG_LOSSLESS),
    ):
        answer = retrieve(archive, [ask(ds)], syntaxes)
        assert answer.status == "Success"
        made = answer.dataset(ds.SOPInstanceUID)
        assert made.file_meta.TransferSyntaxUID == expected
        assert (made.pixel_array == ds.pixel_array).all()


def test_one_that_can_be_made_in_none_of_them_has_an_error_and_the_others_come(archive: Application) -> None:
    image, video = ct(), ct(PixelData=encapsulate([b"no real video"]))
    video["PixelData"].is_undefined_length = True
    put(archive, part10(image))
    put(archive, part10(video, VIDEO))

    for asked in ([image, video], [video, image]):
        answer = retrieve(archive, map(ask, asked), [VIDEO])
        assert (answer.status, answer.errors) == ("PartialSuccess", [("XDSRepositoryError", image.SOPInstanceUID)])
        assert answer.files == {video.SOPInstanceUID: part10(video, VIDEO)}
        assert EXPLICIT in answer.contexts[0]


def test_an_instance_without_pixels_comes_uncompressed_whatever_is_listed(archive: Application) -> None:
    ds = ct(SOPClassUID=EncapsulatedPDFStorage, Modality="DOC", EncapsulatedDocument=b"%PDF-1.4\r\n")
    del ds.PixelData
    put(archive, part10(ds, IMPLICIT))

    answer = retrieve(archive, [ask(ds)], [JPEG_LOSSLESS])

    assert answer.status == "Success"
    made = answer.dataset(ds.SOPInstanceUID)
    assert made.file_meta.TransferSyntaxUID == EXPLICIT
    assert made.EncapsulatedDocument == b"%PDF-1.4\r\n"


def test_what_is_corrected_comes_corrected(archive: Application) -> None:
    archive.peers.add(SYSTEM, Peer("CORRECTED", coercion=Coercion(set=(("PatientID", "P-77"),))))
    ds = ct()
    put(archive, part10(ds), source="CORRECTED")

    for syntax in (EXPLICIT, IMPLICIT):
        assert retrieve(archive, [ask(ds)], [syntax]).dataset(ds.SOPInstanceUID).PatientID == "P-77"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"instance": "1.2.3"}, UNKNOWN),
        ({"instance": ""}, UNKNOWN),
        ({"instance": "'; DROP TABLE instances; --"}, UNKNOWN),
        ({"series": "1.2.3"}, UNKNOWN),
        ({"study": "1.2.3"}, UNKNOWN),
        ({"repository": "1.2.3"}, "XDSUnknownRepositoryId"),
        ({"repository": ""}, "XDSUnknownRepositoryId"),
        ({"study": ""}, "XDSIRequestError"),
        ({"series": ""}, "XDSIRequestError"),
    ],
    ids=str,
)
def test_what_is_wrong_with_one_instance_is_said_of_it_and_the_others_come(
    archive: Application, changes: dict[str, str], code: str
) -> None:
    good, bad = ct(), ct()
    for ds in (good, bad):
        put(archive, part10(ds))

    alone = retrieve(archive, [ask(bad, **changes)])
    both = retrieve(archive, [ask(bad, **changes), ask(good)])

    location = changes.get("instance", bad.SOPInstanceUID)
    assert (alone.status, alone.errors, alone.files) == ("Failure", [(code, location)], {})
    assert (both.status, both.errors) == ("PartialSuccess", [(code, location)])
    assert both.files == {good.SOPInstanceUID: part10(good)}
    assert all(both.contexts)


def test_an_instance_of_another_study_is_not_found_through_this_one(archive: Application) -> None:
    one, other = ct(), ct()
    for ds in (one, other):
        put(archive, part10(ds))

    answer = retrieve(archive, [ask(one, study=other.StudyInstanceUID)])

    assert (answer.status, answer.errors) == ("Failure", [(UNKNOWN, one.SOPInstanceUID)])


@pytest.mark.parametrize("syntaxes", [[], [""]], ids=str)
def test_a_request_that_lists_no_syntax_fails(archive: Application, syntaxes: list[str]) -> None:
    ds = ct()
    put(archive, part10(ds))

    answer = retrieve(archive, [ask(ds)], syntaxes)

    assert (answer.status, [code for code, _ in answer.errors]) == ("Failure", ["XDSRepositoryError"])


def test_an_instance_that_is_asked_for_twice_comes_once(archive: Application) -> None:
    ds = ct()
    put(archive, part10(ds))

    answer = retrieve(archive, [ask(ds)] * 3 + [ask(ds, instance="1.2.3")] * 2)

    assert list(answer.files) == [ds.SOPInstanceUID]
    assert answer.errors == [(UNKNOWN, "1.2.3")]


def test_the_community_is_given_back(archive: Application) -> None:
    ds = ct()
    put(archive, part10(ds))

    assert retrieve(archive, [ask(ds, home="urn:oid:1.2.9")]).homes == ["urn:oid:1.2.9"]


def test_deleted_instances_are_not_given(archive: Application) -> None:
    ds = ct()
    put(archive, part10(ds))
    archive.deletion.delete(SYSTEM, ds.StudyInstanceUID)

    assert retrieve(archive, [ask(ds)]).errors == [(UNKNOWN, ds.SOPInstanceUID)]


def test_whoever_came_by_an_access_link_is_given_its_study_alone(archive: Application) -> None:
    own, other = ct(), ct()
    for ds in (own, other):
        put(archive, part10(ds))
    visitor = Actor(ActorKind.LINK, "link", frozenset({Action.RETRIEVE}), study_instance_uid=own.StudyInstanceUID)

    assert retrieve(archive, [ask(own)], actor=visitor).status == "Success"
    for asked in ([ask(other)], [ask(own), ask(other)], [ask(own, study="")]):
        with pytest.raises(NotAuthorized):
            retrieve(archive, asked, actor=visitor)


def test_more_instances_than_are_given_at_once_are_refused(
    archive: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imaging_source, "MOST_INSTANCES", 5)

    answer = retrieve(archive, [Ask("1.2", "1.3", f"1.4.{n}") for n in range(6)])

    assert (answer.status, answer.errors) == ("Failure", [("XDSRepositoryOutOfResources", "")])


def test_when_there_is_no_time_left_instances_are_transcoded_at_their_turn(
    archive: Application, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(imaging_source, "_PATIENCE", -1.0)
    ds = ct()
    put(archive, part10(ds))

    answer = retrieve(archive, [ask(ds)], [IMPLICIT], folder=tmp_path)

    assert answer.status == "Success"
    assert answer.dataset(ds.SOPInstanceUID).file_meta.TransferSyntaxUID == IMPLICIT


@pytest.mark.parametrize("name", ["RetrieveDocumentSetRequest", "x"])
def test_a_body_that_is_something_else_is_a_fault(archive: Application, name: str) -> None:
    from storage.scratch import Scratch
    from vna.soap.message import Message
    from vna.soap.versions import Version
    from xds import imaging_source as door
    from xds import rad69

    message = Message(Version.SOAP12, rad69.ACTION, "1", etree.Element(name), scratch=Scratch(Path("/tmp")))
    with pytest.raises(SoapFault, match=name):
        door.operations(archive.imaging)[rad69.ACTION](message, SYSTEM)
