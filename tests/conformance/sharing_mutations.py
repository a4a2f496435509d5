"""Broken doors of document sharing (`mutations` says how)."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.mutations import Mutation, after, constant
from vna.documents.stored_queries import Arguments
from vna.model.documents import Status
from vna.soap import addressing
from xds import iti43, rad69, responses

DOORS = ("registry", "repository", "imaging-source")

MUTATIONS: tuple[Mutation, ...] = (
    constant(addressing, "answer_headers", lambda *_: [], *(f"xds.{door}.soap.addressed" for door in DOORS)),
    constant(Arguments, "statuses", lambda *_: frozenset(Status), "xds.registry.find.status",
             "xds.registry.register.replace"),
    constant(responses, "SEVERITY", "", "xds.registry.register.other-patient", "xds.registry.query.unknown",
             "xds.repository.provide.other-hash", "xds.repository.retrieve.unknown",
             "xds.imaging-source.retrieve.unknown"),
    after("images come in one transfer syntax, whatever is listed", rad69, "read",
          lambda read: (read[0], ["1.2.840.10008.1.2.1"]), "xds.imaging-source.retrieve.implicit",
          "xds.imaging-source.retrieve.syntax", "xds.imaging-source.retrieve.no-syntax"),
    after("documents come as of another media type", iti43, "retrieved",
          lambda one: replace(one, mime_type="application/pdf"), "xds.repository.retrieve.success"),
)  # fmt: skip
