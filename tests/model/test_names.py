"""Person names are compared regardless of case and accents, the Turkish way."""

# ruff: noqa: RUF001 (letters that look alike are what this is about)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vna.model import names


@pytest.mark.parametrize(
    "name", ["IŞIK^İLKNUR", "ışık^ilknur", "isik^ilknur", "IŞIK^ILKNUR^^^", "Işik^İLKNUR ^ ", "ISIK^ilknur=="]
)
def test_turkish_i_and_accents_make_one_name(name: str) -> None:
    assert names.normalised(name) == "isik^ilknur"


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("YILMAZ^AYŞE", "yilmaz^ayse"),
        ("Çağlayan^Özgür", "caglayan^ozgur"),
        ("Kâmil^Hâlim", "kamil^halim"),
        ("Łukasz^Gøran", "lukasz^goran"),
        ("Straße^Jürgen", "strasse^jurgen"),
        ("Ａｙşｅ", "ayse"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada^tarou=山田^太郎=やまだ^たろう"),
        ("=山田^太郎", "=山田^太郎"),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"),
        ("Люкceмбypг^Ёлка", "люкceмбypг^елка"),
        ("قَبَّانِي^لنزار", "قباني^لنزار"),
        ("Διονυσιος^ΆΣ", "διονυσιοσ^ασ"),
        ("A^^^Dr", "a^^^dr"),
        ("  Van   der  Berg ^ Jan ", "van der berg^jan"),
        ("", ""),
        ("^^^^", ""),
        ("A=B\\C^", "a=b\\c"),
    ],
)
def test_normal_form_of(name: str, normal: str) -> None:
    assert names.normalised(name) == normal


def test_voicing_marks_make_another_letter() -> None:
    assert names.normalised("かき") != names.normalised("がき")


def test_full_width_structure_characters_stay_letters() -> None:
    assert names.normalised("A＾B＝C") == "a＾b＝c"


@given(st.text())
def test_normal_form_is_its_own_normal_form(name: str) -> None:
    assert names.normalised(names.normalised(name)) == names.normalised(name)


@given(st.text(), st.text())
def test_normal_form_keeps_groups_apart(left: str, right: str) -> None:
    left, right = left.replace("=", "").replace("\\", ""), right.replace("=", "").replace("\\", "")
    wanted = [names.normalised_group(left), names.normalised_group(right)]
    assert names.normalised(f"{left}={right}") == "=".join(wanted).rstrip("=")


def test_words_of_a_name_come_from_all_groups() -> None:
    assert names.words("ÖZ-TÜRK^Ayşe Nur=山田^太郎") == ("oz", "turk", "ayse", "nur", "山田", "太郎")


def test_text_of_a_json_value_has_its_groups_in_order() -> None:
    assert names.text_of({"Phonetic": "p", "Alphabetic": "a"}) == "a==p"
    assert names.text_of(None) == ""
