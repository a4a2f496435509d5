"""Whose a place of backups is: old backups go, and with them objects, so two archives never share one.

The index knows who the archive is. A restored archive is another one than that which was backed up, as is one whose
index was lost and made again: both take a place over when they are told to, and not before.
"""

import uuid

from storage.backups import Manifest, Place
from storage.index import accounts
from storage.index.engine import Connection, Database
from vna.model.errors import Conflict

_FACT = "backup-owner"


def own_name(database: Database) -> str:
    """Who this archive is; made at the first call."""
    with database.read() as connection:
        known = accounts.fact(connection, _FACT)
    if known:
        return known
    with database.transaction() as connection:
        return accounts.claim_fact(connection, _FACT, uuid.uuid4().hex)


def forget_name(connection: Connection) -> None:
    """What was restored is not the archive that was backed up, which may still run."""
    accounts.remove_fact(connection, _FACT)


def claim(place: Place, own: str, *, take_over: bool = False) -> None:
    """Make a place this archive's; Conflict where it is another one's, unless it is to be taken over."""
    if take_over or not place.owner():
        if place.owner() != own:
            place.set_owner(own)
        return
    refuse_foreign(place, own)


def refuse_foreign(place: Place, own: str) -> None:
    """Conflict where a place is another archive's."""
    if place.owner() != own:
        raise Conflict(
            f"{place.name} has backups of another archive: name another place; or, when this archive was restored "
            "or made again and that one is no more, take it over once with `vna backup --take-over`"
        )


def is_foreign(database: Database, manifest: Manifest) -> bool:
    """Whether a backup is known to be of another archive."""
    return bool(manifest.archive) and manifest.archive != own_name(database)
