"""CertificateApproval, CertificateSigning, CertificateSubjectRestriction, ClusterTrustBundleAttest: who may speak for a
signer.

A role gives it by name: verb `approve`, `sign` or `attest` on `signers`, for one signer or for all of a domain.

Mirrors:  kubernetes/plugin/pkg/admission/certificates/{approval, signing, subjectrestriction, ctbattest}/admission.go
"""

from base64 import b64decode
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.apiserver.authorization import Ask
from cluster.objects import Manifest, errors
from cluster.objects.users import MASTERS, User

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def _may(server: Any, user: User, verb: str, signer: str) -> bool:
    domain = signer.partition("/")[0]
    asks = (Ask(user, verb, "certificates.k8s.io", "*", "signers", name=name) for name in (signer, f"{domain}/*"))
    return any(server.authorizer.decide(ask).allowed for ask in asks)


def _signer(obj: Manifest | None) -> str:
    return str(((obj or {}).get("spec") or {}).get("signerName", ""))


def approve(server: Any, attributes: Attributes) -> None:
    """Errors: Forbidden."""
    signer = _signer(attributes.old)
    if not _may(server, attributes.user, "approve", signer):
        raise _forbidden(attributes, f'user not permitted to approve requests with signerName "{signer}"')


def sign(server: Any, attributes: Attributes) -> None:
    """Errors: Forbidden."""
    before, after = ((obj or {}).get("status") or {} for obj in (attributes.old, attributes.obj))
    if all(before.get(part) == after.get(part) for part in ("certificate", "conditions")):
        return
    signer = _signer(attributes.old)
    if not _may(server, attributes.user, "sign", signer):
        raise _forbidden(attributes, f'user not permitted to sign requests with signerName "{signer}"')


def restrict_subject(server: Any, attributes: Attributes) -> None:
    """Nobody gets a certificate that makes a master, if the signer's certificates are let in by the API server.

    Errors: Forbidden.
    """
    if _signer(attributes.obj) != CLIENT_SIGNER:
        return
    subject = x509.load_pem_x509_csr(b64decode(attributes.obj["spec"]["request"])).subject
    if any(name.value == MASTERS for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)):
        raise _forbidden(attributes, f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


def attest(server: Any, attributes: Attributes) -> None:
    """Errors: Forbidden."""
    for obj in (attributes.old, attributes.obj):
        signer = _signer(obj)
        if signer and not _may(server, attributes.user, "attest", signer):
            raise _forbidden(attributes, f'user not permitted to attest for signerName "{signer}"')


def _forbidden(attributes: Attributes, problem: str) -> errors.ApiError:
    return errors.Forbidden(attributes.resource.group, attributes.resource.plural, attributes.name, problem)


_REQUEST, _BUNDLE = ("CertificateSigningRequest",), ("ClusterTrustBundle",)
PLUGINS = (
    Plugin("CertificateApproval", validate=approve, kinds=_REQUEST, operations=(UPDATE,), subresources=("approval",)),
    Plugin("CertificateSigning", validate=sign, kinds=_REQUEST, operations=(UPDATE,), subresources=("status",)),
    Plugin("ClusterTrustBundleAttest", validate=attest, kinds=_BUNDLE, operations=(CREATE, UPDATE)),
    Plugin("CertificateSubjectRestriction", validate=restrict_subject, kinds=_REQUEST, operations=(CREATE,)),
)
