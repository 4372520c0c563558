"""RBAC: roles are lists of rules, bindings give them to users, groups and service accounts. There is no "deny".

    ClusterRoleBinding -> ClusterRole            everywhere, and what has no namespace
    RoleBinding        -> Role or ClusterRole    in the binding's own namespace

A question is allowed if one rule allows it. A binding whose role is missing grants nothing, and says so in the refusal.

Mirrors:  kubernetes/plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go, pkg/apis/rbac/v1
"""

from collections.abc import Iterator
from typing import Any

from cluster.apiserver.authorization import ALLOWED, Ask, Decision, Source
from cluster.objects import Manifest, meta, users
from cluster.objects.users import User

GROUP = "rbac.authorization.k8s.io"
REMEMBERED = 20_000  # Decisions; then all are forgotten.
Rule = dict[str, Any]
Key = tuple[str, str]  # A subject: ("User" or "Group", name).


class Rbac:
    """Decides by the roles and bindings of `source`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._decided: dict[Ask, Decision] = {}
        self._bindings: dict[str, dict[Key, list[Manifest]]] = {}  # Namespace ("": cluster) to subject to bindings.

    def forget(self) -> None:
        """A role or a binding has changed."""
        if self._decided or self._bindings:
            self._decided, self._bindings = {}, {}

    def decide(self, ask: Ask) -> Decision:
        found = self._decided.get(ask)
        if found is None:
            if len(self._decided) >= REMEMBERED:
                self._decided.clear()
            found = self._decided[ask] = self._decide(ask)
        return found

    def _decide(self, ask: Ask) -> Decision:
        problems: dict[str, None] = {}
        for binding, rules, problem in self._bound(ask.user, ask.namespace):
            if problem:
                problems[problem] = None
            elif any(allows(rule, ask) for rule in rules):
                return Decision(True, _because(binding, ask))
        listed = list(problems)
        text = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
        return Decision(False, f"RBAC: {text}" if listed else "")

    def rules_of(self, user: User, namespace: str) -> tuple[list[Rule], list[str]]:
        """(all rules of `user` there, those of the bindings that come last by name first; why some may be missing)."""
        rules: list[Rule] = []
        problems: dict[str, None] = {}
        for _, found, problem in sorted(self._bound(user, namespace), key=lambda bound: _order(bound[0]), reverse=True):
            rules += found
            if problem:
                problems[problem] = None
        return rules, list(problems)

    def rules_of_role(self, reference: Manifest, namespace: str) -> list[Rule] | None:
        """The rules of the role that a binding in `namespace` names; None if there is no such role."""
        kind = reference.get("kind", "")
        role = self._source.get(kind, namespace if kind == "Role" else "", reference.get("name", ""))
        return None if role is None else role.get("rules") or []

    # --- who is bound to what -----------------------------------------------------------------------------------

    def _bound(self, user: User, namespace: str) -> Iterator[tuple[Manifest, list[Rule], str]]:
        """(binding, rules of its role, problem) for every binding that holds for `user` in `namespace`."""
        keys = [("User", user.name), *(("Group", group) for group in user.groups)]
        for where in ("", namespace) if namespace else ("",):
            index, seen = self._index(where), set()
            for key in keys:
                for binding in index.get(key, ()):
                    if meta.name(binding) in seen:
                        continue
                    seen.add(meta.name(binding))
                    reference = binding.get("roleRef") or {}
                    rules = self.rules_of_role(reference, where)
                    yield binding, rules or [], missing(reference) if rules is None else ""

    def _index(self, namespace: str) -> dict[Key, list[Manifest]]:
        index = self._bindings.get(namespace)
        if index is None:
            index = self._bindings[namespace] = {}
            kind = "RoleBinding" if namespace else "ClusterRoleBinding"
            for binding in self._source.list(kind, namespace or None):
                for key in dict.fromkeys(_key(subject, namespace) for subject in binding.get("subjects") or ()):
                    if key is not None:
                        index.setdefault(key, []).append(binding)
        return index


def _order(binding: Manifest) -> tuple[bool, str]:
    """Cluster-wide ones come first, in reverse."""
    return not meta.namespace(binding), meta.name(binding)


def _key(subject: Manifest, namespace: str) -> Key | None:
    """Who a binding's subject is. A service account is the user that its token names."""
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind in ("User", "Group"):
        return kind, name
    where = subject.get("namespace") or namespace
    return ("User", users.account_name(where, name)) if kind == "ServiceAccount" and where else None


def missing(reference: Manifest) -> str:
    return f'{reference.get("kind", "").lower()}.{GROUP} "{reference.get("name", "")}" not found'


def _because(binding: Manifest, ask: Ask) -> str:
    """`RBAC: allowed by ClusterRoleBinding "…" of ClusterRole "…" to Group "…"`: what can-i shows of a yes."""
    namespace, name = meta.namespace(binding), meta.name(binding)
    full = f"{name}/{namespace}" if namespace else name
    reference = binding["roleRef"]
    for subject in binding.get("subjects") or ():
        key = _key(subject, namespace)
        if key == ("User", ask.user.name) or (key and key[0] == "Group" and key[1] in ask.user.groups):
            shown = f"{subject['name']}/{subject.get('namespace') or namespace}"
            shown = shown if subject["kind"] == "ServiceAccount" else subject["name"]
            return (
                f'RBAC: allowed by {binding["kind"]} "{full}" of {reference["kind"]} "{reference["name"]}"'
                f' to {subject["kind"]} "{shown}"'
            )
    return ALLOWED.reason


# --- rules --------------------------------------------------------------------------------------------------------


def allows(rule: Rule, ask: Ask) -> bool:
    """Does this one rule allow it?"""
    verbs = rule.get("verbs") or ()
    if ask.verb not in verbs and "*" not in verbs:
        return False
    if ask.path:
        return any(path_matches(pattern, ask.path) for pattern in rule.get("nonResourceURLs") or ())
    groups = rule.get("apiGroups") or ()
    if ask.group not in groups and "*" not in groups:
        return False
    names = rule.get("resourceNames") or ()
    return resource_matches(rule, ask.resource, ask.subresource) and (not names or ask.name in names)


def resource_matches(rule: Rule, resource: str, subresource: str) -> bool:
    """`*`, `pods`, `pods/log`, or `*/scale`."""
    resources = rule.get("resources") or ()
    if "*" in resources or (f"{resource}/{subresource}" if subresource else resource) in resources:
        return True
    return bool(subresource) and f"*/{subresource}" in resources


def path_matches(pattern: str, path: str) -> bool:
    """`*`, `/version`, or `/api/*`."""
    return pattern == path or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))
