"""Settings of the audit trail."""

from pydantic import Field

from vna.settings.values import Section


class AuditSettings(Section):
    """What is written down of who did what, and how it is kept from being altered."""

    on: bool = Field(
        default=True,
        description="Write the audit trail (true or false). Off is for measuring what it costs.",
    )
    key_file: str = Field(
        default="",
        description="File with the key of the trail: 64 hexadecimal digits a line, the first line writes, the others "
        "still verify. The same on every node. Empty: `audit.key` in the data folder, made at the first start.",
    )
