"""certificates.k8s.io: requests for certificates, the pods' own ones, and bundles of what to trust.

A CertificateSigningRequest has two sub-resources, so that three parties can't do each other's work: who asks writes the
spec, once; who approves writes the conditions Approved and Denied (`kubectl certificate approve`); who signs writes
the certificate into the status.

Mirrors:  kubernetes/pkg/apis/certificates/validation, pkg/registry/certificates
Left out: the proof of possession in a PodCertificateRequest, and the check of the chain that was issued for it; errors
          within a broken PKCS#10 or X.509 are in our library's words.
"""

import base64
import re
from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from cluster.apiserver.registry.metadata import duplicate, forbidden, invalid, not_supported, required, too_long
from cluster.apiserver.registry.resource import READ_WRITE, Problem, Resource, Subresource
from cluster.apiserver.registry.rules import CONDITION_STATUSES, condition_problems, fixed, signer_problems
from cluster.objects import Manifest
from cluster.objects.names import name_problems
from cluster.objects.users import User

GROUP = "certificates.k8s.io"
USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip
LEGACY_SIGNER, SHORTEST = "kubernetes.io/legacy-unknown", 600
ONCE_TRUE = ("Approved", "Denied", "Failed")  # Conditions that are never false, and never taken back.
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")

# --- CertificateSigningRequest ----------------------------------------------------------------------------------


def _asked_by(request: Manifest, user: User) -> Manifest:
    """Who asks is what the server knows, never what the body says."""
    theirs = ("username", "uid", "groups", "extra")
    kept = {name: value for name, value in request["spec"].items() if name not in theirs}
    return {**request, "spec": {**kept, **user.info()}}


def _new_request(request: Manifest) -> Manifest:
    return {**request, "spec": request.get("spec") or {}, "status": {}}


def _prepare_request(old: Manifest, new: Manifest, subresource: str) -> Manifest:
    """The part of `new` that this URL may change; the rest is as it was."""
    status, before = new.get("status") or {}, old.get("status") or {}
    if subresource == "approval":
        kept = {name: value for name, value in before.items() if name != "conditions"}
        status = {"conditions": status["conditions"], **kept} if status.get("conditions") else kept
    elif subresource == "status":
        status = _with_verdicts(before, status)
    else:
        status = before
    return {**old, "metadata": new["metadata"], "status": status}


def _with_verdicts(before: Manifest, status: Manifest) -> Manifest:
    """Who signs may repeat the verdicts, but not change them."""
    conditions = list(status.get("conditions") or [])
    for kind in ("Approved", "Denied"):
        known = [c for c in before.get("conditions") or [] if c.get("type") == kind]
        places = [number for number, c in enumerate(conditions) if c.get("type") == kind]
        if len(known) == len(places):
            for place, condition in zip(places, known, strict=True):
                conditions[place] = condition
    return {**status, "conditions": conditions} if conditions else status


def _stamped(request: Manifest, old: Manifest | None, now: str) -> Manifest:
    """Conditions say when they were last touched, and since when they are what they are."""
    conditions = (request.get("status") or {}).get("conditions") or []
    if old is None or all(c.get("lastUpdateTime") and c.get("lastTransitionTime") for c in conditions):
        return request
    before = {(c.get("type"), c.get("status")): c for c in (old.get("status") or {}).get("conditions") or []}
    stamped = []
    for condition in conditions:
        known = before.get((condition.get("type"), condition.get("status"))) or {}
        updated = condition.get("lastUpdateTime") or now
        since = condition.get("lastTransitionTime") or known.get("lastTransitionTime") or now
        stamped.append({**condition, "lastUpdateTime": updated, "lastTransitionTime": since})
    return {**request, "status": {**request["status"], "conditions": stamped}}


def _request_problems(request: Manifest) -> list[Problem]:
    spec, found = request.get("spec") or {}, list[Problem]()
    problem = _pkcs10_problem(spec.get("request") or "")
    if problem:
        found.append(invalid("spec.request", spec.get("request") or "", problem))
    usages = spec.get("usages") or []
    if not usages:
        found.append(required("spec.usages"))
    for number, usage in enumerate(usages):
        if usage not in USAGES:
            found.append(not_supported(f"spec.usages[{number}]", usage, USAGES))
    found += [duplicate(f"spec.usages[{n}]", usage) for n, usage in enumerate(usages) if usage in usages[:n]]
    signer = spec.get("signerName", "")
    if signer == LEGACY_SIGNER:
        message = "the legacy signerName is not allowed via this API version"
        found.append(invalid("spec.signerName", signer, message))
    else:
        found += signer_problems("spec.signerName", signer)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < SHORTEST:
        message = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(invalid("spec.expirationSeconds", seconds, message))
    return found


