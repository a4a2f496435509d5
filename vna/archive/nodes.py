"""The nodes of the archive: each says every few seconds that it is there."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property

from storage.blobs.base import BlobStore
from storage.index import migrate, nodes
from storage.index.engine import Connection, Database
from storage.index.events import read_time, time_text
from storage.index.nodes import Node
from vna.model.access import Action, Actor
from vna.model.errors import Conflict, NotFound, Unavailable, VnaError
from vna.security.policy import Policy
from vna.version import version

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
SILENT = timedelta(seconds=30)
"""A node that was not heard of for so long is taken for dead."""

Waiting = Callable[[], tuple[int, int]]
"""Objects, and bytes of them, that lie in this node's spool and nowhere else."""


def nothing_waits() -> tuple[int, int]:
    """Where nothing is acknowledged before the blob store has it."""
    return 0, 0


class Nodes:
    """Which nodes there are."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        *,
        name: str,
        url: str,
        waiting: Waiting,
        identity: Callable[[], str] = lambda: "",
        spools: bool = False,
    ) -> None:
        """`name` is ours, `url` where other nodes reach our HTTP door, `identity` that of our data folder, asked for
        when this process is a node; with `spools` we acknowledge what lies in the spool alone."""
        self.name = name
        self._ask_identity = identity
        self._spools = spools
        self._database = database
        self._policy = policy
        self._url = url
        self._waiting = waiting
        self._started_at = time_text(datetime.now(UTC))

    def run(self, stop: threading.Event) -> None:
        """Say so until told to stop; an index that does not answer is waited for."""
        while not stop.is_set():
            try:
                self.beat()
            except VnaError as exc:
                log.warning("node cannot say that it is there", extra={"reason": str(exc)})
            stop.wait(BEAT_SECONDS)

    def require_name(self) -> None:
        """Conflict when another node of our name was heard of lately: what waits in its spool would not be found."""
        with self._database.read() as connection:
            found = nodes.named(connection, self.name)
        if found is not None and is_alive(found) and self._is_another(found):
            raise Conflict(
                f"another node is called {self.name} and runs at {found.url}: VNA_NODE__NAME gives this one a name of "
                "its own (when that node was killed and moved here, wait half a minute)"
            )

    def require_store(self, blobs: BlobStore) -> None:
        """Conflict when a node that runs keeps its objects in another store: each leaves a mark where it keeps them.

        What would be stored here would be found by this node alone.
        """
        if not self._identity:
            return
        with self._database.read() as connection:
            others = [one for one in nodes.known(connection) if is_alive(one) and self._is_another(one)]
        try:
            if not _is_there(blobs, _mark(self._identity)):
                blobs.put(_mark(self._identity), [self.name.encode()])
            for one in others:
                if not _is_there(blobs, _mark(one.identity)):
                    raise Conflict(
                        f"the node {one.name}, which runs, keeps its objects elsewhere: VNA_STORAGE__URL names "
                        "the same store on every node"
                    )
        except Unavailable as exc:
            log.warning("whether the nodes share a store is not known", extra={"reason": str(exc)})

    def beat(self) -> None:
        """Say once that this node is there, and what waits in its spool."""
        self._say(running=True)

    def leave(self) -> None:
        """Said by a node that ends in good order, when nothing is stored any more."""
        self._say(running=False)

    @cached_property
    def _identity(self) -> str:
        return self._ask_identity()

    def _is_another(self, found: Node) -> bool:
        return bool(found.identity and self._identity and found.identity != self._identity)

    def _say(self, *, running: bool) -> None:
        waiting, waiting_bytes = self._waiting()
        node = Node(
            name=self.name,
            url=self._url,
            version=version(),
            schema_revision=migrate.newest(),
            started_at=self._started_at if running else "",
            seen_at=time_text(datetime.now(UTC)),
            waiting=waiting,
            waiting_bytes=waiting_bytes,
            identity=self._identity,
            may_wait=waiting > 0 or (running and self._spools),
        )
        with self._database.transaction() as connection:
            found = nodes.named(connection, self.name)
            if found is not None and is_alive(found) and self._is_another(found):
                log.error("another node has this name: what waits in one of the spools is not found", extra=_of(found))
            nodes.beat(connection, node)

    def all(self, actor: Actor) -> list[Node]:
        """Every node that was ever started and not forgotten."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return nodes.known(connection)

    def forget(self, actor: Actor, name: str, *, lost: bool = False) -> None:
        """A node will not come back. NotFound, or Conflict while it is heard of, or while what was acknowledged may lie
        in its spool alone: with `lost` that is given up."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.transaction() as connection:
            found = {node.name: node for node in nodes.known(connection)}.get(name)
            if found is None:
                raise NotFound(f"no node is called {name}")
            if is_alive(found):
                raise Conflict(f"{name} is running")
            if found.waiting and not lost:
                raise Conflict(f"{found.waiting} objects lie in the spool of {name} alone: start it, and they are kept")
            if found.may_wait and not lost:
                raise Conflict(
                    f"{name} did not stop in good order, and what it acknowledged last may lie in its spool alone: "
                    "start it, and it is kept"
                )
            nodes.forget(connection, name)
        if found.may_wait:
            log.warning("a node is forgotten with what may lie in its spool alone", extra=_of(found))


def _mark(identity: str) -> str:
    return f"nodes/{identity}"


def _is_there(blobs: BlobStore, name: str) -> bool:
    try:
        blobs.read(name)
    except NotFound:
        return False
    return True


def _of(node: Node) -> dict[str, object]:
    return {"node": node.name, "url": node.url, "waiting": node.waiting}


def newer_runs(connection: Connection) -> bool:
    """Whether a node of a newer version was heard of lately: it knows all that we know, and more."""
    ours = migrate.newest()
    return any(node.schema_revision > ours and is_alive(node) for node in nodes.known(connection))


def is_alive(node: Node, now: datetime | None = None) -> bool:
    """Whether it was heard of lately, and not that it stops."""
    return bool(node.seen_at and node.started_at) and (now or datetime.now(UTC)) - read_time(node.seen_at) < SILENT
