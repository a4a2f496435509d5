"""Retrieve Document Set at an Initiating Gateway, which asks others by ITI-39 (ITI TF-2 3.43.4.1.3, 3.39.4.1.3)."""

from collections.abc import Sequence

from vna.documents.repository import WantedDocument
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds import iti43
from xds.document_requests import document_requests
from xds.forwarding import Forwarding, documents_here, together
from xds.rad69 import scratch_of
from xds.retrieved import Outcome, retrieving

ACTION = iti43.ACTION


def operation(forwarding: Forwarding) -> Operation:
    """Gives documents of our community and of others."""
    gateway, own = forwarding.gateway, forwarding.here

    def retrieve(message: Message, actor: Actor) -> Outcome:
        def here(wanted: Sequence[WantedDocument]) -> Outcome:
            given, problems = own.retrieve(actor, wanted)
            return map(iti43.retrieved, given), problems

        gathered = gateway.retrieve(
            actor,
            document_requests(message.body, iti43.REQUEST),
            lambda wanted: documents_here(lambda: here(wanted), own.home),
            lambda home, wanted: forwarding.clients[home].retrieve(wanted),
        )
        return together(gathered, scratch_of(message))

    return retrieving(ACTION, f"{ACTION}Response", retrieve, location=gateway.home)
