"""What is asked of lists of orders, and what stands in lists beside them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from vna.model.orders import KnownOrder

FIRST_MOMENT, LAST_MOMENT = "", "99999999999999"


@dataclass(frozen=True, slots=True)
class Period:
    """Local times from one to another, both included, as `vna.model.orders` writes them."""

    begin: str = FIRST_MOMENT
    end: str = LAST_MOMENT

    @classmethod
    def day(cls, day: str) -> "Period":
        """A whole day, `YYYYMMDD`."""
        return cls(f"{day}000000", f"{day}235959")

    def closed(self, days: int) -> "Period":
        """The same where both ends are said, or none; else the one that is not lies so many days from the other."""
        if (self.begin == FIRST_MOMENT) == (self.end == LAST_MOMENT):
            return self
        try:
            if self.end == LAST_MOMENT:
                return replace(self, end=_text(_moment(self.begin) + timedelta(days=days)))
            return replace(self, begin=_text(_moment(self.end) - timedelta(days=days)))
        except OverflowError:
            return self

    @property
    def days(self) -> float:
        """How long it is."""
        return (_moment(self.end) - _moment(self.begin)) / timedelta(days=1)

    def in_utc(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The same moments, and the end of its last second."""
        begin, end = (_moment(at).replace(tzinfo=zone).astimezone(UTC) for at in (self.begin, self.end))
        return begin, end + timedelta(seconds=1)


def _moment(text: str) -> datetime:
    if not text:
        return datetime(1900, 1, 1)  # noqa: DTZ001 (local)
    if text >= "9999":
        return datetime(9998, 12, 31)  # noqa: DTZ001
    return datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007


def _text(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S")


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Orders that are all of this; what is empty is not asked.

    `facility` is whose they are: it ordered or performs them. `requested` and `scheduled` are two times of an order, of
    which one may be asked.
    """

    facility: str = ""
    national_number: str = ""
    patient_id: str = ""
    accession_numbers: tuple[str, ...] = ()
    sut_codes: tuple[str, ...] = ()
    modality: str = ""
    status: str = ""
    requested: Period | None = None
    scheduled: Period | None = None


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a list an order stands: lists go from the newest to the oldest by the time that was asked, and by the
    number of the row where that is the same."""

    at: str
    number: int


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A piece of a list; `after` is where the next one begins, None at the end."""

    orders: tuple[KnownOrder, ...]
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class ListedStudy:
    """A study as lists of the national side have it; `study_date` is `YYYYMMDD`."""

    study_instance_uid: str
    facility: str
    accession_number: str
    study_date: str
    modalities: tuple[str, ...]
