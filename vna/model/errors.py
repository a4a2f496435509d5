"""Errors by meaning; each door maps them to its statuses in one table.

VnaError
├── BadRequest          the request itself is malformed
│   ├── InvalidValue    an attribute has a value that it cannot have
│   ├── MissingAttribute    an attribute is not there
│   └── MissingValue    an attribute is there, and has no value
├── CannotUnderstand    bytes that are no usable DICOM object
│   └── Damaged         what is held cannot be read: its pixels are no pixels, its bytes are gone or cut
├── NotAuthorized       no rule allows it
│   └── PasswordExpired     right, and too old: it has to be changed first
├── NotFound            nothing by that name
│   ├── Gone            it was there, and is no more
│   └── NotReached      for whoever asks there is nothing by that name, whether there is or not
├── NotAcceptable       cannot be answered in a form the caller takes
├── Rejected            understood and refused by a rule
│   ├── RuleBroken      a rule of the national profile, by its name
│   ├── SOPClassNotSupported    no SOP Class of storage
│   ├── SyntaxNotSupported      no transfer syntax that is known
│   ├── Mismatch        data set and command or address disagree
│   └── TooLarge        a bound is exceeded
├── Conflict            contradicts what is held
│   ├── DuplicateInstance   same SOP Instance UID, other content
│   ├── Withheld        it was rejected, and does not come again
│   ├── Finished        is over, and changes no more
│   ├── Reused          an identifier that something else came under before
│   └── Taken           another process is at it now
├── OutOfResources      no space left, or too much asked at once
└── Unavailable         a part of the archive does not answer, or an archive elsewhere
    └── NotHere         kept elsewhere: it has to be fetched first
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vna.model.instances import Instance


class VnaError(Exception):
    """An outcome with a meaning; the message is one sentence for the caller, without patient data."""


class BadRequest(VnaError):
    """The request itself is malformed."""


class InvalidValue(BadRequest):
    """An attribute has a value that it cannot have."""


class MissingAttribute(BadRequest):
    """An attribute that has to be there is not."""


class MissingValue(BadRequest):
    """An attribute that has to have a value has none."""


class CannotUnderstand(VnaError):
    """The bytes are no DICOM object that can be stored."""


class Damaged(CannotUnderstand):
    """What is asked of pixels cannot be made of them: they are not what their attributes say."""


class NotAuthorized(VnaError):
    """No rule of the policy allows it."""

    def __init__(self, message: str, *, authenticated: bool = True) -> None:
        super().__init__(message)
        self.authenticated = authenticated


class PasswordExpired(NotAuthorized):
    """The password is right, and has to be changed before anything else."""

    def __init__(self, message: str) -> None:
        super().__init__(message, authenticated=False)


class NotFound(VnaError):
    """Nothing is held by that name."""


class Gone(NotFound):
    """It was there, and its time is over."""


class NotReached(NotFound):
    """It is not among what whoever asks may know of: told as what is not held is told."""


class NotAcceptable(VnaError):
    """It is held, and cannot be given in a form that the caller takes."""


class Rejected(VnaError):
    """Understood and refused by a rule."""


class RuleBroken(Rejected):
    """A rule of the national profile refuses it; `rule` is the name by which the profile has its code."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class SOPClassNotSupported(Rejected):
    """The SOP Class is not one of storage, or unknown and not opted into."""


class SyntaxNotSupported(Rejected):
    """The transfer syntax is unknown."""


class Mismatch(Rejected):
    """The data set says something else than the command or address it came with."""


class TooLarge(Rejected):
    """A bound on size or count is exceeded."""


class Conflict(VnaError):
    """Contradicts what is held."""


class DuplicateInstance(Conflict):
    """Another content is held under the same SOP Instance UID."""


class Withheld(Conflict):
    """A rejection note rejected the instance: it is hidden, and not taken again."""


class Finished(Conflict):
    """It is over, and changes no more."""


class Reused(Conflict):
    """Something else came under this identifier before."""


class Taken(Conflict):
    """Another process is at it now: it can be done later."""


class OutOfResources(VnaError):
    """No space left, or more asked at once than can be served."""


class Unavailable(VnaError):
    """A part of the archive (index, blob store, peer) does not answer."""


class NotHere(Unavailable):
    """It is kept elsewhere, and has to be fetched before it can be read: `wanted` says what, `enough` how much of it
    has to be here before it is worth trying again."""

    def __init__(self, wanted: Sequence[Instance], enough: int = 0) -> None:
        super().__init__("it is kept elsewhere, and not fetched yet: ask again")
        self.wanted = tuple(wanted)
        self.enough = enough or len(self.wanted)
