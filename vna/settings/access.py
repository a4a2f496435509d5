"""Who may see what (docs/access.md)."""

from pydantic import Field

from vna.settings.values import Section


class AccessSettings(Section):
    """Whose studies roles reach."""

    public_grants: bool = Field(
        default=True,
        description="Whether radiologists of a public facility reach the studies of the public facilities of the same "
        "province (`vna facility`) without a recorded grant.",
    )
