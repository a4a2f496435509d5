"""Broken look-ups by accession number (`mutations` says how)."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.mutations import Mutation, after, constant
from vna.model.lookups import Result
from vna.soap import faults
from vna.teleradiology.lookups import Lookups

MUTATIONS: tuple[Mutation, ...] = (
    after("every look-up succeeds", Lookups, "answer", lambda answer: replace(answer, result=Result.SUCCESS),
          "sgk.find.unknown", "sgk.find.other-person", "sgk.parameter.no-facility", "sgk.parameter.checksum",
          "sgk.parameter.period", "sgk.soap.action"),
    constant(Lookups, "_disclosed", Lookups._told, "sgk.find.number"),
    constant(faults, "_SOAP11", {}, "sgk.soap.no-xml", "sgk.soap.no-operation", "sgk.soap.document-type"),
)  # fmt: skip
