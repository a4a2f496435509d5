"""Stands in for code lists and the duplicate rule until those are wired."""

from dataclasses import dataclass
from datetime import date

from storage.index import orders as rows
from storage.index.engine import Database
from storage.index.national_schema import orders as table
from vna.model.access import Actor
from vna.model.orders import KnownOrder


@dataclass(frozen=True, slots=True)
class Found:
    """What was found."""

    earlier: tuple[KnownOrder, ...]
    excused: bool = False
    months: int = 6


class SameCode:
    """Six months."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def query(self, _actor: Actor, national_number: str, sut_code: str, at: str) -> Found:
        """Earlier ones."""
        day = date(int(at[:4]), int(at[4:6]), int(at[6:8]))
        months = day.year * 12 + day.month - 1 - 6
        since = f"{months // 12:04}{months % 12 + 1:02}{day.day:02}000000"
        with self._database.glance() as connection:
            found = rows.listed(
                connection,
                rows.select(
                    table.c.national_number == national_number,
                    table.c.sut_code == sut_code,
                    table.c.requested_at >= since,
                    table.c.requested_at <= at,
                    table.c.state != "cancelled",
                    (table.c.has_images == 1) | (table.c.has_report == 1),
                ),
            )
        return Found(tuple(found))
