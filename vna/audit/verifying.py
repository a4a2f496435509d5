"""Is the trail as it was written? Rows, chain and seals, each against what its writer alone could make."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from storage.blobs.base import BlobStore
from storage.index import audit, audit_chain
from storage.index.audit import AuditRow
from storage.index.audit_chain import Batch
from storage.index.engine import Connection, Database
from vna.audit import links, rows, seals
from vna.audit.authority import Authority
from vna.audit.key import AuditKey
from vna.model.access import Action, Actor
from vna.model.errors import Damaged
from vna.security.policy import Policy

_AT_ONCE = 50
_TAIL_AT_ONCE = 5_000
_MOST_FINDINGS = 1_000
_LEAST = -(1 << 62)
"""Before every number: records of ours begin at 1."""


class Wrong(StrEnum):
    """What is not as it was written."""

    ALTERED = "altered"
    DELETED = "deleted"
    INSERTED = "inserted"
    CHAIN = "chain broken"
    CUT = "end cut off"
    SEAL = "seal broken"
    KEY = "key not here"


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry that is wrong: the number of its record, or of the first one that is concerned."""

    record: int
    wrong: Wrong
    words: str


@dataclass(slots=True)
class Verified:
    """What was looked at, and what was found."""

    rows: int = 0
    batches: int = 0
    unchained: int = 0
    unseen: int = 0
    seals: int = 0
    stamps: int = 0
    last_stamp: str = ""
    findings: list[Finding] = field(default_factory=list)
    more: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def first(self) -> Finding | None:
        """The first altered entry, by the number of its record."""
        return min(self.findings, key=lambda one: one.record, default=None)


Tell = Callable[[int, int], None]
"""Batches that were looked at, of how many."""


