"""Registry Stored Query at an Initiating Gateway, which asks others by ITI-38 (ITI TF-2 3.18.4.1.3, 3.38.4.1.3)."""

from itertools import islice

from lxml import etree

from vna.documents.communities import located
from vna.documents.problems import ErrorCode, refused
from vna.model.access import Actor
from vna.model.errors import NotAuthorized, VnaError
from vna.soap.exchange import Operation
from vna.soap.message import Message
from xds import iti18, iti38
from xds.community_client import Objects
from xds.forwarding import Forwarding
from xds.responses import consolidated, query_failure
from xds.transaction import problems_of, transaction

ACTION = iti18.ACTION
_MOST_ELEMENTS = 5_000
_LONGEST = 256 << 10


def operation(forwarding: Forwarding) -> Operation:
    """Finds objects in our community and in others, each with its home community."""
    gateway = forwarding.gateway

    def query(message: Message, actor: Actor) -> bytes:
        asked = iti18.asked_of(message.body)
        _check_size(message.body)
        requests = {home: client.query_request(message.body, asked) for home, client in forwarding.clients.items()}
        gathered = gateway.query(
            actor,
            asked,
            lambda: _here(forwarding, message.body, actor),
            lambda home: forwarding.clients[home].query(requests[home], gateway.home),
        )
        problems = [*gathered.problems, *(one for part in gathered.parts.values() for one in part.problems)]
        is_partly = any(part.is_done for part in gathered.parts.values())
        parts = (piece for part in gathered.parts.values() for piece in part.parts)
        return consolidated(parts, problems, partly=is_partly)

    return transaction(ACTION, query, lambda problems: query_failure(located(problems, gateway.home)))


def _check_size(request: etree._Element) -> None:
    """It is copied for every community that is asked."""
    elements = sum(1 for _ in islice(request.iter(), _MOST_ELEMENTS + 1))
    if elements > _MOST_ELEMENTS or len(etree.tostring(request)) > _LONGEST:
        what = f"a query to communities has at most {_MOST_ELEMENTS} elements and {_LONGEST} bytes"
        raise refused(ErrorCode.OUT_OF_RESOURCES, what)


def _here(forwarding: Forwarding, request: etree._Element, actor: Actor) -> Objects:
    try:
        return Objects(iti38.found_here(forwarding.here, request, actor))
    except NotAuthorized:
        raise
    except VnaError as error:
        return Objects(problems=located(problems_of(error), forwarding.here.home), is_done=False)