def _pkcs10_problem(text: str) -> str:
    """Why a base64 text is no signed certificate request; empty if it is one."""
    block = _first_block(base64.b64decode(text or ""))
    if block is None or block[0] != "CERTIFICATE REQUEST":
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        request = x509.load_pem_x509_csr(block[1])
        return "" if request.is_signature_valid else "x509: signature verification failed"
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
        return f"x509: malformed certificate request: {error}"


def _first_block(pem: bytes) -> tuple[str, bytes] | None:
    """(type, the block with its frame) of the first PEM block."""
    return next(_blocks(pem), None)


def _blocks(pem: bytes) -> Iterator[tuple[str, bytes]]:
    place = 0
    while (found := _BEGIN.search(pem, place)) is not None:
        end = b"-----END " + found[1] + b"-----"
        stop = pem.find(end, found.end())
        if stop < 0:
            return
        place = stop + len(end)
        yield found[1].decode(), pem[found.start() : place] + b"\n"


def _request_changes(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    status, before = new.get("status") or {}, old.get("status") or {}
    conditions = status.get("conditions") or []
    found = list(_verdicts(conditions, "status.conditions"))
    certificate, known = status.get("certificate"), before.get("certificate")
    if certificate != known and (problem := _certificate_problem(certificate or "")):
        found.append(invalid("status.certificate", "<certificate data>", problem))
    for kind in ONCE_TRUE:
        if len(_of(new, kind)) < len(_of(old, kind)):
            message = f'updates may not remove a condition of type "{kind}"'
            found.append(forbidden("status.conditions", message))
    if subresource != "approval":
        for kind in ("Approved", "Denied"):
            if len(_of(new, kind)) > len(_of(old, kind)):
                message = f'updates may not add a condition of type "{kind}"'
                found.append(forbidden("status.conditions", message))
    if certificate != known and subresource != "status":
        found.append(forbidden("status.certificate", "updates may not set certificate content"))
    elif certificate != known and known:
        found.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
    return found


def _of(request: Manifest, kind: str) -> list[Manifest]:
    return [c for c in (request.get("status") or {}).get("conditions") or [] if c.get("type") == kind]


def _verdicts(conditions: list[Manifest], where: str) -> Iterator[Problem]:
    seen: dict[str, None] = {}
    for number, condition in enumerate(conditions):
        kind, status = condition.get("type", ""), condition.get("status", "")
        if not kind:
            yield required(f"{where}[{number}].type")
        allowed = ("True",) if kind in ONCE_TRUE else CONDITION_STATUSES
        if not status:
            yield required(f"{where}[{number}].status")
        elif status not in allowed:
            yield not_supported(f"{where}[{number}].status", status, allowed)
        if kind in seen:
            yield duplicate(f"{where}[{number}].type", kind)
        seen[kind] = None
    if "Approved" in seen and "Denied" in seen:
        members = [f'conditions[{{"type": "{kind}"}}]' for kind in ("Approved", "Denied")]
        listed = ", ".join(f"`{member}`" for member in members)
        yield invalid(where, f"{{{', '.join(members)}}}", f"must specify at most one of: {listed}")


def _certificate_problem(text: str) -> str:
    blocks = list(_blocks(base64.b64decode(text))) if text else []
    for kind, block in blocks:
        if kind != "CERTIFICATE":
            return f'only CERTIFICATE PEM blocks are allowed, found "{kind}"'
        try:
            x509.load_pem_x509_certificate(block)
        except ValueError as error:
            return f"x509: malformed certificate: {error}"
    return "" if blocks or not text else "must contain at least one CERTIFICATE PEM block"


SIGNING_REQUEST = Resource(
    GROUP, "v1", "CertificateSigningRequest", "certificatesigningrequests", namespaced=False, short_names=("csr",),
    name_rule="any", has_status=True, selectable=("spec.signerName",),
    subresources={
        "approval": Subresource("CertificateSigningRequest", READ_WRITE),
        "status": Subresource("CertificateSigningRequest"),
    },
    on_create=_new_request, requested_by=_asked_by, stamp=_stamped, prepare_update=_prepare_request,
    validate=_request_problems, validate_update=_request_changes,
)  # fmt: skip

# --- ClusterTrustBundle -----------------------------------------------------------------------------------------

MAX_BUNDLE = 1 << 20


def _bundle_problems(bundle: Manifest) -> list[Problem]:
    spec, name = bundle.get("spec") or {}, bundle["metadata"].get("name", "")
    signer = spec.get("signerName", "")
    found = [invalid("metadata.name", name, problem) for problem in _bundle_name(name, signer)]
    if signer:
        found += signer_problems("spec.signerName", signer)
    return [*found, *_trust_problems(spec.get("trustBundle", ""), "spec.trustBundle")]


def _bundle_name(name: str, signer: str) -> tuple[str, ...]:
    """A signer's bundles carry its name, with a colon for the slash, as their prefix."""
    prefix = f"{signer.replace('/', ':')}:" if signer else ""
    if not signer and ":" in name:
        return ('ClusterTrustBundle without signer name must not have ":" in its name',)
    if not name.startswith(prefix):
        return (f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}",)
    return name_problems(name.removeprefix(prefix), "subdomain")


def _trust_problems(text: str, where: str) -> list[Problem]:
    """Certificates of authorities, each once, one at least."""
    if len(text) > MAX_BUNDLE:
        return [too_long(where, MAX_BUNDLE)]
    found, seen = list[Problem](), dict[bytes, list[int]]()
    for number, (kind, block) in enumerate(_blocks(text.encode())):
        problem = _anchor_problem(kind, block, seen, number)
        if problem:
            found.append(invalid(where, "<value omitted>", f"entry {number} {problem}"))
    if found:
        return found
    if not seen:
        return [invalid(where, "<value omitted>", "at least one trust anchor must be provided")]
    twice = (numbers for numbers in seen.values() if len(numbers) > 1)
    return [
        invalid(where, "<value omitted>", f"duplicate trust anchor (indices [{' '.join(map(str, numbers))}])")
        for numbers in twice
    ]


def _anchor_problem(kind: str, block: bytes, seen: dict[bytes, list[int]], number: int) -> str:
    if kind != "CERTIFICATE":
        return f"has bad block type: {kind}"
    try:
        certificate = x509.load_pem_x509_certificate(block)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except ValueError:
        return "does not parse as X.509"
    except x509.ExtensionNotFound:
        return "does not have the CA bit set"
    if not constraints.ca:
        return "does not have the CA bit set"
    seen.setdefault(certificate.public_bytes(serialization.Encoding.DER), []).append(number)
    return ""


TRUST_BUNDLE = Resource(
    GROUP, "v1", "ClusterTrustBundle", "clustertrustbundles", namespaced=False, name_rule="any", unconditional=False,
    stored_version="v1beta1", selectable=("spec.signerName",), validate=_bundle_problems,
    immutable=fixed("spec.signerName"),
)  # fmt: skip

# --- PodCertificateRequest --------------------------------------------------------------------------------------

MAX_SECONDS, MAX_SECONDS_OF_KUBERNETES, MIN_SECONDS = 91 * 86400, 86400, 3600
VERDICTS = ("Issued", "Denied", "Failed")


def _pod_request_problems(request: Manifest) -> list[Problem]:
    spec = request.get("spec") or {}
    found = signer_problems("spec.signerName", spec.get("signerName", ""))
    for what in ("pod", "serviceAccount", "node"):
        name, uid = spec.get(f"{what}Name", ""), spec.get(f"{what}UID", "")
        found += [invalid(f"spec.{what}Name", name, problem) for problem in name_problems(name, "subdomain")]
        if not uid:
            found.append(invalid(f"spec.{what}UID", uid, "must not be empty"))
        elif len(uid) > 128:
            found.append(too_long(f"spec.{what}UID", 128))
    seconds = spec.get("maxExpirationSeconds")
    if seconds is None:
        return [*found, required("spec.maxExpirationSeconds", "must be set")]
    domain = spec.get("signerName", "").partition("/")[0]
    of_kubernetes = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    most = MAX_SECONDS_OF_KUBERNETES if of_kubernetes else MAX_SECONDS
    if not MIN_SECONDS <= seconds <= most:
        found.append(invalid("spec.maxExpirationSeconds", seconds, f"must be in the range [{MIN_SECONDS}, {most}]"))
    return found


def _default_pod_request(request: Manifest) -> Manifest:
    spec = request.get("spec") or {}
    return request if "maxExpirationSeconds" in spec else {**request, "spec": {**spec, "maxExpirationSeconds": 86400}}


def _pod_request_changes(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if subresource != "status":
        return fixed("spec")(old, new, subresource)
    found = list(condition_problems((new.get("status") or {}).get("conditions") or [], "status.conditions"))
    verdicts = [kind for kind in VERDICTS if _of(old, kind)]
    if verdicts and new.get("status") != old.get("status"):
        message = "immutable after PodCertificateRequest is issued, denied, or failed"
        found.append(invalid("status", "", message))
    return found


POD_REQUEST = Resource(
    GROUP, "v1", "PodCertificateRequest", "podcertificaterequests", has_status=True, unconditional=False,
    stored_version="v1beta1", selectable=("spec.signerName", "spec.podName", "spec.nodeName"),
    subresources={"status": Subresource("PodCertificateRequest")}, default=_default_pod_request,
    on_create=lambda request: {**request, "status": {}}, validate=_pod_request_problems,
    validate_update=_pod_request_changes,
)  # fmt: skip

RESOURCES = (SIGNING_REQUEST, TRUST_BUNDLE, POD_REQUEST)
