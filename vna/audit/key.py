"""The key of the trail: kept in a file, never in the database; whoever has only the database cannot write rows."""

import hmac
import secrets
from hashlib import sha256
from pathlib import Path

from storage.write_once import write_once
from vna.model.errors import Unavailable

_BYTES = 32


class AuditKey:
    """HMAC-SHA256 by the first key of a file; the others of it verify what they wrote once."""

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = {_id_of(key): key for key in keys}
        self.key_id = _id_of(keys[0])
        self._first = keys[0]

    def mac(self, message: bytes) -> bytes:
        """Over a message, by the key that writes."""
        return hmac.digest(self._first, message, "sha256")

    def knows(self, key_id: str) -> bool:
        """Whether the key of this name is here."""
        return key_id in self._keys

    def is_of(self, message: bytes, mac: bytes, key_id: str) -> bool:
        """Whether the key of this name made this MAC; no other than those that are here did."""
        key = self._keys.get(key_id)
        return key is not None and hmac.compare_digest(hmac.digest(key, message, "sha256"), mac)

    def made(self, message: bytes, mac: bytes) -> bool:
        """Whether any of our keys made this MAC."""
        return any(self.is_of(message, mac, key_id) for key_id in self._keys)

    def session(self) -> str:
        """What a session of a node shows the database: it has the digest of it."""
        return self.mac(b"session of a node").hex()

    def session_digest(self) -> bytes:
        """What the database knows of it."""
        return sha256(self.session().encode()).digest()


def _id_of(key: bytes) -> str:
    return sha256(b"name of a key" + key).hexdigest()[:16]


def read(path: Path) -> AuditKey:
    """The keys of a file; Unavailable says what is wrong with it."""
    try:
        lines = path.read_text(encoding="ascii").split()
        keys = [bytes.fromhex(line) for line in lines]
    except OSError as exc:
        raise Unavailable(f"the key of the audit trail cannot be read: {path}: {exc.strerror}") from exc
    except ValueError as exc:
        raise Unavailable(f"{path} is no key of the audit trail: 64 hexadecimal digits a line") from exc
    if not keys or any(len(key) != _BYTES for key in keys):
        raise Unavailable(f"{path} is no key of the audit trail: 64 hexadecimal digits a line")
    return AuditKey(keys)


def make(path: Path) -> None:
    """A new key, where there is none."""
    write_once(path, secrets.token_hex(_BYTES) + "\n")
