"""rbac.authorization.k8s.io: roles say what may be done, bindings say by whom. Who may what is decided elsewhere.

Mirrors:  kubernetes/pkg/apis/rbac/{v1/defaults.go, validation/validation.go}, pkg/registry/rbac/*/strategy.go
"""

from collections.abc import Iterator
from functools import partial

from cluster.apiserver.registry.metadata import invalid, not_supported, raw_invalid, required
from cluster.apiserver.registry.resource import Problem, Resource
from cluster.apiserver.registry.rules import IMMUTABLE, as_json
from cluster.apiserver.registry.selectors import selector_problems
from cluster.objects import Manifest
from cluster.objects.names import name_problems

GROUP = "rbac.authorization.k8s.io"

# --- roles ------------------------------------------------------------------------------------------------------


def _with_rules(role: Manifest) -> Manifest:
    return role if "rules" in role else {**role, "rules": None}


def _role_problems(role: Manifest, namespaced: bool) -> list[Problem]:
    found: list[Problem] = []
    for number, rule in enumerate(role.get("rules") or []):
        found += _rule_problems(rule, f"rules[{number}]", namespaced)
    for number, selector in enumerate((role.get("aggregationRule") or {}).get("clusterRoleSelectors") or []):
        where = f"aggregationRule.clusterRoleSelectors[{number}]"
        found += selector_problems(selector, where)
    aggregation = role.get("aggregationRule")
    if aggregation is not None and not aggregation.get("clusterRoleSelectors"):
        message = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        found.append(required("aggregationRule.clusterRoleSelectors", message))
    return found


def _rule_problems(rule: Manifest, where: str, namespaced: bool) -> Iterator[Problem]:
    """A rule speaks of resources or of URLs, never of both."""
    if not rule.get("verbs"):
        yield required(f"{where}.verbs")
    urls = rule.get("nonResourceURLs") or []
    if urls:
        if namespaced:
            message = "namespaced rules cannot apply to non-resource URLs"
            yield raw_invalid(f"{where}.nonResourceURLs", _shown(urls), message)
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            message = "rules cannot apply to both regular resources and non-resource URLs"
            yield raw_invalid(f"{where}.nonResourceURLs", _shown(urls), message)
        return
    if not rule.get("apiGroups"):
        yield required(f"{where}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield required(f"{where}.resources", "resource rules must supply at least one resource")


def _shown(values: list[str]) -> str:
    return "[" + ",".join(f'"{value}"' for value in values) + "]"


# --- bindings ---------------------------------------------------------------------------------------------------

_GROUP_OF_SUBJECT = {"User": GROUP, "Group": GROUP, "ServiceAccount": ""}


def _default_binding(binding: Manifest) -> Manifest:
    role, subjects = binding.get("roleRef") or {}, binding.get("subjects") or []
    new = binding
    if not role.get("apiGroup"):
        new = {**new, "roleRef": {"apiGroup": GROUP, **{k: v for k, v in role.items() if k != "apiGroup"}}}
    if any(not s.get("apiGroup") and _GROUP_OF_SUBJECT.get(s.get("kind", "")) for s in subjects):
        new = {**new, "subjects": [_default_subject(subject) for subject in subjects]}
    return new


def _default_subject(subject: Manifest) -> Manifest:
    group = _GROUP_OF_SUBJECT.get(subject.get("kind", ""), "")
    if subject.get("apiGroup") or not group:
        return subject
    rest = {name: value for name, value in subject.items() if name not in ("kind", "apiGroup")}
    return {"kind": subject["kind"], "apiGroup": group, **rest}


def _binding_problems(binding: Manifest, kinds: tuple[str, ...]) -> list[Problem]:
    role, found = binding.get("roleRef") or {}, []
    if role.get("apiGroup", "") != GROUP:
        found.append(not_supported("roleRef.apiGroup", role.get("apiGroup", ""), (GROUP,)))
    if role.get("kind", "") not in kinds:
        found.append(not_supported("roleRef.kind", role.get("kind", ""), kinds))
    if not role.get("name"):
        found.append(required("roleRef.name"))
    else:
        found += [invalid("roleRef.name", role["name"], problem) for problem in name_problems(role["name"], "path")]
    namespaced = "namespace" in binding["metadata"]
    for number, subject in enumerate(binding.get("subjects") or []):
        found += _subject_problems(subject, f"subjects[{number}]", namespaced)
    return found


def _subject_problems(subject: Manifest, where: str, namespaced: bool) -> Iterator[Problem]:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if not name:
        yield required(f"{where}.name")
    if kind not in _GROUP_OF_SUBJECT:
        yield not_supported(f"{where}.kind", kind, ("ServiceAccount", "User", "Group"))
        return
    group = _GROUP_OF_SUBJECT[kind]
    if kind == "ServiceAccount" and name:
        yield from (invalid(f"{where}.name", name, problem) for problem in name_problems(name, "subdomain"))
    if subject.get("apiGroup", "") != group:
        yield not_supported(f"{where}.apiGroup", subject.get("apiGroup", ""), (group,))
    if kind == "ServiceAccount" and not namespaced and not subject.get("namespace"):
        yield required(f"{where}.namespace")


def _fixed_role(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if old.get("roleRef") == new.get("roleRef"):
        return []
    role = new.get("roleRef") or {}
    shown = as_json({go: role.get(name, "") for go, name in _ROLE_REF})  # Go shows its internal struct.
    return [raw_invalid("roleRef", shown, IMMUTABLE)]


_ROLE_REF = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))

ROLE = Resource(
    GROUP, "v1", "Role", "roles", name_rule="path", create_on_update=True, default=_with_rules,
    validate=partial(_role_problems, namespaced=True),
)  # fmt: skip
CLUSTER_ROLE = Resource(
    GROUP, "v1", "ClusterRole", "clusterroles", namespaced=False, name_rule="path", create_on_update=True,
    default=_with_rules,
    validate=partial(_role_problems, namespaced=False),
)  # fmt: skip
ROLE_BINDING = Resource(
    GROUP, "v1", "RoleBinding", "rolebindings", name_rule="path", create_on_update=True, default=_default_binding,
    validate=partial(_binding_problems, kinds=("Role", "ClusterRole")), immutable=_fixed_role,
)  # fmt: skip
CLUSTER_ROLE_BINDING = Resource(
    GROUP, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False, name_rule="path", create_on_update=True,
    default=_default_binding, validate=partial(_binding_problems, kinds=("ClusterRole",)), immutable=_fixed_role,
)  # fmt: skip

RESOURCES = (CLUSTER_ROLE_BINDING, CLUSTER_ROLE, ROLE_BINDING, ROLE)
