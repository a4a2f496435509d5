"""What waits in the spools of the other nodes, asked over HTTP."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from time import monotonic
from typing import TypeVar
from urllib.parse import quote

import httpx

from storage.blobs.base import CHUNK
from storage.index import nodes
from storage.index.engine import Database
from storage.index.nodes import Node
from vna.archive.node_spool import PATH
from vna.model.errors import NotFound, Unavailable
from vna.security.node_secret import FIELD, NodeSecret

log = logging.getLogger(__name__)

T = TypeVar("T")

_TIMEOUT = httpx.Timeout(30.0, connect=3.0)
_KNOWN_SECONDS = 2.0


class Neighbours:
    """The other nodes, those first of which much waits. NotFound when every one of them says that it has it not."""

    def __init__(self, database: Database, name: str, secret: NodeSecret | None) -> None:
        """`name` is ours: we ask the others."""
        self._database = database
        self._name = name
        self._secret = secret
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._known: tuple[float, list[Node]] = (0.0, [])

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a range, all at once."""
        return b"".join(self.stream(name, offset, length))

    def stream(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a range, piece by piece; asked at once."""
        last = "" if length is None else str(offset + length - 1)
        if length == 0:
            self.size(name)
            return iter(())
        ranges = f"bytes={offset}-{last}" if offset or last else ""
        return self._first(name, lambda node: self._body(node, name, ranges))

    def size(self, name: str) -> int:
        """Bytes held under the name."""

        def ask(node: Node) -> int:
            with closing(self._ask(node, "HEAD", f"{PATH}/{name}")) as answer:
                return int(answer.headers["Content-Length"])

        return self._first(name, ask)

    def names(self, prefix: str) -> list[str]:
        """Every name that begins so, in order."""
        found: set[str] = set()
        for node in self._nodes():
            with closing(self._ask(node, "GET", PATH, query=prefix)) as answer, _told(node):
                found.update(answer.read().decode().splitlines())
        return sorted(found)

    def delete(self, name: str) -> None:
        """Whoever has it takes it away. A node that is not there and has nothing, as far as it told, is passed over: at
        worst an orphan is left."""
        for node in self._nodes():
            try:
                self._ask(node, "DELETE", f"{PATH}/{name}").close()
            except NotFound:
                continue
            except Unavailable:
                if node.waiting:
                    raise
                log.warning("a node was not told of a deletion", extra={"node": node.name, "blob": name})

    def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            self._client.close()

    def _first(self, name: str, ask: Callable[[Node], T]) -> T:
        silent: Unavailable | None = None
        for node in self._nodes():
            try:
                return ask(node)
            except NotFound:
                continue
            except Unavailable as exc:
                silent = exc
        if silent is not None:
            raise silent
        raise NotFound(f"no blob {name}")

    def _body(self, node: Node, name: str, ranges: str) -> Iterator[bytes]:
        answer = self._ask(node, "GET", f"{PATH}/{name}", ranges)

        def pieces() -> Iterator[bytes]:
            with closing(answer), _told(node):
                yield b""
                yield from answer.iter_raw(CHUNK)

        begun = pieces()
        next(begun)  # a generator that has begun closes the answer however it ends
        return begun

    def _ask(self, node: Node, method: str, path: str, ranges: str = "", query: str = "") -> httpx.Response:
        if self._secret is None:
            raise Unavailable("what waits in the spools of other nodes needs VNA_NODE__SECRET to be read")
        target = path + (f"?prefix={quote(query, safe='')}" if query else "")
        fields = {FIELD: self._secret.sign(method, target, ranges), **({"Range": ranges} if ranges else {})}
        client = self._connections()
        with _told(node):
            request = client.build_request(method, node.url + quote(path) + target[len(path) :], headers=fields)
            answer = client.send(request, stream=True)
        if answer.status_code in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT, httpx.codes.NO_CONTENT):
            return answer
        answer.close()
        if answer.status_code == httpx.codes.NOT_FOUND and answer.headers.get(FIELD):
            raise NotFound("the node does not have it")
        raise Unavailable(f"the node {node.name} does not say what waits in its spool ({answer.status_code})")

    def _connections(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = httpx.Client(timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}, trust_env=False)
            return self._client

    def _nodes(self) -> list[Node]:
        now = monotonic()
        until, known = self._known
        if now >= until:
            with self._database.read() as connection:
                known = [node for node in nodes.known(connection) if node.name != self._name and _may_have(node)]
            known.sort(key=lambda node: -node.waiting)
            self._known = now + _KNOWN_SECONDS, known
        return known


def _may_have(node: Node) -> bool:
    return node.waiting > 0 or node.may_wait


@contextmanager
def _told(node: Node) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise Unavailable(f"the node {node.name} does not answer, and the object may wait in its spool") from exc
