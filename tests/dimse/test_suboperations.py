"""Counts and final statuses of sub-operations, against PS3.4 Tables C.4-2 and C.4-3 written down by hand."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_MOVE
from pynetdicom.dsutils import decode

from dimse.suboperations import Reports, Tally
from vna.model.destination import Encoded, Item, Sent, Verdict

D, W, F = Verdict.COMPLETED, Verdict.WARNING, Verdict.FAILED


def never(_: Sequence[str]) -> Encoded:
    raise AssertionError("nothing is to be read here")


def tally(total: int, *verdicts: Verdict) -> Tally:
    made = Tally(total)
    for number, verdict in enumerate(verdicts):
        made.add(Sent(Item("1.2", f"1.2.{number}", "1.2", never), verdict, None, f"why {number}"))
    return made


@pytest.mark.parametrize(
    ("total", "ended", "cancelled", "status"),
    [
        (0, (), False, 0x0000),
        (2, (D, D), False, 0x0000),
        (2, (D, W), False, 0xB000),
        (2, (W, W), False, 0xB000),
        (2, (D, F), False, 0xB000),
        (2, (W, F), False, 0xB000),
        (2, (F, F), False, 0xA702),
        (3, (D,), True, 0xFE00),
        (3, (F,), True, 0xFE00),
        (2, (D, D), True, 0x0000),
        (0, (), True, 0x0000),
    ],
)
def test_the_final_status_follows_from_the_counts(
    total: int, ended: tuple[Verdict, ...], cancelled: bool, status: int
) -> None:
    assert tally(total, *ended).final_status(cancelled=cancelled) == status


class Line:
    """Takes responses."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.dimse = SimpleNamespace(send_msg=lambda response, _: self.sent.append(response))
        self.standing = True

    def stands(self) -> bool:
        return self.standing


def reports(line: Line, clock: list[float], syntax: str = "1.2.840.10008.1.2") -> Reports:
    request = C_MOVE()
    request.MessageID, request.AffectedSOPClassUID = 7, "1.2.840.10008.5.1.4.1.2.2.2"
    context = SimpleNamespace(context_id=1, transfer_syntax=[UID(syntax)])
    return Reports(cast("Any", line), request, cast("Any", context), clock=lambda: clock[0])


def test_pending_responses_are_a_tenth_of_a_second_apart() -> None:
    line, clock = Line(), [0.0]
    made, counts = reports(line, clock), tally(100)
    for step in range(100):
        clock[0] = step * 0.03
        made.pending(counts)
    assert len(line.sent) == 25
    assert {response.Status for response in line.sent} == {0xFF00}
    assert {response.MessageIDBeingRespondedTo for response in line.sent} == {7}


def test_a_sign_of_life_comes_only_after_long_silence() -> None:
    line, clock = Line(), [0.0]
    made, counts = reports(line, clock), tally(2)
    made.pending(counts)
    for second in range(1, 12):
        clock[0] = second
        made.alive(counts)
    assert len(line.sent) == 3


def test_nothing_is_pending_when_nothing_remains() -> None:
    line = Line()
    reports(line, [0.0]).pending(tally(1, D))
    assert not line.sent


def test_a_requestor_that_is_gone_is_told_nothing() -> None:
    line = Line()
    line.standing = False
    made = reports(line, [0.0])
    made.final(tally(1, D), cancelled=False)
    made.refused(0xA900, "no")
    assert not line.sent


def test_counts_that_no_field_can_hold_are_cut() -> None:
    line = Line()
    reports(line, [0.0]).pending(tally(70_000))
    assert line.sent[0].NumberOfRemainingSuboperations == 0xFFFF


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_the_list_of_what_failed_can_be_read_however_long(syntax: str) -> None:
    line = Line()
    made = Tally(3000)
    for number in range(3000):
        made.add(Sent(Item("1.2", f"1.2.826.0.1.3680043.10.{number:040}", "1.2", never), F))
    reports(line, [0.0], syntax).final(made, cancelled=False)
    (response,) = line.sent
    listed = decode(response.Identifier, syntax.endswith("1.2"), not syntax.endswith("1.2.2")).FailedSOPInstanceUIDList
    assert response.NumberOfFailedSuboperations == 3000
    assert listed[0] == made.failed_uids[0]
    assert len(listed) == 3000 if syntax == "1.2.840.10008.1.2" else 900 < len(listed) < 1100


def test_an_error_comment_is_an_lo() -> None:
    line = Line()
    reports(line, [0.0]).refused(0xC000, "back\\slash and Ayşe " + "x" * 100)
    comment = line.sent[0].ErrorComment
    assert len(comment) == 64
    assert comment.startswith("back/slash and Ay?e x")
