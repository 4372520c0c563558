"""Which requests a webhook's rules and selectors mean.

Mirrors:  k8s.io/apiserver/pkg/admission/plugin/webhook/predicates (rules, namespace, object)
"""

from typing import Any

from cluster.apiserver.admission.attributes import DELETE, Attributes
from cluster.apiserver.registry import Resource
from cluster.objects import Manifest, labels, meta

# Never sent anywhere: who could refuse these could make a cluster that nobody can repair.
EXEMPT_GROUPS = ("admissionregistration.k8s.io",)
EXEMPT = (
    "TokenReview", "SelfSubjectReview", "SubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview",
    "LocalSubjectAccessReview",
)  # fmt: skip


def is_exempt(resource: Resource) -> bool:
    return resource.group in EXEMPT_GROUPS or (resource.cache in EXEMPT)


def matching(server: Any, hook: Manifest, attributes: Attributes) -> Resource | None:
    """As which version of its kind the webhook wants to see the request; None: not at all."""
    found = _version(server, hook, attributes)
    if found is None or not _in_namespace(server, hook.get("namespaceSelector"), attributes):
        return None
    return found if _is_chosen(hook.get("objectSelector"), attributes) else None


def _version(server: Any, hook: Manifest, attributes: Attributes) -> Resource | None:
    resource, rules = attributes.resource, hook.get("rules") or ()
    if any(_rule_matches(rule, resource, attributes) for rule in rules):
        return resource
    if hook.get("matchPolicy") == "Exact":
        return None
    others = (each for each in server.kinds.resources if each.cache == resource.cache and each is not resource)
    for other in others:
        if any(_rule_matches(rule, other, attributes) for rule in rules):
            return other
    return None


def _rule_matches(rule: Manifest, resource: Resource, attributes: Attributes) -> bool:
    scope = rule.get("scope", "*")
    # A namespace is where things are, so it counts as being in itself nowhere.
    if scope != "*" and (scope == "Namespaced") != resource.namespaced:
        return False
    return (
        _has(rule.get("operations"), attributes.operation.upper())
        and _has(rule.get("apiGroups"), resource.group)
        and _has(rule.get("apiVersions"), resource.version)
        and any(_names(each, resource.plural, attributes.subresource) for each in rule.get("resources") or ())
    )


def _has(choices: list[str] | None, value: str) -> bool:
    return choices is not None and ("*" in choices or value in choices)


def _names(pattern: str, plural: str, subresource: str) -> bool:
    resource, _, part = pattern.partition("/")
    return resource in ("*", plural) and (part == subresource or (part == "*" and "/" in pattern))


def _in_namespace(server: Any, selector: Manifest | None, attributes: Attributes) -> bool:
    if not selector:
        return True
    resource = attributes.resource
    if resource.cache == "Namespace":
        shown = attributes.old if attributes.operation == DELETE else attributes.obj
        return labels.matches(selector, meta.labels(shown or {"metadata": {}}))
    if not resource.namespaced:
        return True
    found = server.informers.get("Namespace", "", attributes.namespace)
    return found is not None and labels.matches(selector, meta.labels(found))


def _is_chosen(selector: Manifest | None, attributes: Attributes) -> bool:
    if not selector:
        return True
    both = (attributes.old, attributes.obj if attributes.operation != DELETE else None)
    return any(obj is not None and labels.matches(selector, meta.labels(obj)) for obj in both)
