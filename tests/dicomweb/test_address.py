"""The addresses in answers lead back to the archive, whatever stands between."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from dicomweb.address import service_url


def request(host: str, scheme: str = "http", port: int | None = 8080, **fields: str) -> Request:
    headers = {"host": host, **{name.replace("_", "-"): value for name, value in fields.items()}}
    raw = [(name.encode(), value.encode()) for name, value in headers.items() if value]
    server = ("10.0.0.1", port) if port else None
    return Request({"type": "http", "headers": raw, "scheme": scheme, "server": server, "root_path": ""})


@pytest.mark.claim("PS3.18-10.1")
@pytest.mark.parametrize(
    ("asked", "url"),
    [
        (request("vna.example.org:8080"), "http://vna.example.org:8080/dicom-web"),
        (request("[::1]:8080"), "http://[::1]:8080/dicom-web"),
        (request("vna.example.org", port=80), "http://vna.example.org/dicom-web"),
        (request("vna.example.org", "https", 443), "https://vna.example.org/dicom-web"),
        (request("127.0.0.1"), "http://127.0.0.1:8080/dicom-web"),  # dicomweb-client leaves the port out
        (request("[::1]"), "http://[::1]:8080/dicom-web"),
        (request("vna.example.org", x_forwarded_for="1.2.3.4"), "http://vna.example.org/dicom-web"),
        (request("vna.example.org", "https", via="1.1 proxy"), "https://vna.example.org/dicom-web"),
        (request(""), "http://10.0.0.1:8080/dicom-web"),
        (request("", port=None), "http://localhost/dicom-web"),
    ],
)
def test_the_service_is_where_the_request_was_sent_to(asked: Request, url: str) -> None:
    assert service_url(asked, "") == url
    assert service_url(asked, "https://public.example.org") == "https://public.example.org/dicom-web"
