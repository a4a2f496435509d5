"""What the operations of an Initiating Gateway share: both gateways, a client of every community, and one answer made
of theirs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from storage.scratch import Scratch
from vna.documents.communities import located
from vna.documents.initiating_gateway import Gathered, InitiatingGateway
from vna.documents.responding_gateway import RespondingGateway
from vna.model.errors import NotAuthorized, VnaError
from xds.community_client import CommunityClient, Documents
from xds.retrieved import Outcome, Retrieved
from xds.transaction import REPOSITORY_CODES, problems_of


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Our own community is asked as others ask us: its Responding Gateway, in this process."""

    gateway: InitiatingGateway
    here: RespondingGateway
    clients: Mapping[str, CommunityClient]


def documents_here(retrieve: Callable[[], Outcome], home: str) -> Documents:
    """What our own community gives; what it refuses is its problem, and not the others'."""
    try:
        given, problems = retrieve()
    except NotAuthorized:
        raise
    except VnaError as error:
        return Documents(problems=located(problems_of(error, REPOSITORY_CODES), home))
    return Documents(list(given), problems)


def together(gathered: Gathered[Documents], scratch: Scratch) -> Outcome:
    """All of it; what was spooled of others lives as long as `scratch`, which is that of our answer."""
    given: list[Retrieved] = []
    problems = list(gathered.problems)
    for part in gathered.parts.values():
        if part.scratch is not None:
            scratch.keep(part.scratch)
        given += part.given
        problems += part.problems
    return given, problems
