"""Which presentation contexts are accepted, and in which roles (PS3.8 7.1.1.13, 9.3.3.2; PS3.7 D.3.3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom.uid import UID
from pynetdicom.presentation import PresentationContext

from vna.model.sop_classes import may_be_storage

MOST_CONTEXTS: Final = 128
"""Odd numbers between 1 and 255 (PS3.8 9.3.2.2)."""

# Result/Reason of a context (PS3.8 Table 9-18)
ACCEPTANCE: Final = 0
USER_REJECTION: Final = 1
ABSTRACT_SYNTAX_NOT_SUPPORTED: Final = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED: Final = 4


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context as proposed by a requestor."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SupportedContext:
    """A SOP Class as we take it when we are the acceptor.

    The requestor is SCU; where `requestor_may_be_scp`, it may also ask for the SCP role: storage classes in C-GET, and
    classes whose notifications the requestor receives.
    """

    abstract_syntax: str
    transfer_syntaxes: frozenset[str]
    requestor_may_be_scp: bool = False
    requestor_may_be_scu: bool = True


class ContextTable:
    """The contexts an acceptor supports; built once and shared by all associations.

    `unknown_storage`, if given, are the transfer syntaxes in which any abstract syntax is taken that no registry knows.
    """

    def __init__(self, contexts: Iterable[SupportedContext], unknown_storage: Iterable[str] | None = None) -> None:
        self._contexts: dict[str, SupportedContext] = {context.abstract_syntax: context for context in contexts}
        self._unknown_storage = None if unknown_storage is None else frozenset(unknown_storage)

    def __len__(self) -> int:
        return len(self._contexts)

    def __iter__(self) -> Iterator[SupportedContext]:
        return iter(self._contexts.values())

    def __contains__(self, abstract_syntax: str) -> bool:
        return self.find(abstract_syntax) is not None

    def find(self, abstract_syntax: str) -> SupportedContext | None:
        context = self._contexts.get(abstract_syntax)
        if context is None and self._unknown_storage is not None and may_be_storage(abstract_syntax):
            return SupportedContext(abstract_syntax, self._unknown_storage, requestor_may_be_scp=True)
        return context


Roles = Mapping[str, tuple[bool, bool]]
"""SOP Class UID to (requestor is SCU, requestor is SCP)."""

DEFAULT_ROLES: Final = (True, False)


@dataclass(frozen=True, slots=True)
class Negotiated:
    accepted: dict[int, PresentationContext]
    rejected: list[PresentationContext]
    role_answers: dict[str, tuple[bool, bool]]


def negotiate(table: ContextTable, proposals: Sequence[Proposal], roles: Roles) -> Negotiated:
    """Accept each proposal in the first of its transfer syntaxes that we support.

    The standard leaves the choice to the acceptor. Senders list first what they prefer or hold, and the archive keeps
    what it gets, so their order is the better one.
    """
    accepted: dict[int, PresentationContext] = {}
    rejected: list[PresentationContext] = []
    answers: dict[str, tuple[bool, bool]] = {}
    for proposal in proposals:
        supported = table.find(proposal.abstract_syntax)
        agreed = agree_roles(supported, roles.get(proposal.abstract_syntax)) if supported else DEFAULT_ROLES
        result, syntax = judge(proposal, supported, agreed)
        context = make_context(proposal, syntax, result, agreed)
        if result != ACCEPTANCE:
            rejected.append(context)
            continue
        accepted[proposal.context_id] = context
        if proposal.abstract_syntax in roles and supported and supported.requestor_may_be_scp:
            answers[proposal.abstract_syntax] = agreed
    return Negotiated(accepted, rejected, answers)


def judge(proposal: Proposal, supported: SupportedContext | None, agreed: tuple[bool, bool]) -> tuple[int, str]:
    """Result and transfer syntax of one proposal."""
    first = proposal.transfer_syntaxes[0] if proposal.transfer_syntaxes else ""
    if supported is None:
        return ABSTRACT_SYNTAX_NOT_SUPPORTED, first
    for syntax in proposal.transfer_syntaxes:
        if syntax in supported.transfer_syntaxes:
            return (ACCEPTANCE, syntax) if any(agreed) else (USER_REJECTION, first)
    return TRANSFER_SYNTAXES_NOT_SUPPORTED, first


def agree_roles(supported: SupportedContext, asked: tuple[bool, bool] | None) -> tuple[bool, bool]:
    """What the requestor may be of what it asked for; without an answer from us the default roles hold (D.3.3.4)."""
    if asked is None or not supported.requestor_may_be_scp:
        return DEFAULT_ROLES
    return asked[0] and supported.requestor_may_be_scu, asked[1]


def make_context(proposal: Proposal, syntax: str, result: int, agreed: tuple[bool, bool]) -> PresentationContext:
    """The outcome in pynetdicom's form, without its validation of every UID: they have only been compared."""
    context = PresentationContext()
    context._context_id = proposal.context_id
    context._abstract_syntax = UID(proposal.abstract_syntax)
    context._transfer_syntax = [UID(syntax)]
    context.result = result
    context._as_scp = result == ACCEPTANCE and agreed[0]
    context._as_scu = result == ACCEPTANCE and agreed[1]
    return context
