"""`vna hl7`: messages to a listener, samples of them, and a listener that shows what comes."""

import re
import secrets
import signal
import socket
import sys
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vna.cli.help import example
from vna.cli.session import Session

if TYPE_CHECKING:
    from vna.hl7.acknowledgment import Code
    from vna.hl7.client import Answer

app = typer.Typer(
    help="HL7 messages over MLLP: send them, or see what comes.",
    epilog=example("vna hl7 sample order > order.hl7", "vna hl7 send order.hl7 --to 127.0.0.1:2575"),
    no_args_is_help=True,
)

_LISTED = 20

Certificate = Annotated[Path | None, typer.Option(metavar="FILE", help="Our own certificate (PEM), for TLS.")]
Key = Annotated[Path | None, typer.Option(metavar="FILE", help="Its key (PEM), where that is another file.")]


@app.command(
    "send",
    epilog=example("vna hl7 send order.hl7 --to 127.0.0.1:2575", "vna hl7 send feed.hl7 --to vna:2575 --tls"),
)
def send(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One or more messages, each beginning with MSH.")],
    to: Annotated[str, typer.Option("--to", metavar="HOST:PORT", help="Where to.")],
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="How long an answer may take.")] = 30.0,
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS.")] = False,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificates (PEM) that the listener's is checked against.")
    ] = None,
    certificate: Certificate = None,
    key: Key = None,
) -> None:
    """Send the messages of a file over MLLP, one after another, and say what is answered."""
    from vna.cli.output import progress_bar
    from vna.hl7.client import Sender, control_id, messages
    from vna.security.tls import client_context

    host, port = _place(context, to)
    session: Session = context.obj
    session.start_log(least="error")
    found = list(messages(file))
    secured = client_context(ca, certificate, key) if tls else None
    report = _Report(len(found))
    try:
        with Sender(host, port, tls=secured, timeout=timeout) as sender, progress_bar() as bar:
            task = bar.add_task("send", total=len(found), note="")
            for message in found:
                report.add(control_id(message), sender.send(message))
                bar.advance(task)
    finally:
        report.finish()
    if report.refused:
        raise typer.Exit(1)


def _place(context: typer.Context, text: str) -> tuple[str, int]:
    from vna.model.identifiers import host_and_port

    found = host_and_port(text)
    if found is None:
        words = f"{text} is no listener: write HOST:PORT, such as 127.0.0.1:2575"
        raise typer.BadParameter(words, context, param_hint="'--to'")
    return found


class _Report:
    """A line for each of the first messages and of the first that were not taken, and one for all."""

    def __init__(self, total: int) -> None:
        self.refused = 0
        self._accepted = 0
        self._total = total

    def add(self, control_id: str, answer: "Answer") -> None:
        from vna.cli.output import remark, say

        number = self._accepted + self.refused + 1
        if answer.accepted:
            self._accepted += 1
            if self._accepted <= _LISTED:
                say(f"accepted: message {number} ({_plain(control_id)}): {answer.code}")
        else:
            self.refused += 1
            if self.refused <= _LISTED:
                codes = " ".join(filter(None, (answer.code or "no code", answer.error)))
                remark(f"refused: message {number} ({_plain(control_id)}): {codes}: {_plain(answer.words)}")
        if answer.control_id != control_id:
            to = _plain(answer.control_id) or "no message"
            remark(f"message {number} ({_plain(control_id)}): the answer is to {to}")

    def finish(self) -> None:
        from vna.cli.output import say

        rest = self._total - self._accepted - self.refused
        say(f"{self._accepted} accepted, {self.refused} refused, {rest} not sent")


@app.command(
    "sample",
    epilog=example(
        "vna hl7 sample order > order.hl7", "vna hl7 sample report --accession A7 --facility 500059 > report.hl7"
    ),
)
def sample(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="order, cancel (of that order) or report.")],
    accession: Annotated[str, typer.Option(metavar="NUMBER", help="Accession number: which order it is.")] = "ORNEK1",
    facility: Annotated[str, typer.Option(metavar="CODE", help="Facility that ordered (ORC-21).")] = "500059",
    application: Annotated[str, typer.Option(metavar="NAME", help="Sender (MSH-3), as `vna source` has it.")] = "HBYS",
) -> None:
    """Print a message of invented people that keeps all rules; each has another control id."""
    from vna.hl7.samples import Named, Sample, written
    from vna.model import profile

    session: Session = context.obj
    if kind not in tuple(Sample):
        raise typer.BadParameter(f"{kind} is none of {', '.join(Sample)}", context, param_hint="'KIND'")
    path = session.settings.national.profile
    said = profile.read(Path(path) if path else None)
    receiver = (said.hl7.receiving_application, said.hl7.receiving_facility)
    at = datetime.now(said.zone)
    named = Named(application, receiver, f"ORNEK-{secrets.token_hex(6)}", facility, accession, at)
    sys.stdout.buffer.write(written(Sample(kind), named).replace(b"\r", b"\n"))


