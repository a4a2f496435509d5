"""The tables of shared documents: patient identifiers, objects of the registry, associations between them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "patient_identifiers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("authority", sa.String(length=128), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("registered_at", sa.String(length=32), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["merged_into"],
            ["patient_identifiers.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("authority", "value", name="uq_patient_identifiers"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_patient_identifiers_merged", "patient_identifiers", ["merged_into"], unique=False)
    op.create_table(
        "document_objects",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("entry_uuid", sa.String(length=45), nullable=False),
        sa.Column("logical_id", sa.String(length=45), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("patient_fk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unique_id", sa.Text(), server_default="", nullable=False),
        sa.Column("on_demand", sa.Text(), server_default="", nullable=False),
        sa.Column("class_code", sa.Text(), server_default="", nullable=False),
        sa.Column("type_code", sa.Text(), server_default="", nullable=False),
        sa.Column("format_code", sa.Text(), server_default="", nullable=False),
        sa.Column("healthcare_facility_type_code", sa.Text(), server_default="", nullable=False),
        sa.Column("practice_setting_code", sa.Text(), server_default="", nullable=False),
        sa.Column("content_type_code", sa.Text(), server_default="", nullable=False),
        sa.Column("confidentiality_codes", sa.Text(), server_default="", nullable=False),
        sa.Column("event_codes", sa.Text(), server_default="", nullable=False),
        sa.Column("codes", sa.Text(), server_default="", nullable=False),
        sa.Column("author_person", sa.Text(), server_default="", nullable=False),
        sa.Column("reference_ids", sa.Text(), server_default="", nullable=False),
        sa.Column("source_id", sa.Text(), server_default="", nullable=False),
        sa.Column("creation_time", sa.Text(), server_default="", nullable=False),
        sa.Column("service_start_time", sa.Text(), server_default="", nullable=False),
        sa.Column("service_stop_time", sa.Text(), server_default="", nullable=False),
        sa.Column("submission_time", sa.Text(), server_default="", nullable=False),
        sa.Column("last_update_time", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("rendition", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_fk"],
            ["patient_identifiers.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("entry_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_document_objects_logical_id", "document_objects", ["logical_id"], unique=False)
    op.create_index("ix_document_objects_patient", "document_objects", ["patient_fk", "kind", "status"], unique=False)
    op.create_index("ix_document_objects_unique_id", "document_objects", ["unique_id"], unique=False)
    op.create_index(
        "uq_document_objects_set",
        "document_objects",
        ["unique_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'SubmissionSet'"),
        postgresql_where=sa.text("kind = 'SubmissionSet'"),
    )
    op.create_table(
        "document_associations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("entry_uuid", sa.String(length=45), nullable=False),
        sa.Column("association", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=45), nullable=False),
        sa.Column("target", sa.String(length=45), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("rendition", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("entry_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_document_associations_source", "document_associations", ["source", "association"], unique=False)
    op.create_index("ix_document_associations_target", "document_associations", ["target", "association"], unique=False)
    op.create_table(
        "publications",
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("patient_id", sa.Text(), server_default="", nullable=False),
        sa.Column("unique_id", sa.Text(), server_default="", nullable=False),
        sa.Column("entry_uuid", sa.Text(), server_default="", nullable=False),
        sa.Column("pending", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid"),
    )
