"""Which manifest of each study a repository has, and which is on its way there."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage.index.schema import publications as table


@dataclass(frozen=True, slots=True)
class Publication:
    """The newest manifest; without `entry_uuid` there is none now. `pending` says what is being provided, as JSON."""

    study_instance_uid: str
    number: int = 0
    digest: str = ""
    patient_id: str = ""
    unique_id: str = ""
    entry_uuid: str = ""
    pending: str = ""


_COLUMNS = [table.c[name] for name in Publication.__slots__]


def find(connection: sa.Connection, study_instance_uid: str) -> Publication | None:
    """Of one study; None when nothing of it was ever published."""
    row = connection.execute(sa.select(*_COLUMNS).where(table.c.study_instance_uid == study_instance_uid)).one_or_none()
    return None if row is None else Publication(*row)


def known(connection: sa.Connection, study_instance_uids: Sequence[str]) -> set[str]:
    """Which of these studies something was ever published of."""
    wanted = sa.select(table.c.study_instance_uid).where(table.c.study_instance_uid.in_(study_instance_uids))
    return set(connection.execute(wanted).scalars())


def put(connection: sa.Connection, publication: Publication) -> None:
    """Note how it stands."""
    values = asdict(publication)
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = module.insert(table).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=["study_instance_uid"], set_=values))
