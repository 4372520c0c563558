"""Signing: an approved CertificateSigningRequest gets its certificate from the cluster's own authority.

    kubectl certificate approve alice    ->  status.certificate, with which alice logs in

Four signers are served. For three of them the request must be what it says it is (a client, a kubelet, a kubelet's
server); a request that is not gets the condition Failed, once and for good. Times are the cluster's own, and the serial
number is rolled for the request, so that a replay signs the very same bytes.

Mirrors:  kubernetes/pkg/controller/certificates/signer/signer.go, pkg/apis/certificates/helpers.go
Read next: certificateapproval.py and certificatecleaning.py, what happens before and after.
"""

import binascii
import datetime
from base64 import b64decode, b64encode

from cryptography import x509
from cryptography.x509.oid import NameOID

from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, meta, users
from cluster.objects.credentials import certificates, keys

CLIENT, KUBELET = "kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet"
SERVING, UNKNOWN = "kubernetes.io/kubelet-serving", "kubernetes.io/legacy-unknown"
LONGEST, SHORTEST = datetime.timedelta(days=365), datetime.timedelta(minutes=10)
BACKDATED = datetime.timedelta(minutes=5)  # So that clocks that go wrong a little do no harm.
OPTIONAL = {"digital signature", "key encipherment"}


class SigningController(Controller):
    name = "certificatesigningrequest-signing-controller"
    user = "system:serviceaccount:kube-system:certificate-controller"
    kind = "CertificateSigningRequest"
    reaction = 10_000

    def reconcile(self, request: Manifest) -> None:
        """Sign it, or say why it can't be signed."""
        signer, status = request["spec"].get("signerName", ""), request.get("status") or {}
        if signer not in (CLIENT, KUBELET, SERVING, UNKNOWN) or status.get("certificate"):
            return
        if not conditions.is_true(request, "Approved"):
            return
        if conditions.is_true(request, "Denied") or conditions.is_true(request, "Failed"):
            return
        try:
            asked = x509.load_pem_x509_csr(b64decode(request["spec"]["request"]))
            problem = problem_of(asked, request["spec"].get("usages") or [], signer)
        except (ValueError, binascii.Error) as error:
            problem = f"unable to parse csr: {error}"
        if problem:
            self._fail(request, problem)
        else:
            signed = {**status, "certificate": self._certificate(request, asked)}
            self.client.update_status({**request, "status": signed})

    def _fail(self, request: Manifest, problem: str) -> None:
        status, now = request.get("status") or {}, self.clock.stamp()
        failed = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": problem}
        failed |= {"lastUpdateTime": now, "lastTransitionTime": now}
        listed = conditions.put(status.get("conditions"), failed)
        self.client.update_status({**request, "status": {**status, "conditions": listed}})

    def _certificate(self, request: Manifest, asked: x509.CertificateSigningRequest) -> str:
        """The certificate as a status holds it: PEM in base64."""
        spec, now = request["spec"], certificates.at(self.clock.unix())
        seconds = spec.get("expirationSeconds")
        wanted = LONGEST if seconds is None else datetime.timedelta(seconds=seconds)
        serial = (self.dice.roll("certificate", meta.uid(request)) << 63) + self.dice.roll("serial", meta.uid(request))
        made = certificates.sign(
            keys.of_cluster(self.options, self.dice.seed).authority,
            asked.subject,
            asked.public_key(),
            serial,
            now - BACKDATED,
            now - BACKDATED + max(SHORTEST, min(wanted, LONGEST)),
            spec.get("usages") or [],
            _names(asked),
        )
        return b64encode(certificates.pem(made)).decode()


def _names(asked: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    try:
        return asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def problem_of(asked: x509.CertificateSigningRequest, usages: list[str], signer: str) -> str:
    """Why a signer does not sign such a request; empty if it does."""
    if signer == UNKNOWN:
        return ""
    needed = "server auth" if signer == SERVING else "client auth"
    if signer == CLIENT:
        wrong = next((usage for usage in usages if usage not in OPTIONAL | {needed}), "")
        if wrong:
            return f"invalid usage for client certificate: {wrong}"
        return "" if needed in usages else f"missing required usage for client certificate: {needed}"
    return _kubelet_problem(asked, usages, needed)


def _kubelet_problem(asked: x509.CertificateSigningRequest, usages: list[str], needed: str) -> str:
    groups = [part.value for part in asked.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    names = [str(part.value) for part in asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if groups != [users.NODES]:
        return "subject organization is not system:nodes"
    if not names or not names[-1].startswith(users.NODE_PREFIX):
        return "subject common name does not begin with system:node: "
    found = [_KINDS.get(type(name), "other") for name in _names(asked) or ()]
    allowed = ("DNS", "IP") if needed == "server auth" else ()
    for kind in _KINDS.values():
        if kind in found and kind not in allowed:
            return f"{kind} subjectAltNames are not allowed"
    if allowed and not found:
        return "at least one DNS or IP subjectAltName is required"
    if set(usages) not in ({"digital signature", needed}, {*OPTIONAL, needed}):
        return f"usages did not match [digital signature {needed}]"
    return ""


_KINDS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "DNS",
    x509.RFC822Name: "email",
    x509.IPAddress: "IP",
    x509.UniformResourceIdentifier: "URI",
}
