"""The patient identity feed: what becomes known, what is merged, what is refused (ITI TF-2 3.8)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.archives import Open, rows
from tests.hl7.conftest import Feed
from tests.hl7.messages import DOMAIN, adt, cx, encoded
from vna.app.doors import hl7_dispatch
from vna.model.access import SYSTEM
from vna.model.errors import Conflict
from vna.model.events import EventKind

ACCEPTED = ("AA", "", "")


def known(feed: Feed) -> dict[str, str]:
    """Every identifier, and what it was merged into."""
    found = rows(
        feed.archive,
        "select p.value, s.value from patient_identifiers p left join patient_identifiers s on s.id = p.merged_into",
    )
    return {str(value): str(into or "") for value, into in found}


def happened(feed: Feed) -> list[tuple[object, ...]]:
    return rows(feed.archive, "select kind, actor from events where kind like 'patient.%' order by id")


def is_known(feed: Feed, value: str) -> bool:
    with feed.archive.database.read() as connection:
        family = feed.archive.patients.known(connection, cx(value))
    return family is not None and bool(family.keys)


def test_a_patient_becomes_known(feed: Feed) -> None:
    for number, event in enumerate(("A01", "A04", "A05", "A01^ADT_A01")):
        for version in ("2.3.1", "2.5"):
            assert feed(adt(event, cx(f"P{number}"), version=version))[0] == "AA"
        assert is_known(feed, f"P{number}")
    assert happened(feed) == [(EventKind.PATIENT_REGISTERED.value, "HIS")] * 4


def test_the_same_message_twice_is_harmless(feed: Feed) -> None:
    assert [feed(adt()), feed(adt())] == [ACCEPTED] * 2
    assert feed(adt("A05", cx("P2"))) == ACCEPTED
    assert [feed(adt("A40", cx("P2"), mrg=cx("P1"))) for _ in range(2)] == [ACCEPTED] * 2
    assert [kind for kind, _ in happened(feed)] == ["patient.registered", "patient.registered", "patient.merged"]


def test_only_identifiers_of_the_affinity_domain_are_kept(feed: Feed) -> None:
    others = f"77^^^LOCAL~88^^^&1.2.3&ISO~99~{cx('P1')}~66^^^KIMLIK&1.2.3&ISO~55^^^&example.org&DNS"
    assert feed(adt("A01", others)) == ACCEPTED
    assert known(feed) == {"P1": ""}


def test_the_oid_is_filled_in_where_only_the_namespace_is_sent(feed: Feed) -> None:
    oid = DOMAIN
    for pid in ("N1^^^KIMLIK", "N1^^^kimlik^PI", f"N1^^^KIMLIK&{oid}&ISO", f"N1^^^&{oid}", " N1 ^^^KIMLIK"):
        assert feed(adt("A04", pid)) == ACCEPTED
    assert rows(feed.archive, "select value, authority from patient_identifiers") == [("N1", DOMAIN)]


def test_a_namespace_means_nothing_where_none_is_configured(open_archive: Open) -> None:
    archive = open_archive(xds={"affinity_domain": DOMAIN})
    feed = Feed(archive, hl7_dispatch(archive))
    assert feed(adt("A04", "N1^^^KIMLIK")) == ("AE", "204", "PID-3")
    assert feed(adt("A04", "N1^^^")) == ("AE", "204", "PID-3")


def test_without_an_affinity_domain_every_oid_is_kept(open_archive: Open) -> None:
    archive = open_archive()
    feed = Feed(archive, hl7_dispatch(archive))
    assert feed(adt("A04", "1^^^&1.2.3&ISO~2^^^&1.2.4&ISO~3^^^LOCAL")) == ACCEPTED
    assert feed(adt("A40", "5^^^&1.2.3&ISO~6^^^&1.2.4&ISO", mrg="1^^^&1.2.3&ISO~2^^^&1.2.4&ISO")) == ACCEPTED
    assert known(feed) == {"1": "5", "2": "6", "5": "", "6": ""}


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (adt("A04", ""), ("AE", "101", "PID-3")),
        (adt("A04", "77^^^LOCAL"), ("AE", "204", "PID-3")),
        (adt("A04", f"^^^&{DOMAIN}&ISO"), ("AE", "102", "PID-3")),
        (adt("A04", cx('""')), ("AE", "102", "PID-3")),  # what HL7 writes for an empty value
        (adt("A04", cx("x" * 300)), ("AE", "102", "PID-3")),
        (adt("A04", cx(r"a\T\b")), ("AE", "102", "PID-3")),
        (adt("A04").replace("PID|", "ZID|"), ("AE", "100", "PID")),
        (adt("A08").replace("PID|", "ZID|"), ("AE", "100", "PID")),
        (adt("A40"), ("AE", "100", "MRG")),
        (adt("A40", mrg=""), ("AE", "101", "MRG-1")),
        (adt("A40", mrg="7^^^LOCAL"), ("AE", "204", "MRG-1")),
        (adt("A40", "7^^^LOCAL", mrg=cx("P1")), ("AE", "204", "PID-3")),
        (adt("A40", mrg=cx("P1")), ("AE", "102", "")),  # into itself
        (adt("A40", mrg=cx("NOBODY")), ("AE", "204", "")),
        (adt("A40", mrg=f"{cx('X')}~{cx('Y')}"), ("AE", "102", "MRG-1")),
        (adt("A40", mrg=cx("X")) + f"PID|||{cx('P3')}\rMRG|{cx('P4')}\r", ("AE", "100", "MRG")),
        (adt("A03"), ("AR", "201", "MSH-9")),
        (adt("A04").replace("ADT^A04", "ADT"), ("AR", "201", "MSH-9")),
        (adt("T02").replace("ADT^", "MDM^"), ("AR", "200", "MSH-9")),
        (adt("A04").replace("ADT^A04", ""), ("AR", "101", "MSH-9")),
        (adt(version="3.0"), ("AR", "203", "MSH-12")),
        (adt(version="2.2"), ("AR", "203", "MSH-12")),
        (adt(version=""), ("AR", "203", "MSH-12")),
        (adt(processing="X"), ("AR", "202", "MSH-11")),
        (adt(control_id=""), ("AE", "101", "MSH-10")),
        (adt(charset="KLINGON"), ("AR", "103", "MSH-18")),
        (encoded(adt(name="Şahin"), "cp1254"), ("AR", "102", "MSH-18")),
        (encoded(adt(charset="ASCII", name="Şahin")), ("AR", "102", "MSH-18")),
        (adt() + "and then\r", ("AR", "100", "")),
        (b"hello", ("AR", "100", "")),
        (b"", ("AR", "100", "")),
        (b"FHS|^~\\&|A\rMSH|^~\\&|", ("AR", "100", "")),
        (b"\xff\xfeM\x00S\x00H\x00|\x00", ("AR", "100", "")),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(
    empty_feed: Feed, message: str | bytes, answer: tuple[str, ...]
) -> None:
    assert empty_feed(message) == answer
    assert known(empty_feed) == {}
    assert happened(empty_feed) == []


def test_an_update_is_acknowledged_and_changes_nothing(feed: Feed) -> None:
    assert feed(adt("A08", cx("P1"))) == ACCEPTED
    assert known(feed) == {}


def test_who_was_merged_is_the_other_from_then_on_and_refused_afterwards(feed: Feed) -> None:
    for value in ("A", "B"):
        feed(adt("A04", cx(value)))
    assert feed(adt("A40", cx("B"), mrg=cx("A"))) == ACCEPTED
    assert known(feed) == {"A": "B", "B": ""}
    assert not is_known(feed, "A")
    assert is_known(feed, "B")
    assert feed(adt("A04", cx("A"))) == ("AE", "204", "")
    with feed.archive.database.transaction() as connection:
        assert feed.archive.patients.admit(connection, SYSTEM, cx("A")) is None


def test_merges_make_chains_and_never_rings(feed: Feed) -> None:
    for value in ("A", "B", "C"):
        feed(adt("A04", cx(value)))
    assert feed(adt("A40", cx("B"), mrg=cx("A"))) == ACCEPTED
    assert feed(adt("A40", cx("C"), mrg=cx("B"))) == ACCEPTED
    with feed.archive.database.read() as connection:
        family = feed.archive.patients.known(connection, cx("C"))
    assert family is not None
    assert len(family.keys) == 3
    for survivor, merged in (("A", "C"), ("A", "B"), ("B", "C"), ("D", "A")):
        assert feed(adt("A40", cx(survivor), mrg=cx(merged))) == ("AE", "204", "")
    assert feed(adt("A40", cx("C"), mrg=cx("A"))) == ACCEPTED  # so it is
    assert known(feed) == {"A": "B", "B": "C", "C": ""}


def test_the_survivor_need_not_be_known_before(feed: Feed) -> None:
    feed(adt("A04", cx("A")))
    assert feed(adt("A40", cx("NEW"), mrg="A^^^KIMLIK")) == ACCEPTED
    assert known(feed) == {"A": "NEW", "NEW": ""}


def test_merges_at_the_same_time_leave_no_ring(feed: Feed) -> None:
    values = ["A", "B", "C", "D"]
    for value in values:
        feed(adt("A04", cx(value)))
    merges = [adt("A40", cx(values[(n + 1) % 4]), mrg=cx(values[n])) for n in range(4)] * 3
    with ThreadPoolExecutor(8) as pool:
        codes = [code for code, _, _ in pool.map(feed, merges)]
    into = known(feed)
    assert sum(not survivor for survivor in into.values()) >= 1
    assert "AA" in codes
    for value in values:
        seen = set()
        while value:
            assert value not in seen
            seen.add(value)
            value = into[value]


def test_the_same_patient_from_many_at_once_is_made_known_once(feed: Feed) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(feed, [adt("A04", cx("P1"))] * 40)) == {ACCEPTED}
    assert len(happened(feed)) == 1


def test_the_feed_speaks_turkish_in_any_of_its_character_sets(feed: Feed) -> None:
    for term, codec in (("8859/9", "iso8859-9"), ("UNICODE UTF-8", "utf-8"), ("Windows1254", "cp1254")):
        assert feed(encoded(adt("A04", cx(f"Ş-{codec}"), charset=term, name="Çağlar^Gül"), codec)) == ACCEPTED
    assert sorted(known(feed)) == ["Ş-cp1254", "Ş-iso8859-9", "Ş-utf-8"]


def test_nothing_of_a_patient_is_in_the_log(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for message in (adt("A04", "SECRETID^^^LOCAL"), adt("A40", cx("SECRETID"), mrg=cx("SECRETID"))):
        feed(adt("A04", cx("SECRETID")))
        feed(message)
    told = caplog.text + repr([record.__dict__ for record in caplog.records])
    assert "message refused" in told
    assert "SECRETID" not in told
    assert "Deneme" not in told


def test_only_known_sources_may_feed_in_enforced_mode(open_archive: Open) -> None:
    from vna.model.sources import Source

    archive = open_archive(security={"mode": "enforced"}, xds={"affinity_domain": DOMAIN})
    feed = Feed(archive, hl7_dispatch(archive))
    assert feed(adt(), "10.0.0.7")[:2] == ("AR", "207")
    archive.sources.add(SYSTEM, Source("his", "HIS", "hospital", ("10.0.0.0/24", "::1"), "34001"))

    assert feed(adt(), "10.0.0.7") == ACCEPTED
    assert feed(adt(application="his"), "::ffff:10.0.0.9") == ACCEPTED
    assert feed(adt(), "::1") == ACCEPTED
    for message, address in (
        (adt(), "10.0.1.7"),
        (adt(application="OTHER"), "10.0.0.7"),
        (adt(facility="OTHER"), "10.0.0.7"),
        (adt(), "nonsense"),
    ):
        assert feed(message, address) == ("AR", "207", "")
    assert not archive.sources.admits("10.0.1.7")
    assert archive.sources.admits("10.0.0.7")
    assert rows(archive, "select actor from events where kind = 'patient.registered'") == [("his",)]
    archive.sources.remove(SYSTEM, "his")
    assert feed(adt(), "10.0.0.7")[:2] == ("AR", "207")


def test_a_patient_that_was_merged_cannot_be_registered_again(feed: Feed) -> None:
    feed.archive.patients.register(SYSTEM, cx("A"))
    assert feed.archive.patients.merge(SYSTEM, cx("A"), cx("B"))
    assert not feed.archive.patients.merge(SYSTEM, cx("A"), cx("B"))
    with pytest.raises(Conflict):
        feed.archive.patients.register(SYSTEM, cx("A"))
