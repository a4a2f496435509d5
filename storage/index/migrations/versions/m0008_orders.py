"""Tables of orders, reports and national rules."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "code_versions",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("list", sa.String(length=64), server_default="", nullable=False),
        sa.Column("version", sa.String(length=64), server_default="", nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("codes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("loaded_by", sa.String(length=128), server_default="", nullable=False),
        sa.Column("loaded_at", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("list", "version", name="uq_code_versions"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "doses",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=16), server_default="", nullable=False),
        sa.Column("device", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.String(length=14), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sop_instance_uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_doses_study", "doses", ["study_instance_uid"], unique=False)
    op.create_table(
        "looks",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("national_number", sa.String(length=16), server_default="", nullable=False),
        sa.Column("sut_code", sa.String(length=16), server_default="", nullable=False),
        sa.Column("doctor_number", sa.String(length=16), server_default="", nullable=False),
        sa.Column("facility", sa.String(length=64), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="", nullable=False),
        sa.Column("at", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_looks_patient", "looks", ["national_number", "sut_code", "at"], unique=False)
    op.create_table(
        "notifications",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("facility", sa.String(length=64), server_default="", nullable=False),
        sa.Column("accession_number", sa.String(length=16), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_sent_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("response_code", sa.String(length=32), server_default="", nullable=False),
        sa.Column("response_message", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("facility", "accession_number", name="uq_notifications"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notifications_state", "notifications", ["state", "facility", "last_sent_at"], unique=False)
    op.create_table(
        "order_matches",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("facility", sa.String(length=64), server_default="", nullable=False),
        sa.Column("accession_number", sa.String(length=16), server_default="", nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=32), server_default="", nullable=False),
        sa.Column("actor", sa.String(length=128), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("released", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("facility", "accession_number", "study_instance_uid", name="uq_order_matches"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_order_matches_study", "order_matches", ["study_instance_uid"], unique=False)
    op.create_table(
        "named_accessions",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("accession_number", sa.String(length=16), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("study_instance_uid", "accession_number", name="uq_named_accessions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_named_accessions", "named_accessions", ["accession_number"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("facility", sa.String(length=64), server_default="", nullable=False),
        sa.Column("accession_number", sa.String(length=16), server_default="", nullable=False),
        sa.Column("patient_id", sa.Text(), server_default="", nullable=False),
        sa.Column("numbers", sa.Text(), server_default="", nullable=False),
        sa.Column("modality", sa.String(length=16), server_default="", nullable=False),
        sa.Column("study_date", sa.String(length=8), server_default="", nullable=False),
        sa.Column("known_at", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("study_instance_uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_quarantine_accession", "quarantine", ["accession_number"], unique=False)
    op.create_index("ix_quarantine_facility", "quarantine", ["facility", "known_at"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("facility", sa.String(length=64), server_default="", nullable=False),
        sa.Column("accession_number", sa.String(length=16), server_default="", nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), server_default="", nullable=False),
        sa.Column("patient_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("national_number", sa.String(length=16), server_default="", nullable=False),
        sa.Column("patient_name", sa.Text(), server_default="", nullable=False),
        sa.Column("patient_name_norm", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), server_default="", nullable=False),
        sa.Column("sut_code", sa.String(length=16), server_default="", nullable=False),
        sa.Column("modality", sa.String(length=16), server_default="", nullable=False),
        sa.Column("requested_at", sa.String(length=14), server_default="", nullable=False),
        sa.Column("scheduled_at", sa.String(length=14), server_default="", nullable=False),
        sa.Column("performing_facility", sa.String(length=64), server_default="", nullable=False),
        sa.Column("station_ae_title", sa.String(length=16), server_default="", nullable=False),
        sa.Column("doctor_number", sa.String(length=16), server_default="", nullable=False),
        sa.Column("matched", sa.Integer(), server_default="0", nullable=False),
        sa.Column("has_images", sa.Integer(), server_default="0", nullable=False),
        sa.Column("has_report", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", sa.String(length=32), server_default="", nullable=False),
        sa.Column("reasons", sa.Text(), server_default="", nullable=False),
        sa.Column("performed_at", sa.String(length=14), server_default="", nullable=False),
        sa.Column("placed_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("changed_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("facility", "accession_number", name="uq_orders"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_orders_accession", "orders", ["accession_number"], unique=False)
    op.create_index("ix_orders_examination", "orders", ["national_number", "sut_code", "requested_at"], unique=False)
    op.create_index("ix_orders_patient", "orders", ["patient_id", "facility"], unique=False)
    op.create_index("ix_orders_requested", "orders", ["facility", "requested_at"], unique=False)
    op.create_index("ix_orders_study", "orders", ["study_instance_uid"], unique=False)
    op.create_index("ix_orders_planned", "orders", ["facility", "scheduled_at"], unique=False)
    op.create_index("ix_orders_performing", "orders", ["performing_facility", "requested_at"], unique=False)
    op.create_index("ix_orders_scheduled", "orders", ["state", "scheduled_at"], unique=False)
    op.create_table(
        "patient_details",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("authority", sa.String(length=128), server_default="", nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.Column("said", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_at", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("authority", "value", name="uq_patient_details"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_patient_details_changed", "patient_details", ["changed_at"], unique=False)
    op.create_table(
        "performed_steps",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="", nullable=False),
        sa.Column("facility", sa.String(length=64), server_default="", nullable=False),
        sa.Column("performed_station_ae_title", sa.String(length=16), server_default="", nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), server_default="", nullable=False),
        sa.Column("accession_numbers", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_at", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sop_instance_uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_performed_steps_study", "performed_steps", ["study_instance_uid"], unique=False)
    op.create_table(
        "received_messages",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=128), server_default="", nullable=False),
        sa.Column("control_id", sa.String(length=200), server_default="", nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code", sa.String(length=2), server_default="", nullable=False),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.String(length=32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "control_id", name="uq_received_messages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_received_messages_at", "received_messages", ["at"], unique=False)
    op.create_table(
        "reports",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("facility", sa.String(length=64), server_default="", nullable=False),
        sa.Column("accession_number", sa.String(length=16), server_default="", nullable=False),
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=16), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="", nullable=False),
        sa.Column("addendum_to", sa.Integer(), server_default="0", nullable=False),
        sa.Column("approved_at", sa.String(length=14), server_default="", nullable=False),
        sa.Column("radiologist", sa.String(length=16), server_default="", nullable=False),
        sa.Column("source", sa.String(length=128), server_default="", nullable=False),
        sa.Column("received_at", sa.String(length=32), server_default="", nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("facility", "accession_number", "number", name="uq_reports"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reports_approved", "reports", ["facility", "approved_at"], unique=False)
    op.create_table(
        "codes",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("version_fk", _key(), nullable=False),
        sa.Column("code", sa.String(length=64), server_default="", nullable=False),
        sa.Column("alias", sa.String(length=64), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["version_fk"], ["code_versions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("version_fk", "code", name="uq_codes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_codes_alias", "codes", ["version_fk", "alias"], unique=False)
    op.create_index(
        "ix_orders_unmatched",
        "orders",
        ["facility", "requested_at", "id"],
        unique=False,
        sqlite_where=sa.text("matched = 0"),
        postgresql_where=sa.text("matched = 0"),
    )
    for name in ("reader", "reader_facility"):
        op.add_column("links", sa.Column(name, sa.Text(), server_default="", nullable=False))
