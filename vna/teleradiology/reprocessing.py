"""An order looked at again, when somebody asks for it: matched anew, found out how it stands, and the payer told again
where it refused."""

from storage.index import orders as rows
from storage.index.engine import Database
from vna.model.access import Action, Actor
from vna.model.errors import NotFound
from vna.model.orders import OrderKey
from vna.security.policy import Policy
from vna.teleradiology.matching import Matching
from vna.teleradiology.notifying import Notifying
from vna.teleradiology.own_orders import is_of
from vna.teleradiology.standing import Standings


class Reprocessing:
    """It changes nothing that events would not have changed, and tells nobody twice: the right to look up is enough."""

    def __init__(
        self, database: Database, policy: Policy, matching: Matching, standings: Standings, notifying: Notifying
    ) -> None:
        self._database = database
        self._policy = policy
        self._matching = matching
        self._standings = standings
        self._notifying = notifying

    def again(self, actor: Actor, key: OrderKey) -> None:
        """Look at an order of the actor's facility; NotFound when there is none."""
        self._policy.check(actor, Action.LOOK_UP, str(key))
        with self._database.transaction() as connection:
            known = rows.find(connection, key)
            if known is None or not is_of(connection, actor, known):
                raise NotFound("no such order is known at this facility")
            self._matching.look(connection, (), {key})
        self._standings.find_out([key])
        self._notifying.after_refusal(actor, key)
