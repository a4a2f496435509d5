"""What a merge of patients means for images, on both pairs of stores."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, generate_uid

from storage.index import jobs, rebuild
from storage.index.events import time_text
from tests.archive.test_reindex import answers
from tests.archives import Open, put, rows
from tests.objects import ct, part10
from vna.app import Application
from vna.archive.reindex import Step
from vna.identity.patients import MERGE
from vna.model.access import SYSTEM, Coercion, Peer
from vna.model.errors import Raced
from vna.model.events import Event, EventKind
from vna.model.instances import Accepted, Outcome, Selection
from vna.model.query import Key, Level, Query

DOMAIN = "1.2.826.0.1.3680043.10.1561.60"
HOSPITAL = "1.2.826.0.1.3680043.10.1561.61"
PROFILE = """
[[patients]]
issuer = "LOCAL"
authority = "1.2.826.0.1.3680043.10.1561.62"
affinity = "national"
[[patients]]
issuer = "*"
"""
NATIONAL, OTHER_NATIONAL = "10000000146", "12345678950"


def cx(value: str) -> str:
    return f"{value}^^^&{DOMAIN}&ISO"
