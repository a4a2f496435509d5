"""Archives in which orders and images meet: what tests of matching do and look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.archives import put
from tests.objects import ct, part10
from tests.worklist.ordering import AYSE
from vna.app import Application
from vna.model.instances import Accepted, Door
from vna.model.matches import MatchRule
from vna.model.orders import OrderKey

FACILITY = "500059"
KEY = OrderKey(FACILITY, "A1")
NATIONAL = AYSE.national_number
INSTITUTION = f"Örnek^^^SKRS{FACILITY}^^^FK1"


def image(study: str, **elements: Any) -> bytes:
    """A CT slice of the patient of the usual order, of the usual facility."""
    usual = {"PatientID": NATIONAL, "AccessionNumber": "A1", "InstitutionName": INSTITUTION}
    return part10(ct(StudyInstanceUID=study, **(usual | elements)))


def store(archive: Application, study: str, door: Door = Door.STOW, **elements: Any) -> Accepted:
    """Store one, and let it be noticed."""
    accepted = put(archive, image(study, **elements), door=door)
    archive.dispatcher().drain()
    return accepted


def settle(archive: Application) -> None:
    """Do everything that is pending, and what comes of it."""
    for _ in range(3):
        archive.dispatcher().drain()
        archive.workers().drain()
    archive.dispatcher().drain()


def pairs(archive: Application) -> dict[tuple[str, str], MatchRule]:
    """What is matched: study by accession number, and the rule."""
    from storage.index import matches
    from storage.index.national_schema import order_matches

    with archive.database.read() as connection:
        studies = connection.execute(order_matches.select()).all()
        found = matches.of_studies(connection, {row.study_instance_uid for row in studies})
    return {(one.key.accession_number, one.study_instance_uid): one.rule for one in found if not one.released}


def profile(folder: Path, text: str) -> str:
    """A site's profile as a file."""
    path = folder / "site.toml"
    path.write_text(text)
    return str(path)
