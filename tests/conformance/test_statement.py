"""What is registered is stated, what is stated has a check, and the statements say what the code does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.checks import every
from conformance.statement import dicom, ihe
from conformance.statement.document import Document, Heading, html, markdown
from conformance.statement.registered import Registered, registered
from conformance.statement.stated import STATED
from tests.archives import Backend, ready
from tests.conformance.pages import UNCHECKED, statements
from vna.app import Application, build
from vna.model.sop_classes import STORAGE_CLASSES


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    settings = Backend("sqlite+folder", tmp_path_factory.mktemp("statement")).settings()
    ready(settings)
    application = build(settings)
    yield application
    application.close()


@pytest.fixture(scope="module")
def found(archive: Application) -> Registered:
    return registered(archive)


def test_every_service_that_is_registered_is_stated_and_no_other(found: Registered) -> None:
    assert set(found.keys()) == STATED.keys()


def test_every_service_that_is_stated_has_a_check() -> None:
    covered = {one for check in every() for one in check.covers}
    assert sorted({one.check for one in STATED.values()} - covered) == sorted(UNCHECKED)


def test_a_service_that_nobody_states_is_noticed(found: Registered) -> None:
    more = Registered(found.sop_classes, found.addresses, {**found.transactions, "registry": ("ITI-99",)}, (), ())
    assert set(more.keys()) - STATED.keys() == {"SOAP registry ITI-99"}


def test_the_dicom_statement_names_every_class_syntax_and_address(archive: Application, found: Registered) -> None:
    text = markdown(dicom.statement(archive, found, "0"))
    assert [uid for uid in STORAGE_CLASSES if uid not in text] == []
    assert [one.url for one in found.addresses if one.url not in text] == []
    for words in ("2.4 Association policies", "Maximum length received", "StudyInstanceUID", "A700"):
        assert words in text


def test_the_integration_statement_names_every_transaction(found: Registered) -> None:
    text = markdown(ihe.statement(found, "0"))
    assert [
        one for one in ("ITI-18", "ITI-42", "ITI-41", "ITI-43", "RAD-69", "RAD-75") if f"| {one} |" not in text
    ] == []


def test_a_document_is_escaped_in_either_form() -> None:
    document = Document([Heading(1, "A < B")])
    document.table(("a|b",), [("<script>",)])
    assert "<script>" not in html(document)
    assert "a&#124;b" in markdown(document)


def test_the_statements_of_the_documentation_are_those_of_the_code() -> None:
    for path, text in statements():
        assert Path(path).read_text(encoding="utf-8") == text, "run .venv/bin/python scripts/conformance-pages"
