"""The names and codes of the look-ups: one table, read from a file, so that a published WSDL can take their place."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vna.model.errors import BadRequest
from vna.model.lookups import Answer, Asked, EarlierExamination, FoundImages, Operation, Result
from vna.soap.wsdl import Wsdl

OURS = Path(__file__).parent / "wsdl" / "contract.toml"
"""Our own contract; its WSDL lies beside it."""

Names = Mapping[str, str]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OperationNames(_Table):
    """An operation: `request` and `response` are what the Body holds, `question` and `answer` the element within."""

    request: str
    question: str
    response: str
    answer: str
    takes: Names
    gives: Names


class ResultNames(_Table):
    """Where an answer says its result."""

    code: str
    message: str


class CodeNames(_Table):
    """What a result is called; without `code` as in our contract."""

    code: str = ""
    message: str


class Contract(_Table):
    """All of it; `folder` is where the WSDL lies."""

    namespace: str
    path: str
    wsdl: str
    operations: Mapping[Operation, OperationNames]
    result: ResultNames
    images: Names
    earlier: Names
    codes: Mapping[Result, CodeNames]
    folder: Path = Field(default=OURS.parent)

    @model_validator(mode="after")
    def _is_whole(self) -> "Contract":
        _every("operation", Operation, self.operations)
        _every("code", Result, self.codes)
        for operation in self.operations.values():
            _known("takes", Asked, operation.takes)
            _known("gives", Answer, operation.gives)
        _known("images", FoundImages, self.images)
        _known("earlier", EarlierExamination, self.earlier)
        if not self.path.startswith("/"):
            raise ValueError("path: an address on this archive begins with /")
        return self

    def code(self, result: Result) -> str:
        """What a result is called on the wire."""
        return self.codes[result].code or result.value

    def described(self) -> Wsdl:
        """The WSDL, to be served."""
        return Wsdl(self.folder, self.wsdl)


def read(path: Path | None = None) -> Contract:
    """Our contract with what a site's file changes in it: tables are merged, everything else replaced, and so are the
    tables whose order counts. BadRequest in words that name the place."""
    try:
        plain = tomllib.loads(OURS.read_text("utf-8"))
        if path is not None:
            other = tomllib.loads(path.read_text("utf-8"))
            plain = _merged(plain, other)
            if "wsdl" in other:
                plain["folder"] = path.parent
        return Contract.model_validate(plain)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRequest(f"{path or OURS}: {where}: {first['msg']}") from exc
    except (OSError, ValueError) as exc:
        raise BadRequest(f"{path or OURS} cannot be read as names of look-ups: {exc}") from exc


_ORDERED = frozenset({"takes", "gives", "images", "earlier"})


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for name, value in over.items():
        known = both.get(name)
        is_merged = isinstance(known, dict) and isinstance(value, dict) and name not in _ORDERED
        both[name] = _merged(known, value) if is_merged else value  # type: ignore[arg-type]  # it is a dict then
    return both


def _every(what: str, kind: type[Operation] | type[Result], named: Mapping[Any, Any]) -> None:
    missing = [one.value for one in kind if one not in named]
    if missing:
        raise ValueError(f"there is no {what} for {', '.join(missing)}")


def _known(where: str, kind: type[Any], names: Names) -> None:
    known = {field.name for field in fields(kind)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{where}: {', '.join(unknown)} is nothing that a look-up knows")
    if len(set(names.values())) < len(names):
        raise ValueError(f"{where}: one name stands for two things")
