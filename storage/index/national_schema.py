"""Tables of orders, reports and what the national rules need; they refer to each other by the keys of the national
side (facility and accession number), so that what the journal tells of them can be done again in any order."""

import sqlalchemy as sa

from storage.index.columns import count as _count
from storage.index.columns import text as _text
from storage.index.columns import word as _word
from storage.index.schema import UID, Key, metadata


def _key() -> sa.Column[int]:
    return sa.Column("id", Key, primary_key=True, autoincrement=True)


orders = sa.Table(
    "orders",
    metadata,
    _key(),
    _word("facility"),
    _word("accession_number", 16),
    _word("study_instance_uid"),
    _word("patient_id"),
    _word("national_number", 16),
    _text("patient_name"),
    _text("patient_name_norm"),
    _word("state", 16),
    _word("sut_code", 16),
    _word("modality", 16),
    _word("requested_at", 14),
    _word("scheduled_at", 14),
    _word("performing_facility"),
    _word("station_ae_title", 16),
    _word("doctor_number", 16),
    _count("matched"),
    _count("has_images"),
    _count("has_report"),
    _word("status", 32),
    _text("reasons"),
    _word("performed_at", 14),
    _word("placed_at", 32),
    _word("changed_at", 32),
    _text("body"),
    sa.UniqueConstraint("facility", "accession_number", name="uq_orders"),
    sa.Index("ix_orders_accession", "accession_number"),
    sa.Index("ix_orders_examination", "national_number", "sut_code", "requested_at"),
    sa.Index("ix_orders_patient", "patient_id", "facility"),
    sa.Index("ix_orders_scheduled", "state", "scheduled_at"),
    sa.Index("ix_orders_requested", "facility", "requested_at"),
    sa.Index("ix_orders_study", "study_instance_uid"),
    sa.Index("ix_orders_planned", "facility", "scheduled_at"),
    sa.Index("ix_orders_performing", "performing_facility", "requested_at"),
    sqlite_autoincrement=True,
)
"""`body` is the order as JSON, the columns before it what is searched; from `matched` to `performed_at` is kept up by
`vna.teleradiology` and can be found out again."""

_UNMATCHED = sa.text("matched = 0")
sa.Index(
    "ix_orders_unmatched",
    orders.c.facility,
    orders.c.requested_at,
    orders.c.id,
    sqlite_where=_UNMATCHED,
    postgresql_where=_UNMATCHED,
)

performed_steps = sa.Table(
    "performed_steps",
    metadata,
    _key(),
    sa.Column("sop_instance_uid", UID, nullable=False, unique=True),
    _word("status", 16),
    _word("facility"),
    _word("performed_station_ae_title", 16),
    _word("study_instance_uid"),
    _text("accession_numbers"),
    _word("started_at", 32),
    _text("body"),
    _word("changed_at", 32),
    sa.Index("ix_performed_steps_study", "study_instance_uid"),
    sqlite_autoincrement=True,
)
"""Modality performed procedure steps; `body` is the data set as DICOM JSON."""

order_matches = sa.Table(
    "order_matches",
    metadata,
    _key(),
    _word("facility"),
    _word("accession_number", 16),
    sa.Column("study_instance_uid", UID, nullable=False),
    _word("rule", 32),
    _word("actor", 128),
    _text("reason"),
    _count("released"),
    _word("at", 32),
    sa.UniqueConstraint("facility", "accession_number", "study_instance_uid", name="uq_order_matches"),
    sa.Index("ix_order_matches_study", "study_instance_uid"),
    sqlite_autoincrement=True,
)
"""Which images are of which orders: `rule` says why, `released` that a person took it back for good."""

named_accessions = sa.Table(
    "named_accessions",
    metadata,
    _key(),
    sa.Column("study_instance_uid", UID, nullable=False),
    _word("accession_number", 16),
    sa.UniqueConstraint("study_instance_uid", "accession_number", name="uq_named_accessions"),
    sa.Index("ix_named_accessions", "accession_number"),
    sqlite_autoincrement=True,
)
"""Accession numbers that a study names beside its own, in Request Attributes Sequence or by performed steps."""

other_patient_ids = sa.Table(
    "other_patient_ids",
    metadata,
    _key(),
    sa.Column("study_instance_uid", UID, nullable=False),
    _word("number"),
    sa.UniqueConstraint("study_instance_uid", "number", name="uq_other_patient_ids"),
    sa.Index("ix_other_patient_ids", "number"),
    sqlite_autoincrement=True,
)
"""What a study's images call its patient beside Patient ID, in Other Patient IDs or Other Patient IDs Sequence."""

