"""`vna source`: the table of systems that may feed us by HL7 messages, and of archives that we read from."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from vna.cli.help import example
from vna.cli.session import Session
from vna.cli.settings import Format, FormatOption

app = typer.Typer(
    help="Known sources: systems that may send HL7 messages, and archives that we read from.",
    epilog=example("vna source list"),
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What we call it.")]


def _option(metavar: str, words: str, *, default: str | bool = False) -> Any:
    return typer.Option(metavar=metavar, help=words, show_default=default)


@app.command(
    "add",
    epilog=example(
        "vna source add HIS --address 10.0.0.7",
        "vna source add HBYS --address 10.0.0.8 --facility 500059 --hl7-profile national --character-set UTF8",
        "vna source add CITY --dicom PACS@10.0.0.9:104 --wado-rs https://10.0.0.9/dicom-web",
    ),
)
def add(
    context: typer.Context,
    name: Name,
    address: Annotated[
        str | None, _option("ADDRESSES", "Addresses or networks it sends HL7 messages from, with commas between.")
    ] = None,
    certificate: Annotated[
        list[str] | None,
        _option(
            "CERTIFICATE",
            "A certificate it sends HL7 messages with: its SHA-256, its subject or a PEM file; may be given several "
            "times. `any`: it needs none.",
            default="any",
        ),
    ] = None,
    application: Annotated[str | None, _option("WORD", "What it calls itself in MSH-3.", default="NAME")] = None,
    sending_facility: Annotated[str | None, _option("WORD", "What it writes in MSH-4.", default="anything")] = None,
    facility: Annotated[str | None, _option("CODE", "Code of the facility it belongs to.")] = None,
    hl7: Annotated[str | None, _option("HOST:PORT", "Where HL7 messages to it go.", default="nowhere")] = None,
    hl7_tls: Annotated[bool | None, typer.Option("--hl7-tls/--no-hl7-tls", help="Send those over TLS.")] = None,
    hl7_profile: Annotated[
        str | None,
        _option("NAME", "Rules for its orders and reports: national or hospital.", default="hospital"),
    ] = None,
    character_set: Annotated[
        str | None, _option("WORD", "Character set of its messages: UTF8, Windows1254.", default="as MSH-18 says")
    ] = None,
    dicom: Annotated[str | None, _option("AET@HOST:PORT", "Its application entity.")] = None,
    tls: Annotated[bool | None, typer.Option("--tls/--no-tls", help="Speak DICOM over TLS.")] = None,
    tls_ca: Annotated[str | None, _option("FILE", "Certificates that sign its own.", default="the machine's")] = None,
    tls_certificate: Annotated[str | None, _option("FILE", "Certificate that we show.")] = None,
    tls_key: Annotated[str | None, _option("FILE", "Key of that certificate.")] = None,
    wado_uri: Annotated[str | None, _option("URL", "Address of its WADO-URI service.")] = None,
    wado_rs: Annotated[str | None, _option("URL", "Root of its WADO-RS and STOW-RS services.")] = None,
    qido_rs: Annotated[str | None, _option("URL", "Root of its QIDO-RS service.")] = None,
    rad69: Annotated[str | None, _option("URL", "Address of its Imaging Document Source (RAD-69).")] = None,
    repository: Annotated[str | None, _option("OID", "Unique id of that source's repository.")] = None,
    user: Annotated[str | None, _option("NAME", "User to log in as over HTTP; the password is asked for.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking.")
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read a bearer token for HTTP from standard input.")
    ] = False,
    location_uid: Annotated[str | None, _option("OID", "Retrieve Location UID that manifests name it by.")] = None,
    retrieve_ae: Annotated[str | None, _option("AET", "Retrieve AE Title that manifests name it by.")] = None,
    priority: Annotated[int | None, _option("N", "0 to 100: of several sources the highest is asked first.")] = None,
    bandwidth: Annotated[int | None, _option("N", "Most bytes a second of this node; 0 for no limit.")] = None,
    connections: Annotated[int | None, _option("N", "Most connections of this node in use at once.")] = None,
    bulk_bandwidth: Annotated[
        int | None, _option("N", "Most bytes a second of bulk requests; 0 for no limit of their own.")
    ] = None,
    bulk_connections: Annotated[
        int | None, _option("N", "Most connections of bulk requests; 0 for all but two.")
    ] = None,
) -> None:
    """Add a source, or change what is given of one and keep the rest. An empty word takes away what was known."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM
    from vna.model.source_json import addresses_of, entity_of, place_of, profile_of
    from vna.model.sources import Source

    given = {
        "addresses": None if address is None else addresses_of(address),
        "certificates": None if not certificate else () if certificate == ["any"] else tuple(certificate),
        "application": application,
        "sending_facility": sending_facility,
        "facility": facility,
    }
    archive = {
        **({} if dicom is None else entity_of(dicom)),
        "tls": tls,
        "tls_ca": _file(tls_ca),
        "tls_certificate": _file(tls_certificate),
        "tls_key": _file(tls_key),
        "wado_uri": wado_uri,
        "wado_rs": wado_rs,
        "qido_rs": qido_rs,
        "rad69": rad69,
        "repository_unique_id": repository,
        **_login(user, password_stdin=password_stdin, token_stdin=token_stdin),
        "retrieve_location_uid": location_uid,
        "retrieve_ae_title": retrieve_ae,
        "priority": priority,
        "bandwidth": bandwidth,
        "connections": connections,
        "bulk_bandwidth": bulk_bandwidth,
        "bulk_connections": bulk_connections,
    }
    messages = {
        **({} if hl7 is None else place_of(hl7)),
        "tls": hl7_tls,
        "profile": None if hl7_profile is None else profile_of(hl7_profile),
        "character_set": character_set,
    }
    session: Session = context.obj
    with session.archive() as opened:
        known = next((source for source in opened.sources.all() if source.name == name), Source(name, name))
        changed = replace(known.archive, **_said(archive))
        spoken = replace(known.messages, **_said(messages))
        opened.sources.add(SYSTEM, replace(known, **_said(given), archive=changed, messages=spoken))
    say(f"{name} is known")


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _file(name: str | None) -> str | None:
    """Where it is whoever reads it later, from another folder."""
    return str(Path(name).absolute()) if name else name


