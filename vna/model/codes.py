"""Code tables of the national side: what a code is, and what facilities and radiologists are."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a list with its text; `values` are the other columns by name (`vna.teleradiology.code_lists`)."""

    code: str
    text: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """A column; empty where there is none."""
        return self.values.get(name, "")


@dataclass(frozen=True, slots=True)
class Facility:
    """A facility. Its codes are several, and none stands for another: `code` is the SKRS code, by which orders and
    images name it; `medula_code` is the payer's, `company_code` the vendor's (`FK...`), `software_code` the access code
    of its software (MSH-3), `stm_id` that of the tracking module."""

    code: str
    name: str = ""
    medula_code: str = ""
    company_code: str = ""
    software_code: str = ""
    stm_id: str = ""
    province: str = ""
    ownership: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Radiologist:
    """Who may approve reports, by national number."""

    number: str
    name: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """A version of a list that was loaded; of each list the one that was loaded last is in force."""

    list_name: str
    version: str
    codes: int
    loaded_by: str
    loaded_at: str
    in_force: bool
