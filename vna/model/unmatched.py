"""What has found no counterpart: orders without images and images without an order, each with the reason."""

# ruff: noqa: RUF001 (Turkish letters)

from collections.abc import Mapping
from dataclasses import dataclass

from vna.model.matches import Outline


@dataclass(frozen=True, slots=True)
class Words:
    """A reason in the languages of those who read it."""

    turkish: str
    english: str


REASONS: Mapping[str, Words] = {
    "marker": Words(
        "Erişim numarası yerine işaret değeri girilmiş, eşleştirme yapılamaz",
        "The accession number is a marker, which is never matched",
    ),
    "no-study": Words("İstem geldi, bu erişim numarasıyla tetkik gelmedi", "No study with this accession number came"),
    "no-order": Words("Tetkik geldi, bu erişim numarasıyla istem gelmedi", "No order with this accession number came"),
    "no-accession": Words("Tetkikte erişim numarası yok", "The study has no accession number"),
    "patient-differs": Words(
        "Erişim numarası aynı, hasta kimliği farklı", "The accession number is the same, the patient is another one"
    ),
    "facility-differs": Words(
        "Erişim numarası ve dosya numarası aynı, kurum farklı",
        "Accession number and file number are the same, the facility is another one",
    ),
    "late": Words(
        "Birlikte çekilen tetkikin görüntüleri bu istemden önce geldi",
        "The images of the examination that this one was made with came before this order",
    ),
    "cancelled": Words("İstem iptal edilmiş", "The order was cancelled"),
    "released": Words("Eşleşme bir kullanıcı tarafından kaldırıldı", "A person took the match back"),
    "other-order": Words(
        "Aynı erişim numarasıyla tetkikin kurumuna ait başka istem eşleşti",
        "An order of the study's own facility has the same accession number and was matched",
    ),
}
"""Why something is unmatched, by code."""

QUARANTINED = Words("Karantinada, görüntüler gösterilmiyor", "In quarantine: nobody sees the images")


@dataclass(frozen=True, slots=True)
class UnmatchedOrder:
    """An order without images; `position` is where the next page begins."""

    position: str
    order: Outline
    requested_at: str
    sut_code: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnmatchedStudy:
    """A study without an order; `position` is where the next page begins, `is_quarantined` that nobody sees its
    images."""

    position: str
    study_instance_uid: str
    facility: str
    accession_number: str
    patient_id: str
    modalities: tuple[str, ...]
    study_date: str
    study_time: str
    reason: str
    is_quarantined: bool = False
