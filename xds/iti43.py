"""Retrieve Document Set (ITI TF-2 3.43)."""

import logging

from vna.documents.repository import Given, Repository
from vna.model.access import Actor
from vna.model.errors import NotAuthorized, VnaError
from vna.soap.exchange import Operation
from vna.soap.message import Message, Reply
from vna.xml.namespaces import XDSB, qname
from xds.document_requests import document_requests
from xds.retrieved import Retrieved, retrieve_response
from xds.transaction import REPOSITORY_CODES, problems_of

log = logging.getLogger(__name__)

ACTION = "urn:ihe:iti:2007:RetrieveDocumentSet"
_REQUEST = qname(XDSB, "RetrieveDocumentSetRequest")


def operation(repository: Repository) -> Operation:
    """Gives documents as attachments, read when it is their turn."""

    def retrieve(message: Message, actor: Actor) -> Reply:
        try:
            given, problems = repository.retrieve(actor, document_requests(message.body, _REQUEST))
        except NotAuthorized:
            raise
        except VnaError as error:
            given, problems = [], list(problems_of(error, REPOSITORY_CODES))
        if problems:
            codes = sorted({problem.code for problem in problems})
            fields = {"given": len(given), "refused": len(problems), "codes": codes, "address": actor.address}
            log.warning("documents refused", extra={"action": ACTION, **fields})
        body, contents = retrieve_response(map(_retrieved, given), problems)
        return Reply(f"{ACTION}Response", body, contents)

    return retrieve


def _retrieved(given: Given) -> Retrieved:
    wanted = given.wanted
    return Retrieved(
        wanted.repository_unique_id, wanted.unique_id, given.mime_type, given.pieces, given.size, wanted.home
    )
