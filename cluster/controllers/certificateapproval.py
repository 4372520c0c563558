"""Approving kubelets: a request for a kubelet's client certificate is approved, if who asks may have it approved.

A kubelet that joins, or renews, asks for a certificate in its node's name. Whether that is let through without a human
is a matter of roles: `create` on certificatesigningrequests/selfnodeclient (for oneself) or /nodeclient (for any node).
Nobody has these from the start; kubeadm gives them to its groups.

Mirrors:  kubernetes/pkg/controller/certificates/approver/sarapprove.go
Read next: certificatesigning.py, which signs what is approved.
"""

import binascii
from base64 import b64decode

from cryptography import x509
from cryptography.x509.oid import NameOID

from cluster.controllers.certificatesigning import KUBELET, problem_of
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, errors, meta

GROUP, RESOURCE = "certificates.k8s.io", "certificatesigningrequests"
SELF = "Auto approving self kubelet client certificate after SubjectAccessReview."
ANY = "Auto approving kubelet client certificate after SubjectAccessReview."


class ApprovingController(Controller):
    name = "certificatesigningrequest-approving-controller"
    user = "system:serviceaccount:kube-system:certificate-controller"
    kind = "CertificateSigningRequest"
    reaction = 10_000

    def reconcile(self, request: Manifest) -> None:
        """Errors: Forbidden if it is a kubelet's request that nobody allowed: it is asked again, ever more seldom."""
        status = request.get("status") or {}
        decided = any(conditions.get(request, type_) is not None for type_ in ("Approved", "Denied"))
        if status.get("certificate") or decided:
            return
        tried = []
        for part, message in recognised(request["spec"]):
            tried.append(part)
            if self._allowed(request["spec"], part):
                self._approve(request, message)
                return
        if tried:
            text = f'recognized csr "{meta.name(request)}" as [{" ".join(tried)}]'
            text += " but subject access review was not approved"
            raise errors.Forbidden(GROUP, RESOURCE, meta.name(request), text)

    def _allowed(self, spec: Manifest, part: str) -> bool:
        asked = {"group": GROUP, "version": "*", "resource": RESOURCE, "subresource": part, "verb": "create"}
        subject = {"user": spec.get("username", ""), "uid": spec.get("uid", ""), "groups": spec.get("groups") or []}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
        body = {"resourceAttributes": asked, **subject, "extra": spec.get("extra") or {}}
        return bool(self.client.review({**review, "spec": body})["allowed"])

    def _approve(self, request: Manifest, message: str) -> None:
        status = request.get("status") or {}
        approved = {"type": "Approved", "status": "True", "reason": "AutoApproved", "message": message}
        listed = [*(status.get("conditions") or []), approved]
        self.client.approve({**request, "status": {**status, "conditions": listed}})


def recognised(spec: Manifest) -> list[tuple[str, str]]:
    """[(sub-resource that allows it, what is said then)]: none if it is not a kubelet's request."""
    if spec.get("signerName") != KUBELET:
        return []
    try:
        asked = x509.load_pem_x509_csr(b64decode(spec["request"]))
        if problem_of(asked, spec.get("usages") or [], KUBELET):
            return []
    except (ValueError, binascii.Error):
        return []
    names = [str(part.value) for part in asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    own = [("selfnodeclient", SELF)] if names[-1] == spec.get("username") else []
    return [*own, ("nodeclient", ANY)]
