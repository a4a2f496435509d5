"""Sources can have an archive that is read from."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TEXTS = (
    "ae_title host tls_ca tls_certificate tls_key wado_uri wado_rs qido_rs rad69 repository_unique_id user_name "
    "password token retrieve_location_uid retrieve_ae_title"
)
_NUMBERS = "port tls priority connections"


def upgrade() -> None:
    """Add the columns."""
    for name in _TEXTS.split():
        op.add_column("sources", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in _NUMBERS.split():
        op.add_column("sources", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.add_column("sources", sa.Column("bandwidth", sa.BigInteger(), server_default="0", nullable=False))
