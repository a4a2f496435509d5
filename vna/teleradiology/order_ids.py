"""The number by which callers elsewhere name an order: nobody can make one of a facility and a guessed accession
number.

Whoever has one was given it with the order, or with an earlier examination of a patient whom the caller named.
"""

import binascii
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from storage.index import accounts
from storage.index.engine import Database
from vna.model.access import Action, Actor
from vna.model.errors import NotFound
from vna.model.orders import OrderKey
from vna.security.policy import Policy

_FACT = "order-id-key"
_MARK = 12


class OrderIds:
    """Text that needs no escaping in addresses.

    The key is of this archive, made when it is first needed; after a reindex into an empty index it is another one, and
    callers ask anew.
    """

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy
        self._key = b""

    def given(self, actor: Actor, key: OrderKey) -> str:
        """The same for an order whenever it is asked for."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        plain = f"{key.facility}\0{key.accession_number}".encode()
        return urlsafe_b64encode(self._marked(plain) + plain).decode().rstrip("=")

    def read(self, actor: Actor, text: str) -> OrderKey:
        """The order that `given` named; NotFound for any other text."""
        self._policy.check(actor, Action.LOOK_UP, "orders")
        try:
            data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            data = b""
        mark, plain = data[:_MARK], data[_MARK:]
        if not hmac.compare_digest(mark, self._marked(plain)):
            raise NotFound("no order has this OrderId")
        facility, _, accession_number = plain.decode().partition("\0")
        return OrderKey(facility, accession_number)

    def _marked(self, plain: bytes) -> bytes:
        if not self._key:
            with self._database.transaction() as connection:
                self._key = accounts.claim_fact(connection, _FACT, secrets.token_hex(32)).encode()
        return hmac.digest(self._key, plain, "sha256")[:_MARK]
