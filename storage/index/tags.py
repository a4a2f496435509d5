"""Search tags: attributes that are searched beside those with a place of their own, each at one level."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.packing import unpack
from storage.index.prepared import Prepared
from storage.index.schema import instances, search_tags, series, tag_values
from vna.model.conditions import NUMERIC_VRS, number_of, number_text, plain
from vna.model.dictionary import vr_of
from vna.model.matching import items_of
from vna.model.names import normalised, text_of
from vna.model.query import Element, Level
from vna.model.sounds import searched

FILLING, READY = "filling", "ready"

Elements = Mapping[str, Element]


@dataclass(frozen=True, slots=True)
class SearchTag:
    """One of them; it is searched once it is `ready`, when what was held before has been read."""

    key: int
    path: tuple[str, ...]
    level: Level
    ready: bool


def _insert_value() -> dict[str, Prepared]:
    row: dict[str, Any] = {name: sa.bindparam(name) for name in ("tag_fk", "row_fk", "value", "element")}
    return {
        name: Prepared(module.insert(tag_values).values(**row).on_conflict_do_nothing().inline())
        for name, module in (("sqlite", sqlite), ("postgresql", postgresql))
    }


_INSERT = _insert_value()
_KNOWN = Prepared(sa.select(search_tags.c.id, search_tags.c.path, search_tags.c.level, search_tags.c.state))
_INSTANCE = Prepared(
    sa.select(instances.c.id, instances.c.series_fk, series.c.study_fk)
    .join(series, series.c.id == instances.c.series_fk)
    .where(instances.c.sop_instance_uid == sa.bindparam("uid"))
)


def known(connection: sa.Connection) -> list[SearchTag]:
    """All of them."""
    return told(ask(connection))


def ask(connection: sa.Connection) -> Any:
    """The question that `told` has the answer to."""
    return _KNOWN.run(connection)


def told(answer: Any) -> list[SearchTag]:
    """All of them."""
    rows = answer.fetchall()
    return [SearchTag(key, tuple(path.split(".")), Level(level), state == READY) for key, path, level, state in rows]


def add(connection: sa.Connection, path: Sequence[str], level: Level, at: str) -> int | None:
    """A new one, to be filled; None when there is one of the path. What is stored from now on is noted by itself: on
    PostgreSQL this waits for those who are at it, so that nothing falls between them and the filling.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE instances IN SHARE MODE"))
    dotted = ".".join(path)
    if connection.execute(sa.select(search_tags.c.id).where(search_tags.c.path == dotted)).first() is not None:
        return None
    row = {"path": dotted, "level": int(level), "state": FILLING, "created_at": at}
    return int(connection.execute(sa.insert(search_tags).values(**row).returning(search_tags.c.id)).scalar_one())


def remove(connection: sa.Connection, path: Sequence[str]) -> bool:
    """Forget one, with its values; False when there is none."""
    key = sa.select(search_tags.c.id).where(search_tags.c.path == ".".join(path))
    connection.execute(sa.delete(tag_values).where(tag_values.c.tag_fk.in_(key)))
    return connection.execute(sa.delete(search_tags).where(search_tags.c.path == ".".join(path))).rowcount == 1


def note(
    connection: sa.Connection, sop_instance_uid: str, header: bytes, tags: Sequence[SearchTag], *, again: bool = False
) -> None:
    """Keep what the packed header of an instance says of every tag; the first instance speaks for study and series.

    `tags` are those that are known when the instance was inserted, in its transaction. With `again` the instance has
    new content.
    """
    if not tags:
        return
    key, series_fk, study_fk = _INSTANCE.run(connection, uid=sop_instance_uid).fetchone()
    if again:
        of_image = [tag.key for tag in tags if tag.level is Level.IMAGE]
        connection.execute(sa.delete(tag_values).where(tag_values.c.row_fk == key, tag_values.c.tag_fk.in_(of_image)))
    _keep(connection, tags, {Level.STUDY: study_fk, Level.SERIES: series_fk, Level.IMAGE: key}, header)


