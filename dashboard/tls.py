"""TLS of one installation: its own certificate authority, a certificate for this machine, and kubeconfigs.

Everything lies in `$ORRERY_HOME/tls` and is made once. The kubeconfig holds the authority's certificate and a client
certificate of `kubernetes-admin` in group `system:masters`, just as kubeadm's admin.conf does. Other users get
certificates of their cluster's own authority, which count there and nowhere else.

Mirrors:  kubeadm's certs and kubeconfig phases (P-256 keys here, since a handshake is then half as dear)
"""

import base64
import datetime
import ipaddress
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

from cluster.models import Cluster
from cluster.objects.credentials import certificates, keys

YEARS = datetime.timedelta(days=3650)
ADMIN, ADMIN_GROUP = "kubernetes-admin", "system:masters"


def directory() -> Path:
    return Path(settings.HOME) / "tls"


def ensure() -> Path:
    """Make what is missing: ca.crt, server.crt and .key, admin.crt and .key. Returns the directory."""
    place = directory()
    names = ("ca.crt", "ca.key", "server.crt", "server.key", "admin.crt", "admin.key")
    if not all((place / name).exists() for name in names):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(place)
    return place


def _make(place: Path) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("kubernetes")
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), ca_key, ca=True)
    alternatives = x509.SubjectAlternativeName([*_own_names()])
    server_key, admin_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    server = _certificate(
        _name("kube-apiserver"),
        ca_name,
        server_key.public_key(),
        ca_key,
        ExtendedKeyUsageOID.SERVER_AUTH,
        [alternatives],
    )
    admin = _certificate(
        _name(ADMIN, ADMIN_GROUP), ca_name, admin_key.public_key(), ca_key, ExtendedKeyUsageOID.CLIENT_AUTH
    )
    for name, key in (("server", server_key), ("admin", admin_key), ("ca", ca_key)):
        _write(place / f"{name}.key", _private_pem(key), 0o600)
    for name, certificate in (("server", server), ("admin", admin), ("ca", ca)):
        _write(place / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _own_names() -> list[x509.GeneralName]:
    """Every name under which the server may be asked: kubectl checks it."""
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in ("localhost", "kubernetes", "kubernetes.default")]
    addresses = {"127.0.0.1", "::1", "10.96.0.1"}
    try:
        addresses.add(str(ipaddress.ip_address(settings.HOST)))
    except ValueError:
        names.append(x509.DNSName(settings.HOST))
    return names + [x509.IPAddress(ipaddress.ip_address(address)) for address in sorted(addresses)]


def _name(common: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    usage: x509.ObjectIdentifier | None = None,
    extensions: Sequence[x509.ExtensionType] = (),
    ca: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + YEARS)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(_key_usage(ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all: a file that somebody else reads is never half written."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(name, mode)
    os.replace(name, path)


def ca_pem() -> str:
    return (ensure() / "ca.crt").read_text()


def kubeconfig(cluster: str) -> str:
    """What kubectl needs to reach `cluster` as its administrator, with its certificates inside."""
    place = ensure()
    return _kubeconfig(cluster, "", (place / "admin.crt").read_bytes(), (place / "admin.key").read_bytes())


def kubeconfig_of(row: Cluster, user: str, groups: list[str]) -> str:
    """The same for anybody else: a certificate of the cluster's own authority, which ends with its keys."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = keys.of_cluster(row.options, row.seed).authority
    subject, serial = certificates.subject_of(user, groups), x509.random_serial_number()
    begins, ends, usages = certificates.BEGINNING, certificates.END, ["client auth", "digital signature"]
    made = certificates.sign(own, subject, key.public_key(), serial, begins, ends, usages)
    return _kubeconfig(row.name, user, certificates.pem(made), _private_pem(key))


def _kubeconfig(cluster: str, user: str, certificate: bytes, key: bytes) -> str:
    """`user`: empty for the administrator, who is called as the cluster is."""
    ca, shown, private = (
        base64.b64encode(data).decode() for data in ((ensure() / "ca.crt").read_bytes(), certificate, key)
    )
    host = "127.0.0.1" if settings.HOST in ("0.0.0.0", "localhost", "") else settings.HOST
    prefix = f"/{settings.URL_TOKEN}" if settings.URL_TOKEN else ""
    server = f"orrery-{cluster}"
    context = f"{user}@{server}" if user else server
    quoted = json.dumps(context) if user else context  # A user may be called anything.
    return (
        "apiVersion: v1\n"
        "kind: Config\n"
        f"current-context: {quoted}\n"
        "clusters:\n"
        f"- name: {server}\n"
        "  cluster:\n"
        f"    server: https://{host}:{settings.TLS_PORT}{prefix}/clusters/{cluster}\n"
        f"    certificate-authority-data: {ca}\n"
        "contexts:\n"
        f"- name: {quoted}\n"
        f"  context: {{cluster: {server}, user: {quoted}}}\n"
        "users:\n"
        f"- name: {quoted}\n"
        "  user:\n"
        f"    client-certificate-data: {shown}\n"
        f"    client-key-data: {private}\n"
    )


def write_kubeconfig(cluster: str = "default") -> Path:
    """Write `$ORRERY_HOME/kubeconfig`, readable by its owner only."""
    path = Path(settings.HOME) / "kubeconfig"
    _write(path, kubeconfig(cluster).encode(), 0o600)
    return path
