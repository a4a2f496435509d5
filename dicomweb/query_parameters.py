"""Query parameters of a search, from text to the model's Query (PS3.18 8.3.4)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from dicomweb.address import Target
from vna.model.dictionary import path_of, tag_of, vr_of
from vna.model.errors import BadRequest
from vna.model.identifiers import is_uid
from vna.model.query import Key, Level, Order, Query

ALWAYS: dict[
    Level, frozenset[str]
] = {  # beside what the archive gives anyway: PS3.18 Tables 10.6.3-3, 10.6.3-4, 10.6.3-5
    Level.STUDY: frozenset({"00080056", "00080201"}),
    Level.SERIES: frozenset({"00080056", "00080201"}),
    Level.IMAGE: frozenset({"00080056", "00080201", "00280008", "00280010", "00280011", "00280100"}),
}
TOTAL = "totalcount"
"""Ours: `true` asks for the number of all matches, in X-Total-Count."""
ORDER = "orderby"
"""Ours, as dcm4chee has it: attributes with commas between, a minus before each whose greatest value comes first."""

ACROSS = "across"
"""Ours: `true` asks archives elsewhere too; names with commas between ask those alone."""

_SWITCHES = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching", TOTAL)
_NUMBERS = ("limit", "offset")
NOT_ATTRIBUTES = ("accept", "charset")
_NUMBER = re.compile(r"[0-9]{1,18}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OF_TEXTS = re.compile(r"[\t\n\f\r]")
_TEXT_VRS = frozenset({"LT", "ST", "UT"})
"""Values of these have lines and tabs (PS3.5 6.2); control characters are in no others."""
_MOST = 2**31 - 1
_MOST_ORDERS = 8
_LIST_VRS = frozenset({"UI", "CS", "IS", "DS"})
"""No single value of these contains a comma or backslash: viewers send lists without multiplevaluematching."""


@dataclass(slots=True)
class Parameters:
    """What the parameters said; `ignored` says in sentences what was passed over.

    `across` names the archives elsewhere that are to be asked too; empty for all of them, None for none.
    """

    keys: dict[tuple[str, ...], Key] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)
    all_fields: bool = False
    switches: dict[str, bool] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    across: tuple[str, ...] | None = None

    def query(self, level: Level) -> Query:
        """The search they ask for at a level: attributes that are matched are given as well."""
        matched = {path[0] for path in self.keys}
        return Query(
            level=level,
            keys=tuple(self.keys.values()),
            returns=None if self.all_fields else frozenset(self.fields | matched | ALWAYS[level]),
            fuzzy=self.switches.get("fuzzymatching", False),
            empty_value_matching=self.switches.get("emptyvaluematching", False),
            multiple_value_matching=self.switches.get("multiplevaluematching", False),
            limit=self.numbers.get("limit"),
            offset=self.numbers.get("offset", 0),
            order=tuple(self.order),
        )


def read_pairs(query: bytes) -> list[tuple[str, str]]:
    """Name and value of each parameter; BadRequest, naming it, where one is not UTF-8 (RFC 3986 2.5)."""
    pairs = []
    for pair in filter(None, query.split(b"&")):
        raw_name, _, raw_value = pair.partition(b"=")
        name = _decoded(raw_name, "the name of a parameter")
        pairs.append((name, _decoded(raw_value, name[:64])))
    return pairs


def _decoded(raw: bytes, what: str) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"{what} is not in UTF-8") from None


def parse(items: Iterable[tuple[str, str]], target: Target) -> Parameters:
    """Read name and value pairs: what is no attribute is ignored, as the standard asks; the malformed is BadRequest."""
    pairs = list(items)
    found = Parameters()
    for name, value in pairs:
        if name in found.switches or name in found.numbers:
            raise BadRequest(f"{name} is given more than once")
        if name in _SWITCHES:
            found.switches[name] = _switch(name, value)
        elif name in _NUMBERS:
            found.numbers[name] = read_number(name, value)
    for name, value in pairs:
        if name == "includefield":
            _include(found, value)
        elif name == ORDER:
            _order(found, value)
        elif name == ACROSS:
            _across(found, value)
        elif name not in (*_SWITCHES, *_NUMBERS, *NOT_ATTRIBUTES):
            _match(found, name, value)
    for tag, uid in (("0020000D", target.study), ("0020000E", target.series)):
        if uid:
            _narrow(found, tag, uid)
    return found


def _switch(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise BadRequest(f"{name} is true or false")
    return value.lower() == "true"


def read_number(name: str, value: str) -> int:
    """A whole number; BadRequest names the parameter."""
    if not _NUMBER.fullmatch(value):
        raise BadRequest(f"{name} is a number from 0")
    return min(int(value), _MOST)


def _include(found: Parameters, value: str) -> None:
    for name in filter(None, (part.strip() for part in value.split(","))):
        if name == "all":
            found.all_fields = True
            continue
        path = _path(found, name)
        if path:
            found.fields.add(path[0])


def _order(found: Parameters, value: str) -> None:
    for name in filter(None, (part.strip() for part in value.split(","))):
        tag = tag_of(name.removeprefix("-"))
        if tag is None:
            raise BadRequest(f"{ORDER}: {name[:64]!r} is neither the keyword nor the tag of an attribute")
        if tag not in {order.tag for order in found.order}:
            found.order.append(Order(tag, descending=name.startswith("-")))
    if len(found.order) > _MOST_ORDERS:
        raise BadRequest(f"{ORDER} takes at most {_MOST_ORDERS} attributes")


def _across(found: Parameters, value: str) -> None:
    if found.across is not None:
        raise BadRequest(f"{ACROSS} is given more than once")
    names = tuple(filter(None, (part.strip() for part in value.split(","))))
    if not names:
        raise BadRequest(f"{ACROSS} is true, false, or names of archives with commas between")
    if names != ("false",):
        found.across = () if names == ("true",) else names


def _match(found: Parameters, name: str, value: str) -> None:
    path = _path(found, name)
    if not path:
        return
    vr = vr_of(path[-1])
    if _CONTROL.search(_OF_TEXTS.sub("", value) if vr in _TEXT_VRS else value):
        raise BadRequest(f"{name[:64]} has a control character")
    values = _values(vr, value, several=found.switches.get("multiplevaluematching", False))
    if vr == "UI" and not all(is_uid(one) or one in ("*", '""') for one in values):
        raise BadRequest(f"{name[:64]} is a UID, or a list of them with commas between: digits and dots")
    if path in found.keys:
        if vr not in _LIST_VRS:
            raise BadRequest(f"{name[:64]} is given more than once")
        values = found.keys[path].values + values
    found.keys[path] = Key(path, vr, values)


def _values(vr: str, value: str, *, several: bool) -> tuple[str, ...]:
    """No values is universal matching."""
    if several or vr in _LIST_VRS:
        return tuple(filter(None, (one.strip() for one in re.split(r"[,\\]", value))))
    return (value,) if value else ()


def _path(found: Parameters, name: str) -> tuple[str, ...]:
    try:
        return path_of(name)
    except BadRequest as error:
        found.ignored.append(f"{name[:64]} was ignored: {error}")
        return ()


def _narrow(found: Parameters, tag: str, uid: str) -> None:
    """The address narrows the search; a parameter that says otherwise contradicts it."""
    key = found.keys.get((tag,))
    if key is not None and key.values and uid not in key.values and "*" not in key.values:
        raise BadRequest("a query parameter contradicts the UID in the address")
    found.keys[(tag,)] = Key((tag,), "UI", (uid,))
