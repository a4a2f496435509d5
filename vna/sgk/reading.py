"""From the Body of a message to a question."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from vna.model.lookups import Asked, Operation
from vna.sgk.contract import Contract, OperationNames
from vna.soap.faults import sender
from vna.xml.namespaces import qname

_NIL = qname("http://www.w3.org/2001/XMLSchema-instance", "nil")
_WHOLE = {"facility": (-(2**31), 2**31 - 1), "uses": (1, 1000)}
"""Fields that are numbers in the schema, with what it takes of them."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Form:
    """How one operation is written; `fields` gives ours by the name of an element."""

    operation: Operation
    names: OperationNames
    fields: Mapping[str, str]


class Reader:
    """Reads questions by the names of a contract. Children are unqualified, in whatever order they come."""

    def __init__(self, contract: Contract) -> None:
        self._forms = {
            qname(contract.namespace, names.request): Form(
                operation, names, {element: field for field, element in names.takes.items()}
            )
            for operation, names in contract.operations.items()
        }

    def form(self, body: etree._Element) -> Form:
        """The operation that an element asks for; SoapFault (Client) where it is none."""
        found = self._forms.get(str(body.tag))
        if found is None:
            known = ", ".join(form.names.request for form in self._forms.values())
            raise sender(f"the Body holds no operation of this service in its namespace; it has {known}")
        return found

    def asked(self, form: Form, body: etree._Element) -> Asked:
        """The question; SoapFault (Client) for what the schema does not have."""
        parts = list(body)
        if len(parts) > 1 or any(part.tag != form.names.question for part in parts):
            raise sender(f"the element {form.names.request} has one child, {form.names.question}, without a namespace")
        values: dict[str, str] = {}
        for element in parts[0] if parts else ():
            field = form.fields.get(str(element.tag))
            if field is None:
                known = ", ".join(form.fields)
                raise sender(f"{form.names.question} has other children than {known}, which are without a namespace")
            if field in values:
                raise sender(f"{form.names.question} has the child {element.tag} more than once")
            values[field] = _text(element)
        uses = _whole(form, "uses", values.pop("uses", ""))
        values["facility"] = _whole(form, "facility", values.get("facility", ""))
        return Asked(form.operation, **values, uses=int(uses or 1))


def _text(element: etree._Element) -> str:
    if len(element):
        raise sender(f"the element {element.tag} has a child, where text belongs")
    return "" if element.get(_NIL, "").strip() in ("1", "true") else element.text or ""


def _whole(form: Form, field: str, text: str) -> str:
    """A number as it is written shortest; empty where there is none."""
    text = text.strip()
    if not text:
        return ""
    lowest, highest = _WHOLE[field]
    if not _NUMBER.fullmatch(text) or not lowest <= int(text) <= highest:
        element = form.names.takes.get(field, field)
        raise sender(f"the element {element} is a whole number from {lowest} to {highest}")
    return str(int(text))
