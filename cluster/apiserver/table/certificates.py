"""What certificates.k8s.io prints.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go
"""

from typing import Any

from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.durations import human
from cluster.apiserver.table.printer import NONE, Printer, age, field, map_text, simple
from cluster.objects import Manifest, meta
from cluster.objects.times import SECOND

GROUP = "certificates.k8s.io"


def signing_request(obj: Manifest, now: int) -> list[Any]:
    spec = obj.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    duration = NONE if seconds is None else human(seconds * SECOND)
    return [
        meta.name(obj), age(obj, now), spec.get("signerName") or NONE, spec.get("username", ""), duration, _state(obj),
    ]  # fmt: skip


def _state(obj: Manifest) -> str:
    """`Pending`, `Approved`, `Denied`; then what became of it."""
    status = obj.get("status") or {}
    kinds = [condition.get("type") for condition in status.get("conditions") or []]
    verdict = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    return verdict + (",Failed" if "Failed" in kinds else "") + (",Issued" if status.get("certificate") else "")


def _pod_state(obj: Manifest) -> str:
    kinds = [condition.get("type") for condition in (obj.get("status") or {}).get("conditions") or []]
    return next((str(kind) for kind in reversed(kinds) if kind in ("Issued", "Denied", "Failed")), "Pending")


PRINTERS: dict[tuple[str, str], Printer] = {
    (GROUP, "CertificateSigningRequest"): Printer(
        (
            NAME,
            AGE,
            Column("SignerName", text="Who shall sign, as domain and name."),
            Column("Requestor", text="Base64-encoded PKCS#10 CSR data"),
            Column(
                "RequestedDuration",
                doc="certificates_v1.CertificateSigningRequestSpec.expirationSeconds",
                mends=(
                    ("\n\n1. Old", "\n\n  1. Old"),
                    ("in-tree implementations prior", "in-tree\n     implementations prior"),
                    (" 2. Signer", "\n  2. Signer"),
                    (" 3. Signer", "\n  3. Signer"),
                    ("duration The minimum", "duration\n\nThe minimum"),
                ),
            ),
            Column("Condition", text="Conditions applied to the request, such as approval or denial."),
        ),
        signing_request,
    ),
    (GROUP, "ClusterTrustBundle"): simple(
        (
            Column("SignerName", doc="certificates_v1.ClusterTrustBundleSpec.signerName"),
            field("spec.signerName", NONE),
        ),
        aged=False,
    ),
    (GROUP, "PodCertificateRequest"): simple(
        (Column("PodName", doc="certificates_v1.PodCertificateRequestSpec.podName"), field("spec.podName")),
        (
            Column("ServiceAccountName", doc="certificates_v1.PodCertificateRequestSpec.serviceAccountName"),
            field("spec.serviceAccountName"),
        ),
        (Column("NodeName", doc="certificates_v1.PodCertificateRequestSpec.nodeName"), field("spec.nodeName")),
        (
            Column("SignerName", doc="certificates_v1.PodCertificateRequestSpec.signerName"),
            field("spec.signerName"),
        ),
        (Column("State", text="Is the request Pending, Issued, Denied, or Failed?"), _pod_state),
        (
            Column(
                "UnverifiedUserAnnotations",
                doc="certificates_v1.PodCertificateRequestSpec.unverifiedUserAnnotations",
            ),
            lambda obj: map_text((obj.get("spec") or {}).get("unverifiedUserAnnotations")),
        ),
        aged=False,
    ),
}
