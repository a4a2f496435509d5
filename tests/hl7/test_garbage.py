"""Whatever the fields of orders and reports hold: an answer always comes, and what is refused leaves nothing."""

# ruff: noqa: RUF001 (Turkish letters)

from __future__ import annotations

from copy import deepcopy
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.archives import rows
from tests.hl7.conftest import Feed
from tests.hl7.national import PATIENT, Fields, group, header, observation, reported, segment
from vna.model.access import SYSTEM
from vna.model.errors import NotFound
from vna.model.orders import OrderKey

LEFT = ("orders", "events", "received_messages", "reports", "jobs")
SEGMENTS = ("PID", "PV1", "ORC", "OBR", "NTE", "DG1")
once = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
numbers = count()

values = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30),
    st.sampled_from(("", '""', "^", "&&&", "~~", "\\", "\\X00\\", "\\XZZ\\", "\x00", "9" * 5000, "A" * 70_000)),
)
changes = st.dictionaries(st.tuples(st.sampled_from((*SEGMENTS, "OBX", "MSH")), st.integers(1, 40)), values, max_size=6)


@pytest.fixture
def national(feed: Feed) -> Feed:
    feed.know("HBYS")
    return feed


def left(feed: Feed) -> list[object]:
    """How many rows there are of everything that a message could leave."""
    return [rows(feed.archive, f"select count(*) from {table}")[0][0] for table in LEFT]


def written(fields: dict[str, Fields], kind: str, doubled: list[str], missing: list[str]) -> bytes:
    names = ["MSH", *SEGMENTS, *(["OBX"] if kind == "ORU^R01" else [])]
    lines = [segment(name, fields[name]) for name in names if name not in missing]
    lines += [segment(name, fields[name]) for name in doubled if name in names]
    return ("\r".join(lines) + "\r").encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("kind", ["ORM^O01", "ORU^R01"])
def test_any_garbage_in_any_field_is_answered_and_what_is_refused_leaves_nothing(national: Feed, kind: str) -> None:
    @once
    @given(changes, st.lists(st.sampled_from(SEGMENTS), max_size=2), st.lists(st.sampled_from(SEGMENTS), max_size=1))
    def garbage(changed: dict[tuple[str, int], str], doubled: list[str], missing: list[str]) -> None:
        number = str(next(numbers))
        usual = reported(number) if kind == "ORU^R01" else group(number)
        fields = deepcopy(usual) | {"MSH": header(kind, f"G{number}"), "OBX": observation()}
        for (name, field), value in changed.items():
            if (name, field) != ("MSH", 1):
                fields[name][field] = value
        before = left(national)
        answer = national.raw(written(fields, kind, doubled, missing))
        code, words = answer.one("MSA").value(1), answer.one("MSA").value(3)
        assert code in ("AA", "AE", "AR")
        assert "the archive failed" not in words, (changed, doubled, missing)
        if code == "AA":
            assert left(national) != before
        else:
            assert answer.one("ERR").value(1, 4)
            assert left(national) == before, (words, changed, doubled, missing)

    garbage()


wrong = {
    ("PID", 4): ("V202", st.sampled_from("012345789").map(lambda digit: PATIENT[:-1] + digit)),
    ("PID", 7): ("V204", st.sampled_from(("1980", "19801301", "19800230", "yesterday", "80.01.02"))),
    ("PID", 8): ("V205", st.characters(categories=["L"], exclude_characters="FMUO").filter(lambda one: one != "~")),
    ("PV1", 19): ("0278", st.just("")),
    ("ORC", 1): ("V301", st.sampled_from(("", "NWX", "OK", "nw!", "RP"))),
    ("ORC", 2): ("V30", st.text("ABC123", min_size=17, max_size=40) | st.sampled_from(("9998", "9999", "A\\E\\B"))),
    ("ORC", 9): ("V305", st.sampled_from(("2026", "20261330090000", "20261130250000", "now"))),
    ("ORC", 12): ("V306", st.sampled_from(("10000000213^HEKİM^DENEME", "DR^HEKİM^DENEME"))),
    ("ORC", 21): ("0054", st.sampled_from(("500060", "600001"))),
    ("OBR", 4): ("V30", st.sampled_from(("R1^Kısa^SUT", "R100250^BT^SUT^24725-5^CT Head^LNC"))),
    ("OBR", 24): ("V313", st.sampled_from(("", "C", "1", "12"))),
    ("OBR", 36): ("V314", st.sampled_from(("2026", "20261130240000", "tomorrow"))),
    ("NTE", 3): ("V319", st.sampled_from(("NTE0005^x", "NTE1^x", "x^y^TELETIP"))),
    ("DG1", 6): ("V318", st.sampled_from("BCXZ")),
}
"""Values that the table of docs/hl7.md does not have, and the beginning of the code that they are answered with."""


def test_what_breaks_the_table_is_never_accepted_whatever_else_is_wrong(national: Feed) -> None:
    @once
    @given(st.lists(st.sampled_from(sorted(wrong)), min_size=1, max_size=4, unique=True), st.data())
    def breaks(places: list[tuple[str, int]], data: st.DataObject) -> None:
        number = str(next(numbers))
        fields = deepcopy(group(number)) | {"MSH": header("ORM^O01", f"W{number}")}
        for place in places:
            fields[place[0]][place[1]] = data.draw(wrong[place][1], label=str(place))
        before = left(national)
        code, national_code, _ = national(written(fields, "ORM^O01", [], []))
        assert code == "AE"
        assert national_code.startswith(tuple(wrong[place][0] for place in places))
        assert left(national) == before
        with pytest.raises(NotFound):
            national.archive.national.orders.get(SYSTEM, OrderKey("500059", number))

    breaks()