def follow(connection: sa.Connection, sop_instance_uid: str, old: bytes, new: bytes) -> None:
    """Keep what a corrected header says, at every level where what it said before is kept."""
    tags = known(connection)
    if not tags:
        return
    before, after = (orjson.loads(unpack(header)) for header in (old, new))
    differ = [tag for tag in tags if before.get(tag.path[0]) != after.get(tag.path[0])]
    key, series_fk, study_fk = _INSTANCE.run(connection, uid=sop_instance_uid).fetchone()
    rows = {Level.STUDY: study_fk, Level.SERIES: series_fk, Level.IMAGE: key}
    for tag in differ:
        said = orjson.dumps(before.get(tag.path[0])).decode()
        mine = tag_values.c.tag_fk == tag.key, tag_values.c.row_fk == rows[tag.level]
        connection.execute(sa.delete(tag_values).where(*mine, tag_values.c.element == said))
    _keep(connection, differ, rows, new)


def fill(connection: sa.Connection, key: int, after: int, count: int) -> int | None:
    """Note what the next `count` instances say of a tag; the last one's key, None when there are no more."""
    tags = [tag for tag in known(connection) if tag.key == key]
    rows = connection.execute(
        sa.select(instances.c.id, instances.c.series_fk, series.c.study_fk, instances.c.header)
        .join(series, series.c.id == instances.c.series_fk)
        .where(instances.c.id > after)
        .order_by(instances.c.id)
        .limit(count)
    ).all()
    if not rows or not tags:
        connection.execute(sa.update(search_tags).where(search_tags.c.id == key).values(state=READY))
        return None
    for instance_fk, series_fk, study_fk, header in rows:
        _keep(connection, tags, {Level.STUDY: study_fk, Level.SERIES: series_fk, Level.IMAGE: instance_fk}, header)
    return int(rows[-1][0])


def elements_of(connection: sa.Connection, tags: Iterable[SearchTag], rows: Sequence[int]) -> dict[int, Elements]:
    """What is kept of the tags, by the key of the row."""
    paths = {tag.key: tag.path[0] for tag in tags}
    found: dict[int, dict[str, Element]] = {}
    kept = sa.select(tag_values.c.row_fk, tag_values.c.tag_fk, tag_values.c.element).where(
        tag_values.c.row_fk.in_(rows), tag_values.c.tag_fk.in_(paths)
    )
    for row, tag, element in connection.execute(kept):
        found.setdefault(row, {})[paths[tag]] = orjson.loads(element)
    return found  # type: ignore[return-value]


def _keep(connection: sa.Connection, tags: Sequence[SearchTag], rows: Mapping[Level, int], header: bytes) -> None:
    elements: Elements = orjson.loads(unpack(header))
    for tag in tags:
        texts = dict.fromkeys(filter(None, _texts(elements, tag.path)))
        if texts:
            _INSERT[connection.dialect.name].run(
                connection,
                tag_fk=tag.key,
                row_fk=rows[tag.level],
                value="\n".join(["", *texts, ""]),
                element=orjson.dumps(elements[tag.path[0]]).decode(),
            )


def _texts(elements: Elements, path: Sequence[str]) -> Iterator[str]:
    """The values at the end of the path as they are looked for: names in normal form and by words, numbers by value."""
    element = elements.get(path[0])
    if len(path) > 1:
        for item in items_of(element):
            yield from _texts(item, path[1:])
        return
    vr = vr_of(path[0])
    for value in _values(element):
        number = number_of(value) if vr in NUMERIC_VRS else None
        if vr == "PN":
            yield normalised(text_of(value))
            yield searched(text_of(value))
        else:
            yield plain(value) if number is None else number_text(number)


def _values(element: Element | None) -> list[Any]:
    return [value for value in (element or {}).get("Value") or () if value not in (None, "")]
