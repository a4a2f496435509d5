"""How much a data set may ask for before it is refused: hostile input stays cheap."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_header_bytes` counts all but bulk values, which are never read; `max_elements` counts items and fragments
    too.

    Binary values longer than `inline_bulk_bytes` are left in the file and named by a BulkDataURI.
    """

    max_header_bytes: int = 64 << 20
    max_depth: int = 64
    max_elements: int = 2_000_000
    inline_bulk_bytes: int = 1024
    max_inflated_bytes: int = 1 << 30
