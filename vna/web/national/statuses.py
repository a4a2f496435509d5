"""How orders stand, in the numbers and the words of the national calls."""

# ruff: noqa: RUF001 (Turkish letters)

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from vna.model.notifications import Notification, NotificationState
from vna.model.order_queries import ListedStudy
from vna.model.orders import Order, OrderState, Standing
from vna.teleradiology.reasons import NO_ORDER, NOTHING, REASONS, turkish
from vna.teleradiology.tracking import Tracked
from vna.web.national.fields import iso, iso_moment
from vna.web.national.national_calls import OrderStatus

CANCELLED = "İstem iptal edildi"
_UNMATCHED = REASONS["no-images"].turkish
_NO_DOSE, _NOT_LOOKED = "no-dose", frozenset({"not-looked", "not-queried"})


class Told(NamedTuple):
    """A status as its number and its word."""

    number: int
    word: str


MATCHED, NOT_MATCHED, NOT_FOUND = Told(1, "Eşleşti"), Told(2, "Eşleşmedi"), Told(3, "Kayıt Bulunamadı")
FETCHED, NOT_FETCHED = Told(1, "Görüntü İndirildi"), Told(2, "Görüntü İndirilemedi")
REPEATED = Told(3, "Görüntü Tekrarı")
"""More than one study is matched with the order."""
SENT, NOT_SENT = Told(1, "Medulaya Gönderildi"), Told(2, "Medulaya Gönderilmedi")
REPORT_CAME, REPORT_MISSING = Told(1, "Rapor Geldi"), Told(2, "Rapor Gelmedi")
DOSE_CAME, DOSE_MISSING, DOSE_NOT_ASKED = Told(1, "Doz Geldi"), Told(2, "Doz Gelmedi"), Told(3, "Doz Gerekmiyor")
LOOKED, NOT_LOOKED = Told(1, "Sorgulandı"), Told(2, "Sorgulanmadı")
"""Numbers of dose and of looking before repeating are ours."""


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of an accession number at a facility: an order with what belongs to it, or images without
    one."""

    accession_number: str
    tracked: Tracked | None = None
    unordered: Sequence[ListedStudy] = ()

    @property
    def order(self) -> Order | None:
        """The order itself."""
        return self.tracked.known.order if self.tracked is not None else None

    @property
    def standing(self) -> Standing:
        """How it stands."""
        return self.tracked.known.standing if self.tracked is not None else Standing()

    @property
    def notification(self) -> Notification | None:
        """What the payer was told."""
        return self.tracked.notification if self.tracked is not None else None

    @property
    def studies(self) -> tuple[str, ...]:
        """The order's images, by their Study Instance UIDs."""
        return tuple(one.study_instance_uid for one in self.tracked.studies) if self.tracked is not None else ()

    @property
    def teletip(self) -> Told:
        """Whether order and images met."""
        if self.tracked is None:
            return NOT_MATCHED if self.unordered else NOT_FOUND
        return MATCHED if self.standing.matched else NOT_MATCHED

    @property
    def wado(self) -> Told:
        """Whether the images can be had."""
        if not self.standing.has_images:
            return NOT_FETCHED
        return REPEATED if len(self.studies) > 1 else FETCHED

    @property
    def medula(self) -> Told:
        """Whether the payer was told and accepted it."""
        told = self.notification
        return SENT if told is not None and told.state is NotificationState.ACCEPTED else NOT_SENT

    @property
    def report(self) -> Told:
        """Whether there is a report."""
        return REPORT_CAME if self.standing.has_report else REPORT_MISSING

    @property
    def dose(self) -> Told:
        """Whether there is a dose report."""
        if self.tracked is not None and self.tracked.doses:
            return DOSE_CAME
        return DOSE_MISSING if _NO_DOSE in self.standing.reasons else DOSE_NOT_ASKED

    @property
    def look(self) -> Told:
        """Whether earlier examinations were looked at as they had to be."""
        return NOT_LOOKED if self.tracked is None or _NOT_LOOKED & set(self.standing.reasons) else LOOKED

    @property
    def error(self) -> str:
        """What is wrong, in the words that clients look for; empty where nothing is."""
        if self.order is None:
            return NO_ORDER.turkish if self.unordered else NOTHING.turkish
        if self.order.state is OrderState.CANCELLED:
            return CANCELLED
        if not self.standing.matched:
            return _UNMATCHED
        return next(iter(turkish(self.standing.reasons)), "")


def order_status(known: Known, medula_code: str, zone: ZoneInfo) -> OrderStatus:
    """The answer of `GetOrderStatusForAccessionNumberList` for one number."""
    order, told, dose, look = known.order, known.notification, known.dose, known.look
    return OrderStatus(
        AccessionNumber=known.accession_number,
        CitizenId=order.patient.national_number if order is not None else None,
        TeletipStatus=known.teletip.word,
        TeletipStatusId=known.teletip.number,
        WadoStatus=known.wado.word,
        WadoStatusId=known.wado.number,
        MedulaStatus=known.medula.word,
        MedulaStatusId=known.medula.number,
        MedulaInstitutionId=medula_code,
        SutCode=order.sut.code if order is not None else None,
        LastMedulaSendDate=sent_at(told, zone) if told is not None else None,
        MedulaResponseCode=told.response_code if told is not None else None,
        MedulaResponseMessage=told.response_message if told is not None else None,
        ReportStatus=known.report.word,
        ReportStatusId=known.report.number,
        DoseStatus=dose.word,
        DoseStatusId=dose.number,
        ScheduleDate=iso(order.scheduled_at) if order is not None else None,
        PerformedDate=iso(known.standing.performed_at),
        PatientHistorySearchStatus=look.word,
        PatientHistorySearchStatusId=look.number,
        Error=known.error,
    )


def sent_at(told: Notification, zone: ZoneInfo) -> str | None:
    """When it was sent last, as local time."""
    return iso_moment(datetime.fromisoformat(told.last_sent_at), zone) if told.last_sent_at else None
