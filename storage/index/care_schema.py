"""Tables of the care of what is kept: runs of verify and what they found, what nothing names, holds, what is purged."""

import sqlalchemy as sa

from storage.index.columns import count, text, when, word
from storage.index.schema import UID, Key, metadata

verify_runs = sa.Table(
    "verify_runs",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    when("begun_at"),
    when("changed_at"),
    count("part"),
    sa.Column("after", Key, nullable=False, server_default="0"),
    sa.Column("sound", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("damaged", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("forgotten", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"),
)
"""A run of verify that is not done: everything up to the key `after` of the table number `part` was looked at."""

damages = sa.Table(
    "damages",
    metadata,
    sa.Column("blob", sa.Text, primary_key=True),
    text("sop_instance_uid"),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    word("damage"),
    when("found_at"),
)
"""What was damaged when it was looked at last, unless it was given up."""

orphans = sa.Table(
    "orphans",
    metadata,
    sa.Column("blob", sa.Text, primary_key=True),
    when("seen_at"),
)
"""Blobs that nothing named when a sweep first saw them."""

holds = sa.Table(
    "holds",
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("study_instance_uid", UID, nullable=False, server_default=""),
    text("patient_id"),
    text("issuer"),
    text("reason"),
    word("until", 10),
    when("added_at"),
    text("added_by"),
    sa.Index("ix_holds_study", "study_instance_uid"),
    sa.Index("ix_holds_patient", "patient_id"),
)
"""What may not be removed: a study, or all of a patient, of any issuer where none is said; `until` is a date, empty for
ever. A study that leaves a patient on hold has a row of its own under a name made of the hold's."""

purged = sa.Table(
    "purged",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("blob", sa.Text, nullable=False, unique=True),
    sa.Column("study_instance_uid", UID, nullable=False, server_default=""),
    text("sop_instance_uid"),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("event_fk", sa.BigInteger, nullable=False, server_default="0"),
    count("erased"),
    sa.Index("ix_purged_study", "study_instance_uid"),
    sqlite_autoincrement=True,
)
"""What was removed for good: nothing takes it for lost, or takes it in again; `erased` says that its bytes are gone."""
_LEFT = purged.c.erased == 0
sa.Index("ix_purged_left", purged.c.id, sqlite_where=_LEFT, postgresql_where=_LEFT)
