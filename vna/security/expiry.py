"""How long the certificates are good that this archive works with, and which new ones could not be taken."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vna.model.errors import VnaError
from vna.security.certificates import in_file, validity
from vna.security.secured import Secured


@dataclass(frozen=True, slots=True)
class Standing:
    """Days that each is good for yet, of whom (a door, or who is called) and what it is for; and what is wrong, in
    sentences."""

    days: Mapping[tuple[str, str], float]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A file with certificates: of whom, and what for (`certificate` that we show, `authority` that we trust)."""

    owner: str
    use: str
    file: Path


class Expiry:
    """Reads the files as they are now."""

    def __init__(self, doors: Iterable[Secured], others: Callable[[], Iterable[Held]], warn_days: float = 30.0) -> None:
        """`others` are those that are shown to, or trusted of, who is called."""
        self._doors = tuple(doors)
        self._others = others
        self._warn_days = warn_days

    def standing(self, now: datetime | None = None) -> Standing:
        """Asked by machines without a login: it names doors and sources, and nothing that is held."""
        now = now or datetime.now(UTC)
        days: dict[tuple[str, str], float] = {}
        warnings = [f"new certificates of {door.name} could not be taken" for door in self._doors if door.problem]
        for one in (*_of_doors(self._doors), *self._others()):
            try:
                ends = min(validity(certificate).days(now) for certificate in in_file(one.file))
            except VnaError:
                warnings.append(f"a file of {one.owner} cannot be read ({one.use})")
                continue
            days[one.owner, one.use] = min(ends, days.get((one.owner, one.use), ends))
        return Standing(days, (*warnings, *self._ending(days)))

    def _ending(self, days: Mapping[tuple[str, str], float]) -> Iterable[str]:
        for (owner, use), left in days.items():
            if left < 0:
                yield f"the {use} of {owner} has expired"
            elif left < self._warn_days:
                yield f"the {use} of {owner} expires in {int(left)} days"


def _of_doors(doors: Iterable[Secured]) -> Iterable[Held]:
    for door in doors:
        door.context()  # so that what could not be taken is known, though nobody called
        yield from held(door.name, door.files.certificate, door.files.ca)


def held(owner: str, certificate: Path | None, ca: Path | None) -> Iterable[Held]:
    """Those of one owner."""
    if certificate is not None:
        yield Held(owner, "certificate", certificate)
    if ca is not None:
        yield Held(owner, "authority", ca)
