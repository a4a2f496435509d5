"""One run against one server: its addresses, what the suite made and stored, and the evidence of the check at hand."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.suite.check import Failed, NotApplicable
from conformance.suite.evidence import Evidence
from conformance.suite.targets import Caller, Targets

if TYPE_CHECKING:
    from conformance.suite.dicom import Dicom
    from conformance.suite.web import Web

T = TypeVar("T")


class Session:
    """What a check is given. `mark` is of this run: Patient IDs and accession numbers that the suite makes have it."""

    def __init__(self, targets: Targets, caller: Caller | None = None) -> None:
        self.targets = targets
        self.caller = caller or Caller()
        self.evidence = Evidence()
        self.mark = secrets.token_hex(3).upper()
        self.started = dt.datetime.now(dt.UTC)
        self.stored_studies: set[str] = set()
        self._made: dict[str, Any] = {}
        self._closing: list[Callable[[], None]] = []

    @cached_property
    def dicom(self) -> Dicom:
        """DICOM messages to the target `dimse`, as evidence too."""
        from conformance.suite.dicom import Dicom

        return Dicom(self)

    @cached_property
    def web(self) -> Web:
        """HTTP requests, as evidence too."""
        from conformance.suite.web import Web

        web = Web(self)
        self.at_end(web.close)
        return web

    def uid(self) -> str:
        """A new UID (PS3.5 B.2)."""
        return f"2.25.{secrets.randbits(122) | 1 << 121}"

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What several checks need, made by the first of them. Where that fails nothing can be said by any of them."""
        if name not in self._made:
            try:
                self._made[name] = make()
            except (Failed, NotApplicable) as exc:
                self._made[name] = NotApplicable(f"{name}: {exc}")
        made = self._made[name]
        if isinstance(made, NotApplicable):
            raise NotApplicable(str(made))
        return made  # type: ignore[no-any-return]

    def at_end(self, close: Callable[[], None]) -> None:
        """Have something closed when the run is over."""
        self._closing.append(close)

    def close(self) -> None:
        """End what the run opened; nothing that it stored is deleted."""
        while self._closing:
            self._closing.pop()()
