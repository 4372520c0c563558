"""Nobody grants what they don't have: who writes a role must hold every rule in it, who binds one likewise.

Two verbs lift this: `escalate` on roles and `bind` on the role that is bound. Otherwise every new rule is broken into
its smallest parts (one verb, group, resource, name), and each part must be covered by a rule of the writer's own.

Mirrors:  kubernetes/pkg/registry/rbac/*/policybased/storage.go, pkg/registry/rbac/validation/policy_comparator.go
"""

from collections.abc import Iterator
from typing import Any

from cluster.apiserver.authorization import Ask
from cluster.apiserver.authorization.authorizer import Authorizer
from cluster.apiserver.authorization.rbac import GROUP, Rule, missing, path_matches
from cluster.objects import Manifest, errors, meta
from cluster.objects.users import User

EVERYTHING: list[Rule] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]
PLURAL = {"ClusterRole": "clusterroles", "Role": "roles"}
BINDINGS = {"ClusterRoleBinding": "clusterrolebindings", "RoleBinding": "rolebindings"}


def check(authorizer: Authorizer, user: User, new: Manifest, old: Manifest | None) -> None:
    """`new` is about to be stored by `user`. Errors: Forbidden, NotFound (the role that it binds)."""
    if user.is_master or not user.name:
        return
    if new["kind"] in PLURAL:
        _check_role(authorizer, user, new, old)
    else:
        _check_binding(authorizer, user, new, old)


def _check_role(authorizer: Authorizer, user: User, new: Manifest, old: Manifest | None) -> None:
    kind, name, namespace = new["kind"], meta.name(new), meta.namespace(new)
    plural = PLURAL[kind]
    rules = new.get("rules") or []
    aggregated = new.get("aggregationRule")
    if old is not None and rules == (old.get("rules") or []) and aggregated == old.get("aggregationRule"):
        return
    if authorizer.decide(Ask(user, "escalate", GROUP, "v1", plural, "", namespace, name)).allowed:
        return
    held, problems = authorizer.rbac.rules_of(user, namespace)
    _confirm(user, plural, name, rules, held, problems)
    if aggregated and _uncovered(held, EVERYTHING):
        raise errors.Forbidden(GROUP, plural, name, "must have cluster-admin privileges to use an aggregationRule")


def _check_binding(authorizer: Authorizer, user: User, new: Manifest, old: Manifest | None) -> None:
    plural, name, namespace = BINDINGS[new["kind"]], meta.name(new), meta.namespace(new)
    reference = new.get("roleRef") or {}
    if old is not None and reference == old.get("roleRef") and new.get("subjects") == old.get("subjects"):
        return
    bound = PLURAL.get(reference.get("kind", ""), "")
    if authorizer.decide(Ask(user, "bind", GROUP, "v1", bound, "", namespace, reference.get("name", ""))).allowed:
        return
    rules = authorizer.rbac.rules_of_role(reference, namespace)
    if rules is None:
        role = reference.get("kind", "").lower()
        raise errors.NotFound(GROUP, role, reference.get("name", ""), missing(reference))
    held, problems = authorizer.rbac.rules_of(user, namespace)
    _confirm(user, plural, name, rules, held, problems)


def _confirm(user: User, plural: str, name: str, rules: list[Rule], held: list[Rule], problems: list[str]) -> None:
    lacking = _uncovered(held, rules)
    if not lacking:
        return
    described = "\n".join(sorted({shown(rule) for rule in compact(lacking)}))
    message = (
        f'user "{user.name}" (groups={_quoted(user.groups)}) is attempting to grant RBAC permissions not currently'
        f" held:\n{described}"
    )
    if problems:
        message += f"; resolution errors: [{', '.join(problems)}]"
    raise errors.Forbidden(GROUP, plural, name, message)


def _uncovered(held: list[Rule], wanted: list[Rule]) -> list[Rule]:
    """The smallest parts of `wanted` that no rule of `held` covers."""
    return [part for rule in wanted for part in parts(rule) if not any(covers(own, part) for own in held)]


def parts(rule: Rule) -> Iterator[Rule]:
    """A rule as rules of one verb, group, resource and name each."""
    verbs, names = rule.get("verbs") or [], rule.get("resourceNames") or []
    for group in rule.get("apiGroups") or []:
        for resource in rule.get("resources") or []:
            for verb in verbs:
                part = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                yield from ({**part, "resourceNames": [name]} for name in names) if names else (part,)
    for url in rule.get("nonResourceURLs") or []:
        yield from ({"nonResourceURLs": [url], "verbs": [verb]} for verb in verbs)


def covers(own: Rule, part: Rule) -> bool:
    """Does a rule allow at least what a smallest part allows?"""
    verbs, verb = own.get("verbs") or (), part["verbs"][0]
    if verb not in verbs and "*" not in verbs:
        return False
    if "nonResourceURLs" in part:
        url = part["nonResourceURLs"][0]
        return any(path_matches(pattern, url) for pattern in own.get("nonResourceURLs") or ())
    groups, resources = own.get("apiGroups") or (), own.get("resources") or ()
    if part["apiGroups"][0] not in groups and "*" not in groups:
        return False
    resource = part["resources"][0]
    _, slash, subresource = resource.partition("/")
    if resource not in resources and "*" not in resources and not (slash and f"*/{subresource}" in resources):
        return False
    names = own.get("resourceNames") or ()
    return not names or (bool(part.get("resourceNames")) and part["resourceNames"][0] in names)


def compact(rules: list[Rule]) -> list[Rule]:
    """Rules about one group, resource and name become one, with all their verbs."""
    found: dict[Any, Rule] = {}
    for number, rule in enumerate(rules):
        simple = "resources" in rule
        key = (rule["apiGroups"][0], rule["resources"][0], *rule.get("resourceNames", ())) if simple else number
        known = found.get(key)
        found[key] = {**known, "verbs": [*known["verbs"], *rule["verbs"]]} if known else rule
    return list(found.values())


_SHOWN = {
    "APIGroups": "apiGroups",
    "Resources": "resources",
    "NonResourceURLs": "nonResourceURLs",
    "ResourceNames": "resourceNames",
    "Verbs": "verbs",
}


def shown(rule: Rule) -> str:
    """`{APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}`"""
    return "{" + ", ".join(f"{title}:{_quoted(rule[name])}" for title, name in _SHOWN.items() if rule.get(name)) + "}"


def _quoted(texts: Any) -> str:
    """A Go slice of strings, as %q prints it."""
    return "[" + " ".join(f'"{text}"' for text in texts) + "]"
