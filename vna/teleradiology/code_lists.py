"""Which code lists there are, and by which names their columns come."""

# ruff: noqa: RUF001 (dotless i is what this is about)

from collections.abc import Mapping
from dataclasses import dataclass, field

_CODE = ("code", "KODU", "KOD")
_TEXT = ("name", "text", "ADI", "AD")
_ACTIVE = ("active", "AKTIF")


@dataclass(frozen=True, slots=True)
class CodeList:
    """A list: columns by our name, each with the names that files give it; the first name is ours.

    A column of a file that is not named here is kept under its own name. `alias` is a column by which a code is found
    as well, no two by the same, `digits` are columns of nothing but digits, `numbers` those that hold whole numbers,
    and `of_persons` says that codes are national numbers.
    """

    name: str
    describes: str
    code: tuple[str, ...] = _CODE
    text: tuple[str, ...] = _TEXT
    columns: tuple[tuple[str, ...], ...] = (_ACTIVE,)
    needed: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    digits: tuple[str, ...] = ()
    alias: str = ""
    of_persons: bool = False
    known_as: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        names = (("code", *self.code), ("text", *self.text), *((one[0], *one) for one in self.columns))
        known = {plain_name(name): ours for ours, *others in names for name in (ours, *others)}
        object.__setattr__(self, "known_as", known)


def plain_name(name: str) -> str:
    """The name of a column as it is compared: without spaces, underscores, case and dots on letters."""
    folded = name.replace("İ", "I").replace("ı", "i").upper()
    return "".join(character for character in folded if character.isalnum())


_SUT_CODE = ("code", "SUTKODU", "SUT KODU", "KODU", "KOD")

LISTS: Mapping[str, CodeList] = {
    one.name: one
    for one in (
        CodeList(
            "sut",
            "examinations of the payer's list (SUT)",
            code=_SUT_CODE,
            columns=(_ACTIVE, ("loinc", "LOINC KODU"), ("modality", "MODALITE")),
        ),
        CodeList(
            "loinc", "examinations by LOINC", code=(*_CODE, "LOINC", "LOINC_NUM"), text=(*_TEXT, "LONG_COMMON_NAME")
        ),
        CodeList(
            "facilities",
            "facilities by SKRS code, each with its other codes",
            code=(*_CODE, "skrs", "SKRS KODU", "KURUMKODU", "KURUM KODU"),
            text=(*_TEXT, "KURUMADI", "KURUM ADI"),
            columns=(
                _ACTIVE,
                ("medula_code", "MEDULA KODU", "MEDULATESISKODU", "SAGLIKTESISKODU", "SAĞLIKTESİSKODU"),
                ("company_code", "FIRMA KODU", "FIRMAKODU"),
                ("software_code", "YAZILIM ERISIM KODU", "YAZILIMKODU"),
                ("stm_id", "STM KURUM NO", "INSTITUTIONID"),
                ("province", "ILKODU", "IL"),
                ("ownership", "KURUMTIPI", "MULKIYET"),
                ("prefix", "TELETIPONEK"),
            ),
            digits=("medula_code",),
            alias="medula_code",
        ),
        CodeList(
            "periods",
            "how many months have to lie between two of an examination",
            code=_SUT_CODE,
            columns=(_ACTIVE, ("months", "ISTEMSURESI"), ("explanation", "ACIKLAMA")),
            needed=("months",),
            numbers=("months",),
        ),
        CodeList("reasons", "reasons for repeating an examination", columns=(_ACTIVE, ("english", "name_en"))),
        CodeList(
            "radiologists",
            "who may approve reports, by national number",
            code=(*_CODE, "number", "TCKN", "TCKIMLIKNO", "TC KIMLIK NO"),
            text=(*_TEXT, "ADI SOYADI", "AD SOYAD"),
            of_persons=True,
        ),
        CodeList(
            "devices",
            "imaging devices",
            code=(*_CODE, "device", "CIHAZ NO", "TELETIP ID"),
            columns=(
                _ACTIVE,
                ("facility", "KURUMKODU"),
                ("manufacturer", "URETICI"),
                ("model", "MODEL"),
                ("serial_number", "SERI NO"),
                ("ae_title", "AE"),
                ("modality", "MODALITE"),
            ),
        ),
        CodeList(
            "exemptions", "what a rule does not hold for, by device or facility; its columns are those of the rule"
        ),
        CodeList("clinics", "clinics", code=(*_CODE, "KLINIK KODU"), text=(*_TEXT, "KLINIK ADI")),
    )
}
"""Every list by its name. SKRS columns are named as that system names them."""

INACTIVE = frozenset({"0", "false", "hayir", "h", "no", "n"})
"""What the column `active` says of a code that holds no more."""


def is_active(value: str) -> bool:
    """What a cell of the column `active` means; an empty one is yes."""
    return value.strip().replace("İ", "i").replace("ı", "i").lower() not in INACTIVE
