"""Names and codes are data: a file puts others in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sgk.conftest import Open
from vna.model.errors import BadRequest
from vna.model.lookups import Operation, Result
from vna.sgk import contract

OTHER = """
namespace = "http://example.org/published"
path = "/ws/goruntu"
wsdl = "published.wsdl"
[operations.find]
request = "sorgula"
question = "arg0"
response = "sorgulaResponse"
answer = "return"
takes = { accession = "erisimNo", facility = "tesis" }
[result]
code = "kod"
message = "mesaj"
[codes.1006]
code = "0404"
message = "Yok."
"""


def test_a_file_replaces_names_codes_address_and_wsdl(open_lookups: Open, tmp_path: Path) -> None:
    (tmp_path / "published.wsdl").write_text("<definitions xmlns='http://schemas.xmlsoap.org/wsdl/'/>")
    (tmp_path / "other.toml").write_text(OTHER)
    archive = open_lookups(national={"lookups": str(tmp_path / "other.toml")})
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        '<p:sorgula xmlns:p="http://example.org/published"><arg0><erisimNo>A1</erisimNo><tesis>7</tesis></arg0>'
        "</p:sorgula></e:Body></e:Envelope>"
    )

    answer = archive.web.post("/ws/goruntu", content=body.encode(), headers={"Content-Type": "text/xml"})

    assert '<r:sorgulaResponse xmlns:r="http://example.org/published"><return><kod>0404</kod>' in answer.text
    assert b"definitions" in archive.web.get("/ws/goruntu?wsdl").content
    assert archive.web.get("/sgk/goruntu-paylasim?wsdl").status_code == 404


def test_what_the_file_does_not_say_stays_ours(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(OTHER)
    said = contract.read(tmp_path / "other.toml")

    assert said.operations[Operation.LIST] == contract.read().operations[Operation.LIST]
    assert (said.code(Result.UNKNOWN), said.code(Result.SUCCESS)) == ("0404", "0000")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("namespace =", "cannot be read"),
        ("namspace = 'x'", "namspace"),
        ("[operations.find]\ntakes = { akcession = 'x' }", "akcession is nothing that a look-up knows"),
        ("[images]\nfacility = 'x'\naccession = 'x'", "one name stands for two things"),
        ("path = 'x'", "begins with /"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(text)

    with pytest.raises(BadRequest, match=words):
        contract.read(tmp_path / "other.toml")
