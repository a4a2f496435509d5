"""Why an order is not complete, and which one word says how it stands.

Sentences of the national system are used where it has one for the case.
"""

# ruff: noqa: RUF001 (Turkish letters)

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How an order stands, in one word."""

    CANCELLED = "cancelled"
    DISCONTINUED = "discontinued"
    BLOCKED = "blocked"
    WAITING_FOR_IMAGES = "waiting for images"
    WAITING_FOR_REPORT = "waiting for report"
    WAITING_FOR_DOSE = "waiting for dose report"
    COMPLETE = "complete"
    NOTIFIED = "notified"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason in words; `status` is how an order stands that has no weightier one."""

    status: Status
    turkish: str
    english: str


REASONS: Mapping[str, Reason] = {
    "duplicate": Reason(
        Status.BLOCKED,
        "Tetkik istem nedeni girilmedi ( Radyolojik tetkik istem periyodu listesini kontrol ediniz )",
        "The same examination was made within its period, and no reason for repeating it was given",
    ),
    "unknown-repeat-reason": Reason(
        Status.BLOCKED,
        "Tekrar tetkik istem gerekçesi geçerli listede yok",
        "The reason for repeating the examination is not in the list in force",
    ),
    "not-looked": Reason(
        Status.BLOCKED,
        "İstemi yapan hekim önceki tetkikin görüntüsünü ya da raporunu açmadı",
        "The ordering doctor opened neither images nor report of the earlier examination",
    ),
    "not-queried": Reason(
        Status.BLOCKED,
        "İstemden önce mükerrer tetkik sorgulaması yapılmadı",
        "Earlier examinations were not asked for before the order",
    ),
    "no-loinc": Reason(Status.BLOCKED, "İstemde LOINC kodu yok", "The order has no LOINC code"),
    "unknown-radiologist": Reason(
        Status.BLOCKED,
        "Raporu onaylayan hekim radyolog listesinde yok",
        "Who approved the report is not in the list of radiologists",
    ),
    "no-images": Reason(
        Status.WAITING_FOR_IMAGES,
        "İstem geldi - Tetkik gelmedi yada eşleşmedi",
        "The order came; its images did not, or were not matched",
    ),
    "no-endoscopy-images": Reason(
        Status.WAITING_FOR_IMAGES,
        "Endoskopi görüntüsü ya da videosu gelmedi",
        "Neither images nor a video of the endoscopy came",
    ),
    "no-report": Reason(Status.WAITING_FOR_REPORT, "Rapor gelmedi", "No approved report came"),
    "no-dose": Reason(
        Status.WAITING_FOR_DOSE, "Doz raporu (Dose SR) gelmedi", "No radiation dose report (dose SR) came"
    ),
    "payer-not-told": Reason(
        Status.COMPLETE,
        "PV1-20 alanı Other gönderildiğinden Medulaya bildirim yapılmadı.",
        "The payer is not notified, because of the payer that the order names (PV1-20)",
    ),
    "payer-refused": Reason(
        Status.REFUSED, "Ödeyici kurum bildirimi kabul etmedi", "The payer refused the notification"
    ),
}
"""Every code of `Standing.reasons`, the weightiest first."""

NO_ORDER = Reason(
    Status.BLOCKED,
    "Tetkik geldi - İstem gelmedi yada eşleşmedi",
    "Images came; their order did not, or was not matched",
)
NOTHING = Reason(Status.BLOCKED, "İstem ve tetkik bilgisi bulunamadı", "Neither an order nor images are known")
"""What is said where there is no order that could have reasons."""

_RANK = {status: rank for rank, status in enumerate(Status)}
_ORDER = {code: rank for rank, code in enumerate(REASONS)}


def status_of(codes: Iterable[str]) -> Status:
    """The weightiest that any of these reasons has; complete without one."""
    found = [REASONS[code].status for code in codes]
    return min(found, key=_RANK.__getitem__, default=Status.COMPLETE)


def in_order(codes: Iterable[str]) -> tuple[str, ...]:
    """Each once, the weightiest first."""
    return tuple(sorted(set(codes), key=_ORDER.__getitem__))


def turkish(codes: Iterable[str]) -> list[str]:
    """The sentences of reasons in Turkish."""
    return [REASONS[code].turkish for code in codes if code in REASONS]


def english(codes: Iterable[str]) -> list[str]:
    """The sentences of reasons in English."""
    return [REASONS[code].english for code in codes if code in REASONS]
