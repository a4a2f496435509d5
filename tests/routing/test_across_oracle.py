"""The one list against a plain account of what should be in it, for archives that agree, overlap and contradict."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.archives import Open, put
from tests.objects import ct, part10
from tests.routing.elsewhere import Centre, key, study, uids
from vna.model.query import Level, Query

WITHIN = "20260105-20260120"


def said(random_: random.Random) -> dict[str, Any]:
    return {
        "StudyDate": f"202601{random_.randint(1, 28):02}",
        "StudyTime": f"{random_.randint(0, 23):02}0000",
        "PatientID": random_.choice(["P1", "P1", "P2"]),
        "Modality": random_.choice(["CT", "MR"]),
    }


def matches(values: dict[str, Any], modalities: set[str], wanted: str) -> bool:
    first, _, last = WITHIN.partition("-")
    return values["PatientID"] == "P1" and first <= values["StudyDate"] <= last and (not wanted or wanted in modalities)


@pytest.mark.parametrize("seed", range(6))
def test_every_study_that_matches_is_listed_once_and_no_other(open_archive: Open, seed: int) -> None:
    random_ = random.Random(seed)
    centre = Centre(open_archive())
    here = {f"1.2.{number}": said(random_) for number in random_.sample(range(1, 40), 16)}
    for uid, values in here.items():
        put(centre.application, part10(ct(StudyInstanceUID=uid, **values)))
    there: dict[str, dict[str, dict[str, Any]]] = {
        name: {
            uid: here[uid] if uid in here and random_.random() < 0.5 else said(random_)
            for uid in (f"1.2.{number}" for number in random_.sample(range(1, 40), 14))
        }
        for name in ("CITY", "TOWN")
    }

    def answers(name: str) -> list[dict[str, Any]]:
        return [
            study(uid, ModalitiesInStudy=[one["Modality"]], **{k: v for k, v in one.items() if k != "Modality"})
            for uid, one in there[name].items()
        ]

    with centre.asking(*answers("CITY"), name="CITY"), centre.asking(*answers("TOWN"), name="TOWN"):
        for wanted in ("", "MR"):
            keys = (
                key("PatientID", "P1"),
                key("StudyDate", WITHIN),
                *([key("ModalitiesInStudy", wanted)] * bool(wanted)),
            )
            expected = set()
            for uid in {*here, *there["CITY"], *there["TOWN"]}:
                # What an archive gives is believed when it matches by itself; what is held here has the last word.
                given = [
                    one[uid]
                    for one in there.values()
                    if uid in one and matches(one[uid], {one[uid]["Modality"]}, wanted)
                ]
                if uid in here:
                    modalities = {here[uid]["Modality"], *(one["Modality"] for one in given)}
                    own = matches(here[uid], {here[uid]["Modality"]}, wanted)
                    listed = own or (bool(given) and matches(here[uid], modalities, wanted))
                else:
                    listed = bool(given)
                if listed:
                    expected.add(uid)
            whole = uids(centre.find(Query(Level.STUDY, keys)))
            assert sorted(whole) == sorted(expected)
            for size in (1, 3, 5):
                pages = [
                    uids(centre.find(Query(Level.STUDY, keys, limit=size, offset=offset)))
                    for offset in range(0, len(whole) + size, size)
                ]
                assert [uid for page in pages for uid in page] == whole
