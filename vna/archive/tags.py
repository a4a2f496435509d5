"""Search tags: attributes that every search knows from now on, indexed in the background for what is held already."""

from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from storage.index import jobs, tags
from storage.index.engine import Database
from storage.index.events import time_text
from storage.index.tags import SearchTag
from vna.model.access import Action, Actor
from vna.model.attributes import BY_TAG
from vna.model.dictionary import path_of, vr_of
from vna.model.errors import BadRequest, Conflict, NotFound
from vna.model.query import Level
from vna.security.policy import Policy

FILL = "tags.fill"
_STEP = 500
_LONGEST = 160
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


class SearchTags:
    """Adds, lists and removes them."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def add(self, actor: Actor, name: str, level: Level | None = None) -> Level:
        """Search by an attribute, named as searches name it, at a level; that of the attribute, or STUDY, by default.

        A job reads what is held already; until it is done the tag is not searched. Raises BadRequest; Conflict when
        there is one of the name.
        """
        self._policy.check(actor, Action.ADMIN)
        path = path_of(name)
        if vr_of(path[-1]) in _BINARY:
            raise BadRequest(f"{name} holds bytes, which no search looks into")
        attribute = BY_TAG.get(path[0])
        level = level if level is not None else attribute.level if attribute is not None else Level.STUDY
        if level is Level.PATIENT:
            raise BadRequest(f"{name} is of a patient: a search tag needs a level of study, series or image")
        if len(".".join(path)) > _LONGEST:
            raise BadRequest(f"a search tag's path is at most {_LONGEST} characters long")
        at = time_text(datetime.now(UTC))
        with self._database.transaction() as connection:
            key = tags.add(connection, path, level, at)
            if key is None:
                raise Conflict(f"{name} is searched already")
            jobs.add(connection, FILL, order_key=str(key), payload=orjson.dumps([key, 0]).decode())
        return level

    def all(self, actor: Actor) -> list[SearchTag]:
        """Those that there are."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.read() as connection:
            return tags.known(connection)

    def remove(self, actor: Actor, name: str) -> None:
        """Forget one; NotFound."""
        self._policy.check(actor, Action.ADMIN)
        with self._database.transaction() as connection:
            if not tags.remove(connection, path_of(name)):
                raise NotFound(f"{name} is no search tag")


def filling(database: Database) -> Callable[[str], str | None]:
    """What a job of kind FILL does: one step; where the next one goes on, None after the last."""

    def step(payload: str) -> str | None:
        key, after = orjson.loads(payload)
        with database.transaction() as connection:
            last = tags.fill(connection, key, after, _STEP)
        return None if last is None else orjson.dumps([key, last]).decode()

    return step
