"""The words of the tracking page, in Turkish and English."""

# ruff: noqa: RUF001 (Turkish letters)

from collections.abc import Mapping
from typing import Literal

from vna.teleradiology.listings import MOST, MOST_DAYS
from vna.teleradiology.reasons import Status

Language = Literal["tr", "en"]
LANGUAGES: tuple[Language, ...] = ("tr", "en")

_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Takip", "Tracking"),
    "subtitle": (
        "İstemlerin, görüntülerin, raporların ve bildirimlerin durumu",
        "How orders, images, reports and notifications stand",
    ),
    "other_language": ("English", "Türkçe"),
    "search": ("Ara", "Search"),
    "view": ("Liste", "List"),
    "orders": ("İstemler", "Orders"),
    "unmatched-orders": ("Eşleşmeyen istemler", "Unmatched orders"),
    "unmatched-studies": ("Eşleşmeyen tetkikler", "Unmatched studies"),
    "failed": ("Başarısız bildirimler", "Failed notifications"),
    "numbers": ("Erişim numaraları", "Accession numbers"),
    "numbers_hint": (
        "Her satıra bir numara; boşluk, virgül veya noktalı virgül de olur. En çok 500.",
        "One a line, or with spaces, commas or semicolons between. At most 500.",
    ),
    "patient": ("Hasta: T.C. kimlik veya dosya numarası", "Patient: national number or file number"),
    "facility": ("Kurum (SKRS kodu)", "Facility (SKRS code)"),
    "begin": ("Başlangıç tarihi", "From"),
    "end": ("Bitiş tarihi", "To"),
    "by": ("Tarih", "Date of"),
    "requested": ("istem", "ordering"),
    "scheduled": ("randevu", "appointment"),
    "modality": ("Modalite", "Modality"),
    "status": ("Durum", "Status"),
    "any": ("hepsi", "any"),
    "hint": (
        "Erişim numaralarını yapıştırın, ya da hasta numarası, ya da kurum ve tarih yazın.",
        "Paste accession numbers, or say a patient, or a facility and dates.",
    ),
    "nothing": ("Kayıt bulunamadı.", "Nothing was found."),
    "found": ("kayıt", "found"),
    "next": ("Sonraki sayfa", "Next page"),
    "more": (
        "Liste burada kesildi: daha kısa bir dönem seçin.",
        "The list is cut here: choose a shorter period.",
    ),
    "csv": ("CSV indir", "Download CSV"),
    "xlsx": ("Excel indir", "Download Excel"),
    "reprocess": ("Yeniden işle", "Process again"),
    "reprocessed": ("Yeniden işlendi:", "Processed again:"),
    "accession": ("Erişim no", "Accession"),
    "where": ("Kurum", "Facility"),
    "who": ("Hasta", "Patient"),
    "national_number": ("T.C. kimlik no", "National number"),
    "ordered": ("İstem zamanı", "Ordered"),
    "when": ("Randevu", "Appointment"),
    "sut": ("SUT", "SUT"),
    "reasons": ("Nedenler", "Reasons"),
    "reason": ("Neden", "Reason"),
    "images": ("Görüntü", "Images"),
    "report": ("Rapor", "Report"),
    "payer": ("Medula", "Payer"),
    "study_date": ("Tetkik tarihi", "Study date"),
    "study": ("Tetkik UID", "Study Instance UID"),
    "sent": ("Son gönderim", "Last sent"),
    "attempts": ("Deneme", "Attempts"),
    "code": ("Cevap kodu", "Response code"),
    "message": ("Cevap", "Response"),
    "action": ("İşlem", "Action"),
    "yes": ("var", "yes"),
    "no": ("yok", "no"),
    "told": ("bildirildi", "notified"),
    "not_told": ("bildirilmedi", "not notified"),
    "images alone": ("istem yok", "no order"),
    "unknown": ("kayıt yok", "unknown"),
    Status.CANCELLED: ("iptal edildi", "cancelled"),
    Status.DISCONTINUED: ("yarıda kesildi", "discontinued"),
    Status.BLOCKED: ("engellendi", "blocked"),
    Status.WAITING_FOR_IMAGES: ("görüntü bekleniyor", "waiting for images"),
    Status.WAITING_FOR_REPORT: ("rapor bekleniyor", "waiting for report"),
    Status.WAITING_FOR_DOSE: ("doz raporu bekleniyor", "waiting for dose report"),
    Status.COMPLETE: ("tamamlandı", "complete"),
    Status.NOTIFIED: ("bildirildi", "notified"),
    Status.REFUSED: ("reddedildi", "refused"),
    "not_done": ("İşlem yapılamadı", "Not done"),
    "malformed": ("bu değer geçersiz", "this is not understood"),
    "login": ("Bu sayfa için yetkiniz yok", "You have no right to this page"),
    "documents": ("Durum API", "Status API"),
}


_SENTENCES: Mapping[str, str] = {
    f"a period is at most {MOST_DAYS} days": f"bir dönem en çok {MOST_DAYS} gündür",
    "the period ends before it begins": "dönem başlamadan bitiyor",
    "a time looks like 2026-01-31T10:00:00, 2026-01-31 or 31.01.2026 10:00": (
        "tarih 2026-01-31, 31.01.2026 10:00 ya da 2026-01-31T10:00:00 biçiminde yazılır"
    ),
    "say a patient, accession numbers, or a facility with a period": (
        "hasta, erişim numaraları ya da kurum ile dönem yazın"
    ),
    "the facility has to be named": "kurum kodunu yazın",
    "what is asked is of another facility": "sorulan başka bir kurumundur",
    "no such order is known at this facility": "bu kurumda böyle bir istem yok",
    f"at most {MOST} accession numbers can be asked for at once": f"bir kerede en çok {MOST} erişim numarası sorulur",
    f"status is one of {', '.join(Status)}": "böyle bir durum yok",
    "after is what an answer gave as next": "listenin böyle bir sayfası yok",
}
"""What the page can be refused, in Turkish by the English sentence."""


class Words:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._place = LANGUAGES.index(language)

    def __getitem__(self, name: str) -> str:
        said = _WORDS.get(name)
        return said[self._place] if said is not None else name

    def sentence(self, english: str) -> str:
        """A sentence of a refusal, as it came where there is no other for it."""
        return _SENTENCES.get(english, english) if self.language == "tr" else english


def language_of(asked: str, accepted: str) -> Language:
    """What the address asks for, else the first of ours in Accept-Language (RFC 9110 12.5.4), else Turkish."""
    if asked in LANGUAGES:
        return "en" if asked == "en" else "tr"
    weighed: list[tuple[float, int, Language]] = []
    for place, part in enumerate(accepted.split(",")[:20]):
        tag, _, rest = part.strip().partition(";")
        main = tag.partition("-")[0].lower()
        if main in LANGUAGES:
            weighed.append((-_weight(rest), place, "en" if main == "en" else "tr"))
    return min(weighed)[2] if weighed and min(weighed)[0] < 0 else "tr"


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
