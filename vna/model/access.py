"""Who asks, and what for."""

from dataclasses import dataclass
from enum import StrEnum

from vna.model.priority import Priority


class Action(StrEnum):
    """What a use case is about to do; rights are granted by action."""

    ECHO = "echo"
    STORE = "store"
    QUERY = "query"
    QUERY_ACROSS = "query-across"
    RETRIEVE = "retrieve"
    DELETE = "delete"
    READ_DOCUMENTS = "read-documents"
    WRITE_DOCUMENTS = "write-documents"
    FEED = "feed"
    LOOK_UP = "look-up"
    CHECK_BILLS = "check-bills"
    REPORT = "report"
    MATCH = "match"
    CORRECT = "correct"
    ADMIN = "admin"


class ActorKind(StrEnum):
    """How the actor is known."""

    ANONYMOUS = "anonymous"
    LOCAL = "local"
    AE = "ae"
    USER = "user"
    TOKEN = "token"
    LINK = "link"
    SOURCE = "source"
    SYSTEM = "system"


class Role(StrEnum):
    """What somebody is to the archive: it bounds the rights, and says whose studies they reach.

    An actor without a role (application entities, sources, accounts that were made without one) has its rights alone.
    """

    CITIZEN = "citizen"
    CLINICIAN = "clinician"
    RADIOLOGIST = "radiologist"
    HOSPITAL_ADMINISTRATOR = "hospital-administrator"
    NATIONAL_OPERATOR = "national-operator"
    PAYER_CLERK = "payer-clerk"
    PAYER_INSPECTOR = "payer-inspector"


class Purpose(StrEnum):
    """What for (ISO 14265, as HL7 PurposeOfUse codes it)."""

    TREATMENT = "TREAT"
    EMERGENCY = "ETREAT"
    PATIENT_REQUEST = "PATRQT"
    PAYMENT = "HPAYMT"
    OPERATIONS = "HOPERAT"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: what doors establish and the policy judges.

    `name` is an AE title, or the name of a source, a user or a token. `facility` is the code that known AE titles
    and sources carry.
    `study_instance_uid` is the one study that whoever came by an access link may see; empty for everyone else.
    `priority` is the highest class that its requests may be of.
    `person` is the national number of the person behind it, where the login proves one: a citizen sees what is theirs.
    `user` is who works at an application entity, where it proved that.
    `reason` is why somebody says that it is an emergency (`purpose`): only with it, glass is broken.
    `service` is by what service or transaction they ask, in the standard's words (`C-FIND`, `RAD-69`), where a door
    says so: for the audit trail alone.
    """

    kind: ActorKind
    name: str
    rights: frozenset[Action] = frozenset()
    facility: str = ""
    address: str = ""
    study_instance_uid: str = ""
    priority: Priority = Priority.INTERACTIVE
    role: Role | None = None
    person: str = ""
    purpose: Purpose = Purpose.TREATMENT
    reason: str = ""
    user: str = ""
    service: str = ""


SYSTEM = Actor(ActorKind.SYSTEM, "vna", frozenset(Action))
"""The archive itself: command line on the machine, jobs."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A known application entity (`vna ae`): what it may do, where C-MOVE reaches it, whose it is, how urgent it is.

    `addresses` are those, and networks, that it calls from, and `certificates` (`vna.model.certificates`) are the ones
    that it shows: empty where any will do. With `tls` it is called over TLS.
    """

    ae_title: str
    host: str = ""
    port: int = 0
    facility: str = ""
    rights: frozenset[Action] = frozenset({Action.STORE, Action.QUERY, Action.RETRIEVE})
    coercion: "Coercion | None" = None
    priority: Priority = Priority.INTERACTIVE
    addresses: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Coercion:
    """Rules that change attributes on the way out, never the bytes kept.

    `set` and `remove` name top-level attributes by keyword; `map` gives for a keyword the new value of an old one.
    `corrected` are values that the archive found out afterwards, whatever the rules say: they are no rules.
    """

    set: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    map: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    corrected: tuple[tuple[str, str], ...] = ()