def _login(user: str | None, *, password_stdin: bool, token_stdin: bool) -> dict[str, str]:
    from vna.model.errors import BadRequest

    if token_stdin:
        return {"user_name": "", "password": "", "token": sys.stdin.readline().rstrip("\r\n")}
    if user == "":
        return {"user_name": "", "password": "", "token": ""}
    if user is None:
        return {"password": sys.stdin.readline().rstrip("\r\n")} if password_stdin else {}
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise BadRequest("there is no terminal to ask for the password: give it with --password-stdin")
    else:
        password = typer.prompt("Password", hide_input=True, err=True)
    return {"user_name": user, "password": password, "token": ""}


@app.command("list", epilog=example("vna source list", "vna source list --format json"))
def list_(context: typer.Context, style: FormatOption = Format.TABLE) -> None:
    """List the known sources; of logins only who it is."""
    from vna.cli.output import show_json, show_table
    from vna.model.source_json import SERVICES, as_json, entity_text

    session: Session = context.obj
    with session.archive() as archive:
        known = archive.sources.all()
    if style is Format.JSON:
        show_json([as_json(source) for source in known])
        return
    heads = ("Name", "Application", "Sending facility", "Addresses", "Facility", "DICOM", "Services")
    show_table(
        heads,
        [
            (
                source.name,
                source.application,
                source.sending_facility,
                ",".join(source.addresses),
                source.facility,
                entity_text(source.archive),
                ", ".join(word for word, attribute in SERVICES.items() if getattr(source.archive, attribute)),
            )
            for source in known
        ],
    )


@app.command("test", epilog=example("vna source test CITY", "vna source test CITY --format json"))
def try_(context: typer.Context, name: Name, style: FormatOption = Format.TABLE) -> None:
    """Try each door of an archive, and say which works. Ends with 1 when one does not."""
    from vna.cli.output import say, show_json
    from vna.model.access import SYSTEM

    session: Session = context.obj
    found = []
    with session.archive() as archive:
        for tried in archive.trial.run(SYSTEM, name):
            found.append(tried)
            if style is Format.TABLE:
                say(f"{tried.door:<8} works" if tried.works else f"{tried.door:<8} does not work: {tried.reason}")
    if style is Format.JSON:
        show_json([{"door": one.door, "works": one.works, "reason": one.reason} for one in found])
    if not all(one.works for one in found):
        raise typer.Exit(1)


@app.command("remove", epilog=example("vna source remove HIS"))
def remove(context: typer.Context, name: Name) -> None:
    """Forget a source."""
    from vna.cli.output import say
    from vna.model.access import SYSTEM

    session: Session = context.obj
    with session.archive() as archive:
        archive.sources.remove(SYSTEM, name)
    say(f"{name} is forgotten")
