"""Whose study it is: the facility code, by the first rule that answers."""

import re

from storage.elements import text
from storage.metadata import Element
from vna.model.access import Actor

_NATIONAL = re.compile(r"\^+\s*SKRS\s*(?P<code>[0-9A-Za-z]{1,16})", re.IGNORECASE)

_LONGEST = 64


def national_code(institution_name: str) -> str:
    """The facility code of an institution name in the national form, `NAME^^^SKRS<code>^^^<vendor>`; "" in any other
    form."""
    found = _NATIONAL.search(institution_name)
    return found["code"] if found else ""


def national_name(name: str, code: str, vendor: str) -> str:
    """The institution name in the national form, its name shortened to what Institution Name (VR LO) can hold."""
    rest = f"^^^SKRS{code}^^^{vendor}"
    return name[: max(0, _LONGEST - len(rest))].strip() + rest


def facility(actor: Actor, elements: dict[str, Element]) -> str:
    """The known AE title's, else the institution name's, else the issuer of the accession number, else "" (unknown)."""
    if actor.facility:
        return actor.facility
    code = national_code(text(elements, "00080080"))
    return code or _accession_issuer(elements)


def _accession_issuer(elements: dict[str, Element]) -> str:
    items = elements.get("00080051", {}).get("Value") or [{}]
    return text(items[0], "00400031") or text(items[0], "00400032")
