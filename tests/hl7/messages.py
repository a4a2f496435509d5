"""Messages of invented patients."""

from __future__ import annotations

DOMAIN = "1.3.6.1.4.1.21367.2005.13.20.1000"


def cx(value: str, domain: str = DOMAIN) -> str:
    """A patient identifier with its assigning authority."""
    return f"{value}^^^&{domain}&ISO"


def adt(
    event: str = "A04",
    pid: str = cx("P1"),
    *,
    mrg: str | None = None,
    control_id: str = "MSG1",
    version: str = "2.3.1",
    charset: str = "",
    application: str = "HIS",
    facility: str = "HOSPITAL",
    name: str = "Deneme^Hasta",
    processing: str = "P",
) -> str:
    """A message of the identity feed; with `mrg` also that segment."""
    to = "VNA|ARCHIVE|20260102030405"
    header = rf"MSH|^~\&|{application}|{facility}|{to}||ADT^{event}|{control_id}|{processing}|{version}"
    lines = [
        header + (f"||||||{charset}" if charset else ""),
        f"EVN|{event}|20260102030405",
        f"PID|||{pid}||{name}||19700101|F",
    ]
    if mrg is not None:
        lines.append(f"MRG|{mrg}")
    lines.append("PV1||O")
    return "\r".join(lines) + "\r"


def encoded(text: str, codec: str = "utf-8") -> bytes:
    return text.encode(codec)
