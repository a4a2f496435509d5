"""Tables of rejection notes, of corrections and moves, and of patients that were linked."""

import sqlalchemy as sa

from storage.index.columns import count, text, when, word
from storage.index.schema import UID, Key, metadata

rejections = sa.Table(
    "rejections",
    metadata,
    sa.Column("note", UID, primary_key=True),
    word("code", 16),
    word("facility"),
    word("source_ae"),
    word("actor"),
    word("state", 16),
    when("made_at"),
    when("changed_at"),
    word("changed_by"),
    text("reason"),
    count("named"),
)
"""A row for each rejection note by its SOP Instance UID: what is wrong with what it names, whose it may name, and
whether it still holds."""

rejected = sa.Table(
    "rejected",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("note", UID, nullable=False),
    sa.Column("sop_instance_uid", UID, nullable=False),
    sa.UniqueConstraint("sop_instance_uid", "note", name="uq_rejected_instance"),
    sa.Index("ix_rejected_note", "note", "id"),
    sqlite_autoincrement=True,
)
"""The instances that each note names."""

corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    word("name"),
    word("kind", 16),
    sa.Column("study_instance_uid", UID, nullable=False),
    word("series_instance_uid"),
    word("sop_instance_uid"),
    word("target_study_uid"),
    text("said"),
    text("reason"),
    word("actor"),
    when("made_at"),
    when("revoked_at"),
    word("revoked_by"),
    sa.Index("ix_corrections_study", "study_instance_uid", "id"),
    sa.Index("ix_corrections_target", "target_study_uid", "id"),
    sa.Index("ix_corrections_name", "name"),
    sqlite_autoincrement=True,
)
"""What a person said that images are to say, or where they are to be: a row for each study, series or instance
concerned, by the UIDs that it had then. Rows of one `name` were made, and are revoked, together."""

patient_links = sa.Table(
    "patient_links",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    text("one"),
    text("other"),
    when("made_at"),
    word("actor"),
    sa.UniqueConstraint("one", "other", name="uq_patient_link"),
    sa.Index("ix_patient_links_other", "other"),
    sqlite_autoincrement=True,
)
"""Two identifiers of one person, each as CX text; `one` sorts before `other`."""
