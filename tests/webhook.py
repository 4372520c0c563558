"""A real admission webhook for tests: https on this machine, with a certificate authority of its own."""

import ipaddress
import ssl
import tempfile
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster import outside


class Webhook(BaseHTTPRequestHandler):
    """Refuses objects called `bad`, marks the others if asked under /mark, and warns of the path it was asked under."""

    def do_POST(self) -> None:
        asked = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, response = 200, {"uid": asked["request"]["uid"], "allowed": True, "warnings": [self.path]}
        if (asked["request"].get("name") or "") == "bad":
            response |= {"allowed": False, "status": {"message": "bad ones stay out", "code": 403}}
        if self.path.startswith("/mark"):
            mark = [{"op": "add", "path": "/metadata/labels", "value": {"by": "webhook"}}]
            response |= {"patchType": "JSONPatch", "patch": b64encode(orjson.dumps(mark)).decode()}
        if self.path.startswith("/broken"):
            status = 503
        body = orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
        if self.path.startswith("/huge"):
            body = b" " * (outside.MAX_ANSWER + 1)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Tests are quiet."""


@contextmanager
def running() -> Iterator[tuple[int, str]]:
    """(port, caBundle) of a webhook at https://localhost."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = _certificate(Path(folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(folder, "cert.pem"), Path(folder, "key.pem"))
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, bundle
    finally:
        server.shutdown()
        server.server_close()


def _certificate(folder: Path) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return b64encode(pem).decode()
