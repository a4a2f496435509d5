"""From a use case to an operation of a service: what it refuses becomes registry errors, whatever else is a fault."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from lxml import etree

from vna.documents.problems import ErrorCode, Problem, Refused
from vna.model.access import Actor
from vna.model.errors import Conflict, NotAuthorized, OutOfResources, Unavailable, VnaError
from vna.soap.exchange import Operation
from vna.soap.faults import SoapFault
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
REPOSITORY_CODES: dict[type[VnaError], ErrorCode] = {
    OutOfResources: ErrorCode.REPOSITORY_OUT_OF_RESOURCES,
    Unavailable: ErrorCode.REPOSITORY_BUSY,
    VnaError: ErrorCode.REPOSITORY,
}


def transaction(
    action: str,
    answer: Callable[[Message, Actor], etree._Element | bytes],
    failed: Failed = registry_response,
    codes: Mapping[type[VnaError], ErrorCode] = CODES,
) -> Operation:
    """The operation under this action. Who may not do it is told so by a fault."""

    def operation(message: Message, actor: Actor) -> Reply:
        body: etree._Element | bytes
        try:
            body = answer(message, actor)
        except (NotAuthorized, SoapFault):
            raise
        except VnaError as error:
            problems = problems_of(error, codes)
            found = sorted({problem.code for problem in problems})
            log.warning("transaction refused", extra={"action": action, "codes": found, "address": actor.address})
            body = failed(problems)
        return Reply(f"{action}Response", body)

    return operation


def by_action(modules: Iterable[ModuleType], served: Any) -> Mapping[str, Operation]:
    """The operations of transactions by their action; whoever asks is known to ask by the transaction that a module is
    named for."""
    return {module.ACTION: _asked_by(number_of(module), module.operation(served)) for module in modules}


def number_of(module: ModuleType) -> str:
    """`ITI-18` of `xds.iti18`."""
    name = module.__name__.rpartition(".")[2].upper()
    return f"{name[:3]}-{name[3:]}"


def _asked_by(number: str, operation: Operation) -> Operation:
    def named(message: Message, actor: Actor) -> Reply:
        return operation(message, replace(actor, service=number))

    return named


def problems_of(error: VnaError, codes: Mapping[type[VnaError], ErrorCode] = CODES) -> Sequence[Problem]:
    """What an error is in words of an answer."""
    if isinstance(error, Refused):
        return error.problems
    code = next(codes[kind] for kind in type(error).__mro__ if kind in codes)
    return [Problem(code, str(error))]
