"""Coercion rules as text: canonical JSON, equal for equal rules."""

import orjson

from vna.model.access import Coercion


def coercion_text(coercion: Coercion | None) -> str:
    """A rule set as canonical JSON, equal for equal rules; "" for none."""
    if coercion is None:
        return ""
    return orjson.dumps(
        {
            "set": dict(coercion.set),
            "remove": sorted(coercion.remove),
            "map": {keyword: dict(table) for keyword, table in coercion.map},
        },
        option=orjson.OPT_SORT_KEYS,
    ).decode()


def coercion_of(text: str) -> Coercion | None:
    """The rule set that `coercion_text` wrote."""
    if not text:
        return None
    rules = orjson.loads(text)
    return Coercion(
        tuple(rules["set"].items()),
        tuple(rules["remove"]),
        tuple((keyword, tuple(table.items())) for keyword, table in rules["map"].items()),
    )
