"""A real time stamp authority: `openssl ts` behind HTTP, with a certificate chain of its own."""

from __future__ import annotations

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .processes import missing

_CONF = """
[tsa]
default_tsa = mine
[mine]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/ca.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
_EXTENSIONS = (
    "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n"
    "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
)


class TimeStamps:
    """Answers at `url`; `certificates` is the file of its root. `is_silent` makes it an outage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificates = folder / "ca.pem"
        self.is_silent = False
        self.asked = 0
        self._certify()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.is_silent:
                    self.send_error(503)
                    return
                answer = outer.reply(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def reply(self, query: bytes) -> bytes:
        """What `openssl ts -reply` answers."""
        (self.folder / "query").write_bytes(query)
        self._openssl("ts", "-reply", "-config", "conf", "-section", "mine", "-queryfile", "query", "-out", "reply")
        return (self.folder / "reply").read_bytes()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _certify(self) -> None:
        (self.folder / "conf").write_text(_CONF.format(folder=self.folder))
        (self.folder / "serial").write_text("01\n")
        (self.folder / "extensions").write_text(_EXTENSIONS)
        for name, subject in (("ca", "/CN=Root of tests"), ("tsa", "/CN=Authority of tests")):
            self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
            self._openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
        self._openssl(
            "req", "-x509", "-key", "ca.key", "-subj", "/CN=Root of tests", "-days", "3650", "-out", "ca.pem",
            "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        self._openssl(
            "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "3650", "-extfile", "extensions", "-out", "tsa.pem",
        )  # fmt: skip

    def _openssl(self, *arguments: str) -> None:
        try:
            subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)
        except FileNotFoundError:
            missing("openssl is not installed (Debian: apt-get install openssl)")
        except subprocess.CalledProcessError as exc:
            raise AssertionError(exc.stderr.decode()) from exc
