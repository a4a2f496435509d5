"""`vna xds query` and `vna xds retrieve`: documents of other archives, as a Document Consumer."""

import mimetypes
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

if TYPE_CHECKING:
    import httpx

    from xds.repository_client import Received, Retrieved

_PIECE = 1 << 20
_LONGEST = 200
_URN = "urn:oid:"
_UNSAFE = re.compile(r"[^0-9A-Za-z._^-]")


TokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        dir_okay=False,
        help="File with the bearer token that lets us in there. Over https, or to this machine.",
    ),
]


class DocumentStatus(StrEnum):
    """What is asked for."""

    APPROVED = "approved"
    DEPRECATED = "deprecated"


def query(
    context: typer.Context,
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="Identifier, as P1^^^&1.2.3&ISO.")],
    registry: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Address of the registry or Initiating Gateway; else that of VNA_XDS__REGISTRY_URL."
        ),
    ] = "",
    accession: Annotated[
        str,
        typer.Option(
            metavar="NUMBER",
            help="Only what refers to it. Alone it is looked for without an issuer and under each accession_authority "
            "of VNA_XDS__PROFILE; with an issuer it is written A1^^^&1.2.3&ISO.",
        ),
    ] = "",
    status: Annotated[DocumentStatus, typer.Option(help="Only documents in this state.")] = DocumentStatus.APPROVED,
    home: Annotated[str, typer.Option(metavar="OID", help="Only the community with this home community id.")] = "",
    token_file: TokenOption = None,
    style: FormatOption = Format.TABLE,
) -> None:
    """Ask a document registry, or a gateway to other communities, for the documents of a patient (ITI-18)."""
    from tempfile import gettempdir

    from vna.cli.output import complain, show_json, show_rows
    from vna.model.documents import Status
    from vna.model.errors import BadRequest
    from vna.model.identifiers import patient_identifier
    from xds.registry_client import RegistryClient

    if patient_identifier(patient) is None:
        raise BadRequest(f"{patient!r} is no patient identifier: write it with its authority, as P1^^^&1.2.3&ISO")
    session: Session = context.obj
    url = registry or session.settings.xds.registry_url
    if not url:
        raise BadRequest("which registry? say --registry URL, or set VNA_XDS__REGISTRY_URL")
    session.start_log(least="error")
    with told(), logged_in(token_file, url) as http:
        client = RegistryClient(url, Path(gettempdir()), http=http)
        references = _references(session, accession)
        found = client.find(patient, Status(status.capitalize()), references, home=home_of(home))
    rows = [
        {
            "document": one.unique_id,
            "repository": one.repository_unique_id,
            "home": one.home.removeprefix(_URN),
            "title": one.title,
            "type": (one.type_code.display or one.type_code.code) if one.type_code else "",
            "media type": one.mime_type,
            "created": one.creation_time,
            "size": one.size,
        }
        for one in found.documents
    ]
    heads = ("Document", "Repository", "Home", "Title", "Type", "Media type", "Created", "Bytes")
    if style is Format.JSON:
        show_json([{**row, "references": one.reference_ids} for row, one in zip(rows, found.documents, strict=True)])
    else:
        show_rows(heads, rows, as_json=False)
    for problem in found.problems:
        complain(f"{problem.code}: {problem.context}")
    if found.is_partial:
        raise typer.Exit(1)


def retrieve(
    context: typer.Context,
    documents: Annotated[list[str], typer.Argument(metavar="DOCUMENT...", help="uniqueIds of documents.")],
    repository: Annotated[
        str, typer.Option("--repository", metavar="URL", help="Address of the repository or Initiating Gateway.")
    ],
    repository_id: Annotated[str, typer.Option("--id", metavar="OID", help="Its repositoryUniqueId.")],
    home: Annotated[str, typer.Option(metavar="OID", help="Home community id: where a gateway finds them.")] = "",
    token_file: TokenOption = None,
    to: Annotated[Path, typer.Option(metavar="FOLDER", file_okay=False, help="Where files go.")] = Path(),
) -> None:
    """Fetch documents from a repository, or through a gateway from another community, into files (ITI-43)."""
    from tempfile import gettempdir

    from vna.cli.output import complain
    from vna.documents.repository import WantedDocument
    from xds.repository_client import RepositoryClient

    session: Session = context.obj
    session.start_log(least="error")
    to.mkdir(parents=True, exist_ok=True)
    wanted = [WantedDocument(repository_id, one, home_of(home)) for one in documents]
    with (
        told(),
        logged_in(token_file, repository) as http,
        RepositoryClient(repository, Path(gettempdir()), http=http).retrieve(wanted) as answer,
    ):
        _save(answer, documents, to)
        for problem in answer.problems:
            complain(f"{problem.code}: {problem.context}")
        missing = set(documents) - {one.unique_id for one in answer.documents}
    if missing:
        complain(f"not given: {', '.join(sorted(missing))}")
        raise typer.Exit(1)


@contextmanager
def logged_in(token_file: Path | None, url: str) -> "Iterator[httpx.Client | None]":
    """A connection that shows the token; none of its own where there is none to show."""
    import httpx

    from vna.model.errors import BadRequest
    from vna.settings import is_loopback

    if token_file is None:
        yield None
        return
    place = urlsplit(url)
    if place.scheme != "https" and not is_loopback(place.hostname or ""):
        raise BadRequest("a token goes over https alone, unless to this machine")
    try:
        token = token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as exc:
        raise BadRequest(f"{token_file} cannot be read as a token") from exc
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


def _references(session: Session, accession: str) -> list[str]:
    """An accession number as what refers to it says it: as it was given with an issuer, else under ours too."""
    from vna.documents import profile
    from vna.documents.descriptions import ACCESSION, accession_reference

    if not accession or "^" in accession:
        return [f"{accession}^{ACCESSION}"] if accession else []
    institutions = profile.named(session.settings.xds.profile).institutions
    authorities = dict.fromkeys(one.accession_authority for one in institutions)
    return [accession_reference(accession, authority) for authority in {"": None} | authorities]


def home_of(text: str) -> str:
    from vna.documents.communities import home_community_id
    from vna.model.errors import BadRequest

    home = home_community_id(text)
    if text and not home:
        raise BadRequest(f"{text} is no home community id: it is an OID, with or without urn:oid: before it")
    return home


def _save(answer: "Retrieved", asked: Sequence[str], folder: Path) -> None:
    from vna.cli.output import progress_bar, say

    with progress_bar() as bar:
        task = bar.add_task("retrieve", total=len(answer.documents), note="")
        for one in answer.documents:
            if one.unique_id in asked:
                say(str(_write(one, folder)))
            bar.advance(task)


def _write(one: "Received", folder: Path) -> Path:
    """Under its uniqueId, which is any text, in characters that are safe."""
    suffix = mimetypes.guess_extension(one.mime_type) or ""
    path = folder / (_UNSAFE.sub("_", one.unique_id)[:_LONGEST].lstrip(".") + suffix)
    with path.open("xb") as file, one.content.open() as content:
        try:
            while piece := content.read(_PIECE):
                file.write(piece)
        except BaseException:
            path.unlink()
            raise
    return path


@contextmanager
def told() -> Iterator[None]:
    """What another side refuses, with its reasons."""
    from vna.documents.problems import Refused
    from vna.model.errors import Rejected

    try:
        yield
    except Refused as refusal:
        raise Rejected("; ".join(f"{one.code}: {one.context}" for one in refusal.problems)) from refusal
