"""Asking real webhooks: over https, on this machine, with their own certificate authority."""

import ipaddress
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster import outside


class Webhook(BaseHTTPRequestHandler):
    """Allows everything, and says which path it was asked under."""

    def do_POST(self) -> None:
        asked = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, response = 200, {"uid": asked["request"]["uid"], "allowed": True, "warnings": [self.path]}
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


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """(port, caBundle) of a webhook at https://localhost."""
    folder = tmp_path_factory.mktemp("webhook")
    bundle = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, bundle
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


def a_call(port: int, bundle: str, path: str = "/guard?timeout=10s", host: str = "localhost") -> dict[str, Any]:
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u-1"}}
    url = f"https://127.0.0.1:{port}{path}"
    return {"digest": "d", "url": url, "host": host, "ca": bundle, "timeout": 10, "review": review}


def test_a_webhook_is_asked_under_its_path_and_trusted_by_its_own_authority(served: tuple[int, str]):
    answer = outside.ask(a_call(*served))

    assert answer["review"]["response"] == {"uid": "u-1", "allowed": True, "warnings": ["/guard?timeout=10s"]}


def test_a_certificate_for_somebody_else_is_not_believed(served: tuple[int, str]):
    answer = outside.ask(a_call(*served, host="hook.default.svc"))

    assert "tls: failed to verify certificate" in answer["error"]


def test_a_webhook_that_nobody_vouches_for_is_not_believed(served: tuple[int, str]):
    assert "tls: failed to verify certificate" in outside.ask(a_call(served[0], ""))["error"]


def test_nobody_at_home_is_said_as_go_says_it(served: tuple[int, str]):
    with HTTPServer(("127.0.0.1", 0), Webhook) as gone:
        port = gone.server_port

    answer = outside.ask(a_call(port, served[1]))

    assert answer["error"].startswith(f'Post "https://127.0.0.1:{port}/guard?timeout=10s": ')


@pytest.mark.parametrize(("path", "said"), [("/broken", "prevented the request"), ("/huge", "is larger than")])
def test_an_answer_that_is_none_is_an_error(served: tuple[int, str], path: str, said: str):
    assert said in outside.ask(a_call(*served, path=path))["error"]
