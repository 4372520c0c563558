"""The questions of authorisation as API objects: `kubectl auth can-i`, and what web consoles ask before they show.

    SelfSubjectAccessReview     may I?                    SubjectAccessReview         may alice?
    SelfSubjectRulesReview      what may I, there?        LocalSubjectAccessReview    may alice, in this namespace?

Each function takes the review as it was sent and returns its `status`.

Mirrors:  kubernetes/pkg/registry/authorization/*, pkg/apis/authorization/validation
"""

from typing import Any

from cluster.apiserver.authorization import Ask
from cluster.apiserver.authorization.authorizer import Authorizer
from cluster.apiserver.registry.metadata import raw_invalid
from cluster.objects import Manifest, errors, users
from cluster.objects.users import User

GROUP = "authorization.k8s.io"
Problems = list[dict[str, str]]


def access(review: Manifest, user: User, namespace: str, authorizer: Authorizer) -> Manifest:
    """The status of an access review. `user`: who asks. Errors: Invalid, BadRequest."""
    kind, spec = review["kind"], review.get("spec") or {}
    problems = _problems(kind, spec, (review.get("metadata") or {}))
    if problems:
        raise errors.Invalid(GROUP, kind, "", problems)
    resource = spec.get("resourceAttributes") or {}
    if kind == "LocalSubjectAccessReview" and resource.get("namespace", "") != namespace:
        raise errors.BadRequest(f"spec.resourceAttributes.namespace must match namespace: {namespace}")
    about = user if kind.startswith("Self") else _subject(spec)
    decision = authorizer.decide(_ask(about, spec))
    return {"allowed": decision.allowed, **({"reason": decision.reason} if decision.reason else {})}


def rules(review: Manifest, user: User, authorizer: Authorizer) -> Manifest:
    """The status of a SelfSubjectRulesReview. Errors: BadRequest."""
    namespace = (review.get("spec") or {}).get("namespace", "")
    if not namespace:
        raise errors.BadRequest("no namespace on request")
    found, problems = authorizer.rbac.rules_of(user, namespace)
    status: dict[str, Any] = {
        "resourceRules": [_only(rule, _OF_RESOURCES) for rule in found if rule.get("resources")],
        "nonResourceRules": [_only(rule, _OF_PATHS) for rule in found if rule.get("nonResourceURLs")],
        "incomplete": bool(problems),
    }
    if users.NODES in user.groups and user.name.startswith(users.NODE_PREFIX):
        problems.append("node authorizer does not support user rule resolution")
        status["incomplete"] = True
    return {**status, "evaluationError": ", ".join(problems)} if problems else status


_OF_RESOURCES = ("verbs", "apiGroups", "resources", "resourceNames")
_OF_PATHS = ("verbs", "nonResourceURLs")


def _only(rule: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: rule[name] for name in names if rule.get(name)}


def _problems(kind: str, spec: Manifest, metadata: Manifest) -> Problems:
    resource, path, found = spec.get("resourceAttributes"), spec.get("nonResourceAttributes"), []
    if kind == "LocalSubjectAccessReview" and path is not None:
        found.append(raw_invalid("spec.nonResourceAttributes", "{}", "disallowed on this kind of request"))
    elif resource is not None and path is not None:
        together = "cannot be specified in combination with resourceAttributes"
        found.append(raw_invalid("spec.nonResourceAttributes", "{}", together))
    if resource is None and path is None:
        one = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.append(raw_invalid("spec.resourceAttributes", "null", one))
    if not kind.startswith("Self") and not spec.get("user") and not spec.get("groups"):
        found.append(raw_invalid("spec.user", '""', "at least one of user or group must be specified"))
    given = {name for name, value in metadata.items() if value and name != "managedFields"}
    if given - ({"namespace"} if kind == "LocalSubjectAccessReview" else set()):
        found.append(raw_invalid("metadata", "{}", "must be empty"))
    return found


def _subject(spec: Manifest) -> User:
    extra = sorted((key, tuple(values)) for key, values in (spec.get("extra") or {}).items())
    return User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), tuple(extra))


def _ask(user: User, spec: Manifest) -> Ask:
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Ask(user, path.get("verb", ""), path=path.get("path", "") or "/")
    given = spec["resourceAttributes"]
    names = ("verb", "group", "version", "resource", "subresource", "namespace", "name")
    chosen = (given.get("fieldSelector") or {}).get("requirements") or ()
    node = next((r["values"][0] for r in chosen if r.get("key") == "spec.nodeName" and r.get("values")), "")
    return Ask(user, **{name: given.get(name, "") for name in names}, on_node=node)
