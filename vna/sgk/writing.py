"""From an answer to the element that the Body holds, as bytes: hand-made, since most calls are answered within a
millisecond."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from vna.model.lookups import Answer, Operation
from vna.sgk.contract import Contract, Names
from vna.xml.text import carried

_DAYS, _MOMENTS, _LINKS = frozenset({"taken_at", "at"}), frozenset({"valid_until"}), frozenset({"link"})

Link = Callable[[str], str]
"""From the secret of an access link to its address."""


class Writer:
    """Writes answers by the names of a contract; what an answer does not say is left out."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._parts: Mapping[str, Names] = {"images": contract.images, "earlier": contract.earlier}

    def written(self, operation: Operation, answer: Answer, link: Link) -> bytes:
        """The response element."""
        names, result = self._contract.operations[operation], self._contract.result
        code = self._contract.codes[answer.result]
        inner = "".join(
            [
                f"<{result.code}>{_text(self._contract.code(answer.result))}</{result.code}>",
                f"<{result.message}>{_text(code.message)}</{result.message}>",
                *self._fields(answer, names.gives, link),
            ]
        )
        return (
            f'<r:{names.response} xmlns:r="{_text(self._contract.namespace)}">'
            f"<{names.answer}>{inner}</{names.answer}></r:{names.response}>"
        ).encode()

    def _fields(self, said: Any, names: Names, link: Link) -> Iterable[str]:
        for field, element in names.items():
            value = getattr(said, field)
            if value is None or value == "":
                continue
            if field in self._parts:
                for one in value:
                    yield f"<{element}>{''.join(self._fields(one, self._parts[field], link))}</{element}>"
            elif isinstance(value, tuple):
                for one in value:
                    yield f"<{element}>{_text(one)}</{element}>"
            else:
                shown = _shown(field, value, link)
                if shown:
                    yield f"<{element}>{_text(shown)}</{element}>"


def _shown(field: str, value: Any, link: Link) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if field in _DAYS:
        return day(value)
    if field in _MOMENTS:
        return f"{day(value)} {value[8:10]}:{value[10:12]}:{value[12:14]}"
    return link(value) if field in _LINKS else str(value)


def day(at: str) -> str:
    """A local time as `dd.MM.yyyy`; empty where no day is known."""
    return f"{at[6:8]}.{at[4:6]}.{at[:4]}" if len(at) >= 8 and at[:8].isdigit() else ""


def _text(text: str) -> str:
    return escape(carried(text))
