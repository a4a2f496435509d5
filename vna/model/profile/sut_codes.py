"""Sets of SUT codes as a profile writes them: single codes, or `803870-804510/10` for every tenth of a range."""

import re
from functools import lru_cache

_RANGE = re.compile(r"(?P<first>[0-9]{1,9})-(?P<last>[0-9]{1,9})(/(?P<step>[1-9][0-9]{0,5}))?\Z")
_MOST = 100_000


@lru_cache(maxsize=64)
def codes_of(texts: tuple[str, ...]) -> frozenset[str]:
    """Every code that is meant; ValueError for a range that ends before it begins, or has no end."""
    codes: set[str] = set()
    for text in texts:
        found = _RANGE.match(text)
        if found is None:
            codes.add(text)
            continue
        first, last, step = int(found["first"]), int(found["last"]), int(found["step"] or 1)
        if last < first or (last - first) // step > _MOST:
            raise ValueError(f"{text} is no range of codes")
        codes.update(str(number).zfill(len(found["first"])) for number in range(first, last + 1, step))
    return frozenset(codes)
