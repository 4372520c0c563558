"""Reviews and tokens: questions that change nothing, so no world is asked. A cluster that stands or sleeps answers too.

    POST …/selfsubjectaccessreviews and its kin    may I, may alice: by committed roles and bindings
    POST …/selfsubjectreviews                      who am I?
    POST …/tokenreviews                            whose token is this?
    POST …/serviceaccounts/bot/token               a new token, signed with the cluster's key

A token is a credential, no state: issuing one writes nothing, so its times are those of the wall, as its end is.

Mirrors:  kubernetes/pkg/registry/{authentication,authorization}/*, pkg/registry/core/serviceaccount/storage/token.go
"""

import time
import uuid
from urllib.parse import parse_qs

from cluster.apiserver import negotiate, registry
from cluster.apiserver.authorization import reviews
from cluster.apiserver.bodies import decode_body
from cluster.apiserver.options import of_write
from cluster.apiserver.registry import Resource
from cluster.apiserver.registry.metadata import invalid
from cluster.apiserver.registry.reviews import AUTHENTICATION, AUTHORIZATION
from cluster.apiserver.target import Target
from cluster.engine.clock import SECOND
from cluster.gateway import identity, lists, policy, pool
from cluster.gateway.http import NO_CACHE, Reply, Request
from cluster.objects import Manifest, errors, meta, times
from cluster.objects.credentials import tokens

SHORTEST, LONGEST, USUAL = 600, 1 << 32, 3600  # Seconds of a token's life.
RENEWED = 3607  # What kubelets ask for pods: such tokens live a year, so that old clients that never renew go on.
YEAR = 365 * 24 * 3600


def are_answered_here(resource: Resource, target: Target) -> bool:
    return resource.group in (AUTHENTICATION, AUTHORIZATION) or (
        resource.kind == "ServiceAccount" and target.subresource == "token"
    )


async def answer(request: Request, resource: Resource, target: Target) -> Reply:
    """Errors: MethodNotAllowed, BadRequest, Invalid, NotFound, Conflict, NotAcceptable."""
    if request.method != "POST":
        raise errors.MethodNotAllowed()
    if resource.namespaced and not target.namespace:
        raise errors.MethodNotAllowed()
    form = request.form()
    found = pool.reader().cluster(request.cluster)
    if found is None:
        raise lists.NoSuchCluster(request.cluster)
    expected = registry.by_kind("TokenRequest") if target.subresource else resource
    review, warnings = await _decoded(request, expected)
    now = times.rfc3339(found.unix)
    if target.subresource:
        made = _token(request.cluster, target, review, now, bool(request.query("dryRun")))
    elif resource.kind == "SelfSubjectReview":
        status = {"userInfo": request.user.info()}
        made = {**review, "metadata": {**review["metadata"], "creationTimestamp": now}, "status": status}
    elif resource.kind == "TokenReview":
        made = {**review, "status": _token_status(request.cluster, review.get("spec") or {})}
    else:
        made = await _about_access(request, resource, target, review)
    headers = tuple(("Warning", f'299 - "{text}"') for text in warnings)
    return Reply(201, form.media, negotiate.encode(form, made), (NO_CACHE, *headers))


async def _decoded(request: Request, expected: Resource) -> tuple[Manifest, list[str]]:
    """(the body, what to warn of). Errors: BadRequest, UnsupportedMediaType."""
    options = of_write(request.method, parse_qs(request.query_string, keep_blank_values=True))
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    raw = decode_body(content_type, await request.body(), expected)
    decoded = registry.decode(expected, raw.obj, raw.duplicates)
    if decoded.problems and options.field_validation == "Strict":
        problem = ", ".join(decoded.problems)
        raise errors.BadRequest(
            f'{expected.kind} in version "v1" cannot be handled as a {expected.kind}: strict decoding error: {problem}'
        )
    return decoded.obj, decoded.problems if options.field_validation == "Warn" else []


