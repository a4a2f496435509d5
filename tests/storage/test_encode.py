"""Elements of the DICOM JSON model written as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storage.encode import encode
from storage.metadata import scan
from storage.part10 import EXPLICIT_LITTLE, read_file_meta, write_file_meta
from tests.peers.samples import name, pydicom_files
from vna.model.errors import CannotUnderstand, VnaError


def again(elements: dict[str, Any]) -> dict[str, Any]:
    """Written and read back."""
    data = write_file_meta("1.2", "1.2.3", EXPLICIT_LITTLE) + encode(elements)
    return scan(data, read_file_meta(data)).elements


UTF8 = {"vr": "CS", "Value": ["ISO_IR 192"]}


def without_bulk(value: Any) -> Any:
    """Without values in the file, its character set wherever it is named that in which it is written."""
    if isinstance(value, dict):
        value = {k: UTF8 if k == "00080005" else v for k, v in value.items()}
        return {k: without_bulk(v) for k, v in value.items() if not (isinstance(v, dict) and "BulkDataURI" in v)}
    return [without_bulk(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", pydicom_files(), ids=name)
def test_what_was_read_of_a_sample_is_read_again_after_it_was_written(path: Path) -> None:
    data = path.read_bytes()
    try:
        elements = scan(data, read_file_meta(data)).elements
    except VnaError:
        pytest.skip("no DICOM object")
    elements = without_bulk(elements) | {"00080005": UTF8}

    assert again(elements) == elements


@pytest.mark.parametrize(
    "element",
    [
        {"vr": "US", "Value": [70000]},
        {"vr": "UL", "Value": ["x"]},
        {"vr": "OB", "BulkDataURI": "7FE00010"},
        {"vr": "XX", "Value": ["x"]},
        {"vr": "LO", "Value": ["x" * 70000]},
    ],
    ids=str,
)
def test_what_a_vr_cannot_hold_is_refused(element: dict[str, Any]) -> None:
    with pytest.raises(CannotUnderstand, match="00090001"):
        encode({"00090001": element})


@pytest.mark.parametrize(
    ("number", "text"), [(72.5, b"72.5"), (1 / 3, b"0.33333333333333"), (-1e-300 / 3, b"-3.33333333e-301")]
)
def test_a_decimal_has_at_most_16_characters(number: float, text: bytes) -> None:
    written = encode({"00101030": {"vr": "DS", "Value": [number]}})[8:].rstrip(b" ")

    assert len(written) <= 16
    assert float(written) == pytest.approx(number, rel=1e-8)
    assert written.startswith(text)
