"""A document registry in this process, with its transactions called as vna.soap calls them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from storage.index.engine import Database
from vna.documents.registry import Registry, RegistryRules
from vna.identity.patients import Patients
from vna.model.access import SYSTEM, Actor
from vna.security.policy import LocalPolicy
from vna.soap.message import Message
from vna.soap.versions import Version
from vna.xml.namespaces import PREFIXES
from xds import registry as door
from xds.ebrim.writing import rendition

SHARED = Path(__file__).parents[3] / "shared" / "data" / "xds"
DOMAIN = "1.3.6.1.4.1.21367.2005.13.20.1000"
PATIENT = f"D-1001^^^&{DOMAIN}&ISO"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@dataclass(slots=True)
class Registries:
    """One registry and what its operations answer; every answer is valid by the schemas, where they are there."""

    database: Database
    registry: Registry
    patients: Patients

    def ask(self, action: str, body: etree._Element, actor: Actor = SYSTEM) -> etree._Element:
        reply = door.operations(self.registry)[action](Message(Version.SOAP12, action, "urn:uuid:1", body), actor)
        assert reply.action == f"{action}Response"
        written = reply.body if isinstance(reply.body, bytes) else etree.tostring(reply.body)
        answer = etree.fromstring(written)
        assert valid(answer)
        return answer


def make(
    database: Database, *, clock: Callable[[], datetime] = lambda: NOW, registers: bool = False, **rules: Any
) -> Registries:
    patients = Patients(database, LocalPolicy(), authority=DOMAIN, registers=registers)
    registry = Registry(database, LocalPolicy(), patients, rendition, RegistryRules(**rules), clock)
    return Registries(database, registry, patients)


def valid(answer: etree._Element) -> bool:
    """Whether the schemas take it, where they are there; says what is wrong."""
    if (schema := _schema()) is not None:
        schema.assertValid(answer)
    return True


@cache
def _schema() -> etree.XMLSchema | None:
    folder = SHARED / "schemas"
    return etree.XMLSchema(etree.parse(folder / "query.xsd")) if folder.is_dir() else None


def status(answer: etree._Element) -> str:
    return answer.get("status", "").rpartition(":")[2]


def errors(answer: etree._Element) -> list[str]:
    return [str(code) for code in found(answer, "//rs:RegistryError/@errorCode")]


def contexts(answer: etree._Element) -> str:
    return "\n".join(map(str, found(answer, "//rs:RegistryError/@codeContext")))


def found(answer: etree._Element, path: str) -> list[Any]:
    nodes = answer.xpath(path, namespaces=PREFIXES)
    assert isinstance(nodes, list)
    return nodes


def filled(text: str, values: Mapping[str, str]) -> str:
    """`$name$` in a text, replaced."""
    return re.sub(r"\$\w+\$", lambda name: values.get(name[0], name[0]), text)
