"""`vna manifest pull`: manifests that a registry elsewhere lists of a patient, taken in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.session import Session
from vna.cli.xds_consumer import TokenOption, home_of, logged_in, told

if TYPE_CHECKING:
    from vna.app.wiring import Application
    from xds.repository_client import Received

_PIECE = 1 << 20


def pull(
    context: typer.Context,
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="Identifier, as P1^^^&1.2.3&ISO.")],
    registry: Annotated[
        str, typer.Option("--registry", metavar="URL", help="Address of the registry or Initiating Gateway.")
    ],
    repository: Annotated[
        str, typer.Option("--repository", metavar="URL", help="Address of the repository or Initiating Gateway.")
    ],
    home: Annotated[str, typer.Option(metavar="OID", help="Only the community with this home community id.")] = "",
    token_file: TokenOption = None,
) -> None:
    """Ask a registry elsewhere for the manifests of a patient (ITI-18, ITI-43), and know what they name; those that are
    deprecated there are left."""
    from tempfile import gettempdir

    from vna.cli.output import say
    from vna.documents.repository import WantedDocument
    from vna.model.documents import Status
    from vna.model.errors import BadRequest
    from vna.model.identifiers import patient_identifier
    from vna.model.manifests import KEY_OBJECT_SELECTION
    from xds.registry_client import RegistryClient
    from xds.repository_client import RepositoryClient

    if patient_identifier(patient) is None:
        raise BadRequest(f"{patient!r} is no patient identifier: write it with its authority, as P1^^^&1.2.3&ISO")
    session: Session = context.obj
    folder = Path(gettempdir())
    with session.archive() as archive, told():
        listed = {}
        with logged_in(token_file, registry) as http:
            client = RegistryClient(registry, folder, http=http)
            for status in Status:
                found = client.find(patient, status, [], home=home_of(home)).documents
                listed[status] = [
                    one for one in found if one.format_code and one.format_code.code == KEY_OBJECT_SELECTION
                ]
        left = sum(_leave(archive, one.unique_id) for one in listed[Status.DEPRECATED])
        wanted = [WantedDocument(one.repository_unique_id, one.unique_id, one.home) for one in listed[Status.APPROVED]]
        taken = 0
        if wanted:
            with (
                logged_in(token_file, repository) as http,
                RepositoryClient(repository, folder, http=http).retrieve(wanted) as answer,
            ):
                for document in answer.documents:
                    _take(archive, document)
                    taken += 1
    say(f"{taken} of {len(wanted)} manifests were taken in, {left} that are deprecated were left")
    if taken < len(wanted):
        raise typer.Exit(1)


def _take(archive: "Application", document: "Received") -> None:
    from vna.model.access import SYSTEM
    from vna.model.instances import Arrival, Door

    arrival = Arrival(Door.IMPORT, sop_instance_uid=document.unique_id)
    with archive.store.open(SYSTEM, arrival) as incoming, document.content.open() as content:
        while piece := content.read(_PIECE):
            incoming.write(piece)
        archive.store.accept(incoming, SYSTEM, arrival)


def _leave(archive: "Application", uid: str) -> bool:
    from vna.model.access import SYSTEM
    from vna.model.instances import Selection
    from vna.model.manifests import KEY_OBJECT_SELECTION

    for one in archive.retrieval.instances(SYSTEM, Selection(sop_instance_uids=(uid,))):
        if one.sop_class_uid == KEY_OBJECT_SELECTION and one.is_here:
            place = one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid
            archive.deletion.delete(SYSTEM, *place, reason="deprecated at its registry")
            return True
    return False
