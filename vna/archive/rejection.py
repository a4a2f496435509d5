"""What rejection notes mean for what comes: looked up in the transaction that stores (RAD TF-3 4.66.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from storage.index import events, rejections
from storage.index.engine import Connection
from storage.index.instances import NewInstance
from storage.index.lookup import Content
from vna.model.events import EventKind
from vna.model.rejections import (
    EXPIRED,
    MEANINGS,
    PATIENT_SAFETY,
    WRONG_WORKLIST_ENTRY,
    NoteState,
    Rejection,
    Showing,
    reason_of,
)

_REFUSED = (PATIENT_SAFETY, WRONG_WORKLIST_ENTRY)


@dataclass(frozen=True, slots=True)
class RejectionRules:
    """What a site does with notes: by the code of their title what is shown, and whether an instance that is hidden is
    refused when it is sent again."""

    showing: Mapping[str, Showing] = field(default_factory=dict)
    refuses: bool = True

    def hides(self, rejection: Rejection) -> bool:
        """Whether what it names is not to be seen."""
        return self.showing.get(rejection.code, Showing.HIDE) is not Showing.SHOW

    def hides_note(self, rejection: Rejection) -> bool:
        """Whether the note is not to be seen either."""
        return self.showing.get(rejection.code, Showing.HIDE) is Showing.HIDE


@dataclass(frozen=True, slots=True)
class Verdict:
    """An instance that comes is hidden for this reason; `held` is it where it is hidden already, `refused` whether it
    is not taken again then."""

    reason: str
    held: Content | None
    refused: str = ""


def names(rejection: Rejection, facility: str) -> bool:
    """Whether a note may name an instance of this facility: one of a facility speaks of its own only."""
    return rejection.facility in ("", facility) or not facility


def judge(rules: RejectionRules, connection: Connection, new: NewInstance) -> Verdict | None:
    """What the notes that hold say of an instance that comes; None when it is taken as any other.

    A note that it has expired holds no longer for what comes again (RAD TF-3 4.66.4.4.3 leaves the choice).
    """
    uid = new.sop_instance_uid
    itself = rejections.find(connection, uid)
    held = rejections.hidden(connection, uid)
    stands = itself is not None and itself.state is NoteState.STANDING
    if itself is not None and stands and held is not None and rules.hides_note(itself):
        return Verdict(reason_of(itself.code, uid), held)
    found = [one for one in rejections.standing(connection, uid) if names(one, str(new.instance["facility"]))]
    hiding = [one for one in found if rules.hides(one)]
    if held is not None:
        for one in (one for one in hiding if one.code == EXPIRED):
            lifted(connection, one, uid)
        hiding = [one for one in hiding if one.code != EXPIRED]
    if not hiding:
        return None
    refusing = next((one for one in hiding if one.code in _REFUSED), None)
    refused = MEANINGS[refusing.code] if rules.refuses and held is not None and refusing is not None else ""
    return Verdict(reason_of(hiding[0].code, hiding[0].note), held, refused)


def lifted(connection: Connection, rejection: Rejection, uid: str) -> None:
    """A note holds no longer for one instance."""
    rejections.lift(connection, rejection.note, uid)
    tell(connection, rejection, lifted=[uid])


def tell(connection: Connection, rejection: Rejection, **more: Any) -> None:
    """The event of a note that came, or holds no longer."""
    detail: dict[str, Any] = {name: getattr(rejection, name) for name in Rejection.__slots__}
    events.append(
        connection,
        EventKind.REJECTION_CHANGED,
        at=datetime.now(UTC),
        actor=rejection.changed_by or rejection.actor,
        study_instance_uid=f"note:{rejection.note}"[:64],
        sop_instance_uid=rejection.note,
        detail={**detail, "state": rejection.state.value, **more},
    )