quarantine = sa.Table(
    "quarantine",
    metadata,
    _key(),
    sa.Column("study_instance_uid", UID, nullable=False, unique=True),
    _word("facility"),
    _word("accession_number", 16),
    _text("patient_id"),
    _text("numbers"),
    _word("modality", 16),
    _word("study_date", 8),
    _word("known_at", 32),
    sa.Index("ix_quarantine_accession", "accession_number"),
    sa.Index("ix_quarantine_facility", "facility", "known_at"),
    sqlite_autoincrement=True,
)
"""Studies that match no order, as their first instance says; the instances themselves are in `deleted`. `numbers` is a
JSON list of Patient ID and Other Patient IDs."""

reports = sa.Table(
    "reports",
    metadata,
    _key(),
    _word("facility"),
    _word("accession_number", 16),
    _count("number"),
    _word("state", 16),
    _word("kind", 16),
    _count("addendum_to"),
    _word("approved_at", 14),
    _word("radiologist", 16),
    _word("source", 128),
    _word("received_at", 32),
    _word("sop_instance_uid"),
    _text("body"),
    sa.UniqueConstraint("facility", "accession_number", "number", name="uq_reports"),
    sa.Index("ix_reports_approved", "facility", "approved_at"),
    sqlite_autoincrement=True,
)

received_messages = sa.Table(
    "received_messages",
    metadata,
    _key(),
    _word("source", 128),
    _word("control_id", 200),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    _word("code", 2),
    _text("answer"),
    _word("at", 32),
    sa.UniqueConstraint("source", "control_id", name="uq_received_messages"),
    sa.Index("ix_received_messages_at", "at"),
    sqlite_autoincrement=True,
)
"""HL7 messages that were done, by sender and MSH-10: one that comes again gets the same answer."""

notifications = sa.Table(
    "notifications",
    metadata,
    _key(),
    _word("facility"),
    _word("accession_number", 16),
    _word("state", 16),
    _count("attempts"),
    _word("last_sent_at", 32),
    _word("response_code", 32),
    _text("response_message"),
    _text("body"),
    sa.UniqueConstraint("facility", "accession_number", name="uq_notifications"),
    sa.Index("ix_notifications_state", "state", "facility", "last_sent_at"),
    sqlite_autoincrement=True,
)
"""What the payer was told of an order, the newest attempt."""

doses = sa.Table(
    "doses",
    metadata,
    _key(),
    sa.Column("sop_instance_uid", UID, nullable=False, unique=True),
    sa.Column("study_instance_uid", UID, nullable=False),
    _word("modality", 16),
    _text("device"),
    _word("started_at", 14),
    _text("body"),
    sa.Index("ix_doses_study", "study_instance_uid"),
    sqlite_autoincrement=True,
)
"""What radiation dose reports say; `body` is JSON, each value with its unit."""

looks = sa.Table(
    "looks",
    metadata,
    _key(),
    _word("national_number", 16),
    _word("sut_code", 16),
    _word("doctor_number", 16),
    _word("facility"),
    _word("kind", 16),
    _word("at", 32),
    sa.Index("ix_looks_patient", "national_number", "sut_code", "at"),
    sqlite_autoincrement=True,
)
"""Who asked for earlier examinations (`kind` query) and opened their images or report (`opened`) before ordering."""

code_versions = sa.Table(
    "code_versions",
    metadata,
    _key(),
    _word("list"),
    _word("version"),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    _count("codes"),
    _word("loaded_by", 128),
    _word("loaded_at", 32),
    sa.UniqueConstraint("list", "version", name="uq_code_versions"),
    sqlite_autoincrement=True,
)

codes = sa.Table(
    "codes",
    metadata,
    _key(),
    sa.Column("version_fk", Key, sa.ForeignKey("code_versions.id", ondelete="CASCADE"), nullable=False),
    _word("code"),
    _word("alias"),
    _text("text"),
    _text("body"),
    sa.UniqueConstraint("version_fk", "code", name="uq_codes"),
    sa.Index("ix_codes_alias", "version_fk", "alias"),
    sqlite_autoincrement=True,
)
"""Codes of each version of a list; the one that was loaded last is in force, one without `loaded_at` not yet. `alias`
is another code by which it is found, `body` the other columns as JSON."""

patient_details = sa.Table(
    "patient_details",
    metadata,
    _key(),
    _word("authority", 128),
    _text("value"),
    _text("said"),
    _word("changed_at", 32),
    sa.UniqueConstraint("authority", "value", name="uq_patient_details"),
    sa.Index("ix_patient_details_changed", "changed_at"),
    sqlite_autoincrement=True,
)
"""What an identity feed says of a patient (`said`, JSON by keyword), shown in place of what images say."""
