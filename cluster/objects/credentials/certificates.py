"""Certificates: a cluster's authority, the client certificates that it signs, and who shows one.

A certificate's subject is the user: the common name is the name, the organisations are the groups. Times in them are
the cluster's own, since its controllers sign in simulated time: a year's certificate ends after a simulated year.

Mirrors:  kubernetes/pkg/controller/certificates/{authority,signer}, k8s.io/apiserver/pkg/authentication/request/x509
"""

import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.objects import users
from cluster.objects.users import User

BEGINNING = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2200, 1, 1, tzinfo=datetime.UTC)
CREDENTIAL = "authentication.kubernetes.io/credential-id"
EXTENDED = {"client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server auth": ExtendedKeyUsageOID.SERVER_AUTH}
BASIC = {"digital signature": "digital_signature", "key encipherment": "key_encipherment"}


# What our library says of what anybody may show us.
_UNREADABLE = (
    ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.InvalidVersion, UnsupportedAlgorithm,
)  # fmt: skip


class BadCertificate(Exception):
    """A certificate that is nobody's here; the message says why."""


def at(microseconds: int) -> datetime.datetime:
    """A moment since 1970 as certificates tell it: in whole seconds."""
    return datetime.datetime.fromtimestamp(microseconds // 1_000_000, datetime.UTC)


@lru_cache(maxsize=256)
def authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """The certificate of a cluster's authority: the same one whenever it is asked for."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(identifier.digest[:8], "big") | 1)
        .not_valid_before(BEGINNING)
        .not_valid_after(END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage({"digital_signature", "key_encipherment", "key_cert_sign"}), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )


def sign(
    key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    public_key: Any,
    serial: int,
    begins: datetime.datetime,
    ends: datetime.datetime,
    usages: list[str],
    names: x509.SubjectAlternativeName | None = None,
) -> x509.Certificate:
    """A certificate for `subject`. `usages`: as a CertificateSigningRequest names them."""
    issuer = authority(key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(_key_usage({BASIC[usage] for usage in usages if usage in BASIC}), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    extended = [EXTENDED[usage] for usage in usages if usage in EXTENDED]
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)


def subject_of(name: str, groups: list[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_usage(wanted: set[str]) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in wanted for name in names})


def user_of(der: bytes, authorities: list[tuple[x509.Certificate, datetime.datetime]]) -> User:
    """Who shows the certificate. `authorities`: each with the time by its clock. Errors: BadCertificate."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except _UNREADABLE as error:
        raise BadCertificate(f"x509: {error}") from error
    now = next((time for authority, time in authorities if _issued_by(certificate, authority)), None)
    if now is None:
        raise BadCertificate("x509: certificate signed by unknown authority")
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise BadCertificate("x509: certificate has expired or is not yet valid")
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise BadCertificate("x509: certificate specifies an incompatible key usage")
    names = [str(part.value) for part in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(part.value) for part in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if not names or not names[-1]:
        raise BadCertificate("x509: subject with no common name")
    extra = ((CREDENTIAL, (f"X509SHA256={sha256(der).hexdigest()}",)),)
    return User(names[-1], (*groups, users.AUTHENTICATED), "", extra)


def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True
