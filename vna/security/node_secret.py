"""How nodes of one archive prove themselves to each other: by a secret that is never sent."""

import hmac
import time

from vna.model.errors import NotAuthorized

FIELD = "X-VNA-Node"
"""The header field: seconds since 1970, and the HMAC-SHA256 over these and the request."""
_VALID_SECONDS = 300.0


class NodeSecret:
    """Signs requests of this node, and checks those of others: method, address and range, for five minutes."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()

    def sign(self, method: str, target: str, ranges: str = "") -> str:
        """The value of FIELD; `target` is path and query, `ranges` the Range field."""
        at = str(int(time.time()))
        return f"{at} {self._mac(at, method, target, ranges)}"

    def check(self, given: str, method: str, target: str, ranges: str = "") -> None:
        """NotAuthorized when it was not signed so, or too long ago."""
        at, _, mac = given.partition(" ")
        if not at.isdecimal() or abs(time.time() - int(at)) > _VALID_SECONDS:
            raise NotAuthorized("the request is not signed, or the clocks of the nodes differ")
        if not hmac.compare_digest(mac.encode(), self._mac(at, method, target, ranges).encode()):
            raise NotAuthorized("the request is not signed with the secret of the nodes")

    def _mac(self, at: str, *parts: str) -> str:
        return hmac.digest(self._key, "\n".join((at, *parts)).encode(), "sha256").hex()
