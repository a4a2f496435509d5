"""Broken HL7 doors (`mutations` says how)."""

from __future__ import annotations

from typing import Any

from tests.conformance.mutations import Mutation, after
from vna.hl7.dispatch import Dispatch


def _said(old: bytes, new: bytes) -> Any:
    return lambda answer: answer.replace(old, new, 1)


MUTATIONS: tuple[Mutation, ...] = (
    after("nothing is accepted", Dispatch, "answer", _said(b"MSA|AA|", b"MSA|AE|"), "hl7.order.accepted",
          "hl7.order.changed", "hl7.order.cancelled", "hl7.ack.again", "hl7.mllp.several", "hl7.charset.utf8",
          "hl7.patient.registered", "hl7.patient.updated", "hl7.patient.merged", "hl7.mllp.together",
          "hl7.mllp.pieces"),
    after("everything is accepted", Dispatch, "answer", lambda answer: answer.replace(b"MSA|AE|", b"MSA|AA|", 1)
          .replace(b"MSA|AR|", b"MSA|AA|", 1), "hl7.order.unknown-cancelled", "hl7.ack.unknown-type",
          "hl7.ack.missing-segment", "hl7.charset.wrong", "hl7.patient.merged-into-itself",
          "hl7.patient.no-identifier"),
    after("another message is acknowledged", Dispatch, "answer", _said(b"MSA|AA|", b"MSA|AA|X"), "hl7.ack.control-id",
          "hl7.mllp.several"),
    after("an answer is no ACK", Dispatch, "answer", _said(b"|ACK", b"|ORR"), "hl7.ack.header"),
)  # fmt: skip
