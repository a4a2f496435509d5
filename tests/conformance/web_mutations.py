"""Broken DICOMweb doors (`mutations` says how)."""

from __future__ import annotations

from tests.conformance.mutations import Mutation, asked, valued, without
from vna.archive.search import Search

FIND = Search, "find"

MUTATIONS: tuple[Mutation, ...] = (
    asked("the web does not match dates", *FIND, without("00080020"), "dicomweb.search.match.keyword",
          "dicomweb.search.match.tag", "dicomweb.search.match.range", "dicomweb.search.match.range-open"),
    asked("the web takes an asterisk for a letter", *FIND, valued(lambda text: text.replace("*", "#")),
          "dicomweb.search.match.wildcard", "dicomweb.search.match.encoded-wildcard"),
    asked("the web does not match modalities", *FIND, without("00080061"), "dicomweb.search.match.modality"),
    asked("the web does not look into sequences", *FIND, without("00400009"), "dicomweb.search.sequence"),
    asked("the web finds every study", *FIND, without("0020000D"), "dicomweb.search.nothing"),
)  # fmt: skip
