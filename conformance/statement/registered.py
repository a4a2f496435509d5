"""What the running code registers at its doors, by a key for each service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dicomweb.routes import ADDRESSES, Address
from dimse.entity import contexts
from dimse.upper_layer.negotiation import SupportedContext
from vna.app import Application
from vna.app.doors import hl7_dispatch
from vna.model.lookups import Operation
from vna.model.sop_classes import STORAGE_CLASSES
from xds import imaging_source, initiating_gateway, registry, repository, responding_gateway

STORAGE = "storage"

_ACTORS = {
    "registry": registry,
    "repository": repository,
    "imaging-source": imaging_source,
    "responding-gateway": responding_gateway,
    "initiating-gateway": initiating_gateway,
}


@dataclass(frozen=True, slots=True)
class Registered:
    """Everything that an archive with these settings serves."""

    sop_classes: Mapping[str, SupportedContext]
    addresses: tuple[Address, ...]
    transactions: Mapping[str, tuple[str, ...]]
    messages: tuple[str, ...]
    lookups: tuple[str, ...]

    def keys(self) -> Iterator[str]:
        """One for each service; those of storage are one."""
        others = [uid for uid in self.sop_classes if uid not in STORAGE_CLASSES]
        yield from (f"DICOM {uid}" for uid in (STORAGE, *others))
        yield from dict.fromkeys(f"DICOMweb {address.name}" for address in self.addresses)
        for actor, names in self.transactions.items():
            yield from (f"SOAP {actor} {name}" for name in names)
        yield from (f"HL7 {message}" for message in self.messages)
        yield from (f"look-up {name}" for name in self.lookups)


def registered(application: Application) -> Registered:
    """As the doors are made of it (`vna.app.doors`)."""
    table = contexts(unknown_sop_classes=application.settings.dimse.unknown_sop_classes)
    dispatch = hl7_dispatch(application)
    return Registered(
        {one.abstract_syntax: one for one in table},
        ADDRESSES,
        {actor: tuple(_name(one) for one in module.TRANSACTIONS) for actor, module in _ACTORS.items()},
        tuple(f"{kind}^{event}" for kind, events in dispatch.table.items() for event in events),
        tuple(one.value for one in Operation),
    )


def _name(transaction: object) -> str:
    """A transaction's number where its module is called so, else what the module is called."""
    name = str(getattr(transaction, "__name__", "")).rpartition(".")[2]
    return f"{name[:3].upper()}-{name[3:]}" if name[3:].isdigit() else name
