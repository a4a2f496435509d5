"""The IHE Integration Statement (ITI TF-1 appendix F, RAD TF-1 appendix D)."""

from __future__ import annotations

from conformance.statement.document import Document
from conformance.statement.registered import Registered
from conformance.statement.stated import ACTORS, IHE


def statement(found: Registered, version: str) -> Document:
    """The whole document."""
    document = Document()
    document.heading(1, f"IHE Integration Statement: vna {version}")
    document.say("Product: vna, a vendor-neutral archive. It implements these actors of IHE profiles.")
    document.table(("Profile", "actor", "options"), [(one.profile, one.actor, one.options) for one in ACTORS])
    document.heading(2, "Transactions")
    document.say("As the running code registers them, each at its address.")
    rows = [
        (_number(actor, name), IHE[f"SOAP {actor} {name}"].title, f"/xds/{actor}")
        for actor, names in found.transactions.items()
        for name in names
    ]
    document.table(("Transaction", "title", "address"), rows)
    document.heading(2, "HL7 v2 messages")
    document.table(
        ("Message", "what it does", "clause"),
        [(one, IHE[f"HL7 {one}"].title, IHE[f"HL7 {one}"].clause) for one in found.messages],
    )
    document.heading(2, "National look-ups by accession number")
    document.table(("Operation", "question"), [(one, IHE[f"look-up {one}"].title) for one in found.lookups])
    document.say("The DICOM side is in the DICOM Conformance Statement.")
    return document


def _number(actor: str, name: str) -> str:
    """Of a transaction; one that is forwarded is called after what it does."""
    return name if name[3:4] == "-" else IHE[f"SOAP {actor} {name}"].check
