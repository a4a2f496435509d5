"""Values of stored query parameters as ITI TF-2 3.18.4.1.2.3.5 codes them: 'text', numbers, lists in parentheses."""

import re
from collections.abc import Iterator

from vna.documents.problems import ErrorCode, refused

_ITEM = re.compile(
    r"\s*(?:'(?P<single>(?:[^']|'')*+)'|\"(?P<double>(?:[^\"]|\"\")*+)\"|(?P<bare>[^\s'\"(),][^'\"(),]*+))\s*(?P<end>,|\Z)"
)


def values(text: str, name: str) -> tuple[str, ...]:
    """One value, or those of a list; Refused when the text is neither.

    Double quotes are tolerated, as the standard's own sample of a query with a home community has them.
    """
    text = text.strip()
    is_list = text.startswith("(")
    if is_list != text.endswith(")"):
        raise refused(ErrorCode.REGISTRY, f"{name}: {text} has one parenthesis of two")
    found = tuple(_items(text[1:-1] if is_list else text, name))
    if not is_list and len(found) > 1:
        raise refused(ErrorCode.REGISTRY, f"{name}: {text} is a list without parentheses")
    return found


def _items(text: str, name: str) -> Iterator[str]:
    at, more = 0, True
    while more:
        found = _ITEM.match(text, at)
        if found is None:
            raise refused(ErrorCode.REGISTRY, f"{name}: {text} is no 'text', number, or list of them")
        if found["single"] is not None:
            yield found["single"].replace("''", "'")
        elif found["double"] is not None:
            yield found["double"].replace('""', '"')
        else:
            yield found["bare"].strip()
        at, more = found.end(), found["end"] == ","
