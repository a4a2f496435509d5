"""Code tables: found by every rule of the national side, loaded as whole versions, remembered for a few seconds."""

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import orjson

from storage.index import codes as rows
from storage.index import events
from storage.index.engine import Connection, Database
from storage.index.events import time_text
from vna.model.access import Action, Actor
from vna.model.codes import Code, CodeVersion, Facility, Radiologist
from vna.model.errors import BadRequest, Conflict, NotFound, TooLarge
from vna.model.events import Event, EventKind
from vna.security.policy import Policy
from vna.teleradiology.code_files import MOST_CODES, Told
from vna.teleradiology.code_lists import LISTS, CodeList, is_active

_SECONDS = 5.0
_MOST_REMEMBERED = 20_000
_PIECE = 500
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:+-]{0,63}")

Find = Callable[[Connection, str, str], Code | None]


class Codes:
    """What codes mean. Each list has versions: the one that was loaded last is in force, older ones are kept.

    What finds a code is for rules that asked the policy themselves; it says what held within the last seconds.
    """

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy
        self._remembered: dict[tuple[str, str, Find], tuple[float, Code | None]] = {}

    def find(self, list_name: str, code: str) -> Code | None:
        """The code in the version in force; None where there is none, or no version."""
        return self._found(list_name, code)

    def facility(self, skrs: str) -> Facility | None:
        """The facility of an SKRS code."""
        return _facility(self._found("facilities", skrs))

    def facility_of_medula(self, code: str) -> Facility | None:
        """The facility that the payer knows by this code."""
        return _facility(self._found("facilities", code, rows.find_by_alias))

    def facility_of_stm(self, number: str) -> Facility | None:
        """The facility that the tracking module knows by this number."""
        return _facility(self._found("facilities", number, _find_by_stm))

    def radiologist(self, number: str) -> Radiologist | None:
        """Who may approve reports, by national number, whether still active or not."""
        found = self._found("radiologists", number)
        return None if found is None else Radiologist(found.code, found.text, is_active(found.value("active")))

    def period_months(self, sut_code: str) -> int | None:
        """How many months have to lie between two of an examination; None where the list does not say, or no more."""
        found = self._active("periods", sut_code)
        return None if found is None else int(found.value("months"))

    def reason(self, code: str) -> Code | None:
        """A reason for repeating an examination, while it holds."""
        return self._active("reasons", code)

    def has(self, list_name: str) -> bool:
        """Whether any version of the list was loaded: a rule that checks against none would refuse everything."""
        with self._database.read() as connection:
            return rows.in_force(connection, list_name) is not None

    def load(
        self, actor: Actor, list_name: str, version: str, codes: Sequence[Code], told: Told | None = None
    ) -> CodeVersion:
        """Put a version in force: a new one, or again one that was loaded before, with the same codes.

        An empty `version` is named by the time. Conflict when other codes were loaded under the name, TooLarge.
        Stopped half-way, the version before stays in force.
        """
        self._policy.check(actor, Action.ADMIN, list_name)
        kind = named(list_name)
        if len(codes) > MOST_CODES:
            raise TooLarge(f"a list has at most {MOST_CODES} codes")
        if not codes:
            raise BadRequest(f"there is no code: an empty list cannot be put in force as {list_name}")
        digest = digest_of(codes)
        with self._database.read() as connection:
            current = rows.in_force(connection, list_name)
        if current is not None and current[1] == digest and version in ("", current[0]):
            version = current[0]
        else:
            version = checked_version(version)
            self._write(actor, kind, version, codes, digest, told)
        self._remembered.clear()
        return next(one for one in self.versions(actor) if (one.list_name, one.version) == (list_name, version))

    def versions(self, actor: Actor) -> list[CodeVersion]:
        """Every version: by list, the one in force first."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return rows.versions(connection)

    def listed(self, actor: Actor, list_name: str, *, after: str = "", limit: int = 500) -> list[Code]:
        """Codes in force, by code, those that come after one; NotFound for a list that there is not."""
        self._policy.check(actor, Action.ADMIN, list_name)
        named(list_name)
        with self._database.read() as connection:
            return rows.listed(connection, list_name, after, limit)

    def _write(
        self, actor: Actor, kind: CodeList, version: str, codes: Sequence[Code], digest: bytes, told: Told | None
    ) -> None:
        """Piece by piece, so that nobody who stores meanwhile waits for all of it; the last one puts it in force."""
        with self._database.read() as connection:
            held = rows.digest_of(connection, kind.name, version)
        if held is not None and held != digest:
            raise Conflict(f"other codes were loaded as version {version} of {kind.name}: give it another name")
        if held is None:
            with self._database.transaction() as connection:
                rows.begin(connection, kind.name, version)
                _tell(connection, actor, kind.name, version, begins=True)
            for start in range(0, len(codes), _PIECE):
                piece = codes[start : start + _PIECE]
                with self._database.transaction() as connection:
                    rows.add(connection, kind.name, version, piece, kind.alias)
                    _tell(
                        connection, actor, kind.name, version, codes=[[c.code, c.text, dict(c.values)] for c in piece]
                    )
                if told is not None:
                    told(min(start + _PIECE, len(codes)), len(codes))
        with self._database.transaction() as connection:
            at = _tell(connection, actor, kind.name, version, count=len(codes), digest=digest.hex())
            rows.finish(connection, kind.name, version, digest=digest, count=len(codes), by=actor.name, at=at)

    def _active(self, list_name: str, code: str) -> Code | None:
        found = self._found(list_name, code)
        return found if found is not None and is_active(found.value("active")) else None

    def _found(self, list_name: str, code: str, find: Find = rows.find) -> Code | None:
        key, now = (list_name, code, find), time.monotonic()
        known = self._remembered.get(key)
        if known is not None and now < known[0]:
            return known[1]
        with self._database.glance() as connection:
            found = find(connection, list_name, code) if code else None
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (now + _SECONDS, found)
        return found


def named(list_name: str) -> CodeList:
    """The list of a name; NotFound."""
    kind = LISTS.get(list_name)
    if kind is None:
        raise NotFound(f"there is no list {list_name}: use {', '.join(LISTS)}")
    return kind


def checked_version(version: str) -> str:
    """A name of a version: as it was given, else the time; BadRequest."""
    version = version or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    if not _VERSION.fullmatch(version):
        raise BadRequest("a version is named by at most 64 letters, digits and . _ : + -")
    return version


def digest_of(codes: Sequence[Code]) -> bytes:
    """The same for the same codes, in whatever order they come."""
    whole = hashlib.sha256()
    for one in sorted(codes, key=lambda code: code.code):
        whole.update(orjson.dumps([one.code, one.text, sorted(one.values.items())]))
    return whole.digest()


def replay(connection: Connection, event: Event) -> None:
    """Do again what an event of the journal tells of."""
    detail = event.detail
    list_name, version = detail["list"], detail["version"]
    if "begins" in detail:
        rows.begin(connection, list_name, version)
    elif "codes" in detail:
        kind = LISTS.get(list_name)
        some = [Code(code, text, values) for code, text, values in detail["codes"]]
        rows.add(connection, list_name, version, some, kind.alias if kind is not None else "")
    else:
        digest, at = bytes.fromhex(detail["digest"]), time_text(event.at)
        rows.finish(connection, list_name, version, digest=digest, count=detail["count"], by=event.actor, at=at)


def _tell(connection: Connection, actor: Actor, list_name: str, version: str, **detail: object) -> str:
    at = datetime.now(UTC)
    events.append(
        connection,
        EventKind.CODES_LOADED,
        at=at,
        actor=actor.name,
        study_instance_uid=f"codes:{list_name}",
        detail={"list": list_name, "version": version, **detail},
    )
    return time_text(at)


def _find_by_stm(connection: Connection, list_name: str, number: str) -> Code | None:
    return rows.find_by_value(connection, list_name, "stm_id", number)


def _facility(found: Code | None) -> Facility | None:
    if found is None:
        return None
    return Facility(
        code=found.code,
        name=found.text,
        medula_code=found.value("medula_code"),
        company_code=found.value("company_code"),
        software_code=found.value("software_code"),
        stm_id=found.value("stm_id"),
        province=found.value("province"),
        ownership=found.value("ownership"),
        prefix=found.value("prefix"),
    )
