"""From a use case to an operation of a service: what it refuses becomes registry errors, whatever else is a fault."""

import logging
from collections.abc import Callable, Sequence

from lxml import etree

from vna.documents.problems import ErrorCode, Problem, Refused
from vna.model.access import Actor
from vna.model.errors import Conflict, NotAuthorized, OutOfResources, Unavailable, VnaError
from vna.soap.exchange import Operation
from vna.soap.message import Message, Reply
from xds.responses import registry_response

log = logging.getLogger(__name__)

Failed = Callable[[Sequence[Problem]], etree._Element]

CODES: dict[type[VnaError], ErrorCode] = {  # ITI TF-3 Table 4.2.4.1-2
    Conflict: ErrorCode.DUPLICATE,
    OutOfResources: ErrorCode.OUT_OF_RESOURCES,
    Unavailable: ErrorCode.BUSY,
    VnaError: ErrorCode.REGISTRY,
}


def transaction(
    action: str, answer: Callable[[Message, Actor], etree._Element], failed: Failed = registry_response
) -> Operation:
    """The operation under this action. Who may not do it is told so by a fault."""

    def operation(message: Message, actor: Actor) -> Reply:
        try:
            body = answer(message, actor)
        except NotAuthorized:
            raise
        except VnaError as error:
            problems = _problems(error)
            codes = sorted({problem.code.value for problem in problems})
            log.warning("transaction refused", extra={"action": action, "codes": codes, "address": actor.address})
            body = failed(problems)
        return Reply(f"{action}Response", body)

    return operation


def _problems(error: VnaError) -> Sequence[Problem]:
    if isinstance(error, Refused):
        return error.problems
    code = next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
    return [Problem(code, str(error))]
