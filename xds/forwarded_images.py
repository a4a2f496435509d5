"""Retrieve Imaging Document Set at an Initiating Imaging Gateway, which asks others by RAD-75 (RAD TF-2 4.69, 4.75)."""

from collections.abc import Sequence

from vna.documents.imaging_source import Wanted
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds import rad69
from xds.forwarding import Forwarding, documents_here, together
from xds.retrieved import Outcome, retrieving

ACTION = rad69.ACTION


def operation(forwarding: Forwarding) -> Operation:
    """Gives instances of our community and of others."""
    gateway, own = forwarding.gateway, forwarding.here

    def retrieve(message: Message, actor: Actor) -> Outcome:
        wanted, syntaxes = rad69.read(message.body)
        scratch = rad69.scratch_of(message)

        def here(asked: Sequence[Wanted]) -> Outcome:
            given, problems = own.images(actor, asked, syntaxes, scratch)
            return map(rad69.retrieved, given), problems

        gathered = gateway.images(
            actor,
            wanted,
            lambda asked: documents_here(lambda: here(asked), own.home),
            lambda home, asked: forwarding.clients[home].images(asked, syntaxes),
        )
        return together(gathered, scratch)

    return retrieving(ACTION, rad69.ANSWER, retrieve, location=gateway.home)