async def _about_access(request: Request, resource: Resource, target: Target, review: Manifest) -> Manifest:
    authorizer = await policy.authorizer(request.cluster)
    if resource.kind == "SelfSubjectRulesReview":
        return {**review, "spec": {}, "status": reviews.rules(review, request.user, authorizer)}
    if resource.namespaced:
        review = {**review, "metadata": {**review["metadata"], "namespace": target.namespace}}
    return {**review, "status": reviews.access(review, request.user, target.namespace, authorizer)}


# --- tokens -------------------------------------------------------------------------------------------------------


def _token_status(cluster: str, spec: Manifest) -> Manifest:
    """The status of a TokenReview. Errors: BadRequest."""
    if not spec.get("token"):
        raise errors.BadRequest("token is required for TokenReview in authentication")
    try:
        found = identity.review(cluster, spec["token"], spec.get("audiences") or [tokens.ISSUER])
    except tokens.BadToken as error:
        return {"user": {}, "error": str(error)}
    if found is None:
        return {"user": {}}
    user, audiences = found
    return {"authenticated": True, "user": user.info(), "audiences": audiences}


def _token(cluster: str, target: Target, request: Manifest, now: str, dry_run: bool) -> Manifest:
    """A TokenRequest with its token. Errors: NotFound, Invalid, BadRequest, Conflict."""
    living = policy.Committed(cluster)
    account = living.get("ServiceAccount", target.namespace, target.name)
    if account is None:
        raise errors.NotFound("", "serviceaccounts", target.name)
    given = request.get("spec") or {}
    seconds, audiences = given.get("expirationSeconds"), given.get("audiences") or [tokens.ISSUER]
    seconds = USUAL if seconds is None else seconds
    _check_duration(seconds)
    bound, node = _bound(living, target, given.get("boundObjectRef"))
    began = int(time.time())
    claims = tokens.bound_claims(account, bound, node, audiences, began, seconds)
    if seconds == RENEWED and bound is not None and bound["kind"] == "Pod" and audiences == [tokens.ISSUER]:
        claims |= {"exp": began + YEAR, "kubernetes.io": {**claims["kubernetes.io"], "warnafter": began + seconds}}
    token = tokens.signed(identity.keys_of(cluster).keys.tokens, {**claims, "jti": str(uuid.uuid4())})
    metadata = {"name": target.name, "namespace": target.namespace, "creationTimestamp": now}
    spec = {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": given.get("boundObjectRef")}
    status = {
        "token": "" if dry_run else token,
        "expirationTimestamp": times.rfc3339((began + seconds) * SECOND),
    }
    return {**request, "metadata": metadata, "spec": spec, "status": status}


def _check_duration(seconds: int) -> None:
    problem = ""
    if seconds < SHORTEST:
        problem = "may not specify a duration less than 10 minutes"
    elif seconds > LONGEST:
        problem = "may not specify a duration larger than 2^32 seconds"
    if problem:
        raise errors.Invalid(AUTHENTICATION, "TokenRequest", "", [invalid("spec.expirationSeconds", seconds, problem)])


_BINDABLE = {("v1", "Pod"): "pods", ("v1", "Secret"): "secrets", ("v1", "Node"): "nodes"}


def _bound(
    living: policy.Committed, target: Target, reference: Manifest | None
) -> tuple[Manifest | None, Manifest | None]:
    """(the object that the token shall end with, the node of that pod)."""
    if not reference:
        return None, None
    kind, name, uid = reference.get("kind", ""), reference.get("name", ""), reference.get("uid", "")
    plural = _BINDABLE.get((reference.get("apiVersion", ""), kind))
    if plural is None:
        group, _, version = reference.get("apiVersion", "").rpartition("/")
        raise errors.BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
    found = living.get(kind, "" if kind == "Node" else target.namespace, name)
    if found is None:
        raise errors.NotFound("", plural, name)
    if uid and uid != meta.uid(found):
        problem = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. The object might have"
            " been deleted and then recreated"
        )
        raise errors.Conflict("", kind, name, problem)
    if kind != "Pod":
        return found, None
    if found["spec"].get("serviceAccountName") != target.name:
        raise errors.BadRequest(
            f'cannot bind token for serviceaccount "{target.name}" to pod running with different serviceaccount name.'
        )
    node = found["spec"].get("nodeName")
    return found, living.get("Node", "", node) if node else None
