"""Answers that were made once and are the same until what they show changes."""

from collections import OrderedDict
from threading import Lock


class Remembered:
    """Answers of this process by entity tag, the least used let go: a tag names one content for ever."""

    def __init__(self, most_bytes: int = 32 << 20) -> None:
        self._most = most_bytes
        self._size = 0
        self._lock = Lock()
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def get(self, tag: str) -> bytes | None:
        """The body of a tag, if it is remembered."""
        with self._lock:
            body = self._bodies.get(tag)
            if body is not None:
                self._bodies.move_to_end(tag)
            return body

    def keep(self, tag: str, body: bytes) -> None:
        """Remember; nothing that takes more than a quarter of all."""
        if len(body) > self._most // 4:
            return
        with self._lock:
            self._size += len(body) - len(self._bodies.get(tag, b""))
            self._bodies[tag] = body
            self._bodies.move_to_end(tag)
            while self._size > self._most:
                self._size -= len(self._bodies.popitem(last=False)[1])
