"""Cleaning up requests for certificates: an hour after they were answered, a day after nobody answered.

Mirrors:  kubernetes/pkg/controller/certificates/cleaner/cleaner.go
Left out: the hourly pass; a request goes at the moment at which it is too old.
"""

import binascii
from base64 import b64decode

from cryptography import x509

from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, meta, times
from cluster.objects.errors import NotFound

ANSWERED, PENDING = 3_600 * SECOND, 24 * 3_600 * SECOND


class CleaningController(Controller):
    name = "certificatesigningrequest-cleaner-controller"
    user = "system:serviceaccount:kube-system:certificate-controller"
    kind = "CertificateSigningRequest"

    def reconcile(self, request: Manifest) -> None:
        due = expires(request)
        if due is None:
            return
        left = due - self.clock.unix()
        if left > 0:
            self.queue.add_after(meta.key(request), left, f"request {meta.name(request)} is cleaned up")
            return
        try:
            self.client.delete("CertificateSigningRequest", "", meta.name(request))
        except NotFound:
            return


def expires(request: Manifest) -> int | None:
    """When the request may go, microseconds since 1970; None if it stays: approved, and not signed yet."""
    status = request.get("status") or {}
    certificate = status.get("certificate")
    ends = []
    for type_ in ("Approved", "Denied", "Failed") if certificate else ("Denied", "Failed"):
        since = (conditions.get(request, type_) or {}).get("lastUpdateTime")
        if since:
            ends.append(times.parse(since) + ANSWERED)
    if not status.get("conditions"):
        ends.append(times.parse(meta.created_at(request)) + PENDING)
    if certificate:
        ends += _end_of(certificate)
    return min(ends, default=None)


def _end_of(certificate: str) -> list[int]:
    """[when it is no longer valid], or nothing if it can't be read."""
    try:
        made = x509.load_pem_x509_certificate(b64decode(certificate))
    except (ValueError, binascii.Error):
        return []
    return [int(made.not_valid_after_utc.timestamp()) * SECOND]
