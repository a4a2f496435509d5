"""An order looked at again, when somebody asks for it: matched anew, found out how it stands, the payer told again
where it refused."""

from storage.index import notifications
from storage.index import orders as rows
from storage.index.engine import Database
from vna.model.access import Action, Actor
from vna.model.errors import NotFound
from vna.model.notifications import NotificationState
from vna.model.orders import OrderKey
from vna.security.policy import Policy
from vna.teleradiology.listings import is_of
from vna.teleradiology.matching import Matching
from vna.teleradiology.notifying import Notifying
from vna.teleradiology.standing import Standings


class Reprocessing:
    """Matching and standing change nothing that events would not have changed: the right to look up is enough for that.
    The payer is told again for whoever may feed."""

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
            if known is None or not is_of(actor, known):
                raise NotFound("no such order is known at this facility")
            self._matching.look(connection, (), {key})
            told = notifications.find(connection, key)
        if told is not None and told.state is NotificationState.REFUSED and Action.FEED in actor.rights:
            self._notifying.again(actor, key)
        else:
            self._standings.find_out([key])
