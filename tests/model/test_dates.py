"""Dates and times have one normal form, and ranges of it."""

# ruff: noqa: RUF001 (letters that look alike are what this is about)

import pytest

from vna.model import dates
from vna.model.dates import Span


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("20230105", "20230105"),
        (" 20230105\0", "20230105"),
        ("1997.07.04", "19970704"),
        ("1997-07-04", "19970704"),
        ("20240229", "20240229"),
        ("20230229", ""),
        ("20231301", ""),
        ("00000000", ""),
        ("2023", ""),
        ("yesterday", ""),
        ("２０２３０１０５", ""),
        ("", ""),
    ],
)
def test_normal_date(text: str, normal: str) -> None:
    assert dates.normal_date(text) == normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("10", "100000.000000"),
        ("1030", "103000.000000"),
        ("10:30", "103000.000000"),
        ("10:30:15.5", "103015.500000"),
        ("103015.123456", "103015.123456"),
        ("235960", "235960.000000"),
        ("2400", ""),
        ("1060", ""),
        ("103", ""),
        ("103015.", ""),
        ("noon", ""),
        ("", ""),
    ],
)
def test_normal_time(text: str, normal: str) -> None:
    assert dates.normal_time(text) == normal


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("20230105", Span("20230105", "20230105")),
        ("20230101-20230231", Span("20230101", "20230231", ranged=True)),
        ("20230101 - 20230105", Span("20230101", "20230105", ranged=True)),
        ("20230101-", Span("20230101", None, ranged=True)),
        ("-20230105", Span(None, "20230105", ranged=True)),
        ("2023.01.01-2023.01.05", Span("20230101", "20230105", ranged=True)),
        ("-", None),
        ("", None),
        ("20231", None),
        ("20231501", None),
        ("20230101-x", None),
    ],
)
def test_date_span(text: str, span: Span | None) -> None:
    assert dates.date_span(text) == span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1030", Span("103000.000000", "103059.999999")),
        ("10-11", Span("100000.000000", "115959.999999", ranged=True)),
        ("-1030", Span(None, "103059.999999", ranged=True)),
        ("103015.5-", Span("103015.500000", None, ranged=True)),
        ("10:30-10:45", Span("103000.000000", "104559.999999", ranged=True)),
        ("2500", None),
    ],
)
def test_time_span_means_the_whole_of_its_last_part(text: str, span: Span | None) -> None:
    assert dates.time_span(text) == span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2023", Span("20230101000000.000000", "20231231235959.999999")),
        ("202302", Span("20230201000000.000000", "20230228235959.999999")),
        ("2023010510", Span("20230105100000.000000", "20230105105959.999999")),
        ("20230105103000+0300", Span("20230105073000.000000", "20230105073000.999999")),
        ("2022-2023", Span("20220101000000.000000", "20231231235959.999999", ranged=True)),
        ("202301051030-0500", Span("20230105153000.000000", "20230105153059.999999")),
        ("202301051030-0500-", Span("20230105153000.000000", None, ranged=True)),
        ("-2023", Span(None, "20231231235959.999999", ranged=True)),
        ("20231301", None),
    ],
)
def test_datetime_span(text: str, span: Span | None) -> None:
    assert dates.datetime_span(text) == span


def test_ranges_of_date_and_time_join_only_in_the_same_form() -> None:
    days, hours = dates.date_span("20230101-20230105"), dates.time_span("1000-1800")
    assert days is not None
    assert hours is not None
    assert dates.joined(days, hours) == Span("20230101100000.000000", "20230105180059.999999", ranged=True)
    open_hours = dates.time_span("1000-")
    assert open_hours is not None
    assert dates.joined(days, open_hours) is None
    single = dates.date_span("20230101")
    assert single is not None
    assert dates.joined(single, hours) is None


def test_nothing_that_is_no_date_lies_in_a_range() -> None:
    assert not Span(None, "99999999").holds(dates.normal_date("unknown"))
