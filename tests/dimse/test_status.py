"""Errors and the statuses that the standard has for them."""

from __future__ import annotations

import pytest

from dimse.status import RETRIEVE_STATUS, STORE_STATUS, is_warning, status_of
from vna.model import errors
from vna.model.comments import comment_of
from vna.model.errors import VnaError

OTHERWISE = 0x0110


@pytest.mark.parametrize(
    ("error", "status"),
    [  # PS3.4 Table B.2-1, PS3.7 9.1.1.1.9
        (errors.OutOfResources, 0xA700),
        (errors.TooLarge, 0xA700),
        (errors.Mismatch, 0xA900),
        (errors.CannotUnderstand, 0xC000),
        (errors.DuplicateInstance, 0x0111),
        (errors.BadRequest, 0x0117),
        (errors.NotAuthorized, 0x0124),
        (errors.Unavailable, 0x0110),
    ],
)
def test_what_stops_a_store_has_its_status(error: type[VnaError], status: int) -> None:
    assert status_of(error("why"), STORE_STATUS, OTHERWISE) == status


@pytest.mark.parametrize(
    ("error", "status"),
    [  # PS3.4 Tables C.4-2, C.4-3
        (errors.BadRequest, 0xA900),
        (errors.NotAuthorized, 0x0124),
        (errors.NotFound, 0xA801),
        (errors.OutOfResources, 0xA701),
        (errors.CannotUnderstand, 0xC000),
    ],
)
def test_what_stops_a_retrieval_has_its_status(error: type[VnaError], status: int) -> None:
    assert status_of(error("why"), RETRIEVE_STATUS, 0xC000) == status


def test_every_error_has_a_status_of_its_own_or_of_its_parent() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, VnaError)]
    raised = [kind("rule", "why") if kind is errors.RuleBroken else kind("why") for kind in kinds]
    unmapped = {type(error).__name__ for error in raised if status_of(error, STORE_STATUS, -1) == -1}
    assert unmapped == {"VnaError"}


def test_an_unexpected_error_says_nothing_of_itself() -> None:
    assert comment_of(ValueError("Ayşe^Deneme 12345678901")) == "processing failure"
    assert status_of(ValueError("x"), STORE_STATUS, OTHERWISE) == OTHERWISE


@pytest.mark.parametrize(
    ("status", "warns"), [(0xB000, True), (0xB007, True), (0x0107, True), (0, False), (0xA700, False)]
)
def test_warnings_are_told_from_failures(status: int, warns: bool) -> None:
    assert is_warning(status) is warns
