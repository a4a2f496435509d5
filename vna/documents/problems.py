"""What can be wrong with a submission, an update or a query, by the names of ITI TF-3 Table 4.2.4.1-2."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from vna.model.errors import Rejected

_LISTED = 100
_LONGEST = 1000
_LAST = 300


class ErrorCode(StrEnum):
    """The code of a registry error."""

    METADATA = "XDSRegistryMetadataError"
    REGISTRY = "XDSRegistryError"
    BUSY = "XDSRegistryBusy"
    OUT_OF_RESOURCES = "XDSRegistryOutOfResources"
    UNRESOLVED = "UnresolvedReferenceException"
    UNKNOWN_PATIENT = "XDSUnknownPatientId"
    OTHER_PATIENT = "XDSPatientIdDoesNotMatch"
    DUPLICATE = "XDSDuplicateUniqueIdInRegistry"
    DUPLICATE_IN_MESSAGE = "XDSRegistryDuplicateUniqueIdInMessage"
    OTHER_HASH = "XDSNonIdenticalHash"
    OTHER_SIZE = "XDSNonIdenticalSize"
    DEPRECATED = "XDSRegistryDeprecatedDocumentError"
    UNKNOWN_QUERY = "XDSUnknownStoredQuery"
    MISSING_PARAMETER = "XDSStoredQueryMissingParam"
    PARAMETER_NUMBER = "XDSStoredQueryParamNumber"
    TOO_MANY_RESULTS = "XDSTooManyResults"
    NOT_SINGLE_PATIENT = "XDSResultNotSinglePatient"
    VERSION = "XDSMetadataVersionError"
    UPDATE = "XDSMetadataUpdateError"
    OPERATION = "XDSMetadataUpdateOperationError"
    IDENTIFIER = "XDSMetadataIdentifierError"
    UNMODIFIABLE = "UnmodifiableMetadataError"
    RECONCILIATION = "XDSPatientIDReconciliationError"
    REFERENCED = "ReferencesExistException"
    UNREFERENCED = "XDSUnreferencedObjectException"
    REPOSITORY = "XDSRepositoryError"
    REPOSITORY_METADATA = "XDSRepositoryMetadataError"
    REPOSITORY_BUSY = "XDSRepositoryBusy"
    MISSING_DOCUMENT = "XDSMissingDocument"
    MISSING_METADATA = "XDSMissingDocumentMetadata"
    REGISTRY_NOT_AVAILABLE = "XDSRegistryNotAvailable"
    REPOSITORY_OUT_OF_RESOURCES = "XDSRepositoryOutOfResources"
    UNKNOWN_REPOSITORY = "XDSUnknownRepositoryId"
    DOCUMENT_UNIQUE_ID = "XDSDocumentUniqueIdError"
    IMAGING_REQUEST = "XDSIRequestError"
    MISSING_HOME = "XDSMissingHomeCommunityId"
    UNKNOWN_COMMUNITY = "XDSUnknownCommunity"
    UNAVAILABLE_COMMUNITY = "XDSUnavailableCommunity"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error, or a warning; `context` names the object, the attribute and the value.

    `code` is an ErrorCode, or what another registry says. `location` is what it is about, where an answer says that: a
    document's uniqueId, a community.
    """

    code: str
    context: str
    location: str = ""
    is_warning: bool = False


class Refused(Rejected):
    """Nothing was done, for these reasons, which may name a patient: they are for the caller, not for logs."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(", ".join(dict.fromkeys(problem.code for problem in self.problems)))


@dataclass(slots=True)
class Problems:
    """What was found wrong so far; only the first hundred are kept, and of long sentences the two ends."""

    found: list[Problem] = field(default_factory=list)

    def add(self, code: ErrorCode, context: str) -> None:
        """Note one."""
        if len(self.found) < _LISTED:
            self.found.append(Problem(code, _short(context)))

    def refuse(self) -> None:
        """Refused, if there are any."""
        if self.found:
            raise Refused(self.found)


def refused(code: ErrorCode, context: str) -> Refused:
    """For one reason."""
    return Refused([Problem(code, _short(context))])


def _short(context: str) -> str:
    """Without its middle: a value of megabytes, named by a hundred sentences, would make an answer of gigabytes."""
    gap = " ... "
    return context if len(context) <= _LONGEST else context[: _LONGEST - _LAST - len(gap)] + gap + context[-_LAST:]
