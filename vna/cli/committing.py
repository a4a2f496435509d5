"""Asking the receiver of `vna send` to keep what it took, and what it answers."""

import uuid
from collections import Counter
from collections.abc import Sequence

from dimse.client.commitment import CommitmentSCU
from dimse.scu import Destination, sender
from vna.app.wiring import Application
from vna.cli.output import remark, say
from vna.model.access import SYSTEM
from vna.model.commitments import COMMITTED, FailureReason, Referenced, State
from vna.model.errors import VnaError

_LISTED = 20


def words_of(result: int) -> str:
    """A Failure Reason in words."""
    known = {reason.value: reason.name.replace("_", " ").lower() for reason in FailureReason}
    return f"{known.get(result, 'failure')} ({result:04X})"


class Committing:
    """Requests to one receiver, one after the other."""

    def __init__(self, archive: Application, receiver: Destination, wait: float) -> None:
        self._requests = archive.keeping.commitments
        self._receiver = receiver
        self._wait = wait
        self._scu = CommitmentSCU(receiver, sender(archive.settings.dimse.ae_title), self._requests)
        self._counts: Counter[str] = Counter()
        self._listed = 0

    def ask(self, sent: Sequence[Referenced]) -> None:
        """One request; its result is noted, whenever it comes."""
        transaction_uid = f"2.25.{uuid.uuid4().int}"
        self._requests.sent(SYSTEM, transaction_uid, sent, partner=self._receiver.ae_title)

        def is_known() -> bool:
            return self._requests.shown(SYSTEM, transaction_uid)[-1].commitment.state is not State.PENDING

        try:
            self._scu.request(transaction_uid, sent, is_known=is_known, seconds=self._wait)
        except VnaError as exc:
            if not is_known():
                self._counts["unknown"] += len(sent)
                remark(f"not committed: {len(sent)}: {exc}")
                return
        if not is_known():
            self._counts["unknown"] += len(sent)
            remark(f"no result yet: vna commitment show {transaction_uid} says when it has come")
            return
        for one in self._requests.shown(SYSTEM, transaction_uid)[-1].outcomes:
            self._note(one.sop_instance_uid, one.result)

    def _note(self, sop_instance_uid: str, result: int) -> None:
        self._counts["committed" if result == COMMITTED else "not committed"] += 1
        if result != COMMITTED and self._listed < _LISTED:
            self._listed += 1
            remark(f"not committed: {sop_instance_uid}: {words_of(result)}")

    def finish(self) -> bool:
        """Say how it ended; whether everything is kept."""
        counts = self._counts
        say(f"{counts['committed']} committed, {counts['not committed']} not committed, {counts['unknown']} unknown")
        return not counts["not committed"] and not counts["unknown"]