@app.command(
    "listen",
    epilog=example(
        "vna hl7 listen --port 2576",
        "vna hl7 listen --port 2576 --answer AE --count 1",
        "vna hl7 listen --port 2576 --folder received",
    ),
)
def listen(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0 takes a free one.")] = 2575,
    answer: Annotated[str, typer.Option(metavar="CODE", help="What every message is answered: AA, AE or AR.")] = "AA",
    count: Annotated[int, typer.Option(metavar="N", min=0, help="End after so many messages; 0: never.")] = 0,
    folder: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Keep each message as a file in this folder too.")
    ] = None,
    certificate: Certificate = None,
    key: Key = None,
) -> None:
    """Show the HL7 messages that come, for trying out a sender; none is kept unless told to. Ends with Ctrl-C."""
    from vna.cli.output import remark
    from vna.hl7.acknowledgment import Code
    from vna.hl7.listener import Limits, Listener
    from vna.model.errors import Unavailable
    from vna.security.tls import server_context

    session: Session = context.obj
    session.start_log(least="error")
    if answer not in tuple(Code):
        raise typer.BadParameter(f"{answer} is none of {', '.join(Code)}", context, param_hint="'--answer'")
    secured = server_context(certificate, key, None, client_certificate=False) if certificate is not None else None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family)
    except OSError as exc:
        raise Unavailable(f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
    tls = (lambda: secured) if secured is not None else None
    with sock:
        remark(f"listening on {host}:{sock.getsockname()[1]}" + (" with TLS" if secured is not None else ""))
        Listener(_Showing(Code(answer), count, stop, folder), Limits(), tls).run(sock, stop, grace_seconds=5)


class _Showing:
    """Writes each message, a segment a line, and answers all of them the same; AR when it was to be kept and is not."""

    def __init__(self, code: "Code", count: int, stop: threading.Event, folder: Path | None) -> None:
        self._code = code
        self._left = count
        self._stop = stop
        self._folder = folder
        self._kept = 0
        self._lock = threading.Lock()

    def answer(self, data: bytes, address: str, certificate: bytes) -> bytes:  # noqa: ARG002  it answers everybody
        from vna.cli.output import say
        from vna.hl7.acknowledgment import Code, acknowledge
        from vna.hl7.message import read_header
        from vna.hl7.refusal import Condition, Refused

        header = read_header(data)
        codec = header.codec if header is not None else "utf-8"
        lines = re.split(r"\r\n|\r|\n", data.decode(codec, "replace").strip("\r\n"))
        with self._lock:
            say(f"# from {address}, {len(data)} bytes\n" + "\n".join(map(_plain, lines)) + "\n")
            sys.stdout.flush()
            failed = self._keep(data)
            self._left -= 1
            if not self._left:
                self._stop.set()
        if failed:
            return acknowledge(header, Refused(Condition.INTERNAL, failed, rejects=True))
        if self._code is Code.ACCEPT:
            return acknowledge(header)
        words = "this listener was told to refuse"
        return acknowledge(header, Refused(Condition.INTERNAL, words, rejects=self._code is Code.REJECT))

    def _keep(self, data: bytes) -> str:
        """Write the message under the next number that is free; words when that cannot be done."""
        from vna.cli.output import remark

        if self._folder is None:
            return ""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            while True:
                self._kept += 1
                with suppress(FileExistsError), (self._folder / f"{self._kept:06d}.hl7").open("xb") as file:
                    file.write(data)
                    return ""
        except OSError as exc:
            remark(f"not kept: {self._folder}: {exc.strerror or exc}")
            return "the message could not be kept"

    def reject(self, data: bytes, words: str, address: str) -> bytes:
        from vna.cli.output import remark
        from vna.hl7.acknowledgment import acknowledge
        from vna.hl7.message import read_header
        from vna.hl7.refusal import Condition, Refused

        remark(f"refused from {address}: {words}")
        return acknowledge(read_header(data), Refused(Condition.INTERNAL, words))


def _plain(line: str) -> str:
    """Without what a terminal would take for a command."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in line)
