"""Random data sets, written by pydicom in every native syntax, scan to what pydicom reads, the same in all of them."""

# ruff: noqa: RUF001 - letters of many scripts

import io
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from storage.metadata import Element, inflated, scan, to_json
from storage.part10 import read_file_meta
from tests.storage.oracle import comparable, expected_elements, read

SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)

PRINTABLE = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=12)
ANY = st.text(alphabet="abcÇĞİıŞüžЖα山やﾔ홍^ .,", max_size=12)
UIDS = st.from_regex(r"[1-9][0-9]{0,5}(\.[1-9][0-9]{0,5}){0,6}", fullmatch=True)
BINARY = st.binary(max_size=1100).map(lambda raw: raw + b"\0" * (len(raw) % 8 and 8 - len(raw) % 8))


def several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return one | st.lists(one, max_size=4)


VALUES: dict[str, tuple[str, st.SearchStrategy[Any]]] = {  # keyword: VR, values
    "SelectorAEValue": ("AE", PRINTABLE),
    "SelectorASValue": ("AS", st.from_regex(r"[0-9]{3}[DWMY]", fullmatch=True)),
    "SelectorATValue": ("AT", several(st.integers(0, 2**32 - 1))),
    "SelectorCSValue": ("CS", several(st.text(alphabet="ABC_ 12", max_size=12))),
    "SelectorDAValue": ("DA", several(st.from_regex(r"20[0-9]{2}0[1-9]1[0-9]", fullmatch=True))),
    "SelectorDSValue": ("DS", several(st.integers(-999999, 999999).map(lambda n: n / 100))),
    "SelectorDTValue": ("DT", st.from_regex(r"20[0-9]{2}0[1-9]1[0-9]1[0-9]00", fullmatch=True)),
    "SelectorFDValue": ("FD", several(st.floats(width=64))),
    "SelectorFLValue": ("FL", several(st.floats(width=32))),
    "SelectorISValue": ("IS", several(st.integers(-(2**31), 2**31 - 1))),
    "SelectorLOValue": ("LO", several(ANY)),
    "SelectorLTValue": ("LT", ANY),
    "SelectorOBValue": ("OB", BINARY),
    "SelectorODValue": ("OD", BINARY),
    "SelectorOFValue": ("OF", BINARY),
    "SelectorOLValue": ("OL", BINARY),
    "SelectorOWValue": ("OW", BINARY),
    "SelectorPNValue": ("PN", several(st.tuples(ANY, ANY, ANY).map("=".join))),
    "SelectorSHValue": ("SH", several(ANY)),
    "SelectorSLValue": ("SL", several(st.integers(-(2**31), 2**31 - 1))),
    "SelectorSSValue": ("SS", several(st.integers(-(2**15), 2**15 - 1))),
    "SelectorSTValue": ("ST", ANY),
    "SelectorSVValue": ("SV", several(st.integers(-(2**63), 2**63 - 1))),
    "SelectorTMValue": ("TM", st.from_regex(r"1[0-9]00", fullmatch=True)),
    "SelectorUCValue": ("UC", several(ANY)),
    "SelectorUIValue": ("UI", several(UIDS)),
    "SelectorULValue": ("UL", several(st.integers(0, 2**32 - 1))),
    "SelectorURValue": ("UR", st.from_regex(r"http://[a-z]{1,8}/[a-z0-9]{0,8}", fullmatch=True)),
    "SelectorUSValue": ("US", several(st.integers(0, 2**16 - 1))),
    "SelectorUTValue": ("UT", ANY),
    "SelectorUVValue": ("UV", several(st.integers(0, 2**64 - 1))),
    "PixelPaddingValue": ("US", st.integers(0, 2**15)),
}
SEQUENCES = ("ReferencedImageSequence", "ContentSequence", "SharedFunctionalGroupsSequence")
TAGS = {keyword: tag for keyword in (*VALUES, *SEQUENCES) if (tag := tag_for_keyword(keyword))}


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 0) -> Dataset:
    ds = Dataset()
    for keyword in draw(
        st.lists(st.sampled_from([keyword for keyword in VALUES if keyword in TAGS]), unique=True, max_size=8)
    ):
        vr, values = VALUES[keyword]
        ds.add_new(TAGS[keyword], vr, draw(values))
    if depth < 3:
        for keyword in draw(
            st.lists(st.sampled_from([keyword for keyword in SEQUENCES if keyword in TAGS]), unique=True, max_size=2)
        ):
            setattr(ds, keyword, draw(st.lists(data_sets(depth + 1), max_size=3)))
            ds[keyword].is_undefined_length = draw(st.booleans())
            for item in ds[keyword].value:
                item.is_undefined_length_sequence_item = draw(st.booleans())
    return ds


def written(ds: Dataset, syntax: UID) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=False, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    return out.getvalue()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data_sets(), st.sampled_from(["ISO_IR 192", "GB18030"]))
def test_a_data_set_scans_to_what_pydicom_reads_in_every_syntax(ds: Dataset, charset: str) -> None:
    ds.SpecificCharacterSet = charset
    found: list[dict[str, Element]] = []
    for syntax in SYNTAXES:
        file = written(ds, syntax)
        meta = read_file_meta(file)
        result = scan(file, meta)
        big = syntax == ExplicitVRBigEndian
        plain = inflated(file, meta)
        found.append(comparable(result.elements, result, plain, big))
        assert found[-1] == expected_elements(read(io.BytesIO(file)), big)
        assert result.warnings == ()
        to_json(result.elements)
    implicit, *others = found
    assert all(other == others[0] for other in others if other is not others[1])
    assert implicit == others[0]
