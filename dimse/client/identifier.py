"""Identifiers as we write them, and as they are answered (PS3.4 C.4.1.1.3, in Implicit VR Little Endian)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from dimse.models import UNIQUE_KEYS
from storage.limits import Limits
from storage.scan import LITTLE, Reader
from vna.model.attributes import BY_TAG, COMPUTED_BY_TAG, NEVER_MATCHED
from vna.model.dictionary import vr_of
from vna.model.errors import BadRequest, CannotUnderstand, Unavailable
from vna.model.query import Element, Level, Match, Query
from vna.model.sources import StudyPart

_HEADER = struct.Struct("<HHL")
_UTF_8 = "ISO_IR 192"
_LIMITS: Final = Limits(max_header_bytes=1 << 20, max_depth=16, max_elements=20_000)

Tree = dict[str, "tuple[str, ...] | Tree"]
"""Elements by tag: values as texts, or what is in the one item of a sequence."""


def searching(query: Query, levels: tuple[Level, ...]) -> bytes:
    """What is asked: keys, attributes to return, and the unique keys of the level and of those above it.

    Of levels above a hierarchical search takes nothing but unique keys (PS3.4 C.4.1.2.1), so their attributes are not
    asked for; patients are no level of their own in Study Root.
    """
    tree: Tree = {UNIQUE_KEYS[level]: () for level in levels if level <= query.level}
    lowest = query.level if query.level > levels[0] else Level.PATIENT
    for tag in query.returns or ():
        known = BY_TAG.get(tag) or COMPUTED_BY_TAG.get(tag)
        if known is not None and known.level < lowest and tag not in NEVER_MATCHED:
            continue
        tree.setdefault(tag, {} if vr_of(tag) == "SQ" else ())
    for key in query.keys:
        _put(tree, key.path, key.values)
    return _written(query.level, tree)


def naming(part: StudyPart) -> bytes:
    """What is wanted of C-GET and C-MOVE: unique keys alone (PS3.4 C.4.2.2.1, C.4.3.2.1)."""
    tree: Tree = {UNIQUE_KEYS[Level.STUDY]: (part.study_instance_uid,)}
    level = Level.STUDY
    if part.series_instance_uid:
        tree[UNIQUE_KEYS[Level.SERIES]] = (part.series_instance_uid,)
        level = Level.SERIES
    if part.sop_instance_uids:
        tree[UNIQUE_KEYS[Level.IMAGE]] = part.sop_instance_uids
        level = Level.IMAGE
    return _written(level, tree)


def answered(name: str, encoded: bytes, level: Level) -> Match:
    """One match, read as what is stored is: leniently in its characters. Unavailable when it cannot be read."""
    try:
        elements = Reader(encoded, _LIMITS).read(0, implicit=True, order=LITTLE)
    except CannotUnderstand as exc:
        raise Unavailable(f"{name} answers with an identifier that cannot be read") from exc
    return match(level, elements)


def match(level: Level, elements: Mapping[str, Element]) -> Match:
    """A match of what was answered, named by its UIDs."""
    uids = (_first(elements, UNIQUE_KEYS[one]) for one in (Level.STUDY, Level.SERIES, Level.IMAGE))
    return Match(level, elements, {}, *uids)


def _first(elements: Mapping[str, Element], tag: str) -> str:
    values: Any = elements.get(tag, {}).get("Value") or [""]
    return str(values[0] or "")


def _put(tree: Tree, path: tuple[str, ...], values: tuple[str, ...]) -> None:
    for tag in path[:-1]:
        inside = tree.setdefault(tag, {})
        if not isinstance(inside, dict):
            raise BadRequest(f"{tag} is asked for as a value and as a sequence")
        tree = inside
    tree[path[-1]] = values


def _written(level: Level, tree: Tree) -> bytes:
    tree = {**tree, "00080052": (level.name,)}
    if not all(text.isascii() for text in _texts(tree)):
        tree["00080005"] = (_UTF_8,)
    return _encoded(tree)


def _texts(tree: Tree) -> list[str]:
    inside = [(_texts(value) if isinstance(value, dict) else list(value)) for value in tree.values()]
    return [text for texts in inside for text in texts]


def _encoded(tree: Tree) -> bytes:
    out = bytearray()
    for tag, value in sorted(tree.items()):
        if isinstance(value, dict):
            item = _encoded(value)
            encoded = _HEADER.pack(0xFFFE, 0xE000, len(item)) + item
        else:
            encoded = _value(tag, value)
        out += _HEADER.pack(int(tag[:4], 16), int(tag[4:], 16), len(encoded)) + encoded
    return bytes(out)


def _value(tag: str, values: tuple[str, ...]) -> bytes:
    vr = vr_of(tag)
    try:
        if vr in {"US", "UL", "SS", "SL"}:
            kind = {"US": "<H", "UL": "<L", "SS": "<h", "SL": "<l"}[vr]
            return b"".join(struct.pack(kind, int(text)) for text in values)
        encoded = "\\".join(values).encode("utf-8")
    except (ValueError, struct.error) as exc:
        raise BadRequest(f"{tag} is asked for with a value that is no number") from exc
    return encoded + (b"\0" if vr == "UI" else b" ") * (len(encoded) % 2)
