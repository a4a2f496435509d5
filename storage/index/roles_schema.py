"""Tables of who may see what: permits, what they are about, what facilities are, glass that was broken."""

import sqlalchemy as sa

from storage.index.columns import text, when, word
from storage.index.schema import UID, Key, metadata

permits = sa.Table(
    "permits",
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    word("kind", 16),
    word("reader", 128),
    word("subject"),
    text("reason"),
    when("since"),
    when("until"),
    when("added_at"),
    word("added_by", 128),
    when("revoked_at"),
    sa.Index("ix_permits_reader", "kind", "reader"),
    sa.Index("ix_permits_subject", "kind", "subject"),
)
"""What lets somebody see what they otherwise could not, from `since` until before `until` unless it was revoked: the
consent of a patient (`subject`, a national number) to a facility (`reader`), the grant of a facility to another, and
cases of the payer's inspectors, by the name of their account."""

permit_studies = sa.Table(
    "permit_studies",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    word("permit", 16),
    sa.Column("study_instance_uid", UID, nullable=False, server_default=""),
    word("facility"),
    word("accession_number", 16),
    sa.Index("ix_permit_studies", "permit"),
    sqlite_autoincrement=True,
)
"""What a case is about: a study, or the studies of an order."""

facility_details = sa.Table(
    "facility_details",
    metadata,
    sa.Column("code", sa.String(64), primary_key=True),
    word("province"),
    word("ownership", 16),
    when("changed_at"),
)
"""Where a facility is, and whose (`public`, `university`, `private`)."""