class Verification:
    """Looks through all of the trail. Nothing is read at once that grows with it."""

    def __init__(
        self, database: Database, blobs: BlobStore, policy: Policy, key: AuditKey, authority: Authority | None
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._policy = policy
        self._key = key
        self._authority = authority

    def run(self, actor: Actor, tell: Tell) -> Verified:
        """Everything, from the first record to the last seal."""
        self._policy.check(actor, Action.ADMIN)
        found = Verified()
        walk = _Walk(self._key, found)
        with self._database.read() as connection:
            total = audit_chain.count(connection)
        while True:
            with self._database.read() as connection:
                batches = audit_chain.batches(connection, walk.number, _AT_ONCE)
                for batch in batches:
                    walk.look(connection, batch)
            tell(found.batches, total)
            if len(batches) < _AT_ONCE:
                break
        self._tail(walk)
        self._seals(walk)
        return found

    def _tail(self, walk: "_Walk") -> None:
        """What is not chained yet; before a batch came that claims it, a row is nowhere."""
        walk.end()
        after = walk.after
        while True:
            with self._database.read() as connection:
                some = audit.after(connection, after, _TAIL_AT_ONCE)
            for row in some:
                walk.check(row)
            walk.found.unchained += len(some)
            if len(some) < _TAIL_AT_ONCE:
                return
            after = some[-1].id

    def _seals(self, walk: "_Walk") -> None:
        sealed, cut = walk.found, 0
        newest: seals.Named | None = None
        for one in seals.named(self._blobs):
            if one.number < walk.first:
                continue
            sealed.seals += 1
            newest = one
            digest = self._digest_of(one.number)
            if digest is None:
                cut = cut or one.number
            elif not one.fits(digest):
                walk.add(walk.begins(one.number), Wrong.SEAL, f"batch {one.number} is not the one that was sealed")
        if cut and newest is not None:
            until = seals.read(self._blobs, newest.name)
            words = f"batches {cut} to {newest.number} were sealed and are gone"
            words += f", with the records up to {until.last_id}" if until else ""
            walk.add(walk.last_id + 1, Wrong.CUT, words)
        elif newest is not None:
            self._newest(walk, newest)
        self._stamps(walk)

    def _digest_of(self, number: int) -> bytes | None:
        with self._database.glance() as connection:
            found = audit_chain.batches(connection, number - 1, 1)
        return found[0].digest if found and found[0].number == number else None

    def _newest(self, walk: "_Walk", newest: seals.Named) -> None:
        sealed = seals.read(self._blobs, newest.name)
        whole = sealed is not None and self._key.is_of(sealed.message(), sealed.mac, sealed.key_id)
        if sealed is not None and not self._key.knows(sealed.key_id):
            return
        if not whole or (sealed is not None and sealed.digest != self._digest_of(newest.number)):
            walk.add(walk.begins(newest.number), Wrong.SEAL, f"the copy of seal {newest.number} was altered")

    def _stamps(self, walk: "_Walk") -> None:
        """Time stamps of the seals that the index has: each is over the digest of its batch."""
        after = 0
        while True:
            with self._database.read() as connection:
                some = audit_chain.seals(connection, after, _AT_ONCE)
            for seal in some:
                after = seal.number
                digest = self._digest_of(seal.number)
                if digest != seal.digest:
                    walk.add(walk.begins(seal.number), Wrong.SEAL, f"seal {seal.number} is over another batch")
                elif seal.token and self._authority is not None:
                    self._stamp(walk, seal.number, seal.token, seal.digest)
            if len(some) < _AT_ONCE:
                return

    def _stamp(self, walk: "_Walk", number: int, token: bytes, digest: bytes) -> None:
        assert self._authority is not None
        try:
            walk.found.last_stamp = self._authority.check(token, digest).at.isoformat()
            walk.found.stamps += 1
        except Damaged as exc:
            walk.add(walk.begins(number), Wrong.SEAL, f"time stamp of batch {number}: {exc}")


class _Walk:
    """Along the chain: what has to come next."""

    def __init__(self, key: AuditKey, found: Verified) -> None:
        self._key = key
        self.found = found
        self.number = 0
        self.first = 1
        self.last_id = 0
        self._digest = links.FIRST
        self._nowhere: dict[int, AuditRow] = {}
        self._begins: dict[int, int] = {}

    @property
    def after(self) -> int:
        """Up to where records were looked at."""
        return self.last_id if self.number else _LEAST

    def begins(self, number: int) -> int:
        """The first record of a batch, or of what is left where there is no such batch."""
        return self._begins.get(number, self.last_id + 1)

    def look(self, connection: Connection, batch: Batch) -> None:
        """At the next batch."""
        self.found.batches += 1
        removed = self._removed(batch)
        follows = self._link(batch, removed)
        there = self._rows(connection, batch, follows=follows)
        macs: list[tuple[int, bytes]] = []
        wrong = False
        for id_ in batch.ids:
            row = there.get(id_)
            if row is not None:
                wrong |= not self.check(row)
                macs.append((id_, row.mac))
            elif id_ in removed:
                macs.append((id_, removed[id_]))
            else:
                wrong = True
                self.add(id_, Wrong.DELETED, f"record {id_} of batch {batch.number} is gone")
        digest = links.digest_of(batch.previous, batch.number, batch.at, macs)
        if digest != batch.digest and not wrong:
            self.add(self.begins(batch.number), Wrong.CHAIN, f"batch {batch.number} is not over these records")
        self.number, self._digest, self.last_id = batch.number, batch.digest, max(batch.last_id, self.last_id)

    def _link(self, batch: Batch, removed: dict[int, bytes]) -> bool:
        """Whether nothing is missing before it. Where the chain begins everything was removed when its time came."""
        begins = min(batch.ids, default=self.last_id + 1)
        self._begins[batch.number] = begins
        if len(self._begins) > 100_000:
            del self._begins[next(iter(self._begins))]
        if not self._key.knows(batch.key_id):
            self._unseen(begins, batch.key_id)
        elif not links.is_whole(self._key, batch):
            self.add(begins, Wrong.CHAIN, f"batch {batch.number} was altered")
        starts = self.number == 0 and bool(batch.ids) and set(batch.ids) <= set(removed)
        if starts:
            self.first = batch.number
        elif batch.number != self.number + 1:
            words = f"batches {self.number + 1} to {batch.number - 1} are gone"
            self.add(self.last_id + 1, Wrong.CHAIN, words)
            return False
        elif batch.previous != self._digest:
            self.add(begins, Wrong.CHAIN, f"batch {batch.number} does not follow batch {self.number}")
        return True

    def _removed(self, batch: Batch) -> dict[int, bytes]:
        if batch.removed is None:
            return {}
        message = links.removed_message(batch.number, batch.removed)
        if self._key.made(message, batch.removed_mac or b""):
            return links.unpack_removed(batch.removed)
        if self._key.knows(batch.key_id):
            words = f"what was removed of batch {batch.number} was altered"
            self.add(min(batch.ids, default=0), Wrong.CHAIN, words)
        return {}

    def _rows(self, connection: Connection, batch: Batch, *, follows: bool) -> dict[int, AuditRow]:
        """The rows of a batch that are there; rows between them that it does not name are remembered, unless they may
        be those of a batch that is gone."""
        mine = set(batch.ids)
        there: dict[int, AuditRow] = {}
        after = self.after
        while after < batch.last_id:
            some = audit.after(connection, after, _TAIL_AT_ONCE)
            for row in some:
                if row.id in mine:
                    there[row.id] = row
                elif row.id <= batch.last_id and follows:
                    self._nowhere[row.id] = row
            if len(some) < _TAIL_AT_ONCE:
                break
            after = some[-1].id
        late = [id_ for id_ in batch.ids if id_ not in there]
        for row in audit.by_ids(connection, late):
            there[row.id] = row
            self._nowhere.pop(row.id, None)
        self._bound()
        return there

    def _bound(self) -> None:
        while len(self._nowhere) > _MOST_FINDINGS:
            self._inserted(self._nowhere.pop(next(iter(self._nowhere))))

    def end(self) -> None:
        """No batch comes any more: what none named was not written by us."""
        for row in self._nowhere.values():
            self._inserted(row)

    def _inserted(self, row: AuditRow) -> None:
        self.add(row.id, Wrong.INSERTED, f"record {row.id} is in no batch")

    def check(self, row: AuditRow) -> bool:
        """Whether a holder of one of our keys wrote a row as it is."""
        self.found.rows += 1
        if not self._key.knows(row.key_id):
            self._unseen(row.id, row.key_id)
            return True
        if rows.is_whole(self._key, row):
            return True
        self.add(row.id, Wrong.ALTERED, f"record {row.id} ({row.what}, {row.at[:19]}) is not as it was written")
        return False

    def _unseen(self, record: int, key_id: str) -> None:
        self.found.unseen += 1
        if self.found.unseen == 1:
            self.add(record, Wrong.KEY, f"from record {record} on, some are by key {key_id}, which is not here")

    def add(self, record: int, wrong: Wrong, words: str) -> None:
        """Something is wrong."""
        if len(self.found.findings) < _MOST_FINDINGS:
            self.found.findings.append(Finding(record, wrong, words))
        else:
            self.found.more += 1


def told(findings: Iterable[Finding]) -> list[Finding]:
    """In the order of the records."""
    return sorted(findings, key=lambda one: (one.record, one.words))
