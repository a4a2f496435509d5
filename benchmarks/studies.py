"""Rows of many studies, made in the database alone: an index as a large archive has it, without the images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from random import Random
from typing import Any

import orjson
import sqlalchemy as sa

from benchmarks.rows import insert
from storage.index.engine import Database
from storage.index.migrate import upgrade
from storage.index.packing import pack
from storage.index.schema import instances, patients, series, studies
from vna.model.names import normalised
from vna.model.sounds import searched

# ruff: noqa: RUF001 (Turkish letters)

_FAMILIES = re.findall(
    r"\w+",
    "Yılmaz Kaya Demir Çelik Şahin Yıldız Yıldırım Öztürk Aydın Özdemir Arslan Doğan Kılıç Aslan Çetin Kara Koç Kurt "
    "Özkan Şimşek Polat Korkmaz Özcan Çakır Erdoğan Yavuz Can Acar Aktaş Güneş Bozkurt Bulut Keskin Ünal Turan Gül",
)
_GIVEN = re.findall(
    r"\w+",
    "Mehmet Mustafa Ahmet Ali Hüseyin Hasan İbrahim İsmail Osman Yusuf Murat Ömer Ramazan Halil Süleyman Fatma Ayşe "
    "Emine Hatice Zeynep Elif Meryem Şerife Zehra Sultan Hanife Merve Havva Zeliha Esra Özlem Büşra Yasemin",
)
_WHAT = (
    "Toraks BT",
    "Beyin MR",
    "Batın US",
    "PA Akciğer",
    "Diz MR",
    "Mamografi",
    "Koroner BT Anjiyografi",
    "Lomber MR",
)
_MODALITIES = ("CT", "MR", "US", "CR", "DX", "MG", "XA", "NM")
_SYLLABLES = [c + v for c in "bcdfghklmnprstvyz" for v in "aeiou"]
_TABLES = (patients, studies, series, instances)
_BATCH = 5000


def fill(database: Database, count: int, *, seed: int = 1) -> None:
    """An empty database with the rows of `count` studies, of one series with one instance each. Study number n is the
    same whatever the count, so that a search for it means the same in a small archive and in a large one.
    """
    upgrade(database)
    rows = _rows(count, seed)
    while batch := list(islice(rows, _BATCH)):
        with database.transaction() as connection:
            for table, several in zip(_TABLES, zip(*batch, strict=True), strict=True):
                insert(connection, table, several)
    with database.transaction() as connection:
        connection.execute(sa.text("ANALYZE"))
        if database.is_sqlite:
            return
        for table in _TABLES:
            key = sa.func.pg_get_serial_sequence(table.name, "id")
            connection.execute(sa.select(sa.func.setval(key, count + 1)))


def _rows(count: int, seed: int) -> Iterator[tuple[dict[str, Any], ...]]:
    random = Random(seed)
    header = pack(b"{}")
    for number in range(1, count + 1):
        # A third of the family names are rare, as they are among people.
        family = random.choice(_FAMILIES) if random.random() < 0.66 else _rare(random)
        name = f"{family}^{random.choice(_GIVEN)}"
        uid = f"1.2.826.0.1.3680043.10.1561.{number}"
        date = f"{random.randint(2010, 2025)}{random.randint(1, 12):02}{random.randint(1, 28):02}"
        time = f"{random.randint(7, 21):02}{random.randint(0, 59):02}{random.randint(0, 59):02}"
        what, modality = random.choice(_WHAT), random.choice(_MODALITIES)
        referring = f"{random.choice(_FAMILIES)}^{random.choice(_GIVEN)}"
        patient_id, accession = f"{10_000_000_000 + number * 7919 % 89_999_999_999}", f"A{number:09}"
        yield (
            {
                "id": number,
                "patient_id": patient_id,
                "issuer": "",
                **_name("patient_name", name),
                "birth_date": f"{random.randint(1930, 2024)}{random.randint(1, 12):02}{random.randint(1, 28):02}",
                "sex": random.choice("MF"),
                "attributes": _json({"00100010": ("PN", {"Alphabetic": name}), "00100020": ("LO", patient_id)}),
                "number_of_studies": 1,
                "number_of_series": 1,
                "number_of_instances": 1,
            },
            {
                "id": number,
                "study_instance_uid": uid,
                "patient_fk": number,
                "study_date": date,
                "study_time": time,
                "accession_number": accession,
                "study_id": f"S{number % 1000}",
                "study_description": f"{what} {_rare(random)}" if number % 500 == 0 else what,
                **_name("referring_physician_name", referring),
                "modalities": f"\\{modality}\\",
                "sop_classes": "\\1.2.840.10008.5.1.4.1.1.2\\",
                "attributes": _json(
                    {
                        "0020000D": ("UI", uid),
                        "00080020": ("DA", date),
                        "00080030": ("TM", time),
                        "00080050": ("SH", accession),
                        "00081030": ("LO", what),
                        "00080090": ("PN", {"Alphabetic": referring}),
                    }
                ),
                "number_of_series": 1,
                "number_of_instances": 1,
            },
            {
                "id": number,
                "series_instance_uid": f"{uid}.1",
                "study_fk": number,
                "modality": modality,
                "series_description": f"{what} 1.0 mm",
                "series_number": 1,
                "attributes": _json({"0020000E": ("UI", f"{uid}.1"), "00080060": ("CS", modality)}),
                "number_of_instances": 1,
            },
            {
                "id": number,
                "sop_instance_uid": f"{uid}.1.1",
                "series_fk": number,
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
                "instance_number": 1,
                "transfer_syntax_uid": "1.2.840.10008.1.2.1",
                "blob": f"none/{number}",
                "size": 0,
                "sha256": b"",
                "dataset_offset": 0,
                "header_end": 0,
                "header": header,
                "frames": header,
            },
        )


@lru_cache(maxsize=20_000)
def _name(column: str, name: str) -> dict[str, str]:
    return {column: name, f"{column}_norm": normalised(name), f"{column}_words": searched(name)}


def _rare(random: Random) -> str:
    return "".join(random.choices(_SYLLABLES, k=4)).capitalize()


def _json(values: dict[str, tuple[str, Any]]) -> str:
    return orjson.dumps({tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in values.items()}).decode()
