"""Tables of what is taken over from other archives."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _word(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), server_default="", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def _part(name: str, *columns: sa.Column[int] | sa.Column[str], unique: tuple[str, str] | None = None) -> None:
    """A table of something that belongs to a takeover."""
    distinct = () if unique is None else (sa.UniqueConstraint("takeover_fk", unique[1], name=unique[0]),)
    op.create_table(
        name,
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("takeover_fk", _key(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["takeover_fk"], ["takeovers.id"]),
        sa.PrimaryKeyConstraint("id"),
        *distinct,
        sqlite_autoincrement=True,
    )


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "takeovers",
        sa.Column("id", _key(), autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        _count("listed"),
        _count("trusted"),
        _count("cap"),
        _word("started_at", 32),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "scope", name="uq_takeovers"),
        sqlite_autoincrement=True,
    )
    _part(
        "takeover_windows",
        sa.Column("span", sa.String(length=160), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        _count("found"),
        _text("reason"),
        unique=("uq_takeover_windows", "span"),
    )
    op.create_index("ix_takeover_windows_state", "takeover_windows", ["takeover_fk", "state", "id"])
    _part(
        "takeover_studies",
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        _word("study_date", 8),
        _text("modalities"),
        sa.Column("said", sa.BigInteger(), server_default="-1", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        _text("reason"),
        _text("counts"),
        *map(_count, ("listed", "stored", "held", "missing", "differed", "refused")),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        _word("looked_at", 32),
        unique=("uq_takeover_studies", "study_instance_uid"),
    )
    op.create_index("ix_takeover_studies_state", "takeover_studies", ["takeover_fk", "state", "study_date", "id"])
    _part(
        "takeover_findings",
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        _word("sop_instance_uid", 64),
        sa.Column("what", sa.String(length=16), nullable=False),
        _text("reason"),
    )
    op.create_index("ix_takeover_findings_study", "takeover_findings", ["takeover_fk", "study_instance_uid"])
